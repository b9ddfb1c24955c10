//! The kernel's side of the thunks: a seq_file as `fs/seq_file.c` keeps it, with signed positions,
//! negative error numbers and raw pointers. It allocates and frees like the kernel too: the bytes of
//! a new buffer are not zero.

use seqfile_core::{SeqOperations, Thunk};

const PAGE_SIZE: usize = 4096;
const EAGAIN: isize = -11;
const EINVAL: isize = -22;

/// A `struct seq_file` and its file's position.
pub struct CSeq<O: SeqOperations + 'static> {
    thunk: *mut Thunk<O>,
    buf: Vec<u8>,
    from: usize,
    count: usize,
    index: i64,
    read_pos: i64,
    f_pos: i64,
}

impl<O: SeqOperations + 'static> CSeq<O> {
    pub fn open(ops: O) -> Self {
        Self {
            thunk: Box::into_raw(Box::new(Thunk::new(ops))),
            buf: Vec::new(),
            from: 0,
            count: 0,
            index: 0,
            read_pos: 0,
            f_pos: 0,
        }
    }

    pub fn position(&self) -> i64 {
        self.f_pos
    }

    fn start(&mut self) -> isize {
        let before = self.index;
        // SAFETY: `thunk` is live, and this file makes one call at a time.
        let code = unsafe { Thunk::start(self.thunk, &mut self.index) };
        assert!(self.index >= before);
        code
    }

    fn next(&mut self) -> isize {
        let before = self.index;
        // SAFETY: as for `start`.
        let code = unsafe { Thunk::next(self.thunk, &mut self.index) };
        assert!(self.index > before, "next did not update the position");
        code
    }

    fn show(&mut self) -> i32 {
        let (buf, size) = (self.buf.as_mut_ptr(), self.buf.len());
        // SAFETY: as for `start`; the pointers are to this file's own fields.
        let code = unsafe { Thunk::show(self.thunk, buf, size, &mut self.count) };
        assert!(self.count <= size);
        code
    }

    fn stop(&mut self) {
        // SAFETY: as for `start`.
        unsafe { Thunk::stop(self.thunk) }
    }

    fn overflowed(&self) -> bool {
        self.count == self.buf.len()
    }

    fn double(&mut self) {
        self.count = 0;
        self.buf = vec![0xaa; self.buf.len() * 2];
    }

    fn need_buffer(&mut self) {
        if self.buf.is_empty() {
            self.buf = vec![0x55; PAGE_SIZE];
        }
    }

    fn traverse(&mut self, offset: i64) -> isize {
        (self.index, self.count, self.from) = (0, 0, 0);
        if offset == 0 {
            return 0;
        }
        self.need_buffer();
        let mut seen = 0;
        let mut p = self.start();
        while p > 0 {
            match self.show() {
                0 => {}
                code if code < 0 => {
                    p = code as isize;
                    break;
                }
                _ => self.count = 0,
            }
            if self.overflowed() {
                self.stop();
                self.double();
                return EAGAIN;
            }
            p = self.next();
            if seen + self.count as i64 > offset {
                self.from = (offset - seen) as usize;
                self.count -= self.from;
                p = 0;
                break;
            }
            seen += self.count as i64;
            self.count = 0;
            if seen == offset {
                p = 0;
                break;
            }
        }
        self.stop();
        p
    }

    fn go_to(&mut self, offset: i64) -> isize {
        if offset == self.read_pos {
            return 0;
        }
        let result = loop {
            match self.traverse(offset) {
                EAGAIN => {}
                result => break result,
            }
        };
        if result == 0 {
            self.read_pos = offset;
        } else {
            (self.read_pos, self.index, self.count) = (0, 0, 0);
        }
        result
    }

    fn copy_out(&mut self, out: &mut [u8]) -> usize {
        let n = self.count.min(out.len());
        out[..n].copy_from_slice(&self.buf[self.from..][..n]);
        self.from += n;
        self.count -= n;
        n
    }

    /// `pread(2)`.
    pub fn pread(&mut self, out: &mut [u8], offset: i64) -> isize {
        if offset < 0 || offset.checked_add(out.len() as i64).is_none() {
            return EINVAL;
        }
        if out.is_empty() {
            return 0;
        }
        if offset == 0 {
            (self.index, self.count) = (0, 0);
        }
        let code = self.go_to(offset);
        if code != 0 {
            return code;
        }
        self.need_buffer();
        let mut copied = self.copy_out(out);
        let mut error = 0;
        if self.count == 0 {
            self.from = 0;
            error = self.refill(out.len() - copied);
            copied += self.copy_out(&mut out[copied..]);
        }
        if copied == 0 {
            return error;
        }
        self.read_pos += copied as i64;
        copied as isize
    }

    /// One record that prints something, and more while fewer than `wanted` bytes are there.
    fn refill(&mut self, wanted: usize) -> isize {
        let mut p = self.start();
        while p > 0 {
            let code = self.show();
            if code < 0 {
                p = code as isize;
                break;
            }
            if code > 0 {
                self.count = 0;
            }
            if self.count == 0 {
                p = self.next();
            } else if self.overflowed() {
                self.stop();
                self.double();
                p = self.start();
            } else {
                self.refill_more(wanted);
                self.stop();
                return 0;
            }
        }
        self.stop();
        self.count = 0;
        p
    }

    fn refill_more(&mut self, wanted: usize) {
        loop {
            let whole = self.count;
            if self.next() <= 0 || whole >= wanted {
                return;
            }
            let code = self.show();
            if code > 0 {
                self.count = whole;
            } else if code < 0 || self.overflowed() {
                self.count = whole;
                return;
            }
        }
    }

    /// `read(2)`.
    pub fn read(&mut self, out: &mut [u8]) -> isize {
        let code = self.pread(out, self.f_pos);
        self.f_pos += code.max(0) as i64;
        code
    }

    /// `lseek(2)` with `SEEK_SET`.
    pub fn seek_set(&mut self, offset: i64) -> i64 {
        if offset < 0 {
            return EINVAL as i64;
        }
        let code = self.go_to(offset);
        self.f_pos = if code == 0 { offset } else { 0 };
        if code == 0 { offset } else { code as i64 }
    }

    /// `lseek(2)` with `SEEK_CUR`.
    pub fn seek_cur(&mut self, by: i64) -> i64 {
        self.seek_set(self.f_pos.wrapping_add(by))
    }
}

impl<O: SeqOperations + 'static> Drop for CSeq<O> {
    fn drop(&mut self) {
        // SAFETY: `open` made it by `Box::into_raw`, and nothing uses it after this.
        drop(unsafe { Box::from_raw(self.thunk) });
    }
}
