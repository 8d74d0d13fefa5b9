/**
 * @file  hk_ramp.h
 * @brief A gain that moves to its target in equal steps, so that no change of mode or intensity clicks.
 *
 * Numbers   Gains Q30 in 0..HK_GAIN_UNITY_Q30.
 * Context   Audio interrupt.
 */
#ifndef HK_RAMP_H
#define HK_RAMP_H

#include <stdbool.h> /* bool */
#include <stdint.h>  /* int32_t */

typedef struct {
    int32_t gain_q30;
    int32_t target_q30;
    int32_t step_q30; /* per sample, > 0 */
} hk_ramp_t;

/** The gain of the next sample. */
static inline int32_t hk_ramp_next(hk_ramp_t *ramp) {
    const int32_t distance = ramp->target_q30 - ramp->gain_q30;
    if (distance > ramp->step_q30) {
        ramp->gain_q30 += ramp->step_q30;
    } else if (distance < -ramp->step_q30) {
        ramp->gain_q30 -= ramp->step_q30;
    } else {
        ramp->gain_q30 = ramp->target_q30;
    }
    return ramp->gain_q30;
}

static inline bool hk_ramp_moves(const hk_ramp_t *ramp) {
    return ramp->gain_q30 != ramp->target_q30;
}

#endif /* HK_RAMP_H */
