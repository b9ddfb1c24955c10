/* liburcu's flavor `memb`. */
#define FLAVOR(name) liburcu_memb_##name
#define RCU_MEMBARRIER
#define _LGPL_SOURCE
#define URCU_INLINE_SMALL_FUNCTIONS
#include <urcu.h>
#include "loops.h"
