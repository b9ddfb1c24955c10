// SPDX-License-Identifier: MIT OR GPL-2.0-only
/* Loading and unloading. The module does nothing before the private layouts are known to be right. */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/err.h>
#include <linux/fs.h>
#include <linux/module.h>
#include <linux/sched.h>
#include <linux/vmalloc.h>

#include "semundo.h"

#define BTF_PATH "/sys/kernel/btf/vmlinux"

/*
 * Reads the whole of the file into memory from vmalloc(). Not by
 * kernel_read_file(), whose callers security modules must know by kind.
 */
static void *read_btf(size_t *len)
{
	struct file *file = filp_open(BTF_PATH, O_RDONLY, 0);
	loff_t pos = 0;
	ssize_t n = 0;
	size_t size;
	u8 *btf;

	if (IS_ERR(file))
		return file;
	size = i_size_read(file_inode(file));
	btf = vmalloc(size);
	while (btf && pos < size && (n = kernel_read(file, btf + pos, size - pos, &pos)) > 0)
		cond_resched();
	filp_close(file, NULL);
	if (!btf)
		return ERR_PTR(-ENOMEM);
	if (n < 0) {
		vfree(btf);
		return ERR_PTR(n);
	}
	*len = pos;
	return btf;
}

static int check_layout(void)
{
	char message[160];
	size_t len = 0;
	u8 *btf;
	int err;

	btf = read_btf(&len);
	if (IS_ERR(btf)) {
		pr_err("refusing to load: cannot read " BTF_PATH " (error %ld): the kernel needs CONFIG_DEBUG_INFO_BTF, and sysfs must be mounted\n",
		       PTR_ERR(btf));
		return PTR_ERR(btf);
	}
	err = semundo_check_layout(btf, len, semundo_members, semundo_members_len,
				   message, sizeof(message));
	if (err)
		pr_err("refusing to load: %s\n", message);
	vfree(btf);
	return err;
}

static int __init semundo_init(void)
{
	int err = check_layout();

	if (err)
		return err;
	semundo_write_init();
	semundo_semop_find();
	err = semundo_files_create();
	if (!err)
		pr_info("loaded: /proc/semundo and /proc/sysvipc/semundo\n");
	return err;
}

static void __exit semundo_exit(void)
{
	semundo_files_remove();
}

module_init(semundo_init);
module_exit(semundo_exit);
MODULE_LICENSE("Dual MIT/GPL");
MODULE_AUTHOR("The semundo authors");
MODULE_DESCRIPTION("System V semaphore undo lists in /proc");
MODULE_VERSION("0.1.0");
