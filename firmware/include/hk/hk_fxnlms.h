/**
 * @file  hk_fxnlms.h
 * @brief Filtered-x NLMS controller behind hk_control_ops_t.
 *
 * Method    Per update block of U samples and L weights:
 *             xf = secondary * x;  g[j] = sum over the block of e * xf[. - j];
 *             w[j] -= leak * w[j] + step / (regularisation + sum of xf^2 over L samples) * g[j].
 *           The error is scaled to 25 bits per block and the sums are 64 bits wide, so the step is as exact at -60 dBFS
 *           as at full scale. When sum |w| passes the design's limit all weights shrink by one factor back onto it.
 * Numbers   Weights Q1.31 times 2^HK_CONFIG_CONTROL_EXPONENT, last tap first.
 * Memory    3 L + U words per ear.
 * Context   As hk_control_ops_t says. The interrupt only ever changes a pointer.
 */
#ifndef HK_FXNLMS_H
#define HK_FXNLMS_H

#include "hk/hk_control.h" /* hk_control_ops_t */

/** Largest step used: 1 / 4 of full correction per update block. A low tone fills all taps, so one update corrects
 *  step * U of its error, two blocks late; from about 0.45 on that loop oscillates. A design may ask for more. */
#define HK_FXNLMS_STEP_LIMIT_Q31 ((1UL << 29) / HK_CONFIG_UPDATE_BLOCK)

extern const hk_control_ops_t hk_fxnlms_ops;

#endif /* HK_FXNLMS_H */
