/**
 * @file  hk_crc32.h
 * @brief CRC-32 (IEEE 802.3) of networks and of banks' marks.
 */
#ifndef HK_CRC32_H
#define HK_CRC32_H

#include <stddef.h> /* size_t */
#include <stdint.h> /* uint8_t, uint32_t */

uint32_t hk_crc32(const uint8_t *data, size_t n);

#endif /* HK_CRC32_H */
