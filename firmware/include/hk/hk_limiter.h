/**
 * @file  hk_limiter.h
 * @brief Output limiter without look-ahead: the gain falls at once and recovers by a fixed step per sample.
 *
 * No output exceeds the threshold, whatever the input. The gain, not the sample, is cut, so a loud passage is turned
 * down rather than clipped; only the sample of the attack itself changes shape.
 *
 * Numbers   Input Q1.31 in 64 bits, |x| < 2^33. Gain Q30.
 * Context   Audio interrupt. One 32-bit division per sample above the threshold.
 */
#ifndef HK_LIMITER_H
#define HK_LIMITER_H

#include <stdint.h> /* int32_t, int64_t, uint32_t */

typedef struct {
    int32_t threshold_q31;
    int32_t release_q30; /* gain recovered per sample, > 0 */
    int32_t gain_q30;
    uint32_t limited; /* samples turned down */
} hk_limiter_t;

/** Start at unity gain. release_q31 as in hk_design_t. */
void hk_limiter_init(hk_limiter_t *limiter, int32_t threshold_q31, int32_t release_q31);

/** One sample: returns gain * x, at most the threshold in size. The gain used is limiter->gain_q30. */
int32_t hk_limiter_run(hk_limiter_t *limiter, int64_t x);

#endif /* HK_LIMITER_H */
