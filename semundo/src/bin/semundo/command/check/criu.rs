//! Whether CRIU is here, and the plugin by which its checkpoints keep undo lists; looked at, not tried.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};
use object::{Object, ObjectSection, ObjectSymbol};

/// Where it may be, beside what PATH says.
const DIRECTORIES: [&str; 3] = ["/usr/sbin", "/usr/local/sbin", "/sbin"];

/// The oldest CRIU that asks plugins for what a restore takes (`RESUME_DEVICES_LATE`).
const OLDEST: (u32, u32) = (3, 17);

/// The plugin's file.
const PLUGIN: &str = "semundo_plugin.so";

/// `CRIU_PLUGIN_VERSION` of all CRIUs so far: 0.2.0.
const ABI: u32 = 2 << 8;

/// The largest number of hooks that all CRIUs since 4.0 take.
const MOST_HOOKS: u32 = 12;

/// What was found, if it fits.
pub fn look() -> Result<String> {
    let criu =
        program().context("there is no criu; undo lists are lost only where processes are checkpointed by it")?;
    let said = output(&criu, "--version")?;
    let version = field(&said, "Version: ").with_context(|| format!("{} tells no version", criu.display()))?;
    ensure!(
        number(&version).is_some_and(|version| version >= OLDEST),
        "criu {version} is too old for plugins that restore, which takes {}.{} or later",
        OLDEST.0,
        OLDEST.1
    );
    let directory = plugin_directory(&criu)?;
    let plugin = directory.join(PLUGIN);
    let bytes = fs::read(&plugin).with_context(|| {
        format!("criu {version} loses undo lists: install the plugin (docs/criu.md) as {}", plugin.display())
    })?;
    fits(&bytes).with_context(|| plugin.display().to_string())?;
    Ok(format!("criu {version} with {}", plugin.display()))
}

fn program() -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let all = env::split_paths(&path).chain(DIRECTORIES.iter().map(PathBuf::from));
    all.map(|directory| directory.join("criu")).find(|criu| criu.is_file())
}

fn output(criu: &Path, option: &str) -> Result<String> {
    let output = Command::new(criu).arg(option).output().with_context(|| criu.display().to_string())?;
    let mut text = String::from_utf8_lossy(&output.stdout).into_owned();
    // What is missing to run it is told there.
    text.push_str(&String::from_utf8_lossy(&output.stderr));
    Ok(text)
}

/// What follows a name, up to a blank.
fn field(text: &str, name: &str) -> Option<String> {
    let rest = text.split_once(name)?.1;
    rest.split(|c: char| c.is_whitespace() || c == ')').next().map(str::to_owned).filter(|field| !field.is_empty())
}

/// The first two numbers of a version.
fn number(version: &str) -> Option<(u32, u32)> {
    let mut numbers = version.split('.').map(|part| part.trim_end_matches(|c: char| !c.is_ascii_digit()).parse().ok());
    Some((numbers.next()??, numbers.next().flatten().unwrap_or(0)))
}

/// Where it takes plugins from, if nobody tells it otherwise.
fn plugin_directory(criu: &Path) -> Result<PathBuf> {
    if let Some(directory) = env::var_os("CRIU_LIBS_DIR") {
        return Ok(directory.into());
    }
    let help = output(criu, "--help")?;
    let line = help.lines().find(|line| line.contains("--libdir")).unwrap_or_default();
    field(line, "by default ").map(PathBuf::from).context("criu --help tells no plugin directory (--libdir)")
}

/// Whether a file is a plugin for such a CRIU: its descriptor's version and number of hooks (`criu-plugin.h`: `cr_plugin_desc_t`).
fn fits(bytes: &[u8]) -> Result<()> {
    let file = object::File::parse(bytes).context("it is no shared object")?;
    let found = file.dynamic_symbols().find(|symbol| symbol.name() == Ok("CR_PLUGIN_DESC"));
    let symbol = found.context("it is no CRIU plugin: it has no CR_PLUGIN_DESC")?;
    let section = file.section_by_index(symbol.section_index().context("it has no descriptor")?)?;
    let Some(&[v0, v1, v2, v3, h0, h1, h2, h3]) = section.data_range(symbol.address() + 24, 8)? else {
        bail!("it has no descriptor");
    };
    let (version, hooks) = (u32::from_le_bytes([v0, v1, v2, v3]), u32::from_le_bytes([h0, h1, h2, h3]));
    ensure!(version == ABI, "it is for version {version:#x} of CRIU's plugin interface, not {ABI:#x}");
    ensure!(hooks <= MOST_HOOKS, "it has {hooks} hooks, and CRIU refuses more than {MOST_HOOKS}");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_and_directories_are_found_in_what_criu_says() {
        let version = |said| field(said, "Version: ").and_then(|version| number(&version));
        assert_eq!(version("Version: 4.1.1\nGitID: v4.1.1\n"), Some((4, 1)));
        assert_eq!(version("Version: 3.17.1\n"), Some((3, 17)));
        assert_eq!(version("Version: 4.2\n"), Some((4, 2)));
        assert_eq!(version("Version: 5-rc1"), None);
        assert_eq!(version("criu: error while loading shared libraries"), None);
        let help = "  -L|--libdir           path to a plugin directory (by default /usr/lib/criu/)\n";
        assert_eq!(field(help, "by default ").as_deref(), Some("/usr/lib/criu/"));
    }

    #[test]
    fn what_is_no_plugin_is_told() {
        assert!(fits(b"text").unwrap_err().to_string().contains("no shared object"));
        let program = fs::read(env::current_exe().unwrap()).unwrap();
        assert!(fits(&program).unwrap_err().to_string().contains("no CR_PLUGIN_DESC"));
    }
}
