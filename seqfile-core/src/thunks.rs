//! One macro for what a kernel module needs: the C-ABI functions of one kind of file.

/// Defines the six C-ABI functions through which a kernel's `seq_file` drives [`SeqOperations`](crate::SeqOperations): `new` and
/// `free` for the file's `open` and `release`, and `start`, `next`, `show` and `stop`, those of [`Thunk`](crate::Thunk).
///
/// * `operations` is their type, `'static`.
/// * `new` makes one from what the C side passes: an `unsafe fn(A) -> Operations`, whose `A` is given, too.
/// * `memory` names a function that allocates, one that frees, and what the first aligns to: a kernel has an allocator of its own,
///   and `new` answers null where it does.
/// * `functions` are the six names. They are not mangled, so they are unique in the module.
///
/// The Rust side of a module with one file:
///
/// ```
/// use core::ffi::{c_int, c_void};
/// use seqfile_core::{Errno, SeqBuf, Show, SliceOps};
///
/// # mod kernel {
/// #     use core::ffi::c_void;
/// #     pub extern "C" fn example_alloc(bytes: usize) -> *mut c_void { unsafe { libc::malloc(bytes) } }
/// #     pub unsafe extern "C" fn example_free(memory: *const c_void) { unsafe { libc::free(memory.cast_mut()) } }
/// # }
/// # use kernel::{example_alloc, example_free};
/// # /*
/// unsafe extern "C" {
///     safe fn example_alloc(bytes: usize) -> *mut c_void; // kvmalloc(bytes, GFP_KERNEL_ACCOUNT)
///     fn example_free(memory: *const c_void);             // kvfree(memory)
/// }
/// # */
///
/// type Lines = SliceOps<&'static [c_int], fn(&c_int, &mut SeqBuf<'_>) -> Result<Show, Errno>>;
///
/// static VALUES: [c_int; 3] = [3, 5, 8];
///
/// fn show(value: &c_int, out: &mut SeqBuf<'_>) -> Result<Show, Errno> {
///     out.put_dec_padded(*value, 10);
///     out.put_char(b'\n');
///     Ok(Show::Record)
/// }
///
/// fn lines(_file: *mut c_void) -> Lines {
///     Lines::new(&VALUES, show)
/// }
///
/// seqfile_core::thunks! {
///     operations: Lines,
///     new: lines(*mut c_void),
///     memory: example_alloc, example_free, 8,
///     functions: example_new example_free_ops example_start example_next example_show example_stop,
/// }
/// # let ops = unsafe { example_new(core::ptr::null_mut()) };
/// # let (mut pos, mut count, mut bytes) = (1, 0, [0; 16]);
/// # unsafe {
/// #     assert_eq!(example_start(ops, &mut pos), 1);
/// #     assert_eq!(example_show(ops, bytes.as_mut_ptr(), 16, &mut count), 0);
/// #     assert_eq!(&bytes[..count], b"         5\n");
/// #     assert_eq!((example_next(ops, &mut pos), pos), (1, 2));
/// #     example_stop(ops);
/// #     example_free_ops(ops);
/// # }
/// ```
///
/// and its C side, all of it:
///
/// ```c
/// void *example_new(struct file *file);
/// void example_free_ops(void *ops);
/// long example_start(void *ops, loff_t *pos);
/// long example_next(void *ops, loff_t *pos);
/// int example_show(void *ops, char *buf, size_t size, size_t *count);
/// void example_stop(void *ops);
///
/// /* An error, a record, or the end. A record is not told from another: the thunk knows which one it is. */
/// static void *result(struct seq_file *m, long r)
/// {
///         return r < 0 ? ERR_PTR(r) : r ? m->private : NULL;
/// }
///
/// static void *start(struct seq_file *m, loff_t *pos) { return result(m, example_start(m->private, pos)); }
/// static void *next(struct seq_file *m, void *v, loff_t *pos) { return result(m, example_next(m->private, pos)); }
/// static int show(struct seq_file *m, void *v) { return example_show(m->private, m->buf, m->size, &m->count); }
/// static void stop(struct seq_file *m, void *v) { example_stop(m->private); }
///
/// static const struct seq_operations ops = { .start = start, .next = next, .show = show, .stop = stop };
///
/// static int example_open(struct inode *inode, struct file *file)
/// {
///         void *private = example_new(file);
///         int err;
///
///         if (!private)
///                 return -ENOMEM;
///         err = seq_open(file, &ops);
///         if (err)
///                 example_free_ops(private);
///         else
///                 ((struct seq_file *)file->private_data)->private = private;
///         return err;
/// }
///
/// static int example_release(struct inode *inode, struct file *file)
/// {
///         example_free_ops(((struct seq_file *)file->private_data)->private);
///         return seq_release(inode, file);
/// }
///
/// static const struct proc_ops example_proc_ops = {
///         .proc_open = example_open,
///         .proc_read = seq_read,
///         .proc_lseek = seq_lseek,
///         .proc_release = example_release,
/// };
/// ```
///
/// The calls on one open file come one at a time, which `seq_file.lock` sees to; from several threads they may come where the
/// operations are `Send`. The crate is built without features and links nothing: no allocator, no unwinding.
#[macro_export]
macro_rules! thunks {
    (
        operations: $operations:ty,
        new: $make:ident($argument:ty),
        memory: $allocate:path, $release:path, $align:expr,
        functions: $new:ident $free:ident $start:ident $next:ident $show:ident $stop:ident $(,)?
    ) => {
        /// Operations for an open file; null where there is no memory.
        ///
        /// # Safety
        ///
        /// That of what makes the operations, for as long as they are not freed.
        #[unsafe(no_mangle)]
        unsafe extern "C" fn $new(argument: $argument) -> *mut ::core::ffi::c_void {
            const { assert!(::core::mem::align_of::<$crate::Thunk<$operations>>() <= $align) };
            let memory = $allocate(::core::mem::size_of::<$crate::Thunk<$operations>>());
            if !memory.is_null() {
                let make: unsafe fn($argument) -> $operations = $make;
                // SAFETY: the memory is of the type's size and aligned for the type; for the rest the caller vouches.
                unsafe { memory.cast::<$crate::Thunk<$operations>>().write($crate::Thunk::new(make(argument))) };
            }
            memory.cast()
        }

        /// Frees operations.
        ///
        /// # Safety
        ///
        /// They are of this kind, and nobody uses them any more.
        #[unsafe(no_mangle)]
        unsafe extern "C" fn $free(operations: *mut ::core::ffi::c_void) {
            // SAFETY: by contract; the memory came from the function that this one is the counterpart of.
            unsafe {
                operations.cast::<$crate::Thunk<$operations>>().drop_in_place();
                $release(operations);
            }
        }

        /// `seq_operations.start`.
        ///
        /// # Safety
        ///
        /// As `Thunk::start`, with operations of this kind.
        #[unsafe(no_mangle)]
        unsafe extern "C" fn $start(operations: *mut ::core::ffi::c_void, pos: *mut i64) -> isize {
            // SAFETY: by contract.
            unsafe { $crate::Thunk::<$operations>::start(operations.cast(), pos) }
        }

        /// `seq_operations.next`.
        ///
        /// # Safety
        ///
        /// As `Thunk::next`, with operations of this kind.
        #[unsafe(no_mangle)]
        unsafe extern "C" fn $next(operations: *mut ::core::ffi::c_void, pos: *mut i64) -> isize {
            // SAFETY: by contract.
            unsafe { $crate::Thunk::<$operations>::next(operations.cast(), pos) }
        }

        /// `seq_operations.show`.
        ///
        /// # Safety
        ///
        /// As `Thunk::show`, with operations of this kind.
        #[unsafe(no_mangle)]
        unsafe extern "C" fn $show(
            operations: *mut ::core::ffi::c_void,
            buf: *mut u8,
            size: usize,
            count: *mut usize,
        ) -> ::core::ffi::c_int {
            // SAFETY: by contract.
            unsafe { $crate::Thunk::<$operations>::show(operations.cast(), buf, size, count) }
        }

        /// `seq_operations.stop`.
        ///
        /// # Safety
        ///
        /// As `Thunk::stop`, with operations of this kind.
        #[unsafe(no_mangle)]
        unsafe extern "C" fn $stop(operations: *mut ::core::ffi::c_void) {
            // SAFETY: by contract.
            unsafe { $crate::Thunk::<$operations>::stop(operations.cast()) }
        }
    };
}
