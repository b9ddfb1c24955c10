// SPDX-License-Identifier: MIT OR GPL-2.0-only
/* The semaphore sets of the caller's IPC namespace, and the caller's own undo list. */
#include <linux/idr.h>
#include <linux/ipc_namespace.h>
#include <linux/nsproxy.h>
#include <linux/sched.h>
#include <linux/sem.h>

#include "layout.h"
#include "semundo.h"

/* ipc/util.h */
#define IPC_SEM_IDS 0

const struct semundo_offsets semundo_offsets = {
	.undo_list_proc = offsetof(struct sem_undo, list_proc),
	.undo_ulp = offsetof(struct sem_undo, ulp),
	.undo_list_id = offsetof(struct sem_undo, list_id),
	.undo_semid = offsetof(struct sem_undo, semid),
	.undo_semadj = offsetof(struct sem_undo, semadj),
	.semadj_is_pointer = SEMUNDO_SEMADJ_IS_POINTER,
};

#define MEMBER(s, m) { #s, #m, offsetof(struct s, m) }

/* All that is read of the private structures, here and in Rust. */
const struct semundo_member semundo_members[] = {
	MEMBER(sem_array, sem_perm),
	MEMBER(sem_array, list_id),
	MEMBER(sem_array, sem_nsems),
	MEMBER(sem_array, sems),
	MEMBER(sem, semval),
	{ "sem", NULL, sizeof(struct sem) },
	MEMBER(sem_undo, list_proc),
	MEMBER(sem_undo, ulp),
	MEMBER(sem_undo, list_id),
	MEMBER(sem_undo, semid),
	MEMBER(sem_undo, semadj),
	{ "sem_undo", NULL, sizeof(struct sem_undo) },
	MEMBER(sem_undo_list, lock),
	MEMBER(sem_undo_list, list_proc),
	{ "sem_undo_list", NULL, sizeof(struct sem_undo_list) },
	/* Public, but the ground that the others stand on: a debug kernel's locks are larger. */
	{ "kern_ipc_perm", NULL, sizeof(struct kern_ipc_perm) },
};
const size_t semundo_members_len = ARRAY_SIZE(semundo_members);

static struct idr *sets(void)
{
	return &current->nsproxy->ipc_ns->ids[IPC_SEM_IDS].ipcs_idr;
}

/*
 * Locks the caller's own undo list and gives its head; NULL, unlocked, when
 * it has none. The caller holds a reference to the list, so it stays. RCU alone
 * would not do: semop() moves an entry that it uses to the head of the list
 * (ipc/sem.c: lookup_undo), behind a reader's back. The file is the caller's,
 * whichever it is.
 */
struct list_head *semundo_own_lock(struct file *file)
{
	struct sem_undo_list *list = current->sysvsem.undo_list;

	if (!list)
		return NULL;
	spin_lock(&list->lock);
	return &list->list_proc;
}

void semundo_own_unlock(struct list_head *head) __releases(list)
{
	spin_unlock(&container_of(head, struct sem_undo_list, list_proc)->lock);
}

/* Names the caller's own undo list, NULL for none: compared, never followed. */
const void *semundo_own_list(void)
{
	return current->sysvsem.undo_list;
}

/*
 * The set; NULL when there is no such set (any more). An identifier is an index
 * below a sequence number; the index has 15 bits, or 24 with the boot option
 * ipcmni_extend. Inside rcu_read_lock().
 */
struct sem_array *semundo_find_set(int semid)
{
	static const int index_masks[] = { (1 << 15) - 1, (1 << 24) - 1 };
	int i;

	for (i = 0; i < ARRAY_SIZE(index_masks); i++) {
		struct sem_array *set = idr_find(sets(), semid & index_masks[i]);

		if (set && READ_ONCE(set->sem_perm.id) == semid)
			return set;
	}
	return NULL;
}

/* How many semaphores the set has; 0 when there is no such set (any more). Inside rcu_read_lock(). */
int semundo_set_size(int semid)
{
	struct sem_array *set = semundo_find_set(semid);

	return set ? set->sem_nsems : 0;
}

/* The same of an entry's set. Inside rcu_read_lock(), and with the list of the entry locked. */
int semundo_undo_size(const struct sem_undo *undo)
{
	return semundo_set_size(READ_ONCE(undo->semid));
}

/* The first set at *index or above, and its index; NULL at the end. Inside rcu_read_lock(). */
struct sem_array *semundo_next_set(int *index)
{
	return idr_get_next(sets(), index);
}

/* Locks a set and gives its list of undo entries; NULL, unlocked, when the set is being removed. */
struct list_head *semundo_set_lock(struct sem_array *set, int *semid, int *nsems)
{
	spin_lock(&set->sem_perm.lock);
	if (set->sem_perm.deleted) {
		spin_unlock(&set->sem_perm.lock);
		return NULL;
	}
	*semid = set->sem_perm.id;
	*nsems = set->sem_nsems;
	return &set->list_id;
}

void semundo_set_unlock(struct sem_array *set) __releases(set)
{
	spin_unlock(&set->sem_perm.lock);
}

/*
 * The values of a set that is locked. An operation on one semaphore does not take
 * the set's lock, so each value is right by itself.
 */
void semundo_set_values(const struct sem_array *set, u16 *values)
{
	int i;

	for (i = 0; i < set->sem_nsems; i++)
		values[i] = READ_ONCE(set->sems[i].semval);
}
