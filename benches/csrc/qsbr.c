/* liburcu's flavor `qsbr`. */
#define FLAVOR(name) liburcu_qsbr_##name
#define _LGPL_SOURCE
#define URCU_INLINE_SMALL_FUNCTIONS
#include <urcu-qsbr.h>
#include "loops.h"
