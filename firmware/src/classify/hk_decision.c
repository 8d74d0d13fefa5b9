/**
 * @file  hk_decision.c
 * @brief Probabilities, smoothing, hysteresis.
 */
#include "hk/hk_decision.h"

#include "frontend/hk_decision_tables.h"
#include <string.h> /* memset */

#define ONE_Q30   (1UL << 30)
#define FRACTION  8U /* bits that smoothing keeps below Q15 */
#define SMOOTHING 2U /* a window moves the smoothed probabilities by a quarter: 1.7 s at a hop of 0.48 s */
#define LEAVE     3U /* a category stays until it falls to three quarters of what it needed to enter */
#define TWICE     2U /* windows in a row that must ask for a change */

void hk_decision_init(hk_decision_t *d, uint16_t enter) {
    memset(d, 0, sizeof *d);
    d->enter = enter;
    d->category = HK_DECISION_UNKNOWN;
    d->guess = HK_DECISION_UNKNOWN;
    d->superclass = HK_DECISION_UNKNOWN;
    d->pending = HK_DECISION_UNKNOWN;
}

uint32_t hk_decision_step(float output_scale, float factor) {
    return (uint32_t)(output_scale * factor + 0.5F);
}

/* 2^-x in Q30, without interpolation: 0.3 % at most. */
static uint32_t power_of_half(uint64_t octaves_q16) {
    const uint64_t whole = octaves_q16 >> 16;
    return (whole < 31U) ? exp2_q30[(octaves_q16 >> 8) & 255U] >> whole : 0U;
}

uint8_t hk_decision_softmax(const int8_t *codes, uint32_t step, uint16_t probabilities[HK_DECISION_CATEGORIES]) {
    uint32_t weights[HK_DECISION_CATEGORIES];
    uint8_t best = 0U;
    for (uint8_t k = 1U; k < HK_DECISION_CATEGORIES; k++) {
        best = (codes[k] > codes[best]) ? k : best;
    }
    uint64_t total = 0U;
    for (uint32_t k = 0U; k < HK_DECISION_CATEGORIES; k++) {
        weights[k] = power_of_half((uint64_t)(uint32_t)(codes[best] - codes[k]) * step);
        total += weights[k];
    }
    for (uint32_t k = 0U; k < HK_DECISION_CATEGORIES; k++) {
        probabilities[k] = (uint16_t)(((uint64_t)weights[k] << 15) / total);
    }
    return best;
}

uint16_t hk_decision_sigmoid(int8_t code, int32_t zero, uint32_t step) {
    const int32_t away = (code >= zero) ? code - zero : zero - code;
    const uint64_t small = power_of_half((uint64_t)(uint32_t)away * step);
    const uint64_t part = (code >= zero) ? ONE_Q30 : small;
    return (uint16_t)(part * 1000U / (ONE_Q30 + small));
}

static uint16_t permille(int32_t value_q23) {
    const int64_t scaled = ((int64_t)value_q23 * 1000) >> (15U + FRACTION);
    return (uint16_t)((scaled < 1000) ? scaled : 1000);
}

static uint8_t largest(const int32_t *values, uint8_t n) {
    uint8_t best = 0U;
    for (uint8_t k = 1U; k < n; k++) {
        best = (values[k] > values[best]) ? k : best;
    }
    return best;
}

static void sum_up(hk_decision_t *d) {
    int32_t sums[HK_DECISION_SUPERCLASSES] = {0};
    for (uint32_t k = 0U; k < HK_DECISION_CATEGORIES; k++) {
        sums[superclass_of[k]] += d->smoothed[k];
    }
    const uint8_t best = largest(sums, HK_DECISION_SUPERCLASSES);
    d->superclass = (permille(sums[best]) >= d->enter) ? best : HK_DECISION_UNKNOWN;
}

static bool decide(hk_decision_t *d) {
    uint8_t wanted = HK_DECISION_UNKNOWN;
    if (d->confidence >= d->enter) {
        wanted = d->guess;
    } else if (d->category != HK_DECISION_UNKNOWN &&
               4U * permille(d->smoothed[d->category]) >= LEAVE * (uint32_t)d->enter) {
        wanted = d->category;
    }
    if (wanted == d->category) {
        d->times = 0U;
        return false;
    }
    d->times = (wanted == d->pending) ? d->times + 1U : 1U;
    d->pending = wanted;
    if (d->times < TWICE) {
        return false;
    }
    d->category = wanted;
    d->times = 0U;
    return true;
}

bool hk_decision_take(hk_decision_t *d, const uint16_t probabilities[HK_DECISION_CATEGORIES]) {
    for (uint32_t k = 0U; k < HK_DECISION_CATEGORIES; k++) {
        const int32_t fresh = (int32_t)probabilities[k] << FRACTION;
        d->smoothed[k] = (d->windows == 0U) ? fresh : d->smoothed[k] + ((fresh - d->smoothed[k]) >> SMOOTHING);
    }
    d->windows++;
    d->guess = largest(d->smoothed, HK_DECISION_CATEGORIES);
    d->confidence = permille(d->smoothed[d->guess]);
    sum_up(d);
    return decide(d);
}
