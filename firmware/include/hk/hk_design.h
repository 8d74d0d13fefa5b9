/**
 * @file  hk_design.h
 * @brief Contract between generated code and the firmware: what one headset spec becomes.
 *
 * hushkit_codegen writes, per spec, firmware/generated/<spec>/ with
 *   hk_config.h   sizes as macros, all defined in every spec:
 *                 HK_CONFIG_EARS, HK_CONFIG_BLOCK (1, 4, 8), HK_CONFIG_RATE_HZ, HK_CONFIG_CLOCK_HZ,
 *                 HK_CONFIG_{FEEDFORWARD,TRANSPARENCY,FEEDBACK,FEEDBACK_MODEL}_SECTIONS (0: none),
 *                 HK_CONFIG_ALGORITHM (HK_ALGORITHM_...), HK_CONFIG_UPDATE_BLOCK (multiple of BLOCK and of 8, <= 64),
 *                 HK_CONFIG_CONTROL_TAPS (multiple of 32; 0 without fxnlms, hybrid and fdaf),
 * HK_CONFIG_CONTROL_EXPONENT, HK_CONFIG_SECONDARY_TAPS (multiple of 4; 0 without error microphone),
 * HK_CONFIG_SECONDARY_EXPONENT, HK_CONFIG_WARPED_TAPS, HK_CONFIG_WARPED_SECONDARY_TAPS (0 without warped_ls, plain or
 * tracking, and hybrid), HK_CONFIG_WEIGHTING_TAPS, HK_CONFIG_EQUALISER_SECTIONS (0 without warped_ls_tracking)
 *   hk_design.c   the constant `hk_design`
 *   hk_kernels.c  the functions of hk_kernels.h, for this spec's taps, stages, block and core
 *
 * Numbers   Coefficients Q1.31 scaled by 2^-exponent: value = q31 * 2^(exponent - 31). Samples Q1.31.
 * Sign      A filter's output goes to the driver as it is: at the error microphone e = d + S * y.
 * Time      Filters and path models count in the firmware's sample indices. The secondary model holds all between the
 *           firmware's output sample n and its input sample m: buffering, converters, padding, acoustics.
 * Twin      codegen/hushkit_codegen/ir (the same names)
 */
#ifndef HK_DESIGN_H
#define HK_DESIGN_H

#include <stdint.h> /* int32_t, uint8_t */

#define HK_DESIGN_ABI 7

/** Modes, in the order of the wire and the shadow. */
enum { HK_DESIGN_MODE_OFF = 0, HK_DESIGN_MODE_ANC = 1, HK_DESIGN_MODE_TRANSPARENCY = 2 };

/* Adaptive algorithms, as macros because hk_config.h chooses one for the preprocessor. */
#define HK_ALGORITHM_NONE               0
#define HK_ALGORITHM_FXNLMS             1
#define HK_ALGORITHM_WARPED_LS          2
#define HK_ALGORITHM_HYBRID             3
#define HK_ALGORITHM_FDAF               4
#define HK_ALGORITHM_WARPED_LS_TRACKING 5

/* Rules that mix the hybrid's two filters. */
#define HK_HYBRID_RULE_CONVEX 0
#define HK_HYBRID_RULE_RATE   1

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
    const int32_t *taps; /* null when n_taps is 0 */
    uint16_t n_taps;
    uint8_t exponent; /* 0..15 */
} hk_fir_design_t;

/** Filtered-x NLMS, once per update block, with step, leak and start weights of the settings: w -= step /
 * (regularisation + sum xf^2) * sum_block(e * xf) + leak * w. The update computed from update block k acts from the
 * first sample of update block k + 2. */
typedef struct {
    uint64_t regularisation_q48; /* of full-scale power, summed over the control filter's length; at least 1 */
    uint64_t weight_sum_limit;   /* bound of sum |w| in LSB, at most 2^31: below, the control filter cannot overflow */
} hk_fxnlms_design_t;

/** Weights on an all-pass chain, taps[0] on its input. Value of a tap = q31 * 2^(exponent - 31). */
typedef struct {
    const int32_t *taps;
    uint16_t n_taps;
    uint8_t exponent; /* 0..15 */
} hk_warped_design_t;

/** How the warped filter keeps up with the secondary path: see hk_tracker.h for the method. */
typedef struct {
    const float *weighting;             /* HK_CONFIG_WEIGHTING_TAPS: equations are of sum_j weighting[j] section[k+j] */
    const float *auxiliary_correlation; /* HK_CONFIG_WARPED_SECONDARY_TAPS: of the noise, in sections d apart */
    float hold;                         /* of the mean diagonal of its evidence, toward the last secondary path */
    float change_ratio;                 /* prediction error's power over its slow level */
    float change_keeps;                 /* share of the evidence on the primary path a change leaves */
    float harm_ratio;                   /* error's power over that of silence */
    float harm_keeps;                   /* share of the evidence that a second detection leaves */
    float fast;                         /* steps of the running powers, per equation */
    float slow;
    float auxiliary;            /* auxiliary noise over the residual at the error microphone, in amplitude */
    float auxiliary_rms;        /* of the noise at level 1.0, full scale */
    float least_memory;         /* equations: the memory grows from here as the start recedes */
    uint16_t delay;             /* samples from a chain's state to the error that can first hear it; at most a block */
    uint16_t hurry_jobs;        /* update blocks after a start or a change in which solutions come faster: ... */
    uint16_t hurry_solve_jobs;  /* ... one every so many update blocks */
    uint16_t blind_jobs;        /* update blocks after a change in which no other is looked for */
    uint16_t fade_jobs;         /* update blocks of the weights' way in a hurry, and out of harm */
    int32_t auxiliary_pole_q31; /* colour of the noise */
} hk_tracking_design_t;

