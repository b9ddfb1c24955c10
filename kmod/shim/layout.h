/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Mirrors of the structures that are private to ipc/sem.c, and the table of
 * what the module relies on in them. The table is checked against the running
 * kernel's BTF when the module loads; nothing is used unless it agrees.
 */
#ifndef SEMUNDO_LAYOUT_H
#define SEMUNDO_LAYOUT_H

#include <linux/cache.h>
#include <linux/ipc.h>
#include <linux/list.h>
#include <linux/rcupdate.h>
#include <linux/refcount.h>
#include <linux/spinlock.h>
#include <linux/time64.h>

#include "compat.h"

/* Whole: the size of one counts, too. */
struct sem {
	int semval;
	struct pid *sempid;
	spinlock_t lock;
	struct list_head pending_alter;
	struct list_head pending_const;
	time64_t sem_otime;
} ____cacheline_aligned_in_smp;

/* Whole, for the place of sems. */
struct sem_array {
	struct kern_ipc_perm sem_perm;
	time64_t sem_ctime;
	struct list_head pending_alter;
	struct list_head pending_const;
	struct list_head list_id;
	int sem_nsems;
	int complex_count;
	unsigned int use_global_lock;
	struct sem sems[];
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
