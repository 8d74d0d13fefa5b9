/**
 * @file  hk_ldl.h
 * @brief Solves a symmetric positive definite system of n equations in slices of bounded work.
 *
 * Method    A = L D L^T without square roots, by blocks of four rows and columns (hk_kernel_block_run); lower triangles
 *           row by row, each row padded to whole fours. Terms are subtracted one by one in a fixed order, so every
 *           target gets the same bits (HK-DEV-10).
 * Context   Background.
 */
#ifndef HK_LDL_H
#define HK_LDL_H

#include <stdbool.h> /* bool */
#include <stdint.h>  /* uint32_t */

#define HK_LDL_SIDE 4U /* rows of a block */

typedef enum { HK_LDL_IDLE, HK_LDL_FACTOR, HK_LDL_FORWARD, HK_LDL_BACK, HK_LDL_DONE, HK_LDL_REFUSED } hk_ldl_state_t;

typedef struct {
    hk_ldl_state_t state;
    uint32_t n;      /* a multiple of 4 */
    uint32_t budget; /* products per slice, roughly */
    uint32_t row;    /* of the block under way, or of the substitution */
    uint32_t column;
    float *a;        /* HK_LDL_SIZE(n): the matrix, becomes L */
    float *x;        /* n: the right side, becomes the solution */
    float *row_work; /* HK_LDL_SIDE * n: the rows under way, not yet divided by the pivots */
    float *pivot;    /* n: 1 / D */
} hk_ldl_t;

/** Floats of a lower triangle of n rows, n a multiple of 4. */
#define HK_LDL_SIZE(n) (2U * (n) * ((n) / 4U + 1U))

/** Where row i of a lower triangle starts: behind 4, 4, 4, 4, 8, 8, ... floats. */
static inline uint32_t hk_ldl_row(uint32_t i) {
    return 4U * (i / 4U + 1U) * (2U * (i / 4U) + i % 4U);
}

/** Work of a whole solution as hk_ldl_step counts it. */
uint32_t hk_ldl_work(uint32_t n);

/** Begin: a and x are filled. */
void hk_ldl_start(hk_ldl_t *ldl);

/** One slice of work. Ends in HK_LDL_DONE, or HK_LDL_REFUSED when a pivot is not positive. */
void hk_ldl_step(hk_ldl_t *ldl);

#endif /* HK_LDL_H */
