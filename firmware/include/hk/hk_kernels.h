/**
 * @file  hk_kernels.h
 * @brief The filters of one headset: functions that hushkit_codegen writes for known taps, stages, block and core.
 *
 * Audio functions work on exactly HK_CONFIG_BLOCK samples, background functions on HK_KERNEL_SLICE samples; the sizes
 * come from the generated hk_config.h. State lives in the generated file, one set per ear. A filter that the spec
 * or the design left out (HK_CONFIG_..._SECTIONS or _TAPS is 0) is still there and writes zeros.
 *
 * Numbers   Samples Q1.31. Filters scale inside so that no intermediate can overflow; outputs saturate to Q1.31.
 * Sign      A filter's output goes to the driver as it is: at the error microphone e = d + S * y.
 * Context   hk_kernel_{feedforward,transparency,feedback,feedback_model,control}_run: audio interrupt, as
 * hk_kernel_warped_run. The others: background; they share no state with the audio functions. Nothing here can fail.
 * Twin      models/hushkit_models/twin, equal bit for bit
 */
#ifndef HK_KERNELS_H
#define HK_KERNELS_H

#include <stdint.h> /* int32_t, int64_t, uint32_t */

#define HK_KERNELS_ABI  4
#define HK_KERNEL_SLICE 8U /* samples per background filter call */

/** The two signals that the background filters through the secondary-path model. */
enum { HK_KERNEL_STREAM_REFERENCE = 0, HK_KERNEL_STREAM_DRIVE = 1, HK_KERNEL_STREAM_COUNT = 2 };

/** Clear every state of one ear: delay lines, saved fractions, both secondary streams. */
void hk_kernels_reset(uint32_t ear);

/** Fixed filter, reference microphone to driver. y may not overlap x. */
void hk_kernel_feedforward_run(uint32_t ear, const int32_t *x, int32_t *y);

/** Hear-through filter, reference microphone to driver. y may not overlap x. */
void hk_kernel_transparency_run(uint32_t ear, const int32_t *x, int32_t *y);

/** Feedback controller, error microphone to driver; only where HK_CONFIG_FEEDBACK_SECTIONS is not 0. */
void hk_kernel_feedback_run(uint32_t ear, const int32_t *x, int32_t *y);

/** Path from the driver to the error microphone without the whole samples of latency, in a few sections; only where
 *  HK_CONFIG_FEEDBACK_SECTIONS is not 0. */
void hk_kernel_feedback_model_run(uint32_t ear, const int32_t *x, int32_t *y);

/** Adaptive control filter with the weights of one snapshot: y[n] = sum_k w[k] * x[n - k] *
 * 2^HK_CONFIG_CONTROL_EXPONENT.
 *
 * Exactly: acc = sum w * x in 64 bits; a = (int32_t)(acc >> 31); y = saturate(a << HK_CONFIG_CONTROL_EXPONENT).
 * The caller keeps sum |w| <= 2^31, so that neither acc nor a can overflow.
 *
 * @param weights HK_CONFIG_CONTROL_TAPS weights, last tap first (CMSIS-DSP order). May be another array at every call.
 */
void hk_kernel_control_run(uint32_t ear, const int32_t *weights, const int32_t *x, int32_t *y);

/** Filter HK_KERNEL_SLICE samples of one stream through hk_design.secondary, exponent applied, saturated.
 *  y may not overlap x. */
void hk_kernel_secondary_run(uint32_t ear, uint32_t stream, const int32_t *x, int32_t *y);

/** The same model at one sample: of HK_CONFIG_SECONDARY_TAPS samples, oldest first. Only where there is a model. */
int32_t hk_kernel_model_run(const int32_t *x);

/** Gradient of n_taps weights over one update block (U = HK_CONFIG_UPDATE_BLOCK), for weights stored last tap first:
 *  g[j] = (int32_t)((sum_{n < U} (int64_t)e[n] * xf[j + n]) >> shift), 0 <= j < n_taps.
 *  xf is oldest sample first and has n_taps + U - 1 of them. n_taps is a multiple of 8.
 *  The caller keeps every sum below 2^62 and every result within 32 bits. */
