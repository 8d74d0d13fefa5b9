/**
 * @file  hk_rls.c
 * @brief U D U^T update.
 */
#include "hk_rls.h"

#include <string.h> /* memset */

static float *column_of(const hk_rls_t *rls, uint32_t j) {
    return &rls->factor[(j > 0U) ? HK_RLS_SIZE(j) : 0U];
}

/* Column j of U, its diagonal 1 included, times r. */
static float project(const float *column, const float *r, uint32_t j) {
    float even = r[j];
    float odd = 0.0F;
    uint32_t i = 0U;
    for (; i + 2U <= j; i += 2U) {
        even += column[i] * r[i];
        odd += column[i + 1U] * r[i + 1U];
    }
    if (i < j) {
        even += column[i] * r[i];
    }
    return even + odd;
}

void hk_rls_restart(hk_rls_t *rls, float start) {
    memset(rls->factor, 0, HK_RLS_SIZE(rls->n) * sizeof rls->factor[0]);
    for (uint32_t j = 0U; j < rls->n; j++) {
        rls->diagonal[j] = start;
    }
}

void hk_rls_begin(hk_rls_t *rls, float forget, float cap) {
    rls->forget = forget;
    rls->cap = cap;
    rls->innovation = forget;
}

void hk_rls_columns(hk_rls_t *rls, const float *r, uint32_t first, uint32_t end) {
    float *gain = rls->gain;
    for (uint32_t j = first; j < end; j++) {
        float *column = column_of(rls, j);
        const float f = project(column, r, j);
        const float v = rls->diagonal[j] * f;
        const float before = rls->innovation;
        const float after = before + f * v;
        const float d = rls->diagonal[j] * (before / (after * rls->forget));
        rls->diagonal[j] = (d < rls->cap) ? d : rls->cap;
        rls->innovation = after;
        const float p = -f / before;
        for (uint32_t i = 0U; i < j; i++) {
            const float u = column[i];
            column[i] = u + gain[i] * p;
            gain[i] += u * v;
        }
        gain[j] = v;
    }
}

float hk_rls_condition(const hk_rls_t *rls) {
    float least = rls->diagonal[0];
    float most = rls->diagonal[0];
    for (uint32_t j = 1U; j < rls->n; j++) {
        const float d = rls->diagonal[j];
        least = (d < least) ? d : least;
        most = (d > most) ? d : most;
    }
    return (least > 0.0F) ? most / least : -1.0F;
}
