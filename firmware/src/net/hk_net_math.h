/**
 * @file  hk_net_math.h
 * @brief Dual 16-bit arithmetic and requantisation: DSP instructions where the core has them, the same bits elsewhere.
 *
 * Rounding  hk_net_requantise: high product rounded half up, then a shift rounded half up, or half away from zero;
 *           hk_net_multiply: the same with left shifts and 64 bits, half away from zero.
 */
#ifndef HK_NET_MATH_H
#define HK_NET_MATH_H

#include "hk_net_blob.h"

#include <string.h>

/*
 * The Cortex-M55 has Helium, whose assembly needs no compiler that uses it elsewhere. A core has the kernels of its own
 * blobs alone; the host has all.
 */
#if !defined(HK_BOARD_CPU_PART)
#define HK_NET_HAS_PLANES  1
#define HK_NET_HAS_VECTORS 1
#elif HK_BOARD_CPU_PART == 0xD22UL
#define HK_NET_HELIUM      1
#define HK_NET_HAS_VECTORS 1
#else
#define HK_NET_HAS_PLANES 1
#endif

/* Two int16 or four int8 at any address. */
static inline uint32_t hk_net_word(const void *at) {
    uint32_t word;
    memcpy(&word, at, sizeof word);
    return word;
}

#if defined(__ARM_FEATURE_DSP) && defined(__arm__)

#define HK_NET_ASM __asm /* one instruction each, no side effects */

static inline int32_t hk_net_smlad(uint32_t x, uint32_t y, int32_t sum) {
    HK_NET_ASM("smlad %0, %1, %2, %0" : "+r"(sum) : "r"(x), "r"(y));
    return sum;
}

/* x.low * y.high, x.high * y.low and so on, named as the instruction. */
static inline int32_t hk_net_smlabt(uint32_t x, uint32_t y, int32_t sum) {
    HK_NET_ASM("smlabt %0, %1, %2, %0" : "+r"(sum) : "r"(x), "r"(y));
    return sum;
}

static inline int32_t hk_net_smlatb(uint32_t x, uint32_t y, int32_t sum) {
    HK_NET_ASM("smlatb %0, %1, %2, %0" : "+r"(sum) : "r"(x), "r"(y));
    return sum;
}

/* Bytes 0 and 2, sign-extended to halfwords. */
static inline uint32_t hk_net_even_bytes(uint32_t x) {
    uint32_t y;
    HK_NET_ASM("sxtb16 %0, %1" : "=r"(y) : "r"(x));
    return y;
}

/* Bytes 1 and 3. */
static inline uint32_t hk_net_odd_bytes(uint32_t x) {
    uint32_t y;
    HK_NET_ASM("sxtb16 %0, %1, ror #8" : "=r"(y) : "r"(x));
    return y;
}

/* Low half of x, low half of y above it. */
static inline uint32_t hk_net_low_halves(uint32_t x, uint32_t y) {
    uint32_t z;
    HK_NET_ASM("pkhbt %0, %1, %2, lsl #16" : "=r"(z) : "r"(x), "r"(y));
    return z;
}

/* High half of x, high half of y above it. */
static inline uint32_t hk_net_high_halves(uint32_t x, uint32_t y) {
    uint32_t z;
    HK_NET_ASM("pkhtb %0, %1, %2, asr #16" : "=r"(z) : "r"(y), "r"(x));
    return z;
}

/* High half of x, low half of y above it. */
static inline uint32_t hk_net_middle(uint32_t x, uint32_t y) {
    uint32_t z;
    HK_NET_ASM("lsr %0, %1, #16\n\tpkhbt %0, %0, %2, lsl #16" : "=&r"(z) : "r"(x), "r"(y));
    return z;
}

static inline int32_t hk_net_high_product(int32_t x, int32_t y) { /* (x * y + 2^31) >> 32 */
    int32_t z;
    HK_NET_ASM("smmulr %0, %1, %2" : "=r"(z) : "r"(x), "r"(y));
    return z;
}

static inline int32_t hk_net_saturate(int32_t x) {
    HK_NET_ASM("ssat %0, #8, %0" : "+r"(x));
    return x;
}

#else

static inline int32_t hk_net_low(uint32_t x) {
    return (int16_t)(uint16_t)x;
}

static inline int32_t hk_net_high(uint32_t x) {
    return (int16_t)(uint16_t)(x >> 16);
}

static inline int32_t hk_net_smlad(uint32_t x, uint32_t y, int32_t sum) {
    return sum + hk_net_low(x) * hk_net_low(y) + hk_net_high(x) * hk_net_high(y);
}

