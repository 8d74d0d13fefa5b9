/**
 * @file  hk_weights.c
 * @brief Norm and bound of a transversal filter's weights.
 */
#include "hk_weights.h"

uint64_t hk_weights_norm(const int32_t *weights, uint32_t n) {
    uint64_t sum = 0U;
    for (uint32_t j = 0U; j < n; j++) {
        sum += hk_weights_square(weights[j]);
    }
    return sum;
}

void hk_weights_shrink(int32_t *weights, uint32_t n, uint64_t sum, uint64_t limit) {
    const int64_t factor_q31 = (int64_t)((limit << 31) / (sum + 1U));
    for (uint32_t j = 0U; j < n; j++) {
        weights[j] = (int32_t)(((int64_t)weights[j] * factor_q31) / (1LL << 31)); /* toward zero */
    }
}
