/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* SHA-256, of libmd. */
#include <stddef.h>
#include <stdint.h>

enum { DIGEST_BYTES = 32, DIGEST_HEX_SIZE = 65, DIGEST_BASE64_SIZE = 45 };

void digest_bytes(const void *data, size_t size, uint8_t ret_bytes[DIGEST_BYTES]);
void digest_hex(const void *data, size_t size, char ret_hex[DIGEST_HEX_SIZE]);
void digest_base64(const void *data, size_t size, char ret_text[DIGEST_BASE64_SIZE]);
