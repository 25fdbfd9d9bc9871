/* SPDX-License-Identifier: Apache-2.0 */
/* Chance, replaceable in tests. Not for secrets: what must not be guessed asks the system itself. */
#pragma once
#include "base/num.h"

/* 64 bits. From the system (getrandom(2)); where it has none, from clock and process, so that it never fails. */
uint64_t dice(void);
/* 0..top, both possible; top is at least 0. */
uint64_t dice_up_to(uint64_t top);
/* Replace the system's (NULL = the real one). Loop's thread only. */
void dice_fake(uint64_t (*next)(void));
