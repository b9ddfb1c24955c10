// SPDX-License-Identifier: MIT OR GPL-2.0-only
/*
 * The two proc files, both through the kernel's seq_file, driven by the
 * SeqOperations that run in user space too.
 *
 * An open file outlives what opened it: it can be inherited, passed over a
 * socket, or kept across the exec of a set-uid program. /proc/semundo means
 * "the caller's own list", so only its opener may use it, with the credentials
 * it was opened with.
 */
#include <linux/cred.h>
#include <linux/fs.h>
#include <linux/nsproxy.h>
#include <linux/pid.h>
#include <linux/proc_fs.h>
#include <linux/sched.h>
#include <linux/seq_file.h>
#include <linux/slab.h>

#include "semundo.h"

/* seq_file.private. */
struct semundo_file {
	void *walk;
	struct pid *opener;
	/* Compared, never followed: it may be gone when the file is read elsewhere. */
	const void *ipc_ns;
	struct semundo_writer writer;
};

static struct semundo_file *semundo_file(const struct file *file)
{
	return ((struct seq_file *)file->private_data)->private;
}

/* The credentials that decide about access; a new struct cred with the same content is the same. */
static bool same_cred(const struct cred *a, const struct cred *b)
{
	return a == b ||
	       (uid_eq(a->uid, b->uid) && uid_eq(a->euid, b->euid) &&
		uid_eq(a->suid, b->suid) && uid_eq(a->fsuid, b->fsuid) &&
		gid_eq(a->gid, b->gid) && gid_eq(a->egid, b->egid) &&
		gid_eq(a->sgid, b->sgid) && gid_eq(a->fsgid, b->fsgid) &&
		a->user_ns == b->user_ns &&
		cap_issubset(a->cap_effective, b->cap_effective) &&
		cap_issubset(b->cap_effective, a->cap_effective) &&
		cap_issubset(a->cap_permitted, b->cap_permitted) &&
		cap_issubset(b->cap_permitted, a->cap_permitted));
}

bool semundo_opened_by_current(const struct file *file)
{
	return semundo_file(file)->opener == task_tgid(current) &&
	       same_cred(file->f_cred, current_cred());
}

static int open_walk(struct file *file, const struct seq_operations *ops,
		     void *(*new_walk)(struct file *), void (*free_walk)(void *))
{
	struct semundo_file *private;
	int err = -ENOMEM;

	private = kzalloc(sizeof(*private), GFP_KERNEL_ACCOUNT);
	if (!private)
		return err;
	private->walk = new_walk(file);
	if (!private->walk)
		goto free_private;
	err = seq_open(file, ops);
	if (err)
		goto free_walk;
	semundo_writer_init(&private->writer);
	private->opener = get_pid(task_tgid(current));
	private->ipc_ns = current->nsproxy->ipc_ns;
	((struct seq_file *)file->private_data)->private = private;
	return 0;

free_walk:
	free_walk(private->walk);
free_private:
	kfree(private);
	return err;
}

static int release_walk(struct inode *inode, struct file *file, void (*free_walk)(void *))
{
	struct semundo_file *private = semundo_file(file);

	free_walk(private->walk);
	semundo_writer_release(&private->writer);
	put_pid(private->opener);
	kfree(private);
	return seq_release(inode, file);
}

