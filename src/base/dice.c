/* SPDX-License-Identifier: Apache-2.0 */
/* Dice with a hand for tests to throw. */
#include "base/dice.h"
#include "base/clock.h"

#include <sys/random.h>
#include <unistd.h>

static uint64_t (*fake)(void);

uint64_t dice(void)
{
	uint64_t n;
	if (fake)
		return fake();
	if (getrandom(&n, sizeof(n), GRND_NONBLOCK) == (ssize_t)sizeof(n))
		return n;
	/* Early in a machine's life: different enough that two processes do not keep step. */
	return (clock_mono_ns() ^ (uint64_t)getpid() << 40) * UINT64_C(0x9e3779b97f4a7c15);
}

uint64_t dice_up_to(uint64_t top)
{
	return top == UINT64_MAX ? dice() : dice() % (top + 1);
}

void dice_fake(uint64_t (*next)(void))
{
	fake = next;
}
