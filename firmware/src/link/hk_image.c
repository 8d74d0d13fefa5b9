/**
 * @file  hk_image.c
 * @brief MCUboot's header and trailer, as far as the running image has to read them (MCUboot, docs/design.md).
 */
#include "hk/hk_image.h"

#include "hk_sha256.h"

#include <stdbool.h> /* bool */
#include <string.h>  /* memcpy */

#define HK_IMAGE_MAGIC           0x96F3B83DUL
#define HK_IMAGE_TRAILER         0x6907UL
#define HK_IMAGE_TLV_SHA256      0x10UL
#define HK_IMAGE_TLV_HEAD        4U /* trailer and entry both begin with two half-words */
#define HK_IMAGE_AT_HEADER_BYTES 8U
#define HK_IMAGE_AT_PROTECTED    10U
#define HK_IMAGE_AT_IMAGE_BYTES  12U

static uint32_t half_word(const uint8_t *at) {
    return (uint32_t)at[1] << 8 | at[0];
}

static uint32_t word(const uint8_t *at) {
    return half_word(at + 2) << 16 | half_word(at);
}

static bool read_trailer(const uint8_t *slot, uint32_t n_slot, uint8_t hash[HK_IMAGE_HASH_BYTES]) {
    if (word(slot) != HK_IMAGE_MAGIC || half_word(slot + HK_IMAGE_AT_HEADER_BYTES) != HK_IMAGE_HEADER) {
        return false;
    }
    const uint32_t n_signed = word(slot + HK_IMAGE_AT_IMAGE_BYTES);
    const uint32_t room = n_slot - HK_IMAGE_HEADER;
    const uint32_t protected = half_word(slot + HK_IMAGE_AT_PROTECTED);
    if (n_signed > room || protected + HK_IMAGE_TLV_HEAD > room - n_signed) {
        return false;
    }
    const uint8_t *trailer = slot + HK_IMAGE_HEADER + n_signed + protected;
    const uint32_t left = room - n_signed - protected;
    const uint32_t n_trailer = half_word(trailer + 2);
    if (half_word(trailer) != HK_IMAGE_TRAILER || n_trailer > left) {
        return false;
    }
    for (uint32_t at = HK_IMAGE_TLV_HEAD; at + HK_IMAGE_TLV_HEAD <= n_trailer;) {
        const uint32_t type = half_word(trailer + at);
        const uint32_t n = half_word(trailer + at + 2U);
        at += HK_IMAGE_TLV_HEAD;
        if (n > n_trailer - at) {
            return false;
        }
        if (type == HK_IMAGE_TLV_SHA256 && n == HK_IMAGE_HASH_BYTES) {
            memcpy(hash, trailer + at, HK_IMAGE_HASH_BYTES);
            return true;
        }
        at += n;
    }
    return false;
}

void hk_image_hash(const uint8_t *slot, uint32_t n_slot, uint32_t n_image, uint8_t hash[HK_IMAGE_HASH_BYTES]) {
    if (!read_trailer(slot, n_slot, hash)) {
        hk_sha256(slot + HK_IMAGE_HEADER, n_image, hash);
    }
}
