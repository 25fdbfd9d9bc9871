/* SPDX-License-Identifier: Apache-2.0 */
/* SHA-256 of bytes as they come. By itself, since <openssl/evp.h> and base/err.h both have an ERR_STATE. */
#pragma once
#include "base/str.h"

#define FILE_DIGEST_HEX_BYTES 65 /* 64 digits and a NUL */

struct file_digest;
struct file_digest *file_digest_new(void); /* NULL = out of memory */
bool file_digest_push(struct file_digest *d, struct str bytes);
/* The digits, lower case; the digest takes no more bytes. */
bool file_digest_end(struct file_digest *d, char ret[static FILE_DIGEST_HEX_BYTES]);
void file_digest_free(struct file_digest *d); /* NULL is fine */
