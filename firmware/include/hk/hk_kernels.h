/**
 * @file  hk_kernels.h
 * @brief The filters of one headset: functions that hushkit_codegen writes for known taps, stages, block and core.
 *
 * Every function works on exactly HK_CONFIG_BLOCK samples (audio) or HK_CONFIG_UPDATE_BLOCK samples (background); the
 * sizes come from the generated hk_config.h. State lives in the generated file, one set per ear. A filter that the spec
 * or the design left out (HK_CONFIG_..._SECTIONS or _TAPS is 0) is still there and writes zeros.
 *
 * Numbers   Samples Q1.31. Filters scale inside so that no intermediate can overflow; outputs saturate to Q1.31.
 * Sign      A filter's output goes to the driver as it is: at the error microphone e = d + S * y.
 * Context   hk_kernel_{feedforward,transparency,control}_run: audio interrupt. hk_kernel_{secondary_run,update}:
 * background, one job at a time per ear; they share no state with the audio functions. Nothing here can fail. Twin
 * models/hushkit_models/twin/{biquad,fir,fxnlms}.py, equal bit for bit
 */
#ifndef HK_KERNELS_H
#define HK_KERNELS_H

#include <stdint.h> /* int32_t, uint32_t, uint64_t */

#define HK_KERNELS_ABI 1

/** What one weight update saw; input of the divergence watch. */
typedef struct {
    uint64_t power;       /* sum of xf^2 over the update's window, in units of 2^-48 of full-scale power */
    uint64_t weight_sum;  /* sum of |w| of the new weights, in LSB: beyond 2^31 the control filter could overflow */
    uint64_t weight_norm; /* sum of w^2 of the new weights, in units of 2^-48 */
    uint32_t saturated;   /* weights that hit the rails in this update */
} hk_kernel_update_t;

/** Clear every state of one ear: delay lines, saved fractions, filtered-x history. */
void hk_kernels_reset(uint32_t ear);

/** Fixed filter, reference microphone to driver. y may not overlap x. */
void hk_kernel_feedforward_run(uint32_t ear, const int32_t *x, int32_t *y);

/** Hear-through filter, reference microphone to driver. y may not overlap x. */
void hk_kernel_transparency_run(uint32_t ear, const int32_t *x, int32_t *y);

/** Adaptive control filter with the weights of one snapshot. Weights run last tap first (CMSIS-DSP order), each worth
 *  w * 2^(HK_CONFIG_CONTROL_EXPONENT - 31). y may not overlap x. */
void hk_kernel_control_run(uint32_t ear, const int32_t *weights, const int32_t *x, int32_t *y);

/** Filter one update block of the reference through the secondary-path model and keep it for hk_kernel_update. */
void hk_kernel_secondary_run(uint32_t ear, const int32_t *x);

/** One FxNLMS step on the update block last given to hk_kernel_secondary_run: `next` from `weights` and the error
 *  microphone's samples `e` of the same block. next may equal weights. */
void hk_kernel_update(uint32_t ear, const int32_t *e, const int32_t *weights, int32_t *next, hk_kernel_update_t *seen);

#endif /* HK_KERNELS_H */
