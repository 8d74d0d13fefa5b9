/**
 * @file  hk_tracker.h
 * @brief Warped FIR controller that identifies the secondary path while it runs, behind hk_control_ops_t.
 *
 * Method    X is the all-pass chain of the reference, U the same chain of what was played, e the error microphone. One
 *           regularised least-squares problem fits both paths, e = p . X + s . U, so programme, transparency and a
 * muted headset are evidence like any other. Chains of one pole compose, A^j A^k = A^(j+k): weights w pass the
 *           secondary path as the Toeplitz product T(s) w, and the weights that suit both estimates minimise the energy
 *           of (p + T(s) w) . X.
 *           What is played hardly differs from a filtered reference, so s shows only in an auxiliary noise far below
 * the residual, and in what the weights' own changes do: s is held at its last estimate by a ridge. An equaliser behind
 * the weights gives the driver a flat low end; U is of what was really played, taken back through its inverse. A short
 * weighting on the chains shapes the equations' spectrum. hk_fit.h sees changes of the fit and harm: the weights fade
 * out, the evidence is scaled down, and a large ridge lets the weights return as evidence comes in. Slices    Equations
 * enter the covariance four at a time, a quarter of the rows per job. Solutions run in slices of bounded work, the ears
 * in turn. Numbers   Chains Q1.31 with 5 guard bits, weights as hk_warped_weights.h. Covariance and solution in single
 * precision,
 *           + - * / in a fixed order without contraction: the same bits on every target (HK-DEV-10).
 * Memory    With M = K + 2 S, per ear M^2 / 2 words, and once M^2 / 2 + (K + S)^2 / 2.
 * Source    models/hushkit_models/reference/tracking.py
 */
#ifndef HK_TRACKER_H
#define HK_TRACKER_H

#include "hk/hk_control.h" /* hk_control_ops_t */

extern const hk_control_ops_t hk_tracker_ops;

#endif /* HK_TRACKER_H */
