/* SPDX-License-Identifier: Apache-2.0 */
/* The name of a file is its content, in short. */
#include "store/file_digest.h"
#include "base/alloc.h"

#include <openssl/evp.h>
#include <stdlib.h>

#define SHA256_BYTES 32

struct file_digest {
	EVP_MD_CTX *state;
};

struct file_digest *file_digest_new(void)
{
	struct file_digest *d = alloc_malloc(sizeof(*d));

	if (!d)
		return NULL;
	d->state = EVP_MD_CTX_new();
	if (d->state && EVP_DigestInit_ex(d->state, EVP_sha256(), NULL))
		return d;
	file_digest_free(d);
	return NULL;
}

bool file_digest_push(struct file_digest *d, struct str bytes)
{
	return bytes.len == 0 || EVP_DigestUpdate(d->state, bytes.ptr, bytes.len) == 1;
}

bool file_digest_end(struct file_digest *d, char ret[static FILE_DIGEST_HEX_BYTES])
{
	static const char hex[] = "0123456789abcdef";
	unsigned char sum[EVP_MAX_MD_SIZE];
	unsigned int n = 0;

	if (EVP_DigestFinal_ex(d->state, sum, &n) != 1 || n != SHA256_BYTES)
		return false;
	for (unsigned int i = 0; i < n; i++) {
		ret[2 * i] = hex[sum[i] >> 4];
		ret[2 * i + 1] = hex[sum[i] & 15];
	}
	ret[2 * SHA256_BYTES] = '\0';
	return true;
}

void file_digest_free(struct file_digest *d)
{
	if (d)
		EVP_MD_CTX_free(d->state);
	free(d);
}
