// SPDX-License-Identifier: MIT OR GPL-2.0-only
/*
 * Writing an undo list: fetches the text and keeps writers apart. What is in
 * the text, and what is done about it, is Rust's (write.rs).
 */
#define pr_fmt(fmt) "semundo: " fmt

#include <linux/err.h>
#include <linux/hash.h>
#include <linux/mutex.h>
#include <linux/pid.h>
#include <linux/printk.h>
#include <linux/sched.h>
#include <linux/uaccess.h>

#include "semundo.h"

/*
 * Threads that share an undo list write to it one after the other, whatever files
 * they opened. Those with other lists may have to wait too, but seldom.
 */
#define LIST_LOCK_BITS 6
static struct mutex list_locks[1 << LIST_LOCK_BITS];

static struct mutex *list_lock(void)
{
	return &list_locks[hash_ptr(semundo_own_list(), LIST_LOCK_BITS)];
}

void __init semundo_write_init(void)
{
	int i;

	for (i = 0; i < ARRAY_SIZE(list_locks); i++)
		mutex_init(&list_locks[i]);
}

void semundo_writer_init(struct semundo_writer *writer)
{
	mutex_init(&writer->lock);
}

void semundo_writer_release(struct semundo_writer *writer)
{
	size_t waiting = writer->text ? semundo_text_waiting(writer->text) : 0;

	if (waiting)
		pr_notice_ratelimited("%s[%d]: file closed in the middle of a line, its %zu bytes are dropped\n",
				      current->comm, task_tgid_nr(current), waiting);
	semundo_text_free(writer->text);
}

/* Fetches the text, with no list locked: the writer's memory may take its time. */
static ssize_t fetch(struct semundo_writer *writer, const char __user *text, size_t len)
{
	char *room;

	if (!writer->text)
		writer->text = semundo_text_new();
	if (!writer->text)
		return -ENOMEM;
	room = semundo_text_room(writer->text, len);
	if (IS_ERR(room))
		return PTR_ERR(room);
	if (copy_from_user(room, text, len)) {
		semundo_text_take(writer->text, 0);
		return -EFAULT;
	}
	return 0;
}

static int restore(struct semundo_writer *writer, size_t len)
{
	struct mutex *list = list_lock();
	int err;

	if (mutex_lock_killable(list))
		return -EINTR;
	err = semundo_text_take(writer->text, len);
	mutex_unlock(list);
	return err;
}

ssize_t semundo_writer_write(struct semundo_writer *writer, const char __user *text, size_t len)
{
	ssize_t err;

	if (mutex_lock_killable(&writer->lock))
		return -EINTR;
	err = fetch(writer, text, len);
	if (!err)
		err = restore(writer, len);
	mutex_unlock(&writer->lock);
	return err ? err : len;
}
