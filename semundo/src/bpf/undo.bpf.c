// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * Tells which tasks have an undo list, and what is in the lists: a task iterator that writes records into a ring buffer.
 *
 * An undo list's own links (sem_undo_list.list_proc) cannot be followed here: exit frees the list without a grace period, and
 * semop(2) moves the entry that it uses to the front (ipc/sem.c: lookup_undo). So entries are read set by set, as the kernel's
 * exit does not hurry those: sets and entries are freed after a grace period, an iterator runs in an RCU read section, and
 * entries keep their places in sem_array.list_id. The list that an entry is of is a number to compare, never followed.
 *
 * User space runs the iterator twice, first with `walk` off. A list that the same task had both times was there meanwhile,
 * so that its address stands for nothing else: see source/bpf.rs.
 *
 * All reads of the kernel's memory are probing reads: what was freed and reused gives wrong numbers, never a fault.
 */
#include "kernel.h"

enum kind { TASK, ENTRY };

/* Every record begins with its kind. source/bpf.rs knows their layouts. */
struct task_record {
	__u32 kind;
	__s32 pid;
	__s32 tid;
	__u32 ipc_namespace;
	__u64 start;
	__u64 list;
	/* How many tasks have the list. */
	__u32 sharers;
	char comm[16];
	__u32 padding;
};

#define PART 4096

/* Adjustments from `first` on, as many as the record is long for and at most PART. */
struct entry_record {
	__u32 kind;
	__s32 semid;
	__u64 list;
	__u32 nsems;
	__u32 first;
	__s16 semadj[PART];
};

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 1 << 22);
} RECORDS SEC(".maps");

struct options {
	/* A number that differs from run to run. */
	__u64 run;
	/* Whether entries are told too. */
	__u64 walk;
	/* Tell this list's entries only; 0: all lists'. */
	__u64 only;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct options);
} OPTIONS SEC(".maps");

struct outcome {
	/* Records that did not fit. */
	__u64 dropped;
	/* Sets whose entries changed so often that some may be missing. */
	__u64 torn;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct outcome);
} OUTCOME SEC(".maps");

/* The run that last walked a namespace, by its address. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 4096);
	__type(key, __u64);
	__type(value, __u64);
} WALKED SEC(".maps");

/* What is read at once, since a read costs more than its bytes; and where an entry's record is put together. */
#define HEAD 512

struct buffer {
	/* Of an xarray's leaf. */
	void *slots[64];
	/* A struct sem_undo up to its semid. */
	char undo[HEAD];
	struct entry_record record;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct buffer);
} BUFFER SEC(".maps");

#define read(to, from) bpf_probe_read_kernel(&(to), sizeof(to), from)

#define UNDO_SIZE (bpf_core_field_offset(struct sem_undo, semid) + sizeof(int))
#define undo_field(buffer, member)                                                                  \
	(*(typeof(((struct sem_undo *)0)->member) *)((buffer)->undo + bpf_core_field_offset(struct sem_undo, member)))

static void put(const void *record, __u64 size, struct outcome *outcome)
{
	if (bpf_ringbuf_output(&RECORDS, (void *)record, size, BPF_RB_NO_WAKEUP))
		outcome->dropped++;
}

/* One walk through a namespace's sets, and where it is. */
struct walk {
	struct buffer *buffer;
	struct outcome *outcome;
	__u64 only;
	void *head;
	_Bool has_slots;
	struct list_head *end;
	struct list_head *at;
	const short *semadj;
	_Bool again;
};

static long part(__u32 index, void *context)
{
	struct walk *walk = context;
	struct entry_record *record = &walk->buffer->record;
	__u32 first = index * PART;
	__u32 count = record->nsems - first;

	if (first >= record->nsems)
		return 1;
	if (count > PART)
		count = PART;
	record->first = first;
	if (bpf_probe_read_kernel(record->semadj, count * sizeof(short), walk->semadj + first)) {
		walk->outcome->torn++;
		return 1;
	}
	put(record, __builtin_offsetof(struct entry_record, semadj) + count * sizeof(short), walk->outcome);
	return 0;
}

static long entry(__u32 index, void *context)
{
	struct walk *walk = context;
	struct entry_record *record = &walk->buffer->record;
	struct list_head *at = walk->at;
	struct sem_undo *undo;

	if (at == walk->end)
		return 1;
	undo = (void *)at - bpf_core_field_offset(struct sem_undo, list_id);
	/* An entry that was taken out since has no successor (LIST_POISON1): the set's entries are told once more. */
	if (UNDO_SIZE > HEAD || bpf_probe_read_kernel(walk->buffer->undo, UNDO_SIZE, undo)) {
		walk->again = 1;
		return 1;
	}
	walk->at = undo_field(walk->buffer, list_id).next;
	record->list = (__u64)undo_field(walk->buffer, ulp);
	record->semid = undo_field(walk->buffer, semid);
	/* -1: the set is being removed. */
	if (record->semid == -1 || (walk->only && record->list != walk->only))
		return 0;
	if (bpf_core_field_exists(((struct sem_undo___pointer *)0)->semadj)) {
		if (read(walk->semadj, &((struct sem_undo___pointer *)undo)->semadj))
			return 0;
	} else {
		walk->semadj = (void *)undo + bpf_core_field_offset(struct sem_undo___array, semadj);
	}
	if (record->nsems <= PART)
		part(0, walk);
	else
		bpf_loop((record->nsems - 1) / PART + 1, part, walk, 0);
	return 0;
}

