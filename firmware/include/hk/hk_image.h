/**
 * @file  hk_image.h
 * @brief The image that runs: the hash by which image state names it.
 *
 * A slot begins with HK_IMAGE_HEADER bytes, then comes the image. Signed and started by a bootloader, the slot holds
 * MCUboot's header there and its trailer behind the image, and the hash is the trailer's own (SHA-256 over header,
 * image and protected trailer). Loaded without either, as on an emulator, the hash is SHA-256 over the image alone.
 */
#ifndef HK_IMAGE_H
#define HK_IMAGE_H

#include <stdint.h> /* uint8_t, uint32_t */

/* Keeps the vector table aligned; hushkit.build_plan and hushkit.signing have it too. */
#define HK_IMAGE_HEADER     0x200U
#define HK_IMAGE_HASH_BYTES 32U

/** Hash of the image of n_image bytes in a slot of n_slot bytes. */
void hk_image_hash(const uint8_t *slot, uint32_t n_slot, uint32_t n_image, uint8_t hash[HK_IMAGE_HASH_BYTES]);

#endif /* HK_IMAGE_H */
