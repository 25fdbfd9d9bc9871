/* SPDX-License-Identifier: Apache-2.0 */
/* The bytes of prelude.js inside the executable: in the jail there is no file to read them from. */
#include "script/worker_int.h"

/* __FILE__ is the one path that is right from every build directory; hence the name prelude.c.js beside prelude.c. */
__asm__(".section .rodata\n"
	".global script_prelude\n"
	"script_prelude:\n"
	".incbin \"" __FILE__ ".js\"\n"
	".byte 0\n"
	".previous\n");
