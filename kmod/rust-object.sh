#!/bin/sh
# Builds the one Rust object of the module: `core` from the compiler's library source, the three cores and the
# module's crate, all with kernel flags, linked by LTO into one relocatable object. The same object serves every kernel; a kernel
# with the patches leaves out what it has no use for by the conditions semundo_in_tree and semundo_read_only (src/lib.rs); where
# KASAN or KCSAN checks it, the conditions semundo_kasan and semundo_kcsan have the object checked, too.
#
# usage: RUSTC=rustc rust-object.sh KMOD_DIR BUILD_DIR OBJECT [CONDITION...]
set -eu

rustc=${RUSTC:-rustc}
kmod=$1
build=$2
object=$3
shift 3
conditions=--cfg=semundo_module
for condition; do
	conditions="$conditions --cfg=$condition"
done

# Kernel builds need unstable flags; this makes a stable compiler take them.
export RUSTC_BOOTSTRAP=1
# rustc would take make's job server for its own and complain that it is closed to it.
unset MAKEFLAGS MFLAGS

fail() {
	echo "rust-object.sh: $*" >&2
	exit 1
}

command -v "$rustc" >/dev/null || fail "no Rust compiler: '$rustc' not found"
sysroot=$("$rustc" --print sysroot)
library=$sysroot/lib/rustlib/src/rust/library
[ -f "$library/core/src/lib.rs" ] || fail "no Rust library source at $library: install it ('rustup component add rust-src', or the package rust-src)"

mkdir -p "$build/empty" "$build/probe"
echo '#![no_core] #![feature(no_core)]' >"$build/probe/probe.rs"

# Whether the compiler takes the flags without an error or a warning: their spelling changes between versions.
accepts() {
	message=$("$rustc" --target=x86_64-unknown-none --crate-type=rlib --emit=metadata --sysroot="$build/empty" \
		--cap-lints=allow "$@" -o "$build/probe/probe.rmeta" "$build/probe/probe.rs" 2>&1) && [ -z "$message" ]
}

flags="--target=x86_64-unknown-none -Cpanic=abort -Copt-level=2 -Ccodegen-units=1 -Csymbol-mangling-version=v0
	-Crelocation-model=static -Ccode-model=kernel -Cno-redzone=y -Cforce-unwind-tables=n -Zfunction-sections=n
	-Zcf-protection=branch -Zplt=yes -Zfunction-return=thunk-extern -Zpatchable-function-entry=16,16
	-Cembed-bitcode=y --sysroot=$build/empty --out-dir=$build"

# No jump tables: an indirect jump without a retpoline.
if accepts -Zunstable-options -Cjump-tables=n; then
	flags="$flags -Zunstable-options -Cjump-tables=n"
else
	flags="$flags -Zno-jump-tables"
fi

# Retpolines and straight-line-speculation barriers.
if accepts -Zretpoline-external-thunk=yes; then
	flags="$flags -Zretpoline-external-thunk=yes -Ctarget-feature=+harden-sls-ijmp,+harden-sls-ret"
else
	retpoline=+retpoline-external-thunk,+retpoline-indirect-branches,+retpoline-indirect-calls
	flags="$flags -Ctarget-feature=$retpoline,+harden-sls-ijmp,+harden-sls-ret"
fi
# The compiler passes these features on, but warns of each at every call. Cargo's lints see to the other warnings.
flags="$flags -Awarnings"

# Whether a checker of the kernel is to watch the object.
checked_by() {
	case " $conditions " in
	*" --cfg=semundo_$1 "*) ;;
	*) false ;;
	esac
}

emit=link
# KASAN: calls of the kernel's functions that check an access, as gcc makes them for CONFIG_KASAN_OUTLINE. The shadow of the stack
# is written in place; where it lies is Kconfig's KASAN_SHADOW_OFFSET, the same for all x86-64 kernels.
if checked_by kasan; then
	flags="$flags -Zsanitizer=kernel-address -Zsanitizer-recover=kernel-address
		-Cllvm-args=-asan-mapping-offset=0xdffffc0000000000 -Cllvm-args=-asan-instrumentation-with-call-threshold=0
		-Cllvm-args=-asan-stack=1 -Cllvm-args=-asan-globals=0 -Cllvm-args=-asan-kernel-mem-intrinsic-prefix=1"
