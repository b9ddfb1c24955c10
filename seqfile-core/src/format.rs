//! What `show` prints with: numbers and strings, padded as the tables below `/proc` have them.
//!
//! A column that does not fit its width is not cut, as with `printf(3)`.

use crate::SeqBuf;
use crate::dec::{Integer, Magnitude};

/// Bits of a hexadecimal digit.
const HEX: u32 = 4;
/// Bits of an octal digit.
const OCT: u32 = 3;

/// What [`SeqBuf::put_path`] escapes, as `show_vfsmnt` and `seq_file_path` do.
const PATH_ESCAPES: &[u8] = b" \t\n\\";

impl SeqBuf<'_> {
    /// Appends a string right-aligned in `width` bytes, as `%10s` for 10. A longer one is not cut.
    #[inline]
    pub fn put_str_padded(&mut self, text: &str, width: usize) {
        if let Some(room) = self.take(text.len().max(width)) {
            let (blank, room) = room.split_at_mut(room.len() - text.len());
            blank.fill(b' ');
            room.copy_from_slice(text.as_bytes());
        }
    }

    /// Appends a string left-aligned in `width` bytes, as `%-10s` for 10 (`seq_pad`). A longer one is not cut.
    ///
    /// ```
    /// # let mut bytes = [0; 16];
    /// # let mut out = seqfile_core::SeqBuf::new(&mut bytes);
    /// out.put_str_left("name", 6);
    /// out.put_char(b'|');
    /// assert_eq!(out.as_bytes(), b"name  |");
    /// ```
    #[inline]
    pub fn put_str_left(&mut self, text: &str, width: usize) {
        if let Some(room) = self.take(text.len().max(width)) {
            let (room, blank) = room.split_at_mut(text.len());
            room.copy_from_slice(text.as_bytes());
            blank.fill(b' ');
        }
    }

    /// Appends a number in decimal (`seq_put_decimal_ll`, `seq_put_decimal_ull`).
    #[inline]
    pub fn put_dec(&mut self, value: impl Integer) {
        self.put_dec_padded(value, 0);
    }

    /// Appends a number right-aligned in `width` bytes, as `%10d` for 10. A longer one is not cut.
    #[inline]
    pub fn put_dec_padded(&mut self, value: impl Integer, width: usize) {
        let (negative, magnitude) = value.sign_and_magnitude();
        let digits = magnitude.digits();
        let len = digits + usize::from(negative);
        let Some(room) = self.take(len.max(width)) else {
            return;
        };
        let Some((front, back)) = room.split_at_mut_checked(room.len() - digits) else {
            return;
        };
        magnitude.write(back);
        match front.split_last_mut() {
            Some((sign, blank)) if negative => {
                *sign = b'-';
                blank.fill(b' ');
            }
            _ => front.fill(b' '),
        }
    }

    /// Appends a number left-aligned in `width` bytes, as `%-10d` for 10. A longer one is not cut.
    pub fn put_dec_left(&mut self, value: impl Integer, width: usize) {
        let (negative, magnitude) = value.sign_and_magnitude();
        let len = magnitude.digits() + usize::from(negative);
        if let Some(room) = self.take(len.max(width)) {
            let (room, blank) = room.split_at_mut(len);
            blank.fill(b' ');
            signed(room, negative, magnitude);
        }
    }

    /// Appends a number with zeros in front of its digits, `width` bytes with the sign, as `%010d` for 10.
    ///
    /// ```
    /// # let mut bytes = [0; 16];
    /// # let mut out = seqfile_core::SeqBuf::new(&mut bytes);
    /// out.put_dec_zeros(-42, 6);
    /// assert_eq!(out.as_bytes(), b"-00042");
    /// ```
    pub fn put_dec_zeros(&mut self, value: impl Integer, width: usize) {
        let (negative, magnitude) = value.sign_and_magnitude();
        let len = magnitude.digits() + usize::from(negative);
        if let Some(room) = self.take(len.max(width)) {
            signed(room, negative, magnitude);
        }
    }

    /// Appends an unsigned number in decimal.
    #[inline]
    pub fn put_u64(&mut self, value: u64) {
        self.put_dec(value);
    }

    /// Appends a signed number in decimal.
    #[inline]
    pub fn put_i64(&mut self, value: i64) {
        self.put_dec(value);
    }

    /// Appends a number in hexadecimal, as `%x`: a negative one in two's complement of its own width.
    ///
    /// ```
    /// # let mut bytes = [0; 16];
    /// # let mut out = seqfile_core::SeqBuf::new(&mut bytes);
    /// out.put_hex(-2i16);
    /// assert_eq!(out.as_bytes(), b"fffe");
    /// ```
    pub fn put_hex(&mut self, value: impl Integer) {
        self.put_digits(value.bits(), HEX, b'0', 0);
    }

    /// Appends a number in hexadecimal, right-aligned in `width` bytes, as `%8x` for 8.
    pub fn put_hex_padded(&mut self, value: impl Integer, width: usize) {
        self.put_digits(value.bits(), HEX, b' ', width);
    }

    /// Appends a number in at least `width` hexadecimal digits, as `%08x` for 8 (`seq_put_hex_ll`).
    pub fn put_hex_zeros(&mut self, value: impl Integer, width: usize) {
        self.put_digits(value.bits(), HEX, b'0', width);
    }

    /// Appends a number in octal, as `%o`: a negative one in two's complement of its own width.
    pub fn put_oct(&mut self, value: impl Integer) {
        self.put_digits(value.bits(), OCT, b'0', 0);
    }

    /// Appends a number in octal, right-aligned in `width` bytes, as `%4o` for 4: a mode in a table.
    pub fn put_oct_padded(&mut self, value: impl Integer, width: usize) {
        self.put_digits(value.bits(), OCT, b' ', width);
    }

    /// Appends a number in at least `width` octal digits, as `%04o` for 4.
    pub fn put_oct_zeros(&mut self, value: impl Integer, width: usize) {
        self.put_digits(value.bits(), OCT, b'0', width);
    }

    /// Appends bytes, those that are in `escape` as a backslash and three octal digits (`seq_escape`).
    ///
    /// As in the kernel a backslash is one of the escaped only where `escape` has it, which text that is to be read
    /// back needs.
    ///
    /// ```
    /// # let mut bytes = [0; 16];
    /// # let mut out = seqfile_core::SeqBuf::new(&mut bytes);
    /// out.put_escaped(b"a b#", b" #");
    /// assert_eq!(out.as_bytes(), br"a\040b\043");
    /// ```
    pub fn put_escaped(&mut self, text: &[u8], escape: &[u8]) {
        let escaped = text.iter().filter(|byte| escape.contains(byte)).count();
        let Some(mut room) = self.take(text.len() + escaped * 3) else {
            return;
        };
        for byte in text {
            let octal = [b'\\', b'0' + (byte >> 6), b'0' + (byte >> 3 & 7), b'0' + (byte & 7)];
            let printed = if escape.contains(byte) { &octal[..] } else { core::slice::from_ref(byte) };
            let (place, rest) = room.split_at_mut(printed.len());
            place.copy_from_slice(printed);
            room = rest;
        }
    }

    /// Appends a path as the mount tables below `/proc` do: blank, tab, newline and backslash escaped (`seq_path` with
    /// `" \t\n\\"`). With `std` the bytes of a `Path` are `path.as_os_str().as_encoded_bytes()`.
    pub fn put_path(&mut self, path: &[u8]) {
        self.put_escaped(path, PATH_ESCAPES);
    }

    /// The digits of `shift` bits each, after what fills the width.
    fn put_digits(&mut self, bits: impl Magnitude, shift: u32, fill: u8, width: usize) {
        let digits = bits.digits_of(shift);
        if let Some(room) = self.take(digits.max(width)) {
            let (front, back) = room.split_at_mut(room.len() - digits);
            front.fill(fill);
            bits.write_of(shift, back);
        }
    }
}

/// Fills `room`, which is long enough, with the sign, zeros and the digits.
fn signed(room: &mut [u8], negative: bool, magnitude: impl Magnitude) {
    let (front, back) = room.split_at_mut(room.len() - magnitude.digits());
    front.fill(b'0');
    if let Some(sign) = front.first_mut().filter(|_| negative) {
        *sign = b'-';
    }
    magnitude.write(back);
}
