//! The check that the running kernel's private structures are laid out as the module was compiled for.

use core::fmt::{self, Write};

use seqfile_core::SeqBuf;

use crate::btf::{Btf, Malformed};

/// What the module was compiled for: a member at an offset, or a structure of a size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Expected<'a> {
    /// The structure's name.
    pub structure: &'a str,
    /// The member's name; `None` for the structure itself.
    pub member: Option<&'a str>,
    /// The member's offset, or the structure's size, in bytes.
    pub offset: usize,
}

/// Why the module must not load.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal<'a> {
    /// The kernel's type information cannot be read.
    Malformed,
    /// The kernel has no such structure.
    NoStructure(&'a str),
    /// The structure has another layout; `found` is what the kernel has instead, if anything.
    Differs {
        /// What the module was compiled for.
        expected: Expected<'a>,
        /// The offset or size in the running kernel.
        found: Option<usize>,
    },
}

impl From<Malformed> for Refusal<'_> {
    fn from(_: Malformed) -> Self {
        Self::Malformed
    }
}

impl fmt::Display for Refusal<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed => write!(f, "the kernel's type information (BTF) cannot be parsed"),
            Self::NoStructure(name) => write!(f, "the kernel's type information (BTF) has no struct {name}"),
            Self::Differs { expected, found } => {
                let Expected { structure, member, offset } = expected;
                match member {
                    Some(member) => write!(f, "struct {structure}: {member} is expected at byte {offset}")?,
                    None => write!(f, "struct {structure} is expected to have {offset} bytes")?,
                }
                match (member, found) {
                    (Some(_), Some(found)) => write!(f, ", the running kernel has it at {found}"),
                    (Some(_), None) => write!(f, ", the running kernel has none"),
                    (None, found) => write!(f, ", the running kernel's has {}", found.unwrap_or(0)),
                }
            }
        }
    }
}

/// Compares what the module was compiled for with the running kernel's type information.
///
/// # Errors
///
/// The first thing that differs.
pub fn check<'a>(btf: &[u8], expected: impl IntoIterator<Item = Expected<'a>>) -> Result<(), Refusal<'a>> {
    let btf = Btf::parse(btf)?;
    for expected in expected {
        let mut any = false;
        // If there are several structures of the name, there is no telling which is meant: all must agree.
        for structure in btf.structures(expected.structure) {
            let structure = structure?;
            let found = match expected.member {
                Some(member) => structure.offset_of(member)?,
                None => Some(structure.size()),
            };
            if found != Some(expected.offset) {
                return Err(Refusal::Differs { expected, found });
            }
            any = true;
        }
        if !any {
            return Err(Refusal::NoStructure(expected.structure));
        }
    }
    Ok(())
}

/// Writes a refusal as a C string, cut to the room there is.
pub fn report(refusal: &Refusal<'_>, message: &mut [u8]) {
    if let Some((last, room)) = message.split_last_mut() {
        *last = 0;
        room.fill(0);
        let mut out = SeqBuf::new(room);
        // Infallible: what does not fit is cut.
        let _ = write!(out, "{refusal}");
    }
}
