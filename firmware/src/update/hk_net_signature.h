/**
 * @file  hk_net_signature.h
 * @brief Ed25519 signatures (RFC 8032) of networks.
 */
#ifndef HK_NET_SIGNATURE_H
#define HK_NET_SIGNATURE_H

#include "hk/hk_net_slot.h" /* HK_NET_KEY_BYTES, HK_NET_SIGNATURE_BYTES */
#include <stdbool.h>        /* bool */
#include <stdint.h>         /* uint8_t, uint32_t */

/** Whether the owner of the key's private half signed these bytes. */
bool hk_net_signature_ok(const uint8_t *bytes, uint32_t n, const uint8_t signature[HK_NET_SIGNATURE_BYTES],
                         const uint8_t key[HK_NET_KEY_BYTES]);

#endif /* HK_NET_SIGNATURE_H */
