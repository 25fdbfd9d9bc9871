/* SPDX-License-Identifier: Apache-2.0 */
/* The one place of this layer that hashes. */
#include "call/body_digest.h"
#include <openssl/evp.h>

bool body_digest(struct str bytes, unsigned char ret[static BODY_DIGEST_BYTES])
{
	unsigned char sum[EVP_MAX_MD_SIZE];
	unsigned int n = 0;
	if (!EVP_Digest(bytes.len ? bytes.ptr : "", bytes.len, sum, &n, EVP_sha256(), NULL) || n != BODY_DIGEST_BYTES)
		return false;
	memcpy(ret, sum, BODY_DIGEST_BYTES);
	return true;
}
