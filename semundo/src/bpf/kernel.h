/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/*
 * The fields of the kernel's structures that undo.bpf.c reads. The loader finds their true places in the running kernel's BTF
 * (CO-RE), so only names and types matter here; structs with three underscores are other kernels' forms of what stands before these.
 */
#ifndef SEMUNDO_KERNEL_H
#define SEMUNDO_KERNEL_H

#include <linux/bpf.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct list_head {
	struct list_head *next, *prev;
};

struct ns_common {
	unsigned int inum;
};

struct pid_namespace;

struct upid {
	int nr;
	struct pid_namespace *ns;
};

struct pid {
	unsigned int level;
	struct upid numbers[1];
};

enum pid_type { PIDTYPE_PID, PIDTYPE_TGID };

struct signal_struct {
	struct pid *pids[4];
};

/* include/linux/xarray.h, include/linux/idr.h */
struct xa_node {
	unsigned char shift;
	void *slots[64];
};

struct xarray {
	void *xa_head;
};

struct idr {
	struct xarray idr_rt;
};

struct ipc_ids {
	int in_use;
	int max_idx;
	struct idr ipcs_idr;
};

struct ipc_namespace {
	struct ipc_ids ids[3];
	struct ns_common ns;
};

struct nsproxy {
	struct ipc_namespace *ipc_ns;
};

typedef struct {
	int counter;
} atomic_t;

struct refcount_struct {
	atomic_t refs;
};

struct sem_undo_list {
	struct refcount_struct refcnt;
};

struct sysv_sem {
	struct sem_undo_list *undo_list;
};

struct task_struct {
	int pid;
	int tgid;
	unsigned long long start_boottime;
	struct pid *thread_pid;
	struct signal_struct *signal;
	char comm[16];
	struct sysv_sem sysvsem;
	struct nsproxy *nsproxy;
};

/* ipc/sem.c */
struct sem_array {
	struct list_head list_id;
	int sem_nsems;
};

struct sem_undo {
	struct sem_undo_list *ulp;
	struct list_head list_id;
	int semid;
};

/* Since Linux 6.3. */
struct sem_undo___array {
	short semadj[1];
};

/* Before. */
struct sem_undo___pointer {
	short *semadj;
};

struct seq_file;

struct bpf_iter_meta {
	struct seq_file *seq;
	unsigned long long session_id;
	unsigned long long seq_num;
};

struct bpf_iter__task {
	struct bpf_iter_meta *meta;
	struct task_struct *task;
};

#pragma clang attribute pop

#endif
