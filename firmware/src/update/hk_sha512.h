/**
 * @file  hk_sha512.h
 * @brief SHA-512 (FIPS 180-4) of bytes that come in pieces.
 */
#ifndef HK_SHA512_H
#define HK_SHA512_H

#include <stdint.h> /* uint8_t, uint32_t, uint64_t */

#define HK_SHA512_BYTES 64U
#define HK_SHA512_BLOCK 128U

typedef struct {
    uint64_t state[8];
    uint8_t block[HK_SHA512_BLOCK];
    uint32_t n_bytes; /* so far */
} hk_sha512_t;

void hk_sha512_init(hk_sha512_t *hash);
void hk_sha512_add(hk_sha512_t *hash, const uint8_t *bytes, uint32_t n); /* below 2^29 in all */
void hk_sha512_finish(hk_sha512_t *hash, uint8_t digest[HK_SHA512_BYTES]);

#endif /* HK_SHA512_H */
