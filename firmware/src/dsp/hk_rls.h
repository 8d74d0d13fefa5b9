/**
 * @file  hk_rls.h
 * @brief Recursive least squares in factored form, in slices of bounded work.
 *
 * Method    The inverse covariance is kept as P = U D U^T (Bierman): unit upper triangle and diagonal, which stay a
 *           covariance whatever is rounded, where P itself loses its symmetry and then its sign in single precision.
 *           No element of D grows beyond a cap: forgetting would let directions that nothing excites wind up for ever.
 * Numbers   Single precision, one order of operations (HK-DEV-10).
 * Context   Background.
 * Source    G. J. Bierman, Factorization Methods for Discrete Sequential Estimation, 1977.
 */
#ifndef HK_RLS_H
#define HK_RLS_H

#include <stdint.h> /* uint32_t */

/** Elements of U above its diagonal. */
#define HK_RLS_SIZE(n) ((n) * ((n) - 1U) / 2U)

typedef struct {
    uint32_t n;
    float *factor;   /* HK_RLS_SIZE(n): columns of U, one after the other */
    float *diagonal; /* n: D */
    float *gain;     /* n: the equation's gain, times innovation */
    float forget;    /* share of the past kept by this equation */
    float cap;       /* largest element of D */
    float innovation;
} hk_rls_t;

/** Forget everything: P = start * I. */
void hk_rls_restart(hk_rls_t *rls, float start);

/** Begin an equation. */
void hk_rls_begin(hk_rls_t *rls, float forget, float cap);

/** Columns first..end - 1 of the equation's update, in ascending order, with its regressors r[n]. Afterwards the gain
 *  is gain[k] / innovation. */
void hk_rls_columns(hk_rls_t *rls, const float *r, uint32_t first, uint32_t end);

/** Largest over smallest element of D, a lower bound of P's condition number; negative when D is no longer positive. */
float hk_rls_condition(const hk_rls_t *rls);

#endif /* HK_RLS_H */
