// SPDX-License-Identifier: MIT OR GPL-2.0-only
/*
 * One bug of each kind that the kernel's checkers are there to find, so that
 * they can be seen to find it. They are part of kernels that are built to be
 * checked, and none of them is made before it is asked for by name.
 */
#include <linux/compiler.h>
#include <linux/delay.h>
#include <linux/init.h>
#include <linux/jiffies.h>
#include <linux/kfence.h>
#include <linux/list.h>
#include <linux/moduleparam.h>
#include <linux/rcupdate.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/string.h>

#include "bugs.h"

#undef MODULE_PARAM_PREFIX
#define MODULE_PARAM_PREFIX "semundo."

/* Set while nobody reads. */
static char wanted[32];
module_param_string(bug, wanted, sizeof(wanted), 0644);

bool semundo_bug_is(const char *name)
{
	/* What is echoed ends with a newline. */
	return sysfs_streq(wanted, name);
}

static void use_after_free(void)
{
	char *memory = kmalloc(64, GFP_KERNEL);

	kfree(memory);
	OPTIMIZER_HIDE_VAR(memory);
	if (memory)
		READ_ONCE(*memory);
}

/* KFENCE guards an allocation now and then. */
static void use_after_free_kfence(void)
{
	unsigned long end = jiffies + 60 * HZ;

	while (time_before(jiffies, end)) {
		char *memory = kmalloc(64, GFP_KERNEL);
		bool guarded = is_kfence_address(memory);

		kfree(memory);
		OPTIMIZER_HIDE_VAR(memory);
		if (guarded) {
			READ_ONCE(*memory);
			break;
		}
		cond_resched();
	}
}

static void sleeping_reader(void)
{
	rcu_read_lock();
	kfree(kmalloc(64, GFP_KERNEL));
	rcu_read_unlock();
}

static void no_section(void)
{
	static int __rcu *pointer;

	rcu_dereference(pointer);
}

static void lock_order(void)
{
	static DEFINE_SPINLOCK(one);
	static DEFINE_SPINLOCK(other);

	spin_lock(&one);
	spin_lock(&other);
	spin_unlock(&other);
	spin_unlock(&one);

	spin_lock(&other);
	spin_lock(&one);
	spin_unlock(&one);
	spin_unlock(&other);
}

static void list_corruption(void)
{
	struct list_head first, second;
	LIST_HEAD(head);

	list_add(&first, &head);
	list_add(&second, &head);
	first.prev = &head;
	list_del(&first);
}

static void leak(void)
{
	int i;

	for (i = 0; i < 10; i++) {
		char *memory = kmalloc(64, GFP_KERNEL);

		OPTIMIZER_HIDE_VAR(memory);
	}
}

static void racing(void)
{
	static int shared;
	int i;

	for (i = 0; i < 200000; i++) {
		shared++;
		barrier();
	}
}

static const struct {
	const char *name;
	void (*make)(void);
} bugs[] = {
	{ "use-after-free", use_after_free },
	{ "use-after-free-kfence", use_after_free_kfence },
	{ "use-after-free-rust", semundo_bug_use_after_free },
	{ "out-of-bounds-rust", semundo_bug_out_of_bounds },
	{ "sleeping-reader", sleeping_reader },
	{ "no-section", no_section },
	{ "lock-order", lock_order },
	{ "list-corruption", list_corruption },
	{ "leak", leak },
	{ "data-race", racing },
	{ "data-race-rust", semundo_bug_data_race },
};

void semundo_bug(void)
{
	int i;

	for (i = 0; i < ARRAY_SIZE(bugs); i++) {
		if (semundo_bug_is(bugs[i].name))
			bugs[i].make();
	}
}

/*
 * "late": the reader takes its time, which is no bug. "free-at-once": and
 * exit_sem() frees without a grace period, as it did before the series.
 */
bool semundo_bug_late(const void *list, const void __rcu *const *now)
{
	if (!semundo_bug_is("late") && !semundo_bug_is("free-at-once"))
		return false;
	mdelay(5);
	if (rcu_access_pointer(*now) == list)
		return false;
	READ_ONCE(*(const char *)list);
	return true;
}
