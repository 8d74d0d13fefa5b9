/**
 * @file  hk_sha256.c
 * @brief SHA-256 as in FIPS 180-4, sections 4.1.2, 4.2.2, 5.3.3 and 6.2.
 */
#include "hk_sha256.h"

#define HK_SHA256_BLOCK 64U

/* First 32 bits of the fractional parts of the cube roots of the first 64 primes. */
static const uint32_t round_constants[64] = {
    0x428a2f98U, 0x71374491U, 0xb5c0fbcfU, 0xe9b5dba5U, 0x3956c25bU, 0x59f111f1U, 0x923f82a4U, 0xab1c5ed5U,
    0xd807aa98U, 0x12835b01U, 0x243185beU, 0x550c7dc3U, 0x72be5d74U, 0x80deb1feU, 0x9bdc06a7U, 0xc19bf174U,
    0xe49b69c1U, 0xefbe4786U, 0x0fc19dc6U, 0x240ca1ccU, 0x2de92c6fU, 0x4a7484aaU, 0x5cb0a9dcU, 0x76f988daU,
    0x983e5152U, 0xa831c66dU, 0xb00327c8U, 0xbf597fc7U, 0xc6e00bf3U, 0xd5a79147U, 0x06ca6351U, 0x14292967U,
    0x27b70a85U, 0x2e1b2138U, 0x4d2c6dfcU, 0x53380d13U, 0x650a7354U, 0x766a0abbU, 0x81c2c92eU, 0x92722c85U,
    0xa2bfe8a1U, 0xa81a664bU, 0xc24b8b70U, 0xc76c51a3U, 0xd192e819U, 0xd6990624U, 0xf40e3585U, 0x106aa070U,
    0x19a4c116U, 0x1e376c08U, 0x2748774cU, 0x34b0bcb5U, 0x391c0cb3U, 0x4ed8aa4aU, 0x5b9cca4fU, 0x682e6ff3U,
    0x748f82eeU, 0x78a5636fU, 0x84c87814U, 0x8cc70208U, 0x90befffaU, 0xa4506cebU, 0xbef9a3f7U, 0xc67178f2U,
};

/* First 32 bits of the fractional parts of the square roots of the first 8 primes. */
static const uint32_t start[8] = {
    0x6a09e667U, 0xbb67ae85U, 0x3c6ef372U, 0xa54ff53aU, 0x510e527fU, 0x9b05688cU, 0x1f83d9abU, 0x5be0cd19U,
};

static uint32_t rotate(uint32_t x, uint32_t n) {
    return x >> n | x << (32U - n);
}

static void expand(const uint8_t *block, uint32_t w[64]) {
    for (uint32_t t = 0U; t < 16U; t++) {
        const uint8_t *b = block + 4U * t;
        w[t] = (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3];
    }
    for (uint32_t t = 16U; t < 64U; t++) {
        const uint32_t s0 = rotate(w[t - 15U], 7U) ^ rotate(w[t - 15U], 18U) ^ w[t - 15U] >> 3;
        const uint32_t s1 = rotate(w[t - 2U], 17U) ^ rotate(w[t - 2U], 19U) ^ w[t - 2U] >> 10;
        w[t] = w[t - 16U] + s0 + w[t - 7U] + s1;
    }
}

static void compress(uint32_t state[8], const uint8_t *block) {
    uint32_t w[64];
    uint32_t v[8]; /* a..h */
    expand(block, w);
    for (uint32_t i = 0U; i < 8U; i++) {
        v[i] = state[i];
    }
    for (uint32_t t = 0U; t < 64U; t++) {
        const uint32_t s1 = rotate(v[4], 6U) ^ rotate(v[4], 11U) ^ rotate(v[4], 25U);
        const uint32_t choose = (v[4] & v[5]) ^ (~v[4] & v[6]);
        const uint32_t t1 = v[7] + s1 + choose + round_constants[t] + w[t];
        const uint32_t s0 = rotate(v[0], 2U) ^ rotate(v[0], 13U) ^ rotate(v[0], 22U);
        const uint32_t majority = (v[0] & v[1]) ^ (v[0] & v[2]) ^ (v[1] & v[2]);
        for (uint32_t i = 7U; i > 0U; i--) {
            v[i] = v[i - 1U];
        }
        v[4] += t1;
        v[0] = t1 + s0 + majority;
    }
    for (uint32_t i = 0U; i < 8U; i++) {
        state[i] += v[i];
    }
}

void hk_sha256(const uint8_t *bytes, uint32_t n, uint8_t digest[HK_SHA256_BYTES]) {
    uint32_t state[8];
    for (uint32_t i = 0U; i < 8U; i++) {
        state[i] = start[i];
    }
    uint32_t at = 0U;
    for (; n - at >= HK_SHA256_BLOCK; at += HK_SHA256_BLOCK) {
        compress(state, bytes + at);
    }
    uint8_t tail[2U * HK_SHA256_BLOCK] = {0};
    const uint32_t left = n - at;
    for (uint32_t i = 0U; i < left; i++) {
        tail[i] = bytes[at + i];
    }
    tail[left] = 0x80U;
    const uint32_t end = left + 9U <= HK_SHA256_BLOCK ? HK_SHA256_BLOCK : 2U * HK_SHA256_BLOCK;
    for (uint32_t i = 0U; i < 4U; i++) {
        tail[end - 1U - i] = (uint8_t)(n << 3 >> (8U * i)); /* length in bits */
    }
    for (uint32_t i = 0U; i < end; i += HK_SHA256_BLOCK) {
        compress(state, tail + i);
    }
    for (uint32_t i = 0U; i < HK_SHA256_BYTES; i++) {
        digest[i] = (uint8_t)(state[i / 4U] >> (24U - 8U * (i % 4U)));
    }
}
