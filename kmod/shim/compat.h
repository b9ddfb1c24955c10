/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* What differs between kernel versions; nothing else in the shim looks at the version. */
#ifndef SEMUNDO_COMPAT_H
#define SEMUNDO_COMPAT_H

#include <linux/cred.h>
#include <linux/mm_types.h>
#include <linux/sched.h>
#include <linux/user_namespace.h>
#include <linux/version.h>

/* The adjustments of a struct sem_undo: behind it, or part of it. */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 6, 0)
#define SEMUNDO_SEMADJ short *semadj
#define SEMUNDO_SEMADJ_IS_POINTER 1
#else
#define SEMUNDO_SEMADJ short semadj[]
#define SEMUNDO_SEMADJ_IS_POINTER 0
#endif

/*
 * Whether who has a task's ids may read it (PR_SET_DUMPABLE), and @ns, over
 * which CAP_SYS_PTRACE lets others. Inside rcu_read_lock() and task_lock().
 */
#ifdef SEMUNDO_HAS_EXEC_STATE
#include <linux/sched/exec_state.h>
static inline bool semundo_is_dumpable(struct task_struct *task, struct user_namespace **ns)
{
	const struct task_exec_state *state = rcu_dereference(task->exec_state);

	*ns = state ? state->user_ns : &init_user_ns;
	return state && READ_ONCE(state->dumpable) == TASK_DUMPABLE_OWNER;
}
#else
#include <linux/sched/coredump.h>
/* Of a task whose memory is gone; kernels that do not keep it get the careful answer. */
#ifdef SEMUNDO_HAS_USER_DUMPABLE
#define semundo_was_dumpable(task) ((task)->user_dumpable)
#else
#define semundo_was_dumpable(task) false
#endif
static inline bool semundo_is_dumpable(struct task_struct *task, struct user_namespace **ns)
{
	*ns = task->mm ? task->mm->user_ns : &init_user_ns;
	return task->mm ? get_dumpable(task->mm) == SUID_DUMP_USER : semundo_was_dumpable(task);
}
#endif

#endif
