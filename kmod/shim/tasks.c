// SPDX-License-Identifier: MIT OR GPL-2.0-only
/*
 * Which tasks own undo lists, as the reader may see them.
 *
 * Another task's list must not be followed: exit_sem() frees it without a
 * grace period. Its address is only compared.
 */
#include <linux/capability.h>
#include <linux/cred.h>
#include <linux/fs.h>
#include <linux/pid_namespace.h>
#include <linux/sched.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/sched/task.h>
#include <linux/sem.h>
#include <linux/user_namespace.h>

#include "compat.h"
#include "semundo.h"

/* CAP_SYS_PTRACE over the namespace, judged by the file's opener. */
static bool opener_has_ptrace_cap(const struct file *file, struct user_namespace *ns)
{
	const struct cred *old = override_creds(file->f_cred);
	bool has = ns_capable_noaudit(ns, CAP_SYS_PTRACE);

	revert_creds(old);
	return has;
}

/*
 * What ptrace_may_access(task, PTRACE_MODE_READ_FSCREDS), which is not
 * exported, asks: the ids, whether the task is dumpable, and whether it has
 * capabilities that the reader lacks (cap_ptrace_access_check). Other security
 * modules are not asked. The rights are those of the file's opener.
 */
static bool may_read(const struct file *file, struct task_struct *task)
{
	const struct cred *reader = file->f_cred, *cred = __task_cred(task);
	struct user_namespace *ns;
	bool dumpable;

	if (same_thread_group(task, current) && semundo_opened_by_current(file))
		return true;
	if (!(uid_eq(cred->uid, reader->fsuid) && uid_eq(cred->euid, reader->fsuid) &&
	      uid_eq(cred->suid, reader->fsuid) && gid_eq(cred->gid, reader->fsgid) &&
	      gid_eq(cred->egid, reader->fsgid) && gid_eq(cred->sgid, reader->fsgid)) &&
	    !opener_has_ptrace_cap(file, cred->user_ns))
		return false;

	/* Pairs with commit_creds(): ids that pass are seen with the dumpable flag they came with. */
	smp_rmb();
	/* Under the lock the memory stays the task's, and with it the memory's namespace. */
	task_lock(task);
	dumpable = semundo_is_dumpable(task, &ns) || opener_has_ptrace_cap(file, ns);
	task_unlock(task);

	return dumpable &&
	       ((reader->user_ns == cred->user_ns &&
		 cap_issubset(cred->cap_permitted, reader->cap_effective)) ||
		opener_has_ptrace_cap(file, cred->user_ns));
}

/*
 * The tasks that own an undo list, that the reader's pid namespace sees and
 * that the file's opener may read: the first @capacity of them. Returns how
 * many there are. Inside rcu_read_lock().
 */
size_t semundo_owners(struct file *file, struct semundo_owner *owners, size_t capacity)
{
	struct pid_namespace *ns = task_active_pid_ns(current);
	struct task_struct *process, *task;
	size_t n = 0;

	for_each_process_thread(process, task) {
		const void *undo_list = READ_ONCE(task->sysvsem.undo_list);
		int pid, tid;

		if (!undo_list)
			continue;
		pid = task_tgid_nr_ns(task, ns);
		tid = task_pid_nr_ns(task, ns);
		if (!pid || !tid || !may_read(file, task))
			continue;
		if (n < capacity)
			owners[n] = (struct semundo_owner){ undo_list, task, pid, tid, 0 };
		n++;
	}
	return n;
}

/* Whether the list is the task's now. Inside the rcu_read_lock() that the task was found in. */
bool semundo_task_has(const struct task_struct *task, const void *undo_list)
{
	return READ_ONCE(task->sysvsem.undo_list) == undo_list;
}
