//! Decimal digits, two at a time from a table, written where they stay.
//!
//! The integers of up to 64 bits, as sign and magnitude: wider ones would need division routines
//! that a kernel does not have.

/// Primitive integers that [`SeqBuf`](crate::SeqBuf) prints: every width from 8 to 64 bits and the
/// pointer-sized ones, signed and unsigned. Sealed.
pub trait Integer: Copy + sealed::Sealed {}

pub(crate) mod sealed {
    /// Keeps [`Integer`](super::Integer) to this crate's types.
    pub trait Sealed {
        /// Whether the number is below zero, and its distance from zero.
        fn sign_and_magnitude(self) -> (bool, u64);
    }
}

macro_rules! integers {
    (unsigned: $($u:ty)*; signed: $($i:ty)*) => {
        $(impl Integer for $u {}
        impl sealed::Sealed for $u {
            #[inline]
            fn sign_and_magnitude(self) -> (bool, u64) {
                (false, self as u64)
            }
        })*
        $(impl Integer for $i {}
        impl sealed::Sealed for $i {
            #[inline]
            fn sign_and_magnitude(self) -> (bool, u64) {
                (self < 0, (self as i64).unsigned_abs())
            }
        })*
    };
}

integers! {
    unsigned: u8 u16 u32 u64 usize;
    signed: i8 i16 i32 i64 isize
}

/// `"00" "01" .. "99"`.
static PAIRS: [[u8; 2]; 100] = {
    let mut pairs = [[b'0'; 2]; 100];
    let mut n = 0;
    while n < 100 {
        pairs[n] = [b'0' + (n / 10) as u8, b'0' + (n % 10) as u8];
        n += 1;
    }
    pairs
};

/// The number of decimal digits of `n`; 1 for 0.
#[inline]
pub(crate) fn digits(n: u64) -> usize {
    // Most numbers in a table are small: no logarithm for them.
    match n {
        0..=9 => 1,
        10..=99 => 2,
        100..=999 => 3,
        1000..=9999 => 4,
        _ => n.ilog10() as usize + 1,
    }
}

/// Writes `n` right-aligned into `out`, which has room for exactly [`digits`]`(n)`.
#[inline]
pub(crate) fn write(out: &mut [u8], mut n: u64) {
    let mut pairs = out.rchunks_exact_mut(2);
    for pair in &mut pairs {
        pair.copy_from_slice(&PAIRS[(n % 100) as usize]);
        n /= 100;
    }
    if let [first] = pairs.into_remainder() {
        *first = b'0' + n as u8;
    }
}
