/**
 * @file  hk_smp_serial.c
 * @brief SMP packets on a serial line: a byte at a time in, whole packets out.
 */
#include "hk/hk_smp.h"

enum { HK_SMP_IDLE = 0, HK_SMP_AFTER_START, HK_SMP_AFTER_CONTINUE, HK_SMP_IN_LINE, HK_SMP_IN_PADDING };

#define HK_SMP_LENGTH_BYTES 2U
#define HK_SMP_CHECK_BYTES  2U
#define HK_SMP_LINE_RAW     93U /* raw bytes of a full line: (127 - 3) characters of base64 */

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

static int32_t value_of(uint8_t c) {
    if (c >= 'A' && c <= 'Z') {
        return c - 'A';
    }
    if (c >= 'a' && c <= 'z') {
        return c - 'a' + 26;
    }
    if (c >= '0' && c <= '9') {
        return c - '0' + 52;
    }
    if (c == '+') {
        return 62;
    }
    return c == '/' ? 63 : -1;
}

static uint32_t drop(hk_smp_receiver_t *r) {
    r->errors++;
    r->within = false;
    r->state = HK_SMP_IDLE;
    return 0U;
}

static uint32_t expected_of(const hk_smp_receiver_t *r) {
    return HK_SMP_LENGTH_BYTES + ((uint32_t)r->raw[0] << 8 | r->raw[1]);
}

/* At a line's end: a complete packet, one that goes on in the next line, or an error. */
static uint32_t end_line(hk_smp_receiver_t *r) {
    r->state = HK_SMP_IDLE;
    if (r->n_raw < HK_SMP_LENGTH_BYTES) {
        return drop(r);
    }
    const uint32_t expected = expected_of(r);
    if (r->n_raw < expected && expected <= HK_SMP_RAW) {
        return 0U;
    }
    const uint32_t shortest = HK_SMP_LENGTH_BYTES + HK_SMP_HEADER + HK_SMP_CHECK_BYTES;
    if (r->n_raw != expected || expected < shortest) {
        return drop(r);
    }
    /* Over packet and check together the CRC is zero. */
    const uint32_t n = expected - HK_SMP_LENGTH_BYTES;
    if (hk_wire_crc16(HK_WIRE_CRC_SMP, r->raw + HK_SMP_LENGTH_BYTES, n) != 0U) {
        return drop(r);
    }
    r->within = false;
    return n - HK_SMP_CHECK_BYTES;
}

static uint32_t take_character(hk_smp_receiver_t *r, uint8_t byte) {
    if (byte == '\n') {
        return end_line(r);
    }
    if (byte == '\r') {
        return 0U;
    }
    if (byte == '=') {
        if ((r->bits & ((1UL << r->n_bits) - 1UL)) != 0U) {
            return drop(r); /* what is left of the last group is padding, and zero */
        }
        r->n_bits = 0U;
        r->state = HK_SMP_IN_PADDING;
        return 0U;
    }
    const int32_t value = value_of(byte);
    if (value < 0 || r->state == HK_SMP_IN_PADDING) {
        return drop(r);
    }
    r->bits = r->bits << 6 | (uint32_t)value;
    r->n_bits = (uint8_t)(r->n_bits + 6U);
    if (r->n_bits >= 8U) {
        if (r->n_raw == HK_SMP_RAW) {
            return drop(r);
        }
        r->n_bits = (uint8_t)(r->n_bits - 8U);
        r->raw[r->n_raw++] = (uint8_t)(r->bits >> r->n_bits);
    }
    return 0U;
}

static void begin_line(hk_smp_receiver_t *r, bool first) {
    if (first) {
        if (r->within) {
            r->errors++; /* the packet before never ended */
        }
        r->within = true;
        r->n_raw = 0U;
        r->bits = 0U;
        r->n_bits = 0U;
    } else if (!r->within) {
        (void)drop(r); /* continues nothing */
        return;
    }
    r->state = HK_SMP_IN_LINE;
}

uint32_t hk_smp_receive(hk_smp_receiver_t *receiver, uint8_t byte) {
    hk_smp_receiver_t *r = receiver;
    switch (r->state) {
    case HK_SMP_IN_LINE:
    case HK_SMP_IN_PADDING:
        if (byte != HK_WIRE_SMP_START_0 && byte != HK_WIRE_SMP_CONTINUE_0) {
            return take_character(r, byte);
        }
        (void)drop(r); /* a line was cut short: this byte begins the next one */
        break;
    case HK_SMP_AFTER_START:
        if (byte == HK_WIRE_SMP_START_1) {
            begin_line(r, true);
            return 0U;
        }
        break;
    case HK_SMP_AFTER_CONTINUE:
        if (byte == HK_WIRE_SMP_CONTINUE_1) {
            begin_line(r, false);
            return 0U;
        }
        break;
    default:
        break;
    }
    r->state = HK_SMP_IDLE;
    if (byte == HK_WIRE_SMP_START_0) {
        r->state = HK_SMP_AFTER_START;
    } else if (byte == HK_WIRE_SMP_CONTINUE_0) {
        r->state = HK_SMP_AFTER_CONTINUE;
    }
    return 0U;
}

/* Byte `at` of length, packet and check, in the order they travel. */
static uint8_t raw_byte(const uint8_t *packet, uint32_t n, uint16_t check, uint32_t at) {
    const uint32_t length = n + HK_SMP_CHECK_BYTES;
    if (at < HK_SMP_LENGTH_BYTES) {
        return (uint8_t)(at == 0U ? length >> 8 : length);
    }
    at -= HK_SMP_LENGTH_BYTES;
    if (at < n) {
        return packet[at];
    }
    return (uint8_t)(at == n ? (uint32_t)check >> 8 : check);
}

uint32_t hk_smp_frame(const uint8_t *packet, uint32_t n, uint8_t *lines) {
    const uint16_t check = hk_wire_crc16(HK_WIRE_CRC_SMP, packet, n);
    const uint32_t total = HK_SMP_LENGTH_BYTES + n + HK_SMP_CHECK_BYTES;
    uint8_t *out = lines;
    for (uint32_t at = 0U; at < total; at += 3U) {
        if (at % HK_SMP_LINE_RAW == 0U) {
            if (at != 0U) {
                *out++ = '\n';
            }
            *out++ = at == 0U ? HK_WIRE_SMP_START_0 : HK_WIRE_SMP_CONTINUE_0;
            *out++ = at == 0U ? HK_WIRE_SMP_START_1 : HK_WIRE_SMP_CONTINUE_1;
        }
        const uint32_t left = total - at;
        uint32_t group = (uint32_t)raw_byte(packet, n, check, at) << 16;
        group |= left > 1U ? (uint32_t)raw_byte(packet, n, check, at + 1U) << 8 : 0U;
        group |= left > 2U ? raw_byte(packet, n, check, at + 2U) : 0U;
        *out++ = (uint8_t)alphabet[group >> 18 & 63U];
        *out++ = (uint8_t)alphabet[group >> 12 & 63U];
        *out++ = left > 1U ? (uint8_t)alphabet[group >> 6 & 63U] : (uint8_t)'=';
        *out++ = left > 2U ? (uint8_t)alphabet[group & 63U] : (uint8_t)'=';
    }
    *out++ = '\n';
    return (uint32_t)(out - lines);
}
