// SPDX-License-Identifier: MIT OR GPL-2.0-only
/* What Rust code needs of a kernel: RCU for rcu-core, memory, and a way to die. */
#include <linux/bug.h>
#include <linux/mm.h>
#include <linux/printk.h>
#include <linux/rcupdate.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>

#include "semundo.h"

void rcu_core_read_lock(void) __acquires(RCU)
{
	rcu_read_lock();
}

void rcu_core_read_unlock(void) __releases(RCU)
{
	rcu_read_unlock();
}

/*
 * Called between passes over the sets, and between the sets of a write, with no
 * spin lock held: lets others run, and ends what a process that is being killed
 * was doing.
 */
int semundo_between_passes(void)
{
	cond_resched();
	return fatal_signal_pending(current) ? -EINTR : 0;
}

/* The same for what must be done to its end even when the process is being killed. */
void semundo_relax(void)
{
	cond_resched();
}

/* Charged to the reader; NULL, without a warning, when there is none. May sleep. */
void *semundo_alloc(size_t bytes)
{
	return kvzalloc(bytes, GFP_KERNEL_ACCOUNT | __GFP_NOWARN);
}

void semundo_free(const void *memory)
{
	kvfree(memory);
}

/* A Rust panic is a bug of the module. */
void semundo_panic(const char *file, size_t len, unsigned int line)
{
	pr_emerg("semundo: panic at %.*s:%u\n", (int)len, file, line);
	BUG();
}