/* The open function, the operations and the release function of one of the two walks. */
#define SEMUNDO_WALK(name)								\
static void *name##_result(struct seq_file *m, long result)				\
{											\
	return result < 0 ? ERR_PTR(result) : result ? m->private : NULL;		\
}											\
static void *name##_start(struct seq_file *m, loff_t *pos)				\
{											\
	struct semundo_file *private = m->private;					\
											\
	return name##_result(m, semundo_##name##_start(private->walk, pos));		\
}											\
static void *name##_next(struct seq_file *m, void *v, loff_t *pos)			\
{											\
	struct semundo_file *private = m->private;					\
											\
	return name##_result(m, semundo_##name##_next(private->walk, pos));		\
}											\
static int name##_show(struct seq_file *m, void *v)					\
{											\
	struct semundo_file *private = m->private;					\
											\
	return semundo_##name##_show(private->walk, m->buf, m->size, &m->count);	\
}											\
static void name##_stop(struct seq_file *m, void *v)					\
{											\
	struct semundo_file *private = m->private;					\
											\
	semundo_##name##_stop(private->walk);						\
}											\
static const struct seq_operations name##_seq_ops = {					\
	.start = name##_start,								\
	.next = name##_next,								\
	.show = name##_show,								\
	.stop = name##_stop,								\
};											\
static int name##_open(struct inode *inode, struct file *file)				\
{											\
	return open_walk(file, &name##_seq_ops, semundo_##name##_new, semundo_##name##_free); \
}											\
static int name##_release(struct inode *inode, struct file *file)			\
{											\
	return release_walk(inode, file, semundo_##name##_free);			\
}

SEMUNDO_WALK(own)
SEMUNDO_WALK(table)

/* Whether the caller may use the file, and has the list that the file means. */
static int own_check(const struct file *file)
{
	/* io_uring's threads act for the process but have no part in its undo list. */
	if (current->flags & PF_IO_WORKER)
		return -EOPNOTSUPP;
	return semundo_opened_by_current(file) ? 0 : -EPERM;
}

static ssize_t own_read_iter(struct kiocb *iocb, struct iov_iter *to)
{
	return own_check(iocb->ki_filp) ?: seq_read_iter(iocb, to);
}

/*
 * Stricter than a read: with the very credentials of the opening, so that no
 * program that was executed since writes, whatever its security label. The file's
 * position is that of the reads.
 */
static ssize_t own_write(struct file *file, const char __user *text, size_t len, loff_t *pos)
{
	int err = own_check(file);

	if (err)
		return err;
	if (file->f_cred != current_cred())
		return -EPERM;
	return semundo_writer_write(&semundo_file(file)->writer, text, len);
}

static loff_t own_lseek(struct file *file, loff_t offset, int whence)
{
	/* A seek walks the list to find the offset. */
	return own_check(file) ?: seq_lseek(file, offset, whence);
}

static ssize_t table_read_iter(struct kiocb *iocb, struct iov_iter *to)
{
	/* The table is that of the reader's namespace; begun in one it does not go on in another. */
	if (semundo_file(iocb->ki_filp)->ipc_ns != current->nsproxy->ipc_ns)
		return -EPERM;
	return seq_read_iter(iocb, to);
}

/* The table shows lists of others, which nobody may write. */
static ssize_t table_write(struct file *file, const char __user *text, size_t len, loff_t *pos)
{
	return -EOPNOTSUPP;
}

static loff_t table_lseek(struct file *file, loff_t offset, int whence)
{
	if (semundo_file(file)->ipc_ns != current->nsproxy->ipc_ns)
		return -EPERM;
	return seq_lseek(file, offset, whence);
}

static const struct proc_ops own_proc_ops = {
	.proc_open = own_open,
	.proc_read_iter = own_read_iter,
	.proc_write = own_write,
	.proc_lseek = own_lseek,
	.proc_release = own_release,
};

static const struct proc_ops table_proc_ops = {
	.proc_open = table_open,
	.proc_read_iter = table_read_iter,
	.proc_write = table_write,
	.proc_lseek = table_lseek,
	.proc_release = table_release,
};

static struct proc_dir_entry *own_entry, *table_entry;

int semundo_files_create(void)
{
	own_entry = proc_create("semundo", 0666, NULL, &own_proc_ops);
	if (!own_entry)
		return -ENOMEM;
	table_entry = proc_create("sysvipc/semundo", 0444, NULL, &table_proc_ops);
	if (!table_entry) {
		proc_remove(own_entry);
		return -ENOMEM;
	}
	return 0;
}

/* proc_remove() waits for calls in progress and releases what is still open. */
void semundo_files_remove(void)
{
	proc_remove(table_entry);
	proc_remove(own_entry);
}
