/*
 * SHA-512 as in FIPS 180-4, sections 4.1.3, 4.2.3, 5.3.5 and 6.4.
 */
#include "hk_sha512.h"

#define HK_SHA512_LENGTH 16U /* bytes that hold the length in bits */

/* First 64 bits of the fractional parts of the cube roots of the first 80 primes. */
static const uint64_t round_constants[80] = {
    0x428a2f98d728ae22U, 0x7137449123ef65cdU, 0xb5c0fbcfec4d3b2fU, 0xe9b5dba58189dbbcU, 0x3956c25bf348b538U,
    0x59f111f1b605d019U, 0x923f82a4af194f9bU, 0xab1c5ed5da6d8118U, 0xd807aa98a3030242U, 0x12835b0145706fbeU,
    0x243185be4ee4b28cU, 0x550c7dc3d5ffb4e2U, 0x72be5d74f27b896fU, 0x80deb1fe3b1696b1U, 0x9bdc06a725c71235U,
    0xc19bf174cf692694U, 0xe49b69c19ef14ad2U, 0xefbe4786384f25e3U, 0x0fc19dc68b8cd5b5U, 0x240ca1cc77ac9c65U,
    0x2de92c6f592b0275U, 0x4a7484aa6ea6e483U, 0x5cb0a9dcbd41fbd4U, 0x76f988da831153b5U, 0x983e5152ee66dfabU,
    0xa831c66d2db43210U, 0xb00327c898fb213fU, 0xbf597fc7beef0ee4U, 0xc6e00bf33da88fc2U, 0xd5a79147930aa725U,
    0x06ca6351e003826fU, 0x142929670a0e6e70U, 0x27b70a8546d22ffcU, 0x2e1b21385c26c926U, 0x4d2c6dfc5ac42aedU,
    0x53380d139d95b3dfU, 0x650a73548baf63deU, 0x766a0abb3c77b2a8U, 0x81c2c92e47edaee6U, 0x92722c851482353bU,
    0xa2bfe8a14cf10364U, 0xa81a664bbc423001U, 0xc24b8b70d0f89791U, 0xc76c51a30654be30U, 0xd192e819d6ef5218U,
    0xd69906245565a910U, 0xf40e35855771202aU, 0x106aa07032bbd1b8U, 0x19a4c116b8d2d0c8U, 0x1e376c085141ab53U,
    0x2748774cdf8eeb99U, 0x34b0bcb5e19b48a8U, 0x391c0cb3c5c95a63U, 0x4ed8aa4ae3418acbU, 0x5b9cca4f7763e373U,
    0x682e6ff3d6b2b8a3U, 0x748f82ee5defb2fcU, 0x78a5636f43172f60U, 0x84c87814a1f0ab72U, 0x8cc702081a6439ecU,
    0x90befffa23631e28U, 0xa4506cebde82bde9U, 0xbef9a3f7b2c67915U, 0xc67178f2e372532bU, 0xca273eceea26619cU,
    0xd186b8c721c0c207U, 0xeada7dd6cde0eb1eU, 0xf57d4f7fee6ed178U, 0x06f067aa72176fbaU, 0x0a637dc5a2c898a6U,
    0x113f9804bef90daeU, 0x1b710b35131c471bU, 0x28db77f523047d84U, 0x32caab7b40c72493U, 0x3c9ebe0a15c9bebcU,
    0x431d67c49c100d4cU, 0x4cc5d4becb3e42b6U, 0x597f299cfc657e2aU, 0x5fcb6fab3ad6faecU, 0x6c44198c4a475817U,
};

/* First 64 bits of the fractional parts of the square roots of the first 8 primes. */
static const uint64_t start[8] = {
    0x6a09e667f3bcc908U, 0xbb67ae8584caa73bU, 0x3c6ef372fe94f82bU, 0xa54ff53a5f1d36f1U,
    0x510e527fade682d1U, 0x9b05688c2b3e6c1fU, 0x1f83d9abfb41bd6bU, 0x5be0cd19137e2179U,
};

static uint64_t rotate(uint64_t x, uint32_t n) {
    return x >> n | x << (64U - n);
}

/* The schedule is a ring of 16: w[t] takes the place of w[t - 16]. */
static uint64_t next_word(uint64_t w[16], uint32_t t) {
    const uint64_t a = w[(t + 1U) % 16U];
    const uint64_t b = w[(t + 14U) % 16U];
    const uint64_t s0 = rotate(a, 1U) ^ rotate(a, 8U) ^ a >> 7;
    const uint64_t s1 = rotate(b, 19U) ^ rotate(b, 61U) ^ b >> 6;
    w[t % 16U] += s0 + w[(t + 9U) % 16U] + s1;
    return w[t % 16U];
}

static void compress(uint64_t state[8], const uint8_t *block) {
    uint64_t w[16];
    uint64_t v[8]; /* a..h */
    for (uint32_t t = 0U; t < 16U; t++) {
        w[t] = 0U;
        for (uint32_t i = 0U; i < 8U; i++) {
            w[t] = w[t] << 8 | block[8U * t + i];
        }
    }
    for (uint32_t i = 0U; i < 8U; i++) {
        v[i] = state[i];
    }
    for (uint32_t t = 0U; t < 80U; t++) {
        const uint64_t word = t < 16U ? w[t] : next_word(w, t);
        const uint64_t s1 = rotate(v[4], 14U) ^ rotate(v[4], 18U) ^ rotate(v[4], 41U);
        const uint64_t choose = (v[4] & v[5]) ^ (~v[4] & v[6]);
        const uint64_t t1 = v[7] + s1 + choose + round_constants[t] + word;
        const uint64_t s0 = rotate(v[0], 28U) ^ rotate(v[0], 34U) ^ rotate(v[0], 39U);
        const uint64_t majority = (v[0] & v[1]) ^ (v[0] & v[2]) ^ (v[1] & v[2]);
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

void hk_sha512_init(hk_sha512_t *hash) {
    for (uint32_t i = 0U; i < 8U; i++) {
        hash->state[i] = start[i];
    }
    hash->n_bytes = 0U;
}

void hk_sha512_add(hk_sha512_t *hash, const uint8_t *bytes, uint32_t n) {
    for (uint32_t k = 0U; k < n; k++) {
        hash->block[hash->n_bytes++ % HK_SHA512_BLOCK] = bytes[k];
        if (hash->n_bytes % HK_SHA512_BLOCK == 0U) {
            compress(hash->state, hash->block);
        }
    }
}

void hk_sha512_finish(hk_sha512_t *hash, uint8_t digest[HK_SHA512_BYTES]) {
    const uint32_t n_bits = hash->n_bytes * 8U;
    uint8_t byte = 0x80U;
    do { /* one bit, then zeros up to the length */
        hk_sha512_add(hash, &byte, 1U);
        byte = 0U;
    } while (hash->n_bytes % HK_SHA512_BLOCK != HK_SHA512_BLOCK - HK_SHA512_LENGTH);
    uint8_t length[HK_SHA512_LENGTH] = {0};
    for (uint32_t i = 0U; i < 4U; i++) {
        length[HK_SHA512_LENGTH - 1U - i] = (uint8_t)(n_bits >> (8U * i));
    }
    hk_sha512_add(hash, length, sizeof length);
    for (uint32_t i = 0U; i < HK_SHA512_BYTES; i++) {
        digest[i] = (uint8_t)(hash->state[i / 8U] >> (56U - 8U * (i % 8U)));
    }
}
