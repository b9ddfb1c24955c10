# What the VM does instead of enter.sh: the arguments are the command. The root of an initramfs is none that CRIU can take for one, so
# all is copied to a file system of its own, which becomes the root directory in a mount namespace of its own.
set -e
for module in /modules/*; do
    insmod "$module"
done
mkdir /new
mount -t tmpfs -o size=90% tmpfs /new
cp -a /criu/. /new
mount --rbind /proc /new/proc
mount --rbind /sys /new/sys
mount --rbind /dev /new/dev
mount -t tmpfs tmpfs /new/run
mount -t cgroup2 cgroup2 /new/sys/fs/cgroup
mount -t bpf bpf /new/sys/fs/bpf
cd /new
mount --move . /
exec chroot . /bin/busybox sh -c 'busybox mount --bind / /mnt &&
    exec busybox env -i PATH=/usr/bin:/usr/sbin HOME=/root \
        SEMUNDO_TEST_PLUGINS=/plugins SEMUNDO_TEST_OTHER_PLUGIN=/other_plugin.so "$@"' sh "$@"
