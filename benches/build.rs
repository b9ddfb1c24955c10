//! Builds the loops of the C peers, one object a liburcu flavor.

fn main() {
    println!("cargo::rerun-if-changed=csrc");
    #[cfg(feature = "liburcu")]
    for flavor in ["memb", "mb", "qsbr", "bp"] {
        cc::Build::new()
            .file(format!("csrc/{flavor}.c"))
            .opt_level(2)
            .debug(false)
            .force_frame_pointer(false)
            // As part of an executable, which reaches thread-local variables without a call.
            .pic(false)
            .flag("-fPIE")
            // As the Rust loops are where `cargo xtask bench` builds them.
            .flag("-falign-loops=64")
            .warnings(true)
            .extra_warnings(true)
            .flag("-Werror")
            .compile(&format!("bench-{flavor}"));
        println!("cargo::rustc-link-lib=urcu-{flavor}");
    }
}
