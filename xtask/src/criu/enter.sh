# Enters a root file system with CRIU and runs a command there. The arguments: the root, then the command.
# CRIU looks at mounts from the root directory on, so that must be a mount point: chroot(8) does not make it one.
set -e
root=$1; shift
mount --make-rprivate /
mount --bind "$root" "$root"
mount -t proc proc "$root/proc"
mount --rbind /sys "$root/sys"
mount --rbind /dev "$root/dev"
mount -t tmpfs tmpfs "$root/run"
# Where it is kept from one dump to the next what the plugin reads with.
[ ! -d "$root/sys/fs/bpf" ] || mount -t bpf bpf "$root/sys/fs/bpf"
cd "$root"
pivot_root . old
cd /
busybox umount -l /old
# Where a new mount namespace gets its root from.
busybox mount --bind / /mnt
exec busybox env -i PATH=/usr/bin:/usr/sbin HOME=/root \
    SEMUNDO_TEST_PLUGINS=/plugins SEMUNDO_TEST_OTHER_PLUGIN=/other_plugin.so "$@"
