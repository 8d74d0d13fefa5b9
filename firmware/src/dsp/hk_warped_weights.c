/**
 * @file  hk_warped_weights.c
 * @brief Weights of a warped filter on their way.
 */
#include "hk_warped_weights.h"

#if HK_CONFIG_WARPED_TAPS > 0

#include <string.h> /* memcpy */

#define TAPS     ((uint32_t)HK_CONFIG_WARPED_TAPS)
#define UNITY    2147483648.0F
#define MOST_SUM 2147480000.0F /* 2^31 less what rounding could add */

bool hk_warped_weights_fit(const hk_fir_design_t *prior) {
    return prior->taps != 0 && prior->n_taps == TAPS && prior->exponent <= HK_WARPED_MAX_EXPONENT;
}

void hk_warped_weights_start(hk_warped_weights_t *s, const hk_fir_design_t *prior) {
    for (uint32_t k = 0U; k < TAPS; k++) {
        s->to[k] = hk_warped_weights_of(prior, k);
        s->from[k] = s->to[k];
    }
    s->at = 0U;
    s->jobs = 0U;
    s->last_refused = false;
}

void hk_warped_weights_aim(hk_warped_weights_t *s, const float *to, uint32_t jobs) {
    const float part = (s->at < s->jobs) ? (float)s->at / (float)s->jobs : 1.0F;
    for (uint32_t k = 0U; k < TAPS; k++) {
        s->from[k] += (s->to[k] - s->from[k]) * part;
        s->to[k] = to[k];
    }
    s->at = 0U;
    s->jobs = jobs;
}

void hk_warped_weights_step(hk_warped_weights_t *s) {
    if (s->at >= s->jobs) {
        return;
    }
    s->at++;
    const float part = (float)s->at / (float)s->jobs;
    float w[TAPS];
    float sum = 0.0F;
    float norm = 0.0F;
    for (uint32_t k = 0U; k < TAPS; k++) {
        w[k] = s->from[k] + (s->to[k] - s->from[k]) * part;
        sum += (w[k] < 0.0F) ? -w[k] : w[k];
        norm += w[k] * w[k];
    }
    int32_t exponent = 0;
    float scale = UNITY;
    while (exponent < HK_WARPED_MAX_EXPONENT && !(sum * scale < MOST_SUM)) {
        exponent++;
        scale *= 0.5F;
    }
    s->last_refused = !(sum * scale < MOST_SUM); /* too large, or not a number */
    if (s->last_refused) {
        s->refused++;
        s->jobs = 0U;
        memcpy(s->to, s->from, sizeof s->to);
        return;
    }
    hk_warped_bank_t *next = (s->active == s->bank[0].w) ? &s->bank[1] : &s->bank[0];
    for (uint32_t k = 0U; k < TAPS; k++) {
        next->w[k] = (int32_t)(w[k] * scale);
    }
    next->exponent = exponent;
    s->norm = norm;
    s->next = next;
    s->ready = true;
}

void hk_warped_weights_stats(const hk_warped_weights_t *s, hk_control_stats_t *out) {
    const uint32_t whole = (uint32_t)s->norm; /* in two words: the 64-bit conversion would go through double */
    const uint32_t part = (uint32_t)((s->norm - (float)whole) * 4294967296.0F);
    out->weight_norm = ((uint64_t)whole << 32) | part;
    out->updates = s->updates;
    out->clipped = s->refused;
    out->out_of_bounds = s->last_refused;
}

#endif /* HK_CONFIG_WARPED_TAPS */
