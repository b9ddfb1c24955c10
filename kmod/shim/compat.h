/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* What differs between kernel versions; nothing else in the shim looks at the version. */
#ifndef SEMUNDO_COMPAT_H
#define SEMUNDO_COMPAT_H

#include <linux/version.h>

/* The adjustments of a struct sem_undo: behind it, or part of it. */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 6, 0)
#define SEMUNDO_SEMADJ short *semadj
#define SEMUNDO_SEMADJ_IS_POINTER 1
#else
#define SEMUNDO_SEMADJ short semadj[]
#define SEMUNDO_SEMADJ_IS_POINTER 0
#endif

/* Whether a task whose memory is gone was dumpable. Kernels that do not keep it get the careful answer. */
#ifdef SEMUNDO_HAS_USER_DUMPABLE
#define semundo_was_dumpable(task) ((task)->user_dumpable)
#else
#define semundo_was_dumpable(task) false
#endif

#endif
