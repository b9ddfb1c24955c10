//! Digits, written where they stay: decimal two at a time from a table, hexadecimal and octal by shifts.
//!
//! A number is printed as sign and magnitude. Narrow ones are divided as 32-bit numbers, which is faster, and the widest
//! in limbs, since a kernel has no routine that divides 128 bits.

use core::mem;

/// Primitive integers that [`SeqBuf`](crate::SeqBuf) prints: every width from 8 to 128 bits and the
/// pointer-sized ones, signed and unsigned. Sealed.
pub trait Integer: Copy + sealed::Sealed {}

pub(crate) mod sealed {
    use super::Magnitude;

    /// Keeps [`Integer`](super::Integer) to this crate's types.
    pub trait Sealed {
        /// What the type's distances from zero fit in.
        type Magnitude: Magnitude;

        /// Whether the number is below zero, and its distance from zero.
        fn sign_and_magnitude(self) -> (bool, Self::Magnitude);

        /// The number's bits, as C's `%x` and `%o` take them: a negative one in two's complement of its own width.
        fn bits(self) -> Self::Magnitude;
    }
}

macro_rules! integers {
    ($($magnitude:ty => $($u:ty = $i:ty),*;)*) => {
        $($(impl Integer for $u {}
        impl sealed::Sealed for $u {
            type Magnitude = $magnitude;

            #[inline]
            fn sign_and_magnitude(self) -> (bool, $magnitude) {
                (false, self as $magnitude)
            }

            #[inline]
            fn bits(self) -> $magnitude {
                self as $magnitude
            }
        }
        // The unsigned type of the same width is that of its bits.
        impl Integer for $i {}
        impl sealed::Sealed for $i {
            type Magnitude = $magnitude;

            #[inline]
            fn sign_and_magnitude(self) -> (bool, $magnitude) {
                (self < 0, self.unsigned_abs() as $magnitude)
            }

            #[inline]
            fn bits(self) -> $magnitude {
                self as $u as $magnitude
            }
        })*)*
    };
}

integers! {
    u32 => u8 = i8, u16 = i16, u32 = i32;
    u64 => u64 = i64, usize = isize;
    u128 => u128 = i128;
}

/// An unsigned number on its way to digits.
pub trait Magnitude: Copy {
    /// The number of decimal digits; 1 for 0.
    fn digits(self) -> usize;

    /// Writes the number right-aligned into `out`, which has room for exactly [`digits`](Self::digits).
    fn write(self, out: &mut [u8]);

    /// The number of digits of `shift` bits each; 1 for 0.
    fn digits_of(self, shift: u32) -> usize;

    /// Writes the number in digits of `shift` bits each into `out`, which has room for exactly
    /// [`digits_of`](Self::digits_of).
    fn write_of(self, shift: u32, out: &mut [u8]);
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

/// The digits of hexadecimal and, of these the first eight, of octal.
static DIGITS: [u8; 16] = *b"0123456789abcdef";

macro_rules! by_shifts {
    () => {
        #[inline]
        fn digits_of(self, shift: u32) -> usize {
            let bits = Self::BITS - self.leading_zeros();
            bits.div_ceil(shift).max(1) as usize
        }

        #[inline]
        fn write_of(mut self, shift: u32, out: &mut [u8]) {
            for digit in out.iter_mut().rev() {
                *digit = DIGITS[(self & ((1 << shift) - 1)) as usize & 15];
                self >>= shift;
            }
        }
    };
}

impl Magnitude for u32 {
    #[inline]
    fn digits(self) -> usize {
        // Most numbers in a table are small: no logarithm for them.
        match self {
            0..=9 => 1,
            10..=99 => 2,
            100..=999 => 3,
            1000..=9999 => 4,
            _ => self.ilog10() as usize + 1,
        }
    }

    #[inline]
    fn write(mut self, out: &mut [u8]) {
        let mut pairs = out.rchunks_exact_mut(2);
        for pair in &mut pairs {
            pair.copy_from_slice(&PAIRS[(self % 100) as usize]);
            self /= 100;
        }
        if let [first] = pairs.into_remainder() {
            *first = b'0' + self as u8;
        }
    }

    by_shifts!();
}

impl Magnitude for u64 {
    #[inline]
    fn digits(self) -> usize {
        match u32::try_from(self) {
            Ok(narrow) => narrow.digits(),
            Err(_) => self.ilog10() as usize + 1,
        }
    }

    #[inline]
    fn write(mut self, mut out: &mut [u8]) {
        // Down to what 32 bits hold, two digits at a time.
        while self > u32::MAX.into() {
            let Some((rest, pair)) = mem::take(&mut out).split_last_chunk_mut() else {
                return;
            };
            *pair = PAIRS[(self % 100) as usize];
            self /= 100;
            out = rest;
        }
        (self as u32).write(out);
    }

    by_shifts!();
}

/// The digits of a limb of a 128-bit number: 10 to this power is less than 2 to the 32nd.
const LIMB_DIGITS: usize = 9;

/// A 128-bit number in limbs of [`LIMB_DIGITS`] decimal digits, the lowest first. By 32-bit divisors, as done by hand.
fn limbs(n: u128) -> [u32; 5] {
    const BASE: u64 = 1_000_000_000;
    let mut binary = [(n >> 96) as u32, (n >> 64) as u32, (n >> 32) as u32, n as u32];
    let mut limbs = [0; 5];
    for limb in &mut limbs {
        let mut rest = 0;
        for part in &mut binary {
            let n = (rest << 32) | u64::from(*part);
            *part = (n / BASE) as u32;
            rest = n % BASE;
        }
        *limb = rest as u32;
    }
    limbs
}

impl Magnitude for u128 {
    fn digits(self) -> usize {
        let limbs = limbs(self);
        let highest = limbs.iter().rposition(|&limb| limb != 0).unwrap_or(0);
        highest * LIMB_DIGITS + limbs[highest].digits()
    }

    fn write(self, out: &mut [u8]) {
        for (part, limb) in out.rchunks_mut(LIMB_DIGITS).zip(limbs(self)) {
            limb.write(part);
        }
    }

    by_shifts!();
}
