/**
 * @file  hk_design.h
 * @brief Contract between generated code and the firmware: what one headset spec becomes.
 *
 * hushkit_codegen writes, per spec, firmware/generated/<spec>/ with
 *   hk_config.h   sizes as macros (HK_CONFIG_EARS, _BLOCK, _RATE_HZ, _CONTROL_TAPS, ...), included by hk_design.h users
 *   hk_design.c   the constant `hk_design`
 *   hk_kernels.c  the functions of hk_kernels.h, for this spec's taps, stages, block and core
 *
 * Numbers   Coefficients Q1.31 scaled by 2^-exponent (value = q31 * 2^exponent); samples Q1.31.
 * Twin      codegen/hushkit_codegen/ir (the same names)
 */
#ifndef HK_DESIGN_H
#define HK_DESIGN_H

#include <stdint.h>

#define HK_DESIGN_ABI 1

/** Modes, in the order of the wire and the shadow. */
enum { HK_DESIGN_MODE_OFF = 0, HK_DESIGN_MODE_ANC = 1, HK_DESIGN_MODE_TRANSPARENCY = 2 };

/** Adaptive algorithms; hk_design_t has one member for each. */
enum { HK_ALGORITHM_NONE = 0, HK_ALGORITHM_FXNLMS = 1 };

/** Second-order sections in CMSIS-DSP order: b0, b1, b2, -a1, -a2, each scaled by 2^-post_shift. Sections are scaled so
 *  that no input can overflow one; the cascade's output times 2^output_shift, saturated, is the filter's. */
typedef struct {
    const int32_t (*taps)[5];
    uint8_t n_sections;   /* 0: left out, 1..12 */
    uint8_t post_shift;   /* 0..7 */
    uint8_t output_shift; /* 0..15 */
} hk_biquad_design_t;

/** FIR taps in CMSIS-DSP order: last in time first. Value of a tap = q31 * 2^(exponent - 31). */
typedef struct {
    const int32_t *taps;
    uint16_t n_taps;  /* 0: left out */
    uint8_t exponent; /* 0..15 */
} hk_fir_design_t;

/** Filtered-x NLMS, once per update block: w -= step / (regularisation + sum xf^2) * sum_block(e * xf) + leak * w. */
typedef struct {
    hk_fir_design_t secondary; /* from output sample to error sample, converters and buffering included */
    hk_fir_design_t prior;     /* start weights; n_taps is the control filter's length */
    int32_t step_q31;
    int32_t leak_q31;            /* weight loss per update, 0: none */
    uint64_t regularisation_q48; /* of full-scale power, summed over the update's window */
    uint64_t weight_sum_limit;   /* divergence watch: bound of sum |w| in LSB; up to 2^31 the filter cannot overflow */
    uint8_t update_block;        /* samples per weight update; block k acts from the start of block k + 2 */
} hk_fxnlms_design_t;

typedef struct {
    uint32_t abi;
    const char *spec_name;
    uint32_t rate_hz;
    uint8_t n_ears;
    uint8_t block;
    uint8_t has_error_microphone;
    uint8_t algorithm;               /* HK_ALGORITHM_... */
    uint8_t start_mode;              /* HK_DESIGN_MODE_... */
    int32_t full_scale_mdb_spl;      /* sound level of a full-scale sine at the microphones, in 0.001 dB */
    hk_biquad_design_t feedforward;  /* fixed filter, reference microphone to driver */
    hk_biquad_design_t transparency; /* hear-through filter, reference microphone to driver */
    hk_fxnlms_design_t fxnlms;       /* all zero unless algorithm is HK_ALGORITHM_FXNLMS */
    int32_t dc_block_pole_q31;
    int32_t limiter_threshold_q31;
    int32_t limiter_release_q31; /* gain recovery per sample */
    uint32_t ramp_samples;       /* mode cross-fade */
    uint32_t watch_samples;      /* window of the divergence watch */
    int32_t watch_ratio_q16;     /* error power over its "off" estimate that counts as divergence, Q16.16 */
} hk_design_t;

extern const hk_design_t hk_design;

#endif /* HK_DESIGN_H */
