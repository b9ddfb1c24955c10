// SPDX-License-Identifier: MIT OR GPL-2.0-only
/* One bug for each checker, which it must find: that it is awake. */
#include <linux/slab.h>

int semundo_bugs(const int __user *from, int *memory);
void semundo_more_bugs(void *memory);

int semundo_bugs(const int __user *from, int *memory)
{
	/* sparse: user memory is not dereferenced. */
	int value = *memory + *from;

	/* coccicheck, free/kfree.cocci: used after it is freed. */
	kfree(memory);
	return value + memory[1];
}

void semundo_more_bugs(void *memory)
{
	/* -fanalyzer: freed twice. */
	__builtin_free(memory);
	__builtin_free(memory);
}
