//! How much memory this process has from the allocator.

/// Bytes that were allocated and not freed (`mallinfo(3)`).
pub fn held() -> usize {
    // SAFETY: mallinfo2 takes nothing and gives numbers.
    let info = unsafe { libc::mallinfo2() };
    info.uordblks + info.hblkhd
}

#[cfg(test)]
mod tests {
    use super::held;

    #[test]
    fn what_is_allocated_counts_until_it_is_freed() {
        // Large enough that other tests in the same process do not matter.
        const SIZE: usize = 1 << 30;
        let before = held();
        let large = Vec::<u8>::with_capacity(SIZE);
        assert!(held() > before + SIZE / 2);
        drop(std::hint::black_box(large));
        assert!(held() < before + SIZE / 2);
    }
}
