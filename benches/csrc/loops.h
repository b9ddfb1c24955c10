/*
 * The measured loops of a liburcu flavor, with its read side inlined. The including file names the flavor by FLAVOR and
 * its headers. What each function does is told in src/engines/liburcu.rs.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <urcu/rculist.h>

/* The value, the links and the head, in the size of src/node.rs. */
struct node {
	uint64_t value;
	struct cds_list_head links;
	struct rcu_head head;
	uint64_t rest[2];
};

_Static_assert(sizeof(struct node) == 56, "as SIZE in src/node.rs");

struct subject {
	struct cds_list_head list;
	struct node *slot;
	size_t count;
	struct node *nodes[];
};

/* Nodes freed so far; on a line of its own. */
static struct {
	unsigned long count;
} dropped __attribute__((aligned(128)));

/* As `settle` in src/engine.rs. */
static inline void settle(void)
{
#if defined(__x86_64__)
	__builtin_ia32_lfence();
#elif defined(__aarch64__)
	__asm__ volatile("isb");
#endif
}

static struct node *new_node(uint64_t value)
{
	struct node *node = malloc(sizeof(*node));

	if (!node)
		abort();
	node->value = value;
	return node;
}

static void free_node(struct rcu_head *head)
{
	free(caa_container_of(head, struct node, head));
	__atomic_fetch_add(&dropped.count, 1, __ATOMIC_RELAXED);
}

static void replace_slot(struct subject *subject, uint64_t value)
{
	struct node *old = rcu_xchg_pointer(&subject->slot, new_node(value));

	call_rcu(&old->head, free_node);
}

struct subject *FLAVOR(new)(const uint32_t *order, size_t count)
{
	struct subject *subject = malloc(sizeof(*subject) + count * sizeof(subject->nodes[0]));
	size_t i;

	if (!subject)
		abort();
	CDS_INIT_LIST_HEAD(&subject->list);
	subject->count = count;
	for (i = 0; i < count; i++)
		subject->nodes[i] = new_node(i + 1);
	for (i = 0; i < count; i++)
		cds_list_add_tail_rcu(&subject->nodes[order[i]]->links, &subject->list);
	subject->slot = new_node(0);
	return subject;
}

void FLAVOR(drop)(struct subject *subject)
{
	struct node *node, *next;

	cds_list_for_each_entry_safe(node, next, &subject->list, links)
		free(node);
	free(subject->slot);
	free(subject);
}

void FLAVOR(register)(void)
{
	rcu_register_thread();
}

void FLAVOR(unregister)(void)
{
	rcu_unregister_thread();
}

void FLAVOR(sections)(uint64_t count, uint64_t chunk)
{
	uint64_t done, i;

	for (done = 0; done < count; done += chunk) {
		for (i = 0; i < chunk; i++) {
			rcu_read_lock();
			__asm__ volatile("" : "+r"(i) : : "memory");
			rcu_read_unlock();
		}
		rcu_quiescent_state();
	}
}

uint64_t FLAVOR(walks)(struct subject *subject, uint64_t count, uint64_t chunk)
{
	uint64_t sum = 0, done, i;
	struct node *node;

	for (done = 0; done < count; done += chunk) {
		for (i = 0; i < chunk; i++) {
			settle();
			rcu_read_lock();
			cds_list_for_each_entry_rcu(node, &subject->list, links)
				sum += node->value;
			rcu_read_unlock();
			__asm__ volatile("" : "+r"(i) : : "memory");
		}
		rcu_quiescent_state();
	}
	return sum;
}

void FLAVOR(replace)(struct subject *subject)
{
	struct node *first = cds_list_first_entry(&subject->list, struct node, links);
	struct node *node = new_node(first->value);

	cds_list_del_rcu(&first->links);
	cds_list_add_tail_rcu(&node->links, &subject->list);
	call_rcu(&first->head, free_node);
	rcu_quiescent_state();
}

void FLAVOR(retire)(struct subject *subject, uint64_t count)
{
	uint64_t i;

	for (i = 0; i < count; i++)
		replace_slot(subject, i);
	rcu_quiescent_state();
}

uint64_t FLAVOR(retire_peak)(struct subject *subject, uint64_t count)
{
	unsigned long before = __atomic_load_n(&dropped.count, __ATOMIC_RELAXED);
	uint64_t peak = 0, live, i;

	for (i = 0; i < count; i++) {
		replace_slot(subject, i);
		live = i + 1 - (__atomic_load_n(&dropped.count, __ATOMIC_RELAXED) - before);
		if (live > peak)
			peak = live;
		if (i % 64 == 0)
			rcu_quiescent_state();
	}
	rcu_quiescent_state();
	return peak;
}

void FLAVOR(synchronize)(void)
{
	synchronize_rcu();
}

void FLAVOR(barrier)(void)
{
	rcu_barrier();
}

uint64_t FLAVOR(dropped)(void)
{
	return __atomic_load_n(&dropped.count, __ATOMIC_RELAXED);
}
