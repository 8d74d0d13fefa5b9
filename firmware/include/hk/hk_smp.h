/**
 * @file  hk_smp.h
 * @brief SMP (mcumgr) server: serial framing, and the groups os, image and 64 (the headset's own).
 *
 * Framing   Lines 06 09 | 04 14, base64 of (length, packet, CRC-16/XMODEM), LF; at most 127 bytes a line when sending,
 *           any length when receiving. Text between frames is ignored.
 * Context   Thread. No allocation; a packet is handled in one call, bounded by its length.
 * Safety    Bytes come from outside: what is corrupt is dropped and counted, what is malformed is refused with a code.
 */
#ifndef HK_SMP_H
#define HK_SMP_H

#include "wire/hk_wire.h" /* HK_WIRE_SMP_MAX_PACKET */
#include <stdbool.h>      /* bool */
#include <stdint.h>       /* uint8_t, uint16_t, uint32_t */

#define HK_SMP_MAX_PACKET HK_WIRE_SMP_MAX_PACKET
#define HK_SMP_HEADER     8U
#define HK_SMP_RAW        (HK_SMP_MAX_PACKET + 4U) /* with length and check */

/** Bytes of the longest packet as lines: 93 raw bytes make the 124 characters of a line, with 3 bytes around them. */
#define HK_SMP_MAX_LINES (((HK_SMP_RAW + 92U) / 93U) * 3U + ((HK_SMP_RAW + 2U) / 3U) * 4U)

/** Receiver of one line's bytes. Zero is its start. */
typedef struct {
    uint8_t raw[HK_SMP_RAW]; /* length, packet, check */
    uint16_t n_raw;
    uint8_t state;
    uint8_t n_bits;
    uint32_t bits;
    bool within;     /* a packet has begun */
    uint32_t errors; /* packets and lines dropped */
} hk_smp_receiver_t;

/** Take one received byte. @return bytes of the packet that it completed, at receiver->raw + 2; 0: none. */
uint32_t hk_smp_receive(hk_smp_receiver_t *receiver, uint8_t byte);

/** Write a packet as lines. lines has room for HK_SMP_MAX_LINES. @return bytes written. */
uint32_t hk_smp_frame(const uint8_t *packet, uint32_t n, uint8_t *lines);

/** Answer one request. response has room for HK_SMP_MAX_PACKET. @return bytes of the response; 0: not a request. */
uint32_t hk_smp_handle(const uint8_t *request, uint32_t n, uint8_t *response);

/** Whether a request asked for a reset that has not happened yet. */
bool hk_smp_reset_requested(void);

/** Result of a command: mcumgr's code (unknown command, no memory ...) or the group's own; both 0 is success. */
typedef struct {
    uint8_t mcumgr;
    uint8_t group;
} hk_smp_result_t;

#define HK_SMP_OK            ((hk_smp_result_t){0U, 0U})
#define HK_SMP_EINVAL        ((hk_smp_result_t){3U, 0U})
#define HK_SMP_EMSGSIZE      ((hk_smp_result_t){7U, 0U})
#define HK_SMP_ENOTSUP       ((hk_smp_result_t){8U, 0U})
#define HK_SMP_GROUP_ERR(rc) ((hk_smp_result_t){0U, (rc)})

/** SHA-256 over the image as it lies in flash: the hash image state reports. Computed once, at start. */
#define HK_SMP_HASH_BYTES 32U
void hk_smp_set_image_hash(const uint8_t hash[HK_SMP_HASH_BYTES]);

#endif /* HK_SMP_H */
