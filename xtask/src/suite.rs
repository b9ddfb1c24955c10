//! The Debian suites whose stock kernels are supported: one table.
//!
//! A suite names where kernel, headers and compilers come from; versions are whatever it ships.

use clap::ValueEnum;

/// A Debian suite.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Suite {
    /// Debian 13 (Linux 6.12)
    Trixie,
    /// Debian 12 (Linux 6.1)
    Bookworm,
    /// Debian testing
    Forky,
}

/// Where the compiler for the module's Rust half comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rust {
    /// The suite's own packages.
    Suite,
    /// The host's toolchain, for suites whose own is older than edition 2024.
    Host,
}

/// What is particular about one suite.
pub struct Facts {
    /// The name in Debian's archive.
    pub name: &'static str,
    /// Which Rust compiles the module.
    pub rust: Rust,
    /// apt options its archive needs.
    pub apt_options: &'static [&'static str],
}

impl Suite {
    /// What is particular about this suite.
    pub fn facts(self) -> Facts {
        match self {
            Self::Trixie => Facts { name: "trixie", rust: Rust::Suite, apt_options: &[] },
            Self::Bookworm => Facts { name: "bookworm", rust: Rust::Host, apt_options: &[] },
            // The Release file of a moving suite expires; a machine's clock may be past it.
            Self::Forky => {
                Facts { name: "forky", rust: Rust::Suite, apt_options: &["Acquire::Check-Valid-Until \"false\""] }
            }
        }
    }

    /// The packages its build chroot holds: kernel, headers and compilers.
    pub fn packages(self) -> Vec<&'static str> {
        // The set `?essential` is apt's pattern; mawk and the rest are what Kbuild calls.
        let mut packages =
            vec!["?essential", "mawk", "make", "gcc", "libc6-dev", "linux-image-amd64", "linux-headers-amd64"];
        if self.facts().rust == Rust::Suite {
            packages.extend(["rustc", "rust-src", "cargo"]);
        }
        if self == Self::Trixie {
            // What compiles the command's BPF program, and instruments Rust for KCSAN.
            packages.extend(["clang", "llvm", "libbpf-dev"]);
        }
        if self != Self::Bookworm {
            // What the patched kernel is built and its patches are checked with.
            packages.extend(["bc", "bison", "flex", "libelf-dev", "patch", "perl", "xz-utils"]);
        }
        packages
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_suite_is_named_on_the_command_line_as_in_the_archive() {
        for suite in Suite::value_variants() {
            let name = suite.facts().name;
            assert_eq!(Suite::from_str(name, false), Ok(*suite));
        }
        assert!(Suite::from_str("sid", false).is_err());
    }

    #[test]
    fn every_suite_has_a_kernel_and_some_rust() {
        for suite in Suite::value_variants() {
            let packages = suite.packages();
            assert!(packages.contains(&"linux-headers-amd64"));
            assert_eq!(packages.contains(&"rustc"), suite.facts().rust == Rust::Suite);
        }
    }
}
