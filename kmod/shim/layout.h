/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Mirrors of the structures that are private to ipc/sem.c, and the table of
 * what the module relies on in them. The table is checked against the running
 * kernel's BTF when the module loads; nothing is used unless it agrees.
 */
#ifndef SEMUNDO_LAYOUT_H
#define SEMUNDO_LAYOUT_H

#include <linux/ipc.h>
#include <linux/list.h>
#include <linux/rcupdate.h>
#include <linux/refcount.h>
#include <linux/spinlock.h>

#include "compat.h"

/* Up to the last member used. */
struct sem_array {
	struct kern_ipc_perm sem_perm;
	time64_t sem_ctime;
	struct list_head pending_alter;
	struct list_head pending_const;
	struct list_head list_id;
	int sem_nsems;
};

struct sem_undo {
	struct list_head list_proc;
	struct rcu_head rcu;
	struct sem_undo_list *ulp;
#ifdef SEMUNDO_TEST_WRONG_LAYOUT
	unsigned long wrong_on_purpose;
#endif
	struct list_head list_id;
	int semid;
	SEMUNDO_SEMADJ;
};

struct sem_undo_list {
	refcount_t refcnt;
	spinlock_t lock;
	struct list_head list_proc;
};

#endif
