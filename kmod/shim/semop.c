// SPDX-License-Identifier: MIT OR GPL-2.0-only
/*
 * The kernel's own semop(), called as the system call calls it: permissions,
 * limits, security modules, audit and wake-ups are the kernel's.
 *
 * ipc/sem.c: __do_semtimedop() takes operations in kernel memory. It is global but
 * not exported, so a kprobe tells where it is. It must not be called through a
 * pointer: nothing in the kernel does, so the kernel has sealed its entry against
 * indirect calls (IBT). A static call is a direct one, patched into the code.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/ipc_namespace.h>
#include <linux/kprobes.h>
#include <linux/nsproxy.h>
#include <linux/printk.h>
#include <linux/sched.h>
#include <linux/sem.h>
#include <linux/static_call.h>

#include "semundo.h"

/* ipc/sem.c: sc_semopm */
#define SC_SEMOPM 2

static long no_semtimedop(int semid, struct sembuf *sops, unsigned int nsops,
			  const struct timespec64 *timeout, struct ipc_namespace *ns)
{
	return -EOPNOTSUPP;
}

DEFINE_STATIC_CALL(semundo_semtimedop, no_semtimedop);

#ifdef SEMUNDO_TEST_NO_SEMOP
#define SEMOP_SYMBOL "no_such_semtimedop"
#else
#define SEMOP_SYMBOL "__do_semtimedop"
#endif

/* Where it is not found, operations answer EOPNOTSUPP. */
void __init semundo_semop_find(void)
{
	struct kprobe probe = { .symbol_name = SEMOP_SYMBOL };
	int err = register_kprobe(&probe);

	if (err) {
		pr_warn("/proc/semundo cannot be written to: this kernel does not tell where %s is (error %d)\n",
			probe.symbol_name, err);
		return;
	}
	static_call_update(semundo_semtimedop, (typeof(&no_semtimedop))probe.addr);
	unregister_kprobe(&probe);
}

/* How many operations a call may have, in the caller's IPC namespace. */
int semundo_semopm(void)
{
	return READ_ONCE(current->nsproxy->ipc_ns->sem_ctls[SC_SEMOPM]);
}

int semundo_semop(int semid, struct sembuf *ops, unsigned int nops)
{
	return static_call(semundo_semtimedop)(semid, ops, nops, NULL, current->nsproxy->ipc_ns);
}
