/**
 * @file  hk_weights.h
 * @brief What the transversal controllers share: the norm of their weights, and the bound that keeps the filter exact.
 *
 * Numbers   Weights Q1.31 times 2^HK_CONFIG_CONTROL_EXPONENT.
 * Context   Background.
 */
#ifndef HK_WEIGHTS_H
#define HK_WEIGHTS_H

#include "hk_config.h" /* HK_CONFIG_CONTROL_EXPONENT */
#include <stdint.h>    /* int32_t, uint32_t, uint64_t */

/** One weight's square in units of 2^-32. */
static inline uint64_t hk_weights_square(int32_t weight) {
    return (uint64_t)((int64_t)weight * weight) >> (30U - 2U * HK_CONFIG_CONTROL_EXPONENT);
}

/** Sum of w^2, in the same units. */
uint64_t hk_weights_norm(const int32_t *weights, uint32_t n);

/** Draw all weights back by one factor, so that their absolute sum, now `sum` LSB, is at most `limit`. */
void hk_weights_shrink(int32_t *weights, uint32_t n, uint64_t sum, uint64_t limit);

#endif /* HK_WEIGHTS_H */
