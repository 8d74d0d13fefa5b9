/**
 * @file  hk_hybrid.h
 * @brief A long NLMS filter and a short RLS filter, mixed, behind hk_control_ops_t.
 *
 * Method    y = a * (long FIR filter) + (1 - a) * (short filter on an all-pass chain). The long filter's L weights are
 *           adapted by normalised LMS, the short one's K by recursive least squares in U D U^T form (hk_rls.h), both
 * from one equation per update block, each by the error it would leave alone (modified filtered-x): neither waits for
 * the other, and the delay of the path does not bound the step. On the chain few coefficients span the low frequencies;
 * as many plain taps span a millisecond and cancel next to nothing. The mixture follows one of two rules: convex  a =
 * sigmoid(b), b moved down the gradient of the joint error: in the mean at least as good as the better of the two (J.
 * Arenas-Garcia et al., IEEE Trans. SP 54(3), 2006); rate    the platform's: a within 0.3 and 0.9, toward 0.3 while the
 * error's power still falls (its 20 ms mean below 0.9 of its 500 ms mean), toward 0.9 once the two agree. Memory of the
 * least squares grows with its age up to the design's, so that the ridge it starts with is forgotten in time. It starts
 * afresh, keeping its weights, when its conditioning passes the design's limit and periodically; from the prior when
 * its weights pass all bounds. Numbers   Interrupt: weights Q1.31, the long filter's times
 * 2^HK_CONFIG_CONTROL_EXPONENT, last tap first; the short one's with an exponent of their own. Background: single
 * precision, + - * / in a fixed order (HK-DEV-10). Memory    Per ear 4 (6 L + K^2 / 2 + 14 K) bytes. Context   As
 * hk_control_ops_t says. The interrupt only ever changes a pointer. Twin      models/hushkit_models/twin/hybrid.py,
 * equal bit for bit
 */
#ifndef HK_HYBRID_H
#define HK_HYBRID_H

#include "hk/hk_control.h" /* hk_control_ops_t */

extern const hk_control_ops_t hk_hybrid_ops;

#endif /* HK_HYBRID_H */
