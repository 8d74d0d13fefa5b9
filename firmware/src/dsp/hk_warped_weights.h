/**
 * @file  hk_warped_weights.h
 * @brief Weights of a warped filter on their way from one solution to the next.
 *
 * A solution fades in over some update blocks. Each block the weights of the moment become integers with the least
 * exponent with which sum |w| <= 1, so that the dot product cannot overflow; the interrupt takes them as one at the
 * next block's boundary.
 *
 * Context   Background, but for hk_warped_weights_play and hk_warped_weights_commit: audio interrupt.
 */
#ifndef HK_WARPED_WEIGHTS_H
#define HK_WARPED_WEIGHTS_H

#include "hk/hk_control.h" /* hk_control_stats_t */
#include "hk/hk_design.h"  /* hk_fir_design_t */
#include "hk_config.h"     /* HK_CONFIG_WARPED_TAPS */
#include <stdbool.h>       /* bool */
#include <stdint.h>        /* int32_t, uint32_t */

#define HK_WARPED_MAX_EXPONENT 10 /* sum |w| up to 1024: over-ear fits with a leak reach 19 per weight */

typedef struct {
    int32_t w[HK_CONFIG_WARPED_TAPS];
    int32_t exponent;
} hk_warped_bank_t;

typedef struct {
    /* Interrupt. */
    const int32_t *active; /* weights the filter plays: a bank's, or a prior's */
    int32_t exponent;      /* theirs */
    /* Background. */
    hk_warped_bank_t bank[2];
    hk_warped_bank_t *next;
    bool ready; /* next waits for commit */
    float from[HK_CONFIG_WARPED_TAPS];
    float to[HK_CONFIG_WARPED_TAPS];
    uint32_t at;   /* update blocks of the way gone */
    uint32_t jobs; /* and in all */
    float norm;    /* sum w^2 */
    uint32_t updates;
    uint32_t refused;
    bool last_refused;
} hk_warped_weights_t;

/** Weight k of a prior. */
static inline float hk_warped_weights_of(const hk_fir_design_t *prior, uint32_t k) {
    return (float)prior->taps[k] * (float)(1UL << prior->exponent) * (1.0F / 2147483648.0F);
}

/** Background: stand at a prior. */
void hk_warped_weights_start(hk_warped_weights_t *s, const hk_fir_design_t *prior);

/** Background: leave for `to` (HK_CONFIG_WARPED_TAPS weights) from wherever the weights are, and be there in `jobs`. */
void hk_warped_weights_aim(hk_warped_weights_t *s, const float *to, uint32_t jobs);

/** Background: one update block of the way. A solution that is too large or no number is refused: weights stay. */
void hk_warped_weights_step(hk_warped_weights_t *s);

/** Background: a solution was not to be had. */
static inline void hk_warped_weights_refuse(hk_warped_weights_t *s) {
    s->refused++;
}

/** Interrupt: play a prior at once. */
static inline void hk_warped_weights_play(hk_warped_weights_t *s, const hk_fir_design_t *prior) {
    s->active = prior->taps;
    s->exponent = prior->exponent;
    s->ready = false;
}

/** Interrupt: take the weights of the last step. */
static inline void hk_warped_weights_commit(hk_warped_weights_t *s) {
    if (s->ready) {
        s->active = s->next->w;
        s->exponent = s->next->exponent;
        s->ready = false;
        s->updates++;
    }
}

/** Whether a row of settings holds a prior that this filter can play. */
bool hk_warped_weights_fit(const hk_fir_design_t *prior);

/** Figures of the weights. */
void hk_warped_weights_stats(const hk_warped_weights_t *s, hk_control_stats_t *out);

#endif /* HK_WARPED_WEIGHTS_H */
