/**
 * @file  hk_ldl.c
 * @brief L D L^T by blocks, in slices.
 */
#include "hk_ldl.h"

#include "hk_config.h"
#if HK_CONFIG_WARPED_TAPS > 0

#include "hk/hk_kernels.h" /* hk_kernel_block_run */

#define SIDE     HK_LDL_SIDE
#define OVERHEAD 240U /* of one block, in products */
#define DEAR     4U   /* a product of a substitution costs as much as so many in blocks */

static uint32_t substitution_work(uint32_t i) {
    return DEAR * (i + 4U);
}

static uint32_t block_work(uint32_t column) {
    return SIDE * SIDE * column + OVERHEAD;
}

uint32_t hk_ldl_work(uint32_t n) {
    uint32_t work = 0U;
    for (uint32_t row = 0U; row < n; row += SIDE) {
        for (uint32_t column = 0U; column < row; column += SIDE) {
            work += block_work(column);
        }
        work += 2U * block_work(row);
    }
    for (uint32_t i = 0U; i < n; i++) {
        work += 2U * substitution_work(i);
    }
    return work;
}

void hk_ldl_start(hk_ldl_t *ldl) {
    ldl->state = HK_LDL_FACTOR;
    ldl->row = 0U;
    ldl->column = 0U;
}

/* The block of A at rows `row` and columns `column`, less what the columns before make of it. */
static void load_block(const hk_ldl_t *ldl, uint32_t column, float *sums) {
    for (uint32_t r = 0U; r < SIDE; r++) {
        const float *from = &ldl->a[hk_ldl_row(ldl->row + r) + column];
        for (uint32_t c = 0U; c < SIDE; c++) {
            sums[SIDE * r + c] = from[c];
        }
    }
    hk_kernel_block_run(sums, ldl->row_work, &ldl->a[hk_ldl_row(column)], column, ldl->n);
}

/* One block beside the diagonal: four more values of each row under way. */
static uint32_t factor_block(hk_ldl_t *ldl) {
    const uint32_t column = ldl->column;
    float sums[SIDE * SIDE];
    load_block(ldl, column, sums);
    for (uint32_t c = 0U; c < SIDE; c++) {
        const float *l = &ldl->a[hk_ldl_row(column + c) + column];
        for (uint32_t r = 0U; r < SIDE; r++) {
            float value = sums[SIDE * r + c];
            for (uint32_t d = 0U; d < c; d++) {
                value -= sums[SIDE * r + d] * l[d];
            }
            sums[SIDE * r + c] = value;
            ldl->row_work[r * ldl->n + column + c] = value;
        }
    }
    ldl->column += SIDE;
    return block_work(column);
}

/* The four rows under way are complete up to their diagonal block: divide them by the pivots, and factor that block. */
static uint32_t finish_rows(hk_ldl_t *ldl) {
    const uint32_t row = ldl->row;
    for (uint32_t r = 0U; r < SIDE; r++) {
        float *l = &ldl->a[hk_ldl_row(row + r)];
        const float *work = &ldl->row_work[r * ldl->n];
        for (uint32_t j = 0U; j < row; j++) {
            l[j] = work[j] * ldl->pivot[j];
        }
    }
    float sums[SIDE * SIDE];
    load_block(ldl, row, sums);
    for (uint32_t c = 0U; c < SIDE; c++) {
        const float d = sums[SIDE * c + c];
        if (!(d > 0.0F)) {
            ldl->state = HK_LDL_REFUSED;
            return OVERHEAD;
        }
        ldl->pivot[row + c] = 1.0F / d;
        for (uint32_t r = c + 1U; r < SIDE; r++) {
            const float factor = sums[SIDE * r + c] * ldl->pivot[row + c];
            ldl->a[hk_ldl_row(row + r) + row + c] = factor;
            for (uint32_t e = c + 1U; e <= r; e++) {
                sums[SIDE * r + e] -= factor * sums[SIDE * e + c];
            }
        }
    }
    ldl->row += SIDE;
    ldl->column = 0U;
    if (ldl->row == ldl->n) {
        ldl->state = HK_LDL_FORWARD;
        ldl->row = 0U;
    }
    return 2U * block_work(row);
}

static uint32_t factor(hk_ldl_t *ldl) {
    return (ldl->column < ldl->row) ? factor_block(ldl) : finish_rows(ldl);
}

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
    return substitution_work(i);
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
    return substitution_work(i);
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

#endif /* HK_CONFIG_WARPED_TAPS */
