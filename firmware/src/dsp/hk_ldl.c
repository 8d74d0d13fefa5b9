/**
 * @file  hk_ldl.c
 * @brief L D L^T in slices.
 */
#include "hk_ldl.h"

#define OVERHEAD 8U /* of one element, in products */

static float dot(const float *a, const float *b, uint32_t n) {
    float s0 = 0.0F;
    float s1 = 0.0F;
    float s2 = 0.0F;
    float s3 = 0.0F;
    uint32_t k = 0U;
    for (; k + 4U <= n; k += 4U) {
        s0 += a[k] * b[k];
        s1 += a[k + 1U] * b[k + 1U];
        s2 += a[k + 2U] * b[k + 2U];
        s3 += a[k + 3U] * b[k + 3U];
    }
    for (; k < n; k++) {
        s0 += a[k] * b[k];
    }
    return (s0 + s1) + (s2 + s3);
}

uint32_t hk_ldl_work(uint32_t n) {
    uint32_t work = 0U;
    for (uint32_t i = 0U; i < n; i++) {
        work += i * (i - 1U) / 2U + i * OVERHEAD; /* elements of the row */
        work += 2U * i + OVERHEAD;                /* its end */
        work += 2U * (i + OVERHEAD);              /* forward and back */
    }
    return work;
}

void hk_ldl_start(hk_ldl_t *ldl) {
    ldl->state = HK_LDL_FACTOR;
    ldl->row = 0U;
    ldl->column = 0U;
}

/* The row under way is complete: divide it by the pivots and make its own. */
static void finish_row(hk_ldl_t *ldl) {
    float *l = &ldl->a[hk_ldl_row(ldl->row)];
    for (uint32_t j = 0U; j < ldl->row; j++) {
        l[j] = ldl->row_work[j] * ldl->pivot[j];
    }
    const float d = l[ldl->row] - dot(ldl->row_work, l, ldl->row);
    if (!(d > 0.0F)) {
        ldl->state = HK_LDL_REFUSED;
        return;
    }
    ldl->pivot[ldl->row] = 1.0F / d;
    ldl->row++;
    ldl->column = 0U;
    if (ldl->row == ldl->n) {
        ldl->state = HK_LDL_FORWARD;
        ldl->row = 0U;
    }
}

/* One element of the factor, or the end of its row. @return products it took. */
static uint32_t factor(hk_ldl_t *ldl) {
    if (ldl->column == ldl->row) {
        const uint32_t work = 2U * ldl->row;
        finish_row(ldl);
        return work + OVERHEAD;
    }
    const uint32_t j = ldl->column;
    const float *other = &ldl->a[hk_ldl_row(j)];
    ldl->row_work[j] = ldl->a[hk_ldl_row(ldl->row) + j] - dot(ldl->row_work, other, j);
    ldl->column++;
    return j + OVERHEAD;
}

static uint32_t forward(hk_ldl_t *ldl) {
    const uint32_t i = ldl->row;
    ldl->x[i] -= dot(ldl->x, &ldl->a[hk_ldl_row(i)], i);
    ldl->row++;
    if (ldl->row == ldl->n) {
        for (uint32_t k = 0U; k < ldl->n; k++) {
            ldl->x[k] *= ldl->pivot[k];
        }
        ldl->state = HK_LDL_BACK;
    }
    return i + OVERHEAD;
}

static uint32_t back(hk_ldl_t *ldl) {
    ldl->row--;
    const uint32_t i = ldl->row;
    const float *l = &ldl->a[hk_ldl_row(i)];
    for (uint32_t k = 0U; k < i; k++) {
        ldl->x[k] -= l[k] * ldl->x[i];
    }
    if (i == 0U) {
        ldl->state = HK_LDL_DONE;
    }
    return i + OVERHEAD;
}

void hk_ldl_step(hk_ldl_t *ldl) {
    uint32_t work = 0U;
    while (work < ldl->budget) {
        switch (ldl->state) {
        case HK_LDL_FACTOR:
            work += factor(ldl);
            break;
        case HK_LDL_FORWARD:
            work += forward(ldl);
            break;
        case HK_LDL_BACK:
            work += back(ldl);
            break;
        case HK_LDL_IDLE:
        case HK_LDL_DONE:
        case HK_LDL_REFUSED:
        default:
            return;
        }
    }
}
