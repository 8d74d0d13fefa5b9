/**
 * @file  hk_fit.h
 * @brief Sees that a headset's fit has changed, or that its filter does harm, by the running powers of one ear.
 *
 * The prediction error, e - p . X - s . U, is small while both paths are right: its power over 20 ms over its own slow
 * level tells of a change, whatever the noise does. The error over what it would be in silence, e - s . U, tells of a
 * filter that does harm; and because with a wrong s that silence is wrong too, so does the error over the silence that
 * is usual at this level of the reference.
 *
 * Numbers   Single precision, any one unit. Context   Background.
 */
#ifndef HK_FIT_H
#define HK_FIT_H

#include "hk/hk_design.h" /* hk_tracking_design_t */
#include <stdint.h>       /* uint32_t */

typedef enum { HK_FIT_STEADY, HK_FIT_CHANGED, HK_FIT_HARM } hk_fit_verdict_t;

typedef struct {
    float fast;
    float slow;
} hk_fit_power_t;

typedef struct {
    hk_fit_power_t error;
    hk_fit_power_t silence;
    hk_fit_power_t prediction;
    hk_fit_power_t reference;
    uint32_t blind; /* equations to go without a verdict */
    uint32_t changes;
    uint32_t harms;
} hk_fit_t;

/** What one equation says: values, not powers. */
typedef struct {
    float error;
    float silence;
    float prediction;
    float reference;
} hk_fit_input_t;

/** Forget everything; blind for the design's blind_jobs. Counters stay. */
void hk_fit_start(hk_fit_t *fit, const hk_tracking_design_t *design);

/** One equation. A verdict other than STEADY is given once: then the fit is blind for blind_jobs equations. */
hk_fit_verdict_t hk_fit_step(hk_fit_t *fit, const hk_tracking_design_t *design, const hk_fit_input_t *input);

#endif /* HK_FIT_H */