static inline int32_t hk_net_smlabt(uint32_t x, uint32_t y, int32_t sum) {
    return sum + hk_net_low(x) * hk_net_high(y);
}

static inline int32_t hk_net_smlatb(uint32_t x, uint32_t y, int32_t sum) {
    return sum + hk_net_high(x) * hk_net_low(y);
}

static inline uint32_t hk_net_low_halves(uint32_t x, uint32_t y) {
    return (x & 0xFFFFU) | (y << 16);
}

static inline uint32_t hk_net_middle(uint32_t x, uint32_t y) {
    return (x >> 16) | (y << 16);
}

static inline uint32_t hk_net_high_halves(uint32_t x, uint32_t y) {
    return (x >> 16) | (y & 0xFFFF0000U);
}

static inline uint32_t hk_net_even_bytes(uint32_t x) {
    return hk_net_low_halves((uint32_t)(int8_t)(uint8_t)x, (uint32_t)(int8_t)(uint8_t)(x >> 16));
}

static inline uint32_t hk_net_odd_bytes(uint32_t x) {
    return hk_net_even_bytes(x >> 8);
}

static inline int32_t hk_net_high_product(int32_t x, int32_t y) {
    return (int32_t)(((int64_t)x * y + (INT64_C(1) << 31)) >> 32);
}

static inline int32_t hk_net_saturate(int32_t x) {
    return x < -128 ? -128 : x > 127 ? 127 : x;
}

#endif

static inline int32_t hk_net_clamp(int32_t x, int32_t low, int32_t high) {
    return x < low ? low : x > high ? high : x;
}

/* x * factor / 2^31 * 2^shift, shift -31..30: TFLite's MultiplyByQuantizedMultiplier. */
static inline int32_t hk_net_multiply(int32_t x, int32_t factor, int32_t shift, uint32_t away) {
    const int32_t left = shift > 0 ? (int32_t)((uint32_t)x << shift) : x;
    const int32_t product = (int32_t)(((int64_t)left * factor + (INT64_C(1) << 30)) >> 31);
    if (shift >= 0) {
        return product;
    }
    const int64_t half = INT64_C(1) << (-shift - 1);
    return (int32_t)((product + half - (away != 0U && product < 0 ? 1 : 0)) >> -shift);
}

/* The same for |x| < 2^30 and shift -31..0, half away from zero, in 32 bits. */
static inline int32_t hk_net_scale(int32_t x, int32_t factor, int32_t shift) {
    const int32_t product = hk_net_high_product((int32_t)((uint32_t)x << 1), factor);
    if (shift == 0) {
        return product;
    }
    const uint32_t half = 1U << (uint32_t)(-shift - 1);
    return (int32_t)((uint32_t)product + half - (product < 0 ? 1U : 0U)) >> -shift;
}

/* One sum (without bias) to a code. */
static inline int32_t hk_net_requantise(const hk_net_op_t *op, const hk_net_channel_t *channel, int32_t sum) {
    int32_t y;
    if ((op->flags & HK_NET_WIDE) != 0U) {
        const int32_t biased = (int32_t)((uint32_t)sum + (uint32_t)channel->bias);
        y = hk_net_multiply(biased, channel->factor, channel->shift, op->flags & HK_NET_AWAY);
        return hk_net_clamp((int32_t)((uint32_t)y + (uint32_t)op->out_zero), op->low, op->high);
    }
    y = hk_net_high_product((int32_t)(((uint32_t)sum << 1) + (uint32_t)channel->bias), channel->factor);
    const uint32_t sign = (op->flags & HK_NET_AWAY) != 0U && y < 0 ? UINT32_MAX : 0U;
    y = (int32_t)((uint32_t)y + sign + (uint32_t)channel->rounding) >> channel->shift;
    y = hk_net_saturate(y);
    return (op->flags & HK_NET_CLAMP) != 0U ? hk_net_clamp(y, op->low, op->high) : y;
}

/* The same without exceptions: no flag is set. */
static inline int8_t hk_net_plain_code(const hk_net_channel_t *channel, int32_t sum) {
    const uint32_t twice = ((uint32_t)sum << 1) + (uint32_t)channel->bias;
    const int32_t y = hk_net_high_product((int32_t)twice, channel->factor) + channel->rounding;
    return (int8_t)hk_net_saturate(y >> channel->shift);
}

#endif /* HK_NET_MATH_H */
