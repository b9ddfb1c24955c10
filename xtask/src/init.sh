#!/bin/busybox sh
# The first process of the VM: loads the module, runs the command, tells its exit status.
# ttyS0 is the kernel's console; ttyS1 the command's terminal or standard output,
# ttyS2 its standard error; ttyS3 takes the exit status.
/bin/busybox --install -s /bin
export PATH=/bin HOME=/root

mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev
mkdir -p /dev/pts /dev/shm
mount -t devpts devpts /dev/pts
mount -t tmpfs tmpfs /dev/shm
mount -t tmpfs -o mode=1777 tmpfs /tmp
ln -s /proc/self/fd /dev/fd
ip link set lo up
for port in 1 2 3; do
    stty -F /dev/ttyS$port raw -echo
done

finish() {
    # Setting a port waits until its output has left, also that of surviving background jobs.
    stty -F /dev/ttyS1 raw -echo
    stty -F /dev/ttyS2 raw -echo
    echo "$1" >/dev/ttyS3
    reboot -f
}

if ! grep -qw semundo.load=0 /proc/cmdline; then
    insmod /semundo.ko 2>/dev/ttyS2 || finish module-refused
fi

if [ -e /interactive ]; then
    stty -F /dev/ttyS1 sane $(cat /interactive)
    cd
    setsid -c sh -l </dev/ttyS1 >/dev/ttyS1 2>&1
else
    sh /command </dev/null >/dev/ttyS1 2>/dev/ttyS2
fi
finish "exit $?"
