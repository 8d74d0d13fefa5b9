/**
 * @file  hk_decision.h
 * @brief From the network's codes to a category in force: probabilities, smoothing, hysteresis.
 *
 * Numbers   Probabilities Q15 or per mille; logits as int8 codes, `step` octaves of probability per code in Q16.
 * Context   Background. No allocation, cannot fail. Integers only, but for hk_decision_step.
 * Twin      models/hushkit_models/classifier/decision.py, equal bit for bit
 */
#ifndef HK_DECISION_H
#define HK_DECISION_H

#include <stdbool.h> /* bool */
#include <stdint.h>  /* int8_t, int32_t, uint8_t, uint16_t, uint32_t */

#define HK_DECISION_CATEGORIES   57U
#define HK_DECISION_SUPERCLASSES 22U
#define HK_DECISION_UNKNOWN      255U

typedef struct {
    uint16_t enter;      /* smoothed probability a category needs, per mille */
    uint8_t category;    /* in force, HK_DECISION_UNKNOWN for none */
    uint8_t guess;       /* the likeliest */
    uint16_t confidence; /* its smoothed probability, per mille */
    uint8_t superclass;  /* HK_DECISION_UNKNOWN for none */
    uint8_t pending;
    uint32_t times;
    uint32_t windows;
    int32_t smoothed[HK_DECISION_CATEGORIES]; /* Q23 */
} hk_decision_t;

void hk_decision_init(hk_decision_t *d, uint16_t enter);

/** Octaves of probability per code, Q16; `factor` is 65536 / ln 2 over the model's temperature. */
uint32_t hk_decision_step(float output_scale, float factor);

/** Likeliest category of a window, and the probabilities of all, Q15. */
uint8_t hk_decision_softmax(const int8_t *codes, uint32_t step, uint16_t probabilities[HK_DECISION_CATEGORIES]);

/** Probability of one logit, per mille. */
uint16_t hk_decision_sigmoid(int8_t code, int32_t zero, uint32_t step);

/** Take one window's probabilities. @return Whether the category in force changed. */
bool hk_decision_take(hk_decision_t *d, const uint16_t probabilities[HK_DECISION_CATEGORIES]);

#endif /* HK_DECISION_H */
