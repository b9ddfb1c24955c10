//! The kernel's type information (BTF), as `/sys/kernel/btf/vmlinux` holds it: enough to find members of structures.
//!
//! Format: the kernel's `Documentation/bpf/btf.rst` and `include/uapi/linux/btf.h`. The bytes are not trusted: whatever is not as
//! documented is an error, and nothing is read outside of them.

/// The types of a kernel.
#[derive(Clone, Copy, Debug)]
pub struct Btf<'a> {
    types: &'a [u8],
    strings: &'a [u8],
}

/// The bytes are not BTF of the documented form, in the byte order of this machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed;

const MAGIC: u16 = 0xeb9f;
const VERSION: u8 = 1;

/// `BTF_KIND_*`.
mod kind {
    pub const INT: u32 = 1;
    pub const ARRAY: u32 = 3;
    pub const STRUCT: u32 = 4;
    pub const UNION: u32 = 5;
    pub const ENUM: u32 = 6;
    pub const FUNC_PROTO: u32 = 13;
    pub const VAR: u32 = 14;
    pub const DATASEC: u32 = 15;
    pub const DECL_TAG: u32 = 17;
    pub const ENUM64: u32 = 19;
    pub const LAST: u32 = 19;
}

/// The fixed part of a type: `struct btf_type`.
const TYPE_LEN: usize = 12;
/// A member of a structure: `struct btf_member`.
const MEMBER_LEN: usize = 12;

impl<'a> Btf<'a> {
    /// Takes the header apart: `struct btf_header`.
    ///
    /// # Errors
    ///
    /// [`Malformed`] when the header or what it points to is not there.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, Malformed> {
        if u16_at(bytes, 0)? != MAGIC || *bytes.get(2).ok_or(Malformed)? != VERSION {
            return Err(Malformed);
        }
        let header_len = usize_at(bytes, 4)?;
        let body = bytes.get(header_len..).ok_or(Malformed)?;
        let part = |at: usize| section(body, usize_at(bytes, at)?, usize_at(bytes, at + 4)?);
        Ok(Self { types: part(8)?, strings: part(16)? })
    }

    /// The structures of that name: normally one.
    ///
    /// The iterator ends after an error.
    pub fn structures(self, name: &'a str) -> impl Iterator<Item = Result<Structure<'a>, Malformed>> {
        let mut rest = Some(self.types);
        core::iter::from_fn(move || {
            loop {
                let types = rest.take().filter(|types| !types.is_empty())?;
                match self.split_type(types) {
                    Ok((found, following)) => {
                        rest = Some(following);
                        match found.filter(|found| self.string(found.name).is_ok_and(|found| found == name.as_bytes()))
                        {
                            Some(found) => return Some(Ok(found)),
                            None => continue,
                        }
                    }
                    Err(error) => return Some(Err(error)),
                }
            }
        })
    }

    /// The first type as a structure, if it is one, and the types behind it.
    fn split_type(self, types: &'a [u8]) -> Result<(Option<Structure<'a>>, &'a [u8]), Malformed> {
        // Bits that the format leaves unused are taken along: set, they make a kind or a length that is refused.
        let (name, info, size) = (u32_at(types, 0)?, u32_at(types, 4)?, u32_at(types, 8)?);
        let (vlen, kind, bitfields) = ((info & 0xff_ffff) as usize, (info >> 24) & 0x7f, info >> 31 != 0);
        let payload = match kind {
            kind::INT | kind::VAR | kind::DECL_TAG => 4,
            kind::ARRAY => 12,
            kind::STRUCT | kind::UNION => vlen * MEMBER_LEN,
            kind::ENUM | kind::FUNC_PROTO => vlen * 8,
            kind::DATASEC | kind::ENUM64 => vlen * 12,
            1..=kind::LAST => 0,
            // The length of an unknown kind is unknown too.
            _ => return Err(Malformed),
        };
        let members = section(types, TYPE_LEN, payload)?;
        let following = types.get(TYPE_LEN + payload..).ok_or(Malformed)?;
        let structure = Structure { btf: self, name, size: size as usize, members, bitfields };
        Ok(((kind == kind::STRUCT).then_some(structure), following))
    }

    /// The string at an offset, without its zero.
    fn string(self, offset: u32) -> Result<&'a [u8], Malformed> {
        let string = self.strings.get(offset as usize..).ok_or(Malformed)?;
        let len = string.iter().position(|byte| *byte == 0).ok_or(Malformed)?;
        Ok(&string[..len])
    }
}

/// A structure.
#[derive(Clone, Copy, Debug)]
pub struct Structure<'a> {
    btf: Btf<'a>,
    name: u32,
    size: usize,
    members: &'a [u8],
    /// Whether a member's offset shares its word with the size of a bit field.
    bitfields: bool,
}

impl Structure<'_> {
    /// Its size in bytes.
    pub fn size(&self) -> usize {
        self.size
    }

    /// The offset in bytes of a member; `None` when it has none of that name, or not at a whole byte.
    ///
    /// # Errors
    ///
    /// [`Malformed`] when a name lies outside of the strings.
    pub fn offset_of(&self, member: &str) -> Result<Option<usize>, Malformed> {
        for entry in self.members.chunks_exact(MEMBER_LEN) {
            if self.btf.string(u32_at(entry, 0)?)? == member.as_bytes() {
                let offset = u32_at(entry, 8)?;
                let bits = if self.bitfields { offset & 0x00ff_ffff } else { offset } as usize;
                return Ok((bits % 8 == 0).then_some(bits / 8));
            }
        }
        Ok(None)
    }
}

fn section(bytes: &[u8], start: usize, len: usize) -> Result<&[u8], Malformed> {
    bytes.get(start..).and_then(|rest| rest.get(..len)).ok_or(Malformed)
}

fn u16_at(bytes: &[u8], at: usize) -> Result<u16, Malformed> {
    let word = section(bytes, at, 2)?;
    Ok(u16::from_ne_bytes([word[0], word[1]]))
}

fn u32_at(bytes: &[u8], at: usize) -> Result<u32, Malformed> {
    let word = section(bytes, at, 4)?;
    Ok(u32::from_ne_bytes([word[0], word[1], word[2], word[3]]))
}

fn usize_at(bytes: &[u8], at: usize) -> Result<usize, Malformed> {
    u32_at(bytes, at).map(|word| word as usize)
}
