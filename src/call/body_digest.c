/* SPDX-License-Identifier: Apache-2.0 */
/* The one place of this layer that hashes. */
#include "call/body_digest.h"
#include "base/alloc.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>

bool body_digest(struct str bytes, unsigned char ret[static BODY_DIGEST_BYTES])
{
	unsigned char sum[EVP_MAX_MD_SIZE];
	unsigned int n = 0;
	/* Where its beginning failed for want of memory, OpenSSL 3 crashes at the first fetch instead of refusing it. */
	if (!OSSL_LIB_CTX_get0_global_default() ||
	    !EVP_Digest(bytes.len ? bytes.ptr : "", bytes.len, sum, &n, EVP_sha256(), NULL) || n != BODY_DIGEST_BYTES) {
		(void)alloc_failed();
		return false;
	}
	memcpy(ret, sum, BODY_DIGEST_BYTES);
	return true;
}
