/**
 * @file  hk_warped_chain.c
 * @brief All-pass chain.
 */
#include "hk_warped_chain.h"

/* c - round(a * b / 2^32). GCC 12 does not see SMMLSR in the C form, which costs four instructions (HK-DEV-11). */
static inline int32_t subtract_high_product(int32_t a, int32_t b, int32_t c) {
#ifdef __ARM_FEATURE_DSP
    int32_t result;
    __asm("smmlsr %0, %1, %2, %3" : "=r"(result) : "r"(a), "r"(b), "r"(c));
    return result;
#else
    return (int32_t)(((int64_t)c * (1LL << 32) - (int64_t)a * b + 0x80000000LL) >> 32);
#endif
}

void hk_warped_chain_step(int32_t *chain, uint32_t n_sections, int32_t one_minus_lambda_q32, int32_t in) {
    int32_t p = chain[0];
    int32_t t = in;
    chain[0] = in;
    for (uint32_t k = 1U; k < n_sections; k++) {
        const int32_t u = chain[k];
        const int32_t d = u - t;
        t = subtract_high_product(one_minus_lambda_q32, d, p + d);
        chain[k] = t;
        p = u;
    }
}

int64_t hk_warped_chain_dot(const int32_t *chain, const int32_t *weights, uint32_t n) {
    int64_t sum = 0;
    for (uint32_t k = 0U; k < n; k += 4U) {
        sum += (int64_t)weights[k] * chain[k];
        sum += (int64_t)weights[k + 1U] * chain[k + 1U];
        sum += (int64_t)weights[k + 2U] * chain[k + 2U];
        sum += (int64_t)weights[k + 3U] * chain[k + 3U];
    }
    return sum;
}
