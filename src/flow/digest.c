/* SPDX-License-Identifier: Apache-2.0 */
/* Thirty-two bytes that stand for all of them. */
#include "flow/digest.h"

#include "base/alloc.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>

int digest_sha256_hex(struct str bytes, char ret[static DIGEST_HEX_BYTES])
{
	static const char hex[] = "0123456789abcdef";
	unsigned char sum[EVP_MAX_MD_SIZE];
	unsigned int n = 0;
	/* Where its beginning failed for want of memory, OpenSSL 3 crashes at the first fetch instead of refusing it. */
	if (!OSSL_LIB_CTX_get0_global_default() ||
	    !EVP_Digest(bytes.len ? bytes.ptr : "", bytes.len, sum, &n, EVP_sha256(), NULL) || n != 32) {
		(void)alloc_failed();
		return -1;
	}
	for (unsigned int i = 0; i < n; i++) {
		ret[2 * i] = hex[sum[i] >> 4];
		ret[2 * i + 1] = hex[sum[i] & 15];
	}
	ret[64] = '\0';
	return 0;
}
