/**
 * @file  hk_mix.h
 * @brief How much of the hybrid's output is its long filter's: two rules, see hk_hybrid.h.
 *
 * Numbers   Single precision, one order of operations (HK-DEV-10). Errors in LSB of a sample.
 * Context   Background, once per update block.
 */
#ifndef HK_MIX_H
#define HK_MIX_H

#include <stdint.h> /* uint8_t */

typedef struct {
    float share;      /* of the long filter, 0..1 */
    float logit;      /* convex: share = 1 / (1 + e^-logit) */
    float difference; /* convex: mean square of what the two errors differ by */
    float fast;       /* rate: mean square of the joint error over 20 ms */
    float slow;       /* rate: over 500 ms */
} hk_mix_t;

/** Begin: even shares, or where the rate's rule begins, with the short filter in the lead. */
void hk_mix_start(hk_mix_t *mix, uint8_t rule);

/** Move the share, by the error each filter would leave alone. */
void hk_mix_step(hk_mix_t *mix, uint8_t rule, float e_long, float e_short);

#endif /* HK_MIX_H */
