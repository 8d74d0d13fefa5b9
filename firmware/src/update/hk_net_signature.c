/*
 * Monocypher's curve with SHA-512, as RFC 8032 has it; Monocypher's own signatures hash with BLAKE2b, which no other
 * tool verifies.
 */
#include "hk_net_signature.h"

#include "hk_sha512.h"
#include <monocypher.h>

/* Its private half is the SHA-256 of "hushkit development key for networks: not a secret". */
const uint8_t hk_net_development_key[HK_NET_KEY_BYTES] = {
    0xe7U, 0x9aU, 0x4fU, 0x0dU, 0x55U, 0xeeU, 0xf0U, 0x6cU, 0xf0U, 0x7aU, 0xd8U, 0xbbU, 0xd1U, 0xc5U, 0xedU, 0x5cU,
    0x84U, 0x54U, 0xc7U, 0xe4U, 0x6cU, 0x8cU, 0xe3U, 0x65U, 0x70U, 0x85U, 0xb2U, 0x92U, 0x36U, 0xcbU, 0x96U, 0x91U,
};

bool hk_net_signature_ok(const uint8_t *bytes, uint32_t n, const uint8_t signature[HK_NET_SIGNATURE_BYTES],
                         const uint8_t key[HK_NET_KEY_BYTES]) {
    hk_sha512_t hash;
    uint8_t digest[HK_SHA512_BYTES];
    uint8_t reduced[32];
    hk_sha512_init(&hash);
    hk_sha512_add(&hash, signature, 32U); /* R */
    hk_sha512_add(&hash, key, HK_NET_KEY_BYTES);
    hk_sha512_add(&hash, bytes, n);
    hk_sha512_finish(&hash, digest);
    crypto_eddsa_reduce(reduced, digest);
    return crypto_eddsa_check_equation(signature, key, reduced) == 0;
}
