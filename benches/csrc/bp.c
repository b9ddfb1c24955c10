/* liburcu's flavor `bp`. */
#define FLAVOR(name) liburcu_bp_##name
#define _LGPL_SOURCE
#define URCU_INLINE_SMALL_FUNCTIONS
#include <urcu-bp.h>
#include "loops.h"
