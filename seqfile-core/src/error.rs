//! Error numbers, as the kernel and libc number them on Linux.
//!
//! The operations return them without knowing whether a system call or a Rust program will carry
//! them to the reader.

use core::{error, fmt, num::NonZeroI32};

/// A positive Linux error number (`errno(3)`).
///
/// ```
/// use seqfile_core::Errno;
///
/// assert_eq!(Errno::EINVAL.get(), 22);
/// assert_eq!(Errno::from_raw(-22), None);
/// # #[cfg(feature = "std")]
/// assert_eq!(std::io::Error::from(Errno::EINVAL).raw_os_error(), Some(22));
/// ```
///
/// # Invariants
///
/// The number is at least 1 and at most 4095, so that its negation is what the kernel's `IS_ERR`
/// takes for an error.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Errno(NonZeroI32);

/// The largest error number (`include/linux/err.h: MAX_ERRNO`).
const MAX_ERRNO: i32 = 4095;

impl Errno {
    /// The error with this positive number; `None` outside 1..=4095.
    #[inline]
    pub const fn from_raw(number: i32) -> Option<Self> {
        match NonZeroI32::new(number) {
            // INVARIANT: the range is checked here.
            Some(n) if number > 0 && number <= MAX_ERRNO => Some(Self(n)),
            _ => None,
        }
    }

    /// The positive number.
    #[inline]
    pub const fn get(self) -> i32 {
        self.0.get()
    }

    /// The negative number, as kernel functions return it.
    #[inline]
    pub const fn negated(self) -> i32 {
        -self.0.get()
    }
}

macro_rules! numbers {
    ($($name:ident = $number:literal, $text:literal;)*) => {
        impl Errno {
            $(#[doc = concat!($text, ".")]
            pub const $name: Self = match Self::from_raw($number) {
                Some(errno) => errno,
                None => panic!("not an error number"),
            };)*

            /// The symbolic name, such as `"EINVAL"`; `None` for numbers that have no constant here.
            pub const fn name(self) -> Option<&'static str> {
                match self.get() {
                    $($number => Some(stringify!($name)),)*
                    _ => None,
                }
            }

            const fn text(self) -> &'static str {
                match self.get() {
                    $($number => $text,)*
                    _ => "error",
                }
            }
        }
    };
}

numbers! {
    EPERM = 1, "Operation not permitted";
    ENOENT = 2, "No such file or directory";
    ESRCH = 3, "No such process";
    EINTR = 4, "Interrupted system call";
    EIO = 5, "Input/output error";
    E2BIG = 7, "Argument list too long";
    EBADF = 9, "Bad file descriptor";
    EAGAIN = 11, "Resource temporarily unavailable";
    ENOMEM = 12, "Cannot allocate memory";
    EACCES = 13, "Permission denied";
    EFAULT = 14, "Bad address";
    EBUSY = 16, "Device or resource busy";
    EEXIST = 17, "File exists";
    ENODEV = 19, "No such device";
    EINVAL = 22, "Invalid argument";
    EFBIG = 27, "File too large";
    ENOSPC = 28, "No space left on device";
    ESPIPE = 29, "Illegal seek";
    ERANGE = 34, "Numerical result out of range";
    ENOSYS = 38, "Function not implemented";
    EIDRM = 43, "Identifier removed";
    EOVERFLOW = 75, "Value too large for defined data type";
    EOPNOTSUPP = 95, "Operation not supported";
    ENOBUFS = 105, "No buffer space available";
}

impl fmt::Debug for Errno {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.write_str(name),
            None => write!(f, "Errno({})", self.get()),
        }
    }
}

impl fmt::Display for Errno {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => write!(f, "{} ({name})", self.text()),
            None => write!(f, "error {}", self.get()),
        }
    }
}

impl error::Error for Errno {}

#[cfg(feature = "std")]
impl From<Errno> for std::io::Error {
    fn from(errno: Errno) -> Self {
        Self::from_raw_os_error(errno.get())
    }
}
