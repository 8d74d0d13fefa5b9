/**
 * @file  hk_mix.c
 * @brief Mixing rules of the hybrid controller.
 */
#include "hk_mix.h"

#include "hk/hk_design.h" /* HK_HYBRID_RULE_CONVEX */
#include "hk_config.h"    /* HK_CONFIG_RATE_HZ, HK_CONFIG_UPDATE_BLOCK */
#include <string.h>       /* memset */

#define BLOCK      ((float)HK_CONFIG_UPDATE_BLOCK)
#define RATE       ((float)HK_CONFIG_RATE_HZ)
#define FAST_SHARE (BLOCK / (0.02F * RATE))
#define SLOW_SHARE (BLOCK / (0.5F * RATE))

#define LEAST       0.3F
#define MOST        0.9F
#define FALLING     0.9F             /* fast over slow power below which the error counts as falling */
#define RATE_SHARE  (0.001F * BLOCK) /* toward its goal: 21 ms to 63 %; ten times that is audible */
#define LOGIT_STEP  (0.01F * BLOCK)
#define LOGIT_LIMIT 4.0F /* share within 0.018 and 0.982, so that the gradient never dies */
#define POWER_FLOOR 1.0F /* LSB^2 */

void hk_mix_start(hk_mix_t *mix, uint8_t rule) {
    memset(mix, 0, sizeof *mix);
    mix->share = (rule == HK_HYBRID_RULE_CONVEX) ? 0.5F : LEAST;
}

/* 1 / (1 + e^-x), |x| <= LOGIT_LIMIT, to 2e-4: e^-x is the 16th power of a short series for e^(-x / 16). The library's
 * exp would differ in bits between host and target. */
static float sigmoid(float x) {
    const float t = x * (-1.0F / 16.0F);
    const float e1 = 1.0F + t * (1.0F + t * (0.5F + t * (1.0F / 6.0F + t * (1.0F / 24.0F))));
    const float e2 = e1 * e1;
    const float e4 = e2 * e2;
    const float e8 = e4 * e4;
    return 1.0F / (1.0F + e8 * e8);
}

static void by_gradient(hk_mix_t *mix, float e, float difference) {
    mix->difference += FAST_SHARE * (difference * difference - mix->difference);
    const float slope = mix->share * (1.0F - mix->share);
    float logit = mix->logit - LOGIT_STEP * (e * difference * slope / (mix->difference + POWER_FLOOR));
    logit = (logit < LOGIT_LIMIT) ? logit : LOGIT_LIMIT;
    mix->logit = (logit > -LOGIT_LIMIT) ? logit : -LOGIT_LIMIT;
    mix->share = sigmoid(mix->logit);
}

static void by_rate(hk_mix_t *mix, float e) {
    mix->fast += FAST_SHARE * (e * e - mix->fast);
    mix->slow += SLOW_SHARE * (e * e - mix->slow);
    const float goal = (mix->fast < FALLING * mix->slow) ? LEAST : MOST;
    mix->share += RATE_SHARE * (goal - mix->share);
}

void hk_mix_step(hk_mix_t *mix, uint8_t rule, float e_long, float e_short) {
    const float e = mix->share * e_long + (1.0F - mix->share) * e_short;
    if (rule == HK_HYBRID_RULE_CONVEX) {
        by_gradient(mix, e, e_long - e_short);
    } else {
        by_rate(mix, e);
    }
}
