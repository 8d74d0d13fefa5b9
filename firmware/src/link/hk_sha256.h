/**
 * @file  hk_sha256.h
 * @brief SHA-256 (FIPS 180-4) of bytes that lie in one piece.
 */
#ifndef HK_SHA256_H
#define HK_SHA256_H

#include <stdint.h> /* uint8_t, uint32_t */

#define HK_SHA256_BYTES 32U

/** Digest of n bytes, n < 2^29. */
void hk_sha256(const uint8_t *bytes, uint32_t n, uint8_t digest[HK_SHA256_BYTES]);

#endif /* HK_SHA256_H */
