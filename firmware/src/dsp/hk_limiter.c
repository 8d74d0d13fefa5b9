/**
 * @file  hk_limiter.c
 * @brief Output limiter.
 */
#include "hk/hk_limiter.h"

#include "hk/hk_fixed.h" /* HK_GAIN_UNITY_Q30 */

void hk_limiter_init(hk_limiter_t *limiter, int32_t threshold_q31, int32_t release_q31) {
    limiter->threshold_q31 = threshold_q31;
    limiter->release_q30 = (release_q31 > 1) ? release_q31 / 2 : 1;
    limiter->gain_q30 = HK_GAIN_UNITY_Q30;
    limiter->limited = 0U;
}

int32_t hk_limiter_run(hk_limiter_t *limiter, int64_t x) {
    int32_t gain = limiter->gain_q30;
    gain = (gain > HK_GAIN_UNITY_Q30 - limiter->release_q30) ? HK_GAIN_UNITY_Q30 : gain + limiter->release_q30;
    const uint64_t size = (x < 0) ? 0U - (uint64_t)x : (uint64_t)x;
    if (size > (uint64_t)limiter->threshold_q31) {
        /* Quotient Q16, divisor rounded up: gain * size never passes the threshold. */
        const uint32_t quotient = (uint32_t)limiter->threshold_q31 / ((uint32_t)(size >> 16) + 1U);
        const int32_t most = (quotient >= (1UL << 16)) ? HK_GAIN_UNITY_Q30 : (int32_t)(quotient << 14);
        gain = (most < gain) ? most : gain;
    }
    limiter->gain_q30 = gain;
    if (gain == HK_GAIN_UNITY_Q30) {
        return (int32_t)x;
    }
    limiter->limited++;
    return (int32_t)((x * gain) >> 30);
}
