# Runs in a Debian system of its own: the module by DKMS, then by Debian's package. What is left of it goes to /out.
# $1: the module's version; the other lines of modinfo are expected here.
set -e
version=$1
kernel=$(ls /lib/modules)

is() { # WHAT IS WANTED
    [ "$2" = "$3" ] || { echo "$1 is '$2' where '$3' is wanted"; exit 1; }
    echo "$1 is '$2'"
}

tree() { # DIRECTORY
    make -s -C /checkout/kmod tree TREE="$1"
}

installed() {
    is status "$(dkms status)" "semundo/$version, $kernel, x86_64: installed"
    log=/var/lib/dkms/semundo/$version/$kernel/x86_64/log/make.log
    cat "$log"
    if grep -i 'warning' "$log"; then echo "the build warns"; exit 1; fi
    modinfo -k "$kernel" semundo
    while read -r field wanted; do
        is "$field" "$(modinfo -k "$kernel" -F "$field" semundo)" "$wanted"
    done <<FIELDS
filename /lib/modules/$kernel/updates/dkms/semundo.ko.xz
description System V semaphore undo lists in /proc
author The semundo authors
license Dual MIT/GPL
version $version
name semundo
alias
depends
signer DKMS module signing key
FIELDS
}

gone() {
    if modinfo -k "$kernel" semundo 2>/dev/null; then echo "there is a semundo.ko"; exit 1; fi
}

echo "DKMS by hand"
gone
tree "/usr/src/semundo-$version"
dkms add "semundo/$version"
dkms build "semundo/$version" -k "$kernel"
dkms install "semundo/$version" -k "$kernel"
installed
xz -dc "/lib/modules/$kernel/updates/dkms/semundo.ko.xz" >/out/semundo.ko
cp "/boot/vmlinuz-$kernel" /out/vmlinuz
dkms remove "semundo/$version" --all
gone
rm -r "/usr/src/semundo-$version"

echo "Debian's package"
mkdir /tmp/package
tree "/tmp/package/semundo-kmod-$version"
cd "/tmp/package/semundo-kmod-$version"
dpkg-buildpackage -us -uc
cd ..
dpkg-deb --info "semundo-dkms_${version}_amd64.deb"
dpkg --install "semundo-dkms_${version}_amd64.deb"
installed
dpkg --purge semundo-dkms
gone
[ ! -e "/usr/src/semundo-$version" ] || { echo "the package leaves its source"; exit 1; }
