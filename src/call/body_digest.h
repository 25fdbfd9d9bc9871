/* SPDX-License-Identifier: Apache-2.0 */
/* SHA-256 of a body, for its boundary. By itself, since <openssl/evp.h> and base/err.h both have an ERR_STATE. */
#pragma once
#include "base/str.h"

#define BODY_DIGEST_BYTES 32
bool body_digest(struct str bytes, unsigned char ret[static BODY_DIGEST_BYTES]); /* false when out of memory */
