/**
 * @file  hk_warped_ls.h
 * @brief Warped FIR controller fitted by recursive regularised least squares, behind hk_control_ops_t.
 *
 * Method    The control filter is K weights on a chain of all-pass sections (z^-1 - lambda) / (1 - lambda z^-1), so a
 * few weights span the low frequencies a headset cancels. The secondary path is S weights on the same chain; the chain
 * is S - 1 sections longer than the filter needs, and a filtered regressor is r[k] = sum_j s[j] * chain[k + j],
 *           computed only when an equation is taken, from a snapshot of the chain at an update block's end:
 *               target + sum_k w[k] r[k] -> 0, with target the error had the adaptive filter not played.
 *           Four equations at a time enter the forgetting covariance C and the vector b, a quarter of the rows per job.
 *           Every solve interval C + ridge is factored (L D L^T, no square roots), in slices of bounded work; the new
 *           weights fade in over the next interval. A pivot that is not positive refuses the solve: weights stay.
 * Numbers   Chain Q1.31 with 5 guard bits (samples / 32). Weights q31 with one exponent per solve, sum |w| <= 1 before
 *           it, so the dot product cannot overflow. Covariance single precision, background only, + - * / in a fixed
 *           order without contraction: the same bits on every target (HK-DEV-10 in firmware/MISRA.md).
 * Memory    Per ear 4 (K^2 / 2 + 13 K + 2 S) bytes, and K^2 / 2 + 3 K words shared.
 */
#ifndef HK_WARPED_LS_H
#define HK_WARPED_LS_H

#include "hk/hk_control.h" /* hk_control_ops_t */

#define HK_WARPED_GUARD_BITS 5U /* growth along the chain: 1.08 seen, 16.6 at worst for 64 sections */

extern const hk_control_ops_t hk_warped_ls_ops;

#endif /* HK_WARPED_LS_H */
