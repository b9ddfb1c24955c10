/* liburcu's flavor `mb`. */
#define FLAVOR(name) liburcu_mb_##name
#define RCU_MB
#define _LGPL_SOURCE
#define URCU_INLINE_SMALL_FUNCTIONS
#include <urcu.h>
#include "loops.h"
