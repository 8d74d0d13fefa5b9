/**
 * @file  hk_fixed.h
 * @brief Fixed-point arithmetic every module shares: saturation, products, levels.
 *
 * Numbers   Q1.31 unless a name says otherwise; unity gain is exactly 2^30 (HK_GAIN_UNITY_Q30). Right shifts of
 * negative numbers round toward minus infinity (HK-DEV-1 in firmware/MISRA.md). Context   Any. Nothing here can fail.
 */
#ifndef HK_FIXED_H
#define HK_FIXED_H

#include <stdint.h> /* int32_t, int64_t, uint32_t, uint64_t */

#define HK_GAIN_UNITY_Q30 (1L << 30)

/** Saturate to Q1.31. */
static inline int32_t hk_saturate(int64_t value) {
    if (value > INT32_MAX) {
        return INT32_MAX;
    }
    return (value < INT32_MIN) ? INT32_MIN : (int32_t)value;
}

/** Saturate to Q1.31 and count the samples that needed it. */
static inline int32_t hk_saturate_count(int64_t value, uint32_t *count) {
    const int32_t result = hk_saturate(value);
    if (result != value) {
        (*count)++;
    }
    return result;
}

/** x times a gain in Q30 of at most unity. Exact at unity. */
static inline int32_t hk_scale_q30(int32_t x, int32_t gain_q30) {
    return (int32_t)(((int64_t)x * gain_q30) >> 30);
}

/** |x| without the overflow of INT32_MIN. */
static inline uint32_t hk_magnitude(int32_t x) {
    return (x < 0) ? 0U - (uint32_t)x : (uint32_t)x;
}

/** Square of a sample in units of 2^-48 of full-scale power. 2^15 of them fit into 64 bits, and more below full scale.
 */
static inline uint64_t hk_square_q48(int32_t x) {
    return (uint64_t)((int64_t)x * x) >> 14;
}

#endif /* HK_FIXED_H */