fi
# KCSAN: see the end.
if checked_by kcsan; then
	emit=link,llvm-ir
	llvm=$("$rustc" -vV | sed -n 's/^LLVM version: \([0-9]*\).*/\1/p')
	for tool in opt llc; do
		"$tool" --version 2>/dev/null | grep -q "LLVM version $llvm\." || fail "no $tool of LLVM $llvm, which is rustc's"
	done
fi

compile() { # CRATE_NAME SOURCE FLAGS...
	name=$1
	source=$2
	shift 2
	# shellcheck disable=SC2086 # the flags are words
	"$rustc" --crate-name "$name" --crate-type=rlib --emit=link $flags "$@" "$source"
}

# The library's part is by far the longest, and changes only with the compiler and the flags.
stamp=$("$rustc" -vV; echo "$flags")
if [ ! -f "$build/stamp" ] || [ "$stamp" != "$(cat "$build/stamp")" ]; then
	rm -f "$build/stamp"
	# Compiled as its authors left it: its warnings are not ours to see.
	edition=$(sed -n 's/^edition = "\(.*\)"/\1/p' "$library/core/Cargo.toml")
	compile core "$library/core/src/lib.rs" --edition="$edition" --cap-lints=allow --cfg 'feature="optimize_for_size"'
	echo '#![no_std] #![feature(compiler_builtins)] #![compiler_builtins]' >"$build/compiler_builtins.rs"
	compile compiler_builtins "$build/compiler_builtins.rs" --edition=2021 --cap-lints=allow \
		--extern core="$build/libcore.rlib"
	echo "$stamp" >"$build/stamp"
fi

use="--edition=2024 --extern core=$build/libcore.rlib --extern compiler_builtins=$build/libcompiler_builtins.rlib -L $build"
# shellcheck disable=SC2086 # words
{
	compile rcu_core "$kmod/../rcu-core/src/lib.rs" $use --cfg 'feature="kernel"'
	compile seqfile_core "$kmod/../seqfile-core/src/lib.rs" $use
	compile semundo_core "$kmod/../semundo-core/src/lib.rs" $use \
		--extern rcu_core="$build/librcu_core.rlib" --extern seqfile_core="$build/libseqfile_core.rlib"
	"$rustc" --crate-name semundo_kmod --crate-type=staticlib --emit=$emit $flags $use -Clto=fat $conditions \
		--extern rcu_core="$build/librcu_core.rlib" --extern seqfile_core="$build/libseqfile_core.rlib" \
		--extern semundo_core="$build/libsemundo_core.rlib" "$kmod/src/lib.rs"
}

if checked_by kcsan; then
	# The target has no thread sanitizer in rustc's eyes, but LLVM has: all functions of what LTO left are given to it, the last
	# passes are the compiler's.
	sed '/^attributes #.*"patchable-function-prefix"/ s/{/{ sanitize_thread/' "$build/semundo_kmod.ll" >"$build/watched.ll"
	opt -passes='function(tsan)' -tsan-distinguish-volatile=1 -tsan-compound-read-before-write=1 \
		-tsan-instrument-func-entry-exit=0 "$build/watched.ll" -o "$build/watched.bc"
	llc -O2 -filetype=obj -relocation-model=static -code-model=kernel "$build/watched.bc" -o "$object"
	exit
fi

# The archive holds the one object that LTO left, and perhaps empty companions.
rm -rf "$build/members"
mkdir "$build/members"
(cd "$build/members" && "${AR:-ar}" x ../libsemundo_kmod.a)
member=$(ls -S "$build/members"/*.o | head -n 1)
cp "$member" "$object"
