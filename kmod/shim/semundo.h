/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Both sides of the language border: what Rust calls in C, and what C calls in Rust. */
#ifndef SEMUNDO_H
#define SEMUNDO_H

#include <linux/mutex.h>
#include <linux/types.h>

struct file;
struct list_head;
struct sem_array;
struct sem_undo;
struct sembuf;
struct task_struct;

/* One member of a private structure that the module relies on; Rust: layout.rs, Member. */
struct semundo_member {
	const char *structure;
	const char *member;	/* NULL: the structure itself, offset is its size */
	size_t offset;
};

/* Where Rust finds what it reads; Rust: ffi.rs, Offsets. */
struct semundo_offsets {
	size_t undo_list_proc;
	size_t undo_ulp;
	size_t undo_list_id;
	size_t undo_semid;
	size_t undo_semadj;
	size_t semadj_is_pointer;
};

/* A task with an undo list; Rust: ffi.rs, Owner. */
struct semundo_owner {
	const void *undo_list;	/* compared, never followed */
	const struct task_struct *task;
	int pid;
	int tid;
	int list;		/* Rust's own */
};

/* files.c: the proc files. */
int semundo_files_create(void);
void semundo_files_remove(void);
bool semundo_opened_by_current(const struct file *file);

/* sets.c: semaphore sets and the caller's own undo list. */
extern const struct semundo_offsets semundo_offsets;
extern const struct semundo_member semundo_members[];
extern const size_t semundo_members_len;
struct list_head *semundo_own_lock(struct file *file);
void semundo_own_unlock(struct list_head *head);
int semundo_undo_size(const struct sem_undo *undo);
const void *semundo_own_list(void);
struct sem_array *semundo_find_set(int semid);
int semundo_set_size(int semid);
struct sem_array *semundo_next_set(int *index);
struct list_head *semundo_set_lock(struct sem_array *set, int *semid, int *nsems);
void semundo_set_unlock(struct sem_array *set);
void semundo_set_values(const struct sem_array *set, u16 *values);

/* semop.c: the kernel's semop(). */
void semundo_semop_find(void);
int semundo_semopm(void);
int semundo_semop(int semid, struct sembuf *ops, unsigned int nops);

/* write.c: writing to /proc/semundo. */
struct semundo_writer {
	struct mutex lock;	/* of text */
	void *text;		/* Rust's; NULL before the first write */
};
void semundo_write_init(void);
void semundo_writer_init(struct semundo_writer *writer);
void semundo_writer_release(struct semundo_writer *writer);
ssize_t semundo_writer_write(struct semundo_writer *writer, const char __user *text, size_t len);

/* tasks.c: who owns which list, as the reader may see it. */
size_t semundo_owners(struct file *file, struct semundo_owner *owners, size_t capacity);
bool semundo_task_has(const struct task_struct *task, const void *undo_list);

/* runtime.c: what Rust code needs of a kernel. */
void rcu_core_read_lock(void);
void rcu_core_read_unlock(void);
int semundo_between_passes(void);
void semundo_relax(void);
void *semundo_alloc(size_t bytes);
void semundo_free(const void *memory);
void semundo_panic(const char *file, size_t len, unsigned int line) __noreturn;

/* Rust, exports.rs. start and next: 1 a record, 0 the end, negative an error. */
int semundo_check_layout(const u8 *btf, size_t len,
			 const struct semundo_member *members, size_t count,
			 char *message, size_t size);
void *semundo_own_new(struct file *file);
void semundo_own_free(void *walk);
long semundo_own_start(void *walk, loff_t *pos);
long semundo_own_next(void *walk, loff_t *pos);
int semundo_own_show(void *walk, char *buf, size_t size, size_t *count);
void semundo_own_stop(void *walk);
void *semundo_table_new(struct file *file);
void semundo_table_free(void *walk);
long semundo_table_start(void *walk, loff_t *pos);
long semundo_table_next(void *walk, loff_t *pos);
int semundo_table_show(void *walk, char *buf, size_t size, size_t *count);
void semundo_table_stop(void *walk);
void *semundo_text_new(void);
void semundo_text_free(void *text);
size_t semundo_text_waiting(const void *text);
char *semundo_text_room(void *text, size_t len);
int semundo_text_take(void *text, size_t len);

#endif
