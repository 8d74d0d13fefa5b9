/**
 * @file  hk_dc_block.h
 * @brief First-order high-pass that takes the converters' offset out of a microphone signal.
 *
 * Numbers   Samples Q1.31. The mean is kept with 32 more bits, so no offset is too small to be removed.
 * Context   Audio interrupt.
 */
#ifndef HK_DC_BLOCK_H
#define HK_DC_BLOCK_H

#include <stdint.h> /* int32_t, int64_t */

typedef struct {
    int64_t mean_q63; /* running mean, scaled by 2^32 against a sample */
} hk_dc_block_t;

/** 1 - pole, as hk_dc_block_run wants it; a pole of 0 leaves the filter out. */
static inline int32_t hk_dc_block_loss(int32_t pole_q31) {
    return (pole_q31 <= 0) ? 0 : (INT32_MAX - pole_q31) + 1;
}

/** One sample. loss_q31 = 1 - pole, in Q1.31: small. 0 switches the filter off. */
static inline int32_t hk_dc_block_run(hk_dc_block_t *f, int32_t loss_q31, int32_t x) {
    int64_t y = (int64_t)x - (f->mean_q63 >> 32);
    y = (y > INT32_MAX) ? INT32_MAX : ((y < INT32_MIN) ? INT32_MIN : y);
    f->mean_q63 += y * loss_q31 * 2;
    return (int32_t)y;
}

#endif /* HK_DC_BLOCK_H */
