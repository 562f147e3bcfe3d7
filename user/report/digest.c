// SPDX-License-Identifier: GPL-2.0-or-later
#include "user/report/digest.h"

#include <sha2.h>
#include <stdio.h>
#include <sys/types.h>

void digest_bytes(const void *data, size_t size, uint8_t ret_bytes[DIGEST_BYTES])
{
	SHA2_CTX context;

	SHA256Init(&context);
	SHA256Update(&context, data, size);
	SHA256Final(ret_bytes, &context);
}

void digest_hex(const void *data, size_t size, char ret_hex[DIGEST_HEX_SIZE])
{
	uint8_t bytes[DIGEST_BYTES];

	digest_bytes(data, size, bytes);
	for (size_t i = 0; i < DIGEST_BYTES; i++)
		snprintf(ret_hex + 2 * i, 3, "%02x", bytes[i]);
}

void digest_base64(const void *data, size_t size, char ret_text[DIGEST_BASE64_SIZE])
{
	static const char letters[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	uint8_t bytes[DIGEST_BYTES + 1] = {};
	char *to = ret_text;

	digest_bytes(data, size, bytes);
	for (size_t i = 0; i < DIGEST_BYTES; i += 3) {
		unsigned int three = (unsigned int)bytes[i] << 16 |
				     (unsigned int)bytes[i + 1] << 8 |
				     (i + 2 < DIGEST_BYTES ? bytes[i + 2] : 0u);

		for (int shift = 18; shift >= 0; shift -= 6)
			*to++ = letters[three >> shift & 63];
	}
	/* 32 bytes are one short of a whole group. */
	to[-1] = '=';
	*to = '\0';
}
