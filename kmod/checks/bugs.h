/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Bugs on purpose, for kernels that are built to be checked (CONFIG_PROC_SEMUNDO_BUGS). */
#ifndef SEMUNDO_BUGS_H
#define SEMUNDO_BUGS_H

#include <linux/types.h>

/* Whether this is the one that is wanted: /sys/module/semundo/parameters/bug. */
bool semundo_bug_is(const char *name);

/* At the start of each read: makes the one that is wanted. */
void semundo_bug(void);

/*
 * Between finding a list and locking it: whether the task has left the list in
 * the meantime, which is long where that is wanted. Looks at the list then.
 */
bool semundo_bug_late(const void *list, const void __rcu *const *now);

/* Rust, bugs.rs. */
void semundo_bug_use_after_free(void);
void semundo_bug_out_of_bounds(void);
void semundo_bug_data_race(void);

#endif
