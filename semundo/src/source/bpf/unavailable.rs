//! Why BPF cannot be used here, and what would help.

use std::fs;
use std::path::Path;

use caps::{CapSet, Capability};

use crate::source::Error;

const LOCKDOWN: &str = "/sys/kernel/security/lockdown";
const BTF: &str = "/sys/kernel/btf/vmlinux";

/// What can be said before anything is tried.
pub(super) fn before_loading() -> Result<(), Error> {
    let why = if fs::read_to_string(LOCKDOWN).is_ok_and(|modes| modes.contains("[confidentiality]")) {
        format!(
            "the kernel is locked down for confidentiality ({LOCKDOWN}), so BPF may not read its memory: boot with lockdown=integrity, \
             or use the kernel module"
        )
    } else if !Path::new(BTF).exists() {
        format!("the kernel has no type information at {BTF} (CONFIG_DEBUG_INFO_BTF), or /sys is not mounted")
    } else if let Some(missing) = missing_capabilities() {
        format!(
            "BPF takes CAP_BPF and CAP_PERFMON, or CAP_SYS_ADMIN, of which this process lacks {missing}: run it as root"
        )
    } else {
        return Ok(());
    };
    Err(Error::Unavailable(why))
}

fn missing_capabilities() -> Option<String> {
    let has = |capability| caps::has_cap(None, CapSet::Effective, capability).unwrap_or(true);
    if has(Capability::CAP_SYS_ADMIN) {
        return None;
    }
    let mut missing = vec![Capability::CAP_BPF, Capability::CAP_PERFMON];
    missing.retain(|capability| !has(*capability));
    let names: Vec<_> = missing.iter().map(ToString::to_string).collect();
    (!names.is_empty()).then(|| names.join(" and "))
}

/// What the kernel or the loader said, and what it means.
pub(super) fn explain(error: anyhow::Error) -> Error {
    let text = format!("{error:#}");
    let hint = if text.contains("unknown func") {
        "; the kernel must be Linux 5.17 or later"
    } else if text.contains("(os error 1)") {
        "; the capabilities must be those of the initial user namespace (a container's root is not enough), and no security module may forbid it"
    } else {
        ""
    };
    Error::Unavailable(format!("{text}{hint}"))
}
