/**
 * @file  hk_tracker_solve.h
 * @brief From the evidence on both paths to the weights that suit it, in slices of bounded work.
 *
 * Method    With K weights, S sections of the secondary path, N = K + S and M = N + S:
 *           1. (C + ridges) [p; s] = [c_xe; c_ue + hold s_before], one L D L^T of M rows (hk_ldl.h).
 *           2. v = (C_xx + ridge) p, which is c_xe - C_xu s, and G = C_xx T(s), row by row.
 *           3. T(s)^T G, and the right side -T(s)^T v.
 *           4. (T(s)^T G + ridge) w = right side, one L D L^T of K rows.
 *           T(s) is the N by K matrix whose column k holds s from row k on.
 * Memory    The factor of step 1, then G and T(s)^T G, share one array.
 * Context   Background; one solution at a time.
 */
#ifndef HK_TRACKER_SOLVE_H
#define HK_TRACKER_SOLVE_H

#include "hk_config.h" /* HK_CONFIG_WARPED_TAPS, HK_CONFIG_WARPED_SECONDARY_TAPS */
#include "hk_ldl.h"    /* HK_LDL_SIZE */
#include <stdint.h>    /* uint32_t */

#define HK_TRACKER_K ((uint32_t)HK_CONFIG_WARPED_TAPS)
#define HK_TRACKER_S ((uint32_t)HK_CONFIG_WARPED_SECONDARY_TAPS)
#define HK_TRACKER_N (HK_TRACKER_K + HK_TRACKER_S)
#define HK_TRACKER_M (HK_TRACKER_N + HK_TRACKER_S)

/** Floats of the factor of both paths, and of G and T(s)^T G, which take its place. */
#define HK_TRACKER_FACTOR       HK_LDL_SIZE(HK_TRACKER_M)
#define HK_TRACKER_PRODUCT_SIZE (HK_TRACKER_N * HK_TRACKER_K + HK_LDL_SIZE(HK_TRACKER_K))
#define HK_TRACKER_SHARED ((HK_TRACKER_FACTOR > HK_TRACKER_PRODUCT_SIZE) ? HK_TRACKER_FACTOR : HK_TRACKER_PRODUCT_SIZE)

/** Regularisation of one solution, relative to mean diagonals. */
typedef struct {
    float paths;         /* of p, and of w */
    float hold;          /* of s, toward its last estimate */
    float weights;       /* of w, on top, toward ... */
    const float *toward; /* ... these K weights, while the solution lasts; null: none */
} hk_tracker_ridges_t;

typedef enum {
    HK_TRACKER_IDLE,
    HK_TRACKER_PATHS,
    HK_TRACKER_PRODUCT,
    HK_TRACKER_NORMAL,
    HK_TRACKER_WEIGHTS,
    HK_TRACKER_DONE,
    HK_TRACKER_REFUSED
} hk_tracker_stage_t;

typedef struct {
    hk_tracker_stage_t stage;
    hk_ldl_t ldl;
    hk_tracker_ridges_t ridges;
    uint32_t budget; /* products per slice */
    uint32_t row;    /* of the stage */
    float ridge;     /* of p, absolute */
    float a[HK_TRACKER_SHARED];
    float xx[HK_LDL_SIZE(HK_TRACKER_N)];
    float x[HK_TRACKER_M]; /* right side, then p and s, then w */
    float p[HK_TRACKER_N];
    float s[HK_TRACKER_S];
    float v[HK_TRACKER_N];
    float row_work[HK_LDL_SIDE * HK_TRACKER_M];
    float pivot[HK_TRACKER_M];
} hk_tracker_solver_t;

/** Work of a whole solution as slices count it. */
uint32_t hk_tracker_solve_work(void);

/** Take rows first to end - 1 of a covariance (HK_LDL_SIZE(M), hk_ldl_row) and of its right side. A solution starts
 * once all M rows of one moment are in. */
void hk_tracker_solve_copy(hk_tracker_solver_t *solver, const float *covariance, const float *right, uint32_t first,
                           uint32_t end);

/** All rows are in: begin. `s` is the last estimate of the secondary path; there are `slices` for the solution. */
void hk_tracker_solve_start(hk_tracker_solver_t *solver, const hk_tracker_ridges_t *ridges, const float *s,
                            uint32_t slices);

/** One slice. In stage DONE x holds the weights, p and s the paths. REFUSED: no solution. */
void hk_tracker_solve_step(hk_tracker_solver_t *solver);

#endif /* HK_TRACKER_SOLVE_H */
