//! What a page says about the machine that its figures are of.

use std::fs;
use std::thread;

use rustix::system::uname;
use time::UtcDateTime;

/// Names and values: machine, kernel, cores, date.
pub fn facts() -> Vec<(&'static str, String)> {
    let cores = thread::available_parallelism().map_or("unknown".to_owned(), |cores| cores.to_string());
    let name = uname();
    let kernel = format!("{} {}", name.sysname().to_string_lossy(), name.release().to_string_lossy());
    let processor = processor().unwrap_or_else(|| "an unknown processor".to_owned());
    vec![
        ("Machine", format!("{processor}, {}{}", name.machine().to_string_lossy(), virtual_machine())),
        ("Kernel", kernel),
        ("Cores", cores),
        ("Date", format!("{} (UTC)", UtcDateTime::now().date())),
    ]
}

fn processor() -> Option<String> {
    model(&fs::read_to_string("/proc/cpuinfo").ok()?)
}

fn model(cpuinfo: &str) -> Option<String> {
    let line = cpuinfo.lines().find(|line| line.starts_with("model name"))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}

/// A virtual machine's processor says that it is one.
fn virtual_machine() -> &'static str {
    let cpuinfo = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let mut flags = cpuinfo.lines().filter(|line| line.starts_with("flags")).flat_map(str::split_whitespace);
    if flags.any(|flag| flag == "hypervisor") { ", a virtual machine" } else { "" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_processor_is_named() {
        let cpuinfo = "processor\t: 0\nmodel name\t: A Processor @ 2 GHz\nflags\t\t: fpu\n";
        assert_eq!(model(cpuinfo).as_deref(), Some("A Processor @ 2 GHz"));
        assert_eq!(model("processor\t: 0\n"), None);
    }

    #[test]
    fn machine_kernel_cores_and_date_are_told() {
        let facts = facts();
        assert_eq!(facts.iter().map(|(name, _)| *name).collect::<Vec<_>>(), ["Machine", "Kernel", "Cores", "Date"]);
        assert!(facts.iter().all(|(_, value)| !value.is_empty()));
    }
}