static long entries(__u32 index, void *context)
{
	struct walk *walk = context;

	/* The first time, the set has just been read. */
	if (walk->again && read(walk->at, &walk->end->next))
		return 1;
	walk->again = 0;
	/* Most sets have one entry or none. */
	if (entry(0, walk) == 0 && walk->at != walk->end && bpf_loop(1 << 22, entry, walk, 0) == 1 << 22)
		walk->again = 1;
	return !walk->again;
}

/* include/linux/xarray.h: xa_is_node */
static _Bool is_node(const void *entry)
{
	return ((unsigned long)entry & 3) == 2 && (unsigned long)entry > 4096;
}

/* Reads the slots of the leaf that a set's index is in, if there is one. */
static void read_slots(struct walk *walk, __u32 index)
{
	void *entry = walk->head;
	struct xa_node *node;
	unsigned char shift;

	walk->has_slots = 0;
	for (int level = 0; level < 7; level++) {
		node = entry - 2;
		if (!is_node(entry) || read(shift, &node->shift) || shift > 30)
			return;
		if (level == 0 && shift < 30 && index >> shift > 63)
			return;
		if (shift == 0) {
			walk->has_slots = !read(walk->buffer->slots, &node->slots);
			return;
		}
		if (read(entry, &node->slots[(index >> shift) & 63]))
			return;
	}
}

static long set(__u32 index, void *context)
{
	struct walk *walk = context;
	struct sem_array *set = 0;
	int nsems;

	if (index % 64 == 0)
		read_slots(walk, index);
	if (walk->has_slots)
		set = walk->buffer->slots[index % 64];
	else if (index == 0 && !is_node(walk->head))
		set = walk->head;
	/* A slot is empty, or reserved for a set that is being made. */
	if (!set || (unsigned long)set & 3)
		return 0;
	walk->end = (void *)set + bpf_core_field_offset(struct sem_array, list_id);
	if (read(walk->at, &walk->end->next) || walk->at == walk->end || read(nsems, &set->sem_nsems) || nsems <= 0)
		return 0;
	walk->buffer->record.nsems = nsems;
	walk->again = 0;
	if (entries(0, walk) == 0 && bpf_loop(100, entries, walk, 0) == 100)
		walk->outcome->torn++;
	return 0;
}

static void walk_namespace(struct ipc_namespace *ipc, const struct options *options, struct outcome *outcome)
{
	struct walk walk = { .outcome = outcome, .only = options->only };
	__u32 zero = 0;
	int last;

	walk.buffer = bpf_map_lookup_elem(&BUFFER, &zero);
	if (!walk.buffer)
		return;
	walk.buffer->record.kind = ENTRY;
	if (read(walk.head, &ipc->ids[0].ipcs_idr.idr_rt.xa_head) || read(last, &ipc->ids[0].max_idx) || last < 0)
		return;
	bpf_loop(last + 1, set, &walk, 0);
}

/* The number of a task or process in the pid namespace of who reads. */
static int number(struct pid *pid)
{
	struct task_struct *reader = bpf_get_current_task_btf();
	unsigned int level = BPF_CORE_READ(reader, thread_pid, level);
	int nr = 0;

	if (level <= 32)
		read(nr, &pid->numbers[level].nr);
	return nr;
}

SEC("iter/task")
int undo(struct bpf_iter__task *context)
{
	struct task_struct *task = context->task;
	struct task_record record = { .kind = TASK };
	struct ipc_namespace *ipc;
	struct sem_undo_list *list;
	struct options *options;
	struct outcome *outcome;
	__u32 zero = 0;
	__u64 key, *walked;

	if (!task)
		return 0;
	list = task->sysvsem.undo_list;
	if (!list)
		return 0;
	ipc = BPF_CORE_READ(task, nsproxy, ipc_ns);
	options = bpf_map_lookup_elem(&OPTIONS, &zero);
	outcome = bpf_map_lookup_elem(&OUTCOME, &zero);
	if (!ipc || !options || !outcome)
		return 0;
	record.ipc_namespace = BPF_CORE_READ(ipc, ns.inum);
	record.list = (__u64)list;
	key = (__u64)ipc;
	/* Before the task is told: a list that it still has then was there during the walk. */
	if (options->walk && (!options->only || options->only == record.list)) {
		walked = bpf_map_lookup_elem(&WALKED, &key);
		if (!walked || *walked != options->run) {
			bpf_map_update_elem(&WALKED, &key, &options->run, BPF_ANY);
			walk_namespace(ipc, options, outcome);
		}
		if (task->sysvsem.undo_list != list)
			return 0;
	}
	record.pid = number(BPF_CORE_READ(task, signal, pids[PIDTYPE_TGID]));
	record.tid = number(BPF_CORE_READ(task, thread_pid));
	record.start = task->start_boottime;
	record.sharers = BPF_CORE_READ(list, refcnt.refs.counter);
	bpf_probe_read_kernel_str(record.comm, sizeof(record.comm), task->comm);
	put(&record, sizeof(record), outcome);
	return 0;
}

/* Probing reads and the ring buffer are for GPL-compatible programs. */
char LICENSE[] SEC("license") = "Dual MIT/GPL";