void hk_kernel_gradient_run(const int32_t *xf, const int32_t *e, uint32_t shift, int32_t *g, uint32_t n_taps);

/** One sample of the warped control filter; only where HK_CONFIG_ALGORITHM is HK_ALGORITHM_WARPED_LS (_TRACKING).
 *
 *  Moves an all-pass chain of HK_CONFIG_WARPED_TAPS + HK_CONFIG_WARPED_SECONDARY_TAPS - 1 values (_TRACKING: and
 *  HK_CONFIG_WEIGHTING_TAPS more) on (chain[0] becomes `in`; hk_warped_chain.h says how) and returns sum_k weights[k] *
 * chain[k] over HK_CONFIG_WARPED_TAPS weights. The caller keeps sum |w| <= 2^31 and the chain's guard bits. */
int64_t hk_kernel_warped_run(int32_t *chain, const int32_t *weights, int32_t one_minus_lambda_q32, int32_t in);

/** Filtered regressors of one equation; only with HK_ALGORITHM_WARPED_LS:
 *  r[k] = (int32_t)((sum_j model[j] * chain[k + j]) >> shift), 0 <= k < HK_CONFIG_WARPED_TAPS,
 *  over HK_CONFIG_WARPED_SECONDARY_TAPS terms. The caller keeps sum |model| <= 2^31 and every result within 32 bits. */
void hk_kernel_regressors_run(const int32_t *chain, const int32_t *model, uint32_t shift, int32_t *r);

/** The same chain for what was played, HK_CONFIG_WARPED_SECONDARY_TAPS + HK_CONFIG_WEIGHTING_TAPS - 1 values; only with
 *  HK_ALGORITHM_WARPED_LS_TRACKING. @return weights[0] * chain[0]: nothing of use. */
int64_t hk_kernel_played_run(int32_t *chain, const int32_t *weights, int32_t one_minus_lambda_q32, int32_t in);

/** Equaliser of the driver's low end, behind the weights; only where HK_CONFIG_EQUALISER_SECTIONS is not 0. Audio
 *  interrupt, HK_CONFIG_BLOCK samples. */
void hk_kernel_equaliser_run(uint32_t ear, const int32_t *x, int32_t *y);

/** Its inverse, for what was really played. Background, HK_KERNEL_SLICE samples. */
void hk_kernel_inverse_run(uint32_t ear, const int32_t *x, int32_t *y);

/** Four rows against four rows; only with HK_ALGORITHM_WARPED_LS (_TRACKING). Single precision, term by term from k =
 * 0: sums[4 r + c] = sums[4 r + c] - w[r * stride + k] * l[c * (length + 4) + k],  0 <= k < length, a multiple of 4. */
void hk_kernel_block_run(float *sums, const float *w, const float *l, uint32_t length, uint32_t stride);

/** Correlation with the secondary path, n outputs (a multiple of 8); only with HK_ALGORITHM_WARPED_LS_TRACKING. Single
 *  precision, in this order: y[k] = ((s[0] * x[k] + s[1] * x[k + 1]) + s[2] * x[k + 2]) + ..., over
 *  HK_CONFIG_WARPED_SECONDARY_TAPS terms. */
void hk_kernel_correlate_run(const float *x, const float *s, float *y, uint32_t n);

/** The same over HK_CONFIG_WEIGHTING_TAPS terms; only where there are more than one. */
void hk_kernel_weigh_run(const float *x, const float *s, float *y, uint32_t n);

/** Four equations into one row of the covariance; only with HK_ALGORITHM_WARPED_LS (_TRACKING). Single precision, in
 * this order: row[j] = (((factors[0] * row[j] + factors[1] * r[4 j]) + factors[2] * r[4 j + 1]) + factors[3] * r[4 j +
 * 2])
 *           + factors[4] * r[4 j + 3],  0 <= j < 4 * groups;  at least one group. */
void hk_kernel_enter_run(float *row, const float *r, uint32_t groups, const float *factors);

#endif /* HK_KERNELS_H */
