/* SPDX-License-Identifier: Apache-2.0 */
/* SHA-256 as hex: what a component's version is made of. The layer's one door to libcrypto. */
#pragma once
#include "base/str.h"

#define DIGEST_HEX_BYTES 65 /* 64 digits and NUL */

/* 0, or -1 when memory is out. */
int digest_sha256_hex(struct str bytes, char ret[static DIGEST_HEX_BYTES]);
