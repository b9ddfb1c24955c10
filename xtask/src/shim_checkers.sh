# Runs in a Debian of its own: the static checkers on the module's shim, what each says in a file of /out.
set -e
kernel=$(ls /lib/modules)
objects=$(cd /build/kmod && ls shim/*.c | sed 's/c$/o/')

into() { # FILE COMMAND...
    file=/out/$1
    shift
    "$@" >"$file" 2>&1 || failed=1
    cat "$file"
    [ -z "$failed" ] || exit 1
}

compile() {
    # shellcheck disable=SC2086 # the objects are words
    make -C "/lib/modules/$kernel/build" M=/build/kmod "$@" $objects
}

echo "sparse: $(sparse --version)"
into sparse compile C=2 CHECK=sparse

echo "gcc: $(gcc --version | head -n 1)"
into analyzer compile KCFLAGS=-fanalyzer

echo "coccicheck: $(spatch --version | head -n 1)"
mkdir /linux
tar --extract --file /source/linux-source-*.tar.xz --directory /linux --strip-components 1 \
    --wildcards '*/scripts/coccinelle' '*/scripts/coccicheck'
into coccicheck env srctree=/linux KBUILD_EXTMOD=/build/kmod/shim MODE=report J=1 bash /linux/scripts/coccicheck
if grep 'coccicheck failed' /out/coccicheck; then exit 1; fi