/** Warped FIR fitted by regularised least squares: see hk_warped_ls.h for the method. */
typedef struct {
    int32_t one_minus_lambda_q32;  /* (1 - lambda) * 2^32 of the chain's all-pass coefficient; below 2^31 */
    hk_warped_design_t secondary;  /* the secondary path on the same chain */
    uint16_t equation_jobs;        /* one equation every so many update blocks */
    uint16_t solve_jobs;           /* one solve every so many update blocks; a multiple of 4 * equation_jobs */
    float start_fade;              /* the settings' start_ridge fades by this factor per solve */
    hk_tracking_design_t tracking; /* zeros unless algorithm is HK_ALGORITHM_WARPED_LS_TRACKING */
} hk_warped_ls_design_t;

/** Long NLMS and short least-squares filter, mixed: see hk_hybrid.h for the method. */
typedef struct {
    int32_t one_minus_lambda_q32; /* of the short filter's chain, as above */
    hk_warped_design_t secondary; /* the secondary path on the same chain */
    uint8_t rule;                 /* HK_HYBRID_RULE_... */
    float regularisation;         /* of the normalising power, summed over the long filter's length, in LSB^2 */
    uint64_t weight_sum_limit;    /* as fxnlms, of the long filter */
    float worst_condition;        /* beyond it the least squares start afresh */
    uint32_t reset_jobs;          /* update blocks between periodic restarts of the least squares; 0: none */
} hk_hybrid_design_t;

/** Frequency-domain adaptive filter: see hk_fdaf.h for the method. */
typedef struct {
    float regularisation;      /* of a bin's power, summed over the partitions, in LSB^2 */
    uint64_t weight_sum_limit; /* as fxnlms */
} hk_fdaf_design_t;

/** What one noise category sets. Fields that the algorithm has no use for are zeros. */
typedef struct {
    uint8_t mode;          /* HK_DESIGN_MODE_..., in place of ANC: what an operator switched off stays off */
    uint16_t intensity;    /* per mille, times the operator's */
    hk_fir_design_t prior; /* weights at start and after a restart; sum |w| <= 1.0 before the exponent */
    uint16_t taps;         /* fxnlms: weights that adapt, a multiple of 32; the others fade out */
    int32_t step_q31;      /* fxnlms, hybrid, fdaf: 0 < step < 1 */
    int32_t leak_q31;      /* fxnlms, hybrid, fdaf: weight loss per update, 0: none */
    float forget;          /* warped_ls, hybrid: the covariance is multiplied by this per equation */
    float ridge;           /* warped_ls, hybrid: of the mean diagonal */
    float start_ridge;     /* warped_ls, hybrid: added at start, fading */
} hk_category_settings_t;

#define HK_DESIGN_CATEGORIES 57 /* noise categories, in the order of the classifier's outputs */

typedef struct {
    uint32_t abi;
    const char *spec_name;
    uint32_t rate_hz;
    uint8_t n_ears;
    uint8_t block;
    uint8_t has_error_microphone;
    uint8_t algorithm;                      /* HK_ALGORITHM_... */
    uint8_t update_block;                   /* samples per record handed to the background */
    uint8_t start_mode;                     /* HK_DESIGN_MODE_..., the values of hk_mode_t */
    int32_t full_scale_mdb_spl;             /* sound level of a full-scale sine at the microphones, in 0.001 dB */
    hk_biquad_design_t feedforward;         /* fixed filter, reference microphone to driver */
    hk_biquad_design_t transparency;        /* hear-through filter, reference microphone to driver */
    hk_biquad_design_t feedback;            /* controller, error microphone to driver */
    hk_biquad_design_t feedback_model;      /* path to the error microphone: what keeps programme out of it */
    hk_fir_design_t secondary;              /* model of the path from driver to error microphone */
    hk_fxnlms_design_t fxnlms;              /* zeros unless algorithm is HK_ALGORITHM_FXNLMS */
    hk_warped_ls_design_t warped_ls;        /* zeros unless algorithm is HK_ALGORITHM_WARPED_LS */
    hk_hybrid_design_t hybrid;              /* zeros unless algorithm is HK_ALGORITHM_HYBRID */
    hk_fdaf_design_t fdaf;                  /* zeros unless algorithm is HK_ALGORITHM_FDAF */
    const hk_category_settings_t *settings; /* rows; the first holds the spec's own */
    const uint8_t *settings_of_category;    /* HK_DESIGN_CATEGORIES rows' numbers */
    uint8_t n_settings;
    int32_t dc_block_pole_q31;
    int32_t limiter_threshold_q31;
    int32_t limiter_release_q31; /* gain recovery per sample */
    uint32_t ramp_samples;       /* mode cross-fade, from 0 to full scale */
    uint32_t watch_samples;      /* window of the divergence watch */
    int32_t watch_ratio_q16;     /* error power over its "off" estimate that raises suspicion, Q16.16 */
} hk_design_t;

extern const hk_design_t hk_design;

#endif /* HK_DESIGN_H */
