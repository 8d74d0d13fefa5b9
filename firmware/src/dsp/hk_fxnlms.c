/**
 * @file  hk_fxnlms.c
 * @brief Filtered-x NLMS: filter in the interrupt, one weight update per update block in the background.
 */
#include "hk/hk_fxnlms.h"

#include "hk_config.h"
#if HK_CONFIG_ALGORITHM == HK_ALGORITHM_FXNLMS

#include "hk/hk_fixed.h"   /* hk_saturate, hk_square_q48, hk_magnitude */
#include "hk/hk_kernels.h" /* hk_kernel_* */
#include "hk_weights.h"
#include <string.h> /* memset, memmove */

#define TAPS        ((uint32_t)HK_CONFIG_CONTROL_TAPS)
#define BLOCK       ((uint32_t)HK_CONFIG_UPDATE_BLOCK)
#define HISTORY     (TAPS + BLOCK - 1U)
#define GROUP       32U /* weights per slice: 32 * 32 products, as long a slice as filtering 8 samples by 128 taps */
#define SLICE_POWER (BLOCK / HK_KERNEL_SLICE)
#define SLICE_FIRST_GROUP (SLICE_POWER + 1U)
#define SLICE_FINISH      (SLICE_FIRST_GROUP + TAPS / GROUP)
#define ERROR_BITS        25U /* |e| < 2^25: 64 products with 31 bits of xf stay below 2^62 */

_Static_assert(HK_CONFIG_CONTROL_TAPS % 32 == 0, "hk_design.h asks for a multiple of 32 control taps");
_Static_assert(HK_CONFIG_UPDATE_BLOCK % 8 == 0 && HK_CONFIG_UPDATE_BLOCK <= 64, "see hk_design.h");
_Static_assert(HK_CONFIG_SECONDARY_TAPS > 0, "FxNLMS needs an error microphone and a secondary-path model");

typedef struct {
    const int32_t *active; /* what the interrupt filters with: a bank, or the prior */
    int32_t bank[2][TAPS];
    int32_t xf[HISTORY]; /* filtered reference, oldest first */
    int32_t e[BLOCK];    /* error of this block, scaled to ERROR_BITS */
    int32_t *next;       /* the bank this job writes */
    uint64_t next_sum;   /* sum |w| of the weights written so far, in LSB */
    uint64_t next_norm;  /* sum of w^2, in units of 2^-32 */
    uint64_t norm;       /* of the active weights */
    uint32_t length;     /* weights that adapt in this job: the last ones, which are the first in time */
    uint32_t settle;     /* jobs until the histories are whole again after dropped records */
    uint32_t gradient_shift;
    uint32_t step_m; /* step over power: step_m * 2^step_exponent, applied to g */
    int32_t step_exponent;
    uint32_t updates;
    uint32_t clipped;
    bool active_clipped;
    bool next_clipped;
    bool updating; /* this job changes the weights */
    bool ready;    /* next is complete and waits for commit */
} ear_t;

static const hk_fxnlms_design_t *design;
static const hk_category_settings_t *settings;
static uint32_t step_q31; /* of the settings, within its limit */
static uint64_t prior_norm;
static ear_t ears[HK_CONFIG_EARS];

static void configure(const hk_category_settings_t *wanted) {
    const uint32_t step = (uint32_t)wanted->step_q31;
    step_q31 = (step < HK_FXNLMS_STEP_LIMIT_Q31) ? step : HK_FXNLMS_STEP_LIMIT_Q31;
    prior_norm = hk_weights_norm(wanted->prior.taps, TAPS);
    settings = wanted;
}

static void reset(uint32_t ear) {
    ear_t *s = &ears[ear];
    s->active = settings->prior.taps;
    s->norm = prior_norm;
    s->active_clipped = false;
    s->ready = false;
}

static bool in_range(const hk_category_settings_t *s) {
    return s->prior.n_taps == TAPS && s->prior.exponent == HK_CONFIG_CONTROL_EXPONENT && s->prior.taps != 0 &&
           s->step_q31 > 0 && s->leak_q31 >= 0 && s->taps >= GROUP && s->taps <= TAPS && s->taps % GROUP == 0U;
}

static hk_status_t init(const hk_design_t *headset) {
    const hk_fxnlms_design_t *d = &headset->fxnlms;
    if (headset->settings[0].prior.n_taps != TAPS || headset->secondary.n_taps != HK_CONFIG_SECONDARY_TAPS) {
        return HK_ERR_ABI;
    }
    if (d->regularisation_q48 == 0U || d->weight_sum_limit == 0U || d->weight_sum_limit > (1ULL << 31)) {
        return HK_ERR_RANGE;
    }
    for (uint32_t i = 0U; i < headset->n_settings; i++) {
        if (!in_range(&headset->settings[i])) {
            return HK_ERR_RANGE;
        }
    }
    design = d;
    configure(&headset->settings[0]);
    memset(ears, 0, sizeof ears);
    for (uint32_t i = 0U; i < HK_CONFIG_EARS; i++) {
        reset(i);
    }
    return HK_OK;
}

static void filter(uint32_t ear, const int32_t *x, int32_t *y) {
    hk_kernel_control_run(ear, ears[ear].active, x, y);
}

static void commit(uint32_t ear) {
    ear_t *s = &ears[ear];
    if (s->ready) {
        s->active = s->next;
        s->norm = s->next_norm;
        s->active_clipped = s->next_clipped;
        s->updates++;
        s->clipped += s->next_clipped ? 1U : 0U;
        s->ready = false;
    }
}

static void hand_over(uint32_t ear, bool gap) {
    if (gap) {
        ears[ear].settle = (HK_CONFIG_CONTROL_TAPS + HK_CONFIG_SECONDARY_TAPS) / BLOCK + 2U;
    }
}

/* Eight samples of the reference through the secondary-path model, into the history. */
static void filter_reference(ear_t *s, uint32_t ear, uint32_t index, const int32_t *reference) {
    if (index == 0U) {
        memmove(s->xf, &s->xf[BLOCK], (TAPS - 1U) * sizeof s->xf[0]);
    }
    const uint32_t at = index * HK_KERNEL_SLICE;
    hk_kernel_secondary_run(ear, HK_KERNEL_STREAM_REFERENCE, &reference[at], &s->xf[TAPS - 1U + at]);
}

static uint32_t bits_of(uint32_t magnitude) {
    return (magnitude == 0U) ? 0U : 32U - (uint32_t)__builtin_clz(magnitude);
}

/* Powers and scales of this update. */
static void prepare(ear_t *s, const hk_control_input_t *input) {
    if (s->settle > 0U) {
        s->settle--;
    }
    s->updating = input->adapt && s->settle == 0U;
    if (!s->updating) {
        return;
    }
    s->length = settings->taps;
    uint32_t e_peak = 0U; /* as OR of magnitudes: only its highest bit counts */
    for (uint32_t n = 0U; n < BLOCK; n++) {
        e_peak |= hk_magnitude(input->error[n]);
    }
    uint32_t xf_peak = 0U;
    uint64_t power = design->regularisation_q48;
    for (uint32_t n = 0U; n < HISTORY; n++) {
        xf_peak |= hk_magnitude(s->xf[n]);
        power += (n >= HISTORY - s->length) ? hk_square_q48(s->xf[n]) : 0U;
    }
    if (e_peak == 0U || xf_peak == 0U) {
        s->updating = false;
        return;
    }
    const int32_t e_shift = (int32_t)ERROR_BITS - (int32_t)bits_of(e_peak); /* left, or right when negative */
    for (uint32_t n = 0U; n < BLOCK; n++) {
        const int32_t e = input->error[n];
        s->e[n] = (e_shift >= 0) ? (int32_t)((uint32_t)e << (uint32_t)e_shift) : e >> (uint32_t)-e_shift;
    }
    /* |sum| < 2^(ERROR_BITS + bits of xf + 6): keep 31 bits of it. */
    const uint32_t sum_bits = ERROR_BITS + bits_of(xf_peak) + 6U;
    s->gradient_shift = (sum_bits > 31U) ? sum_bits - 31U : 0U;
    const uint32_t zeros = (uint32_t)__builtin_clzll(power);
    const uint64_t step = ((uint64_t)step_q31 * input->trust_q16) >> 16;
    s->step_m = (uint32_t)((step << 31) / ((power << zeros) >> 32));
    /* g is worth 2^(gradient_shift - e_shift - 62) of full scale squared, step / power is step_m * 2^(zeros - 46), a
     * weight's LSB is 2^(exponent - 31). */
    s->step_exponent =
        (int32_t)s->gradient_shift - e_shift - 62 + (int32_t)zeros - 46 + 31 - (int32_t)HK_CONFIG_CONTROL_EXPONENT;
    s->next = (s->active == s->bank[0]) ? s->bank[1] : s->bank[0];
    s->next_sum = 0U;
    s->next_norm = 0U;
    s->next_clipped = false;
}

/* g * step_m * 2^step_exponent, rounded, saturated. */
static int32_t step_of(const ear_t *s, int32_t g) {
    const int64_t product = (int64_t)g * s->step_m;
    if (s->step_exponent >= 0) {
        return (product > 0) ? INT32_MAX : ((product < 0) ? INT32_MIN : 0);
    }
    const uint32_t places = (uint32_t)-s->step_exponent;
    if (places > 62U) {
        return 0;
    }
    return hk_saturate(((product >> (places - 1U)) + 1) >> 1);
}

static void put(ear_t *s, uint32_t index, int32_t weight) {
    s->next[index] = weight;
    s->next_sum += hk_magnitude(weight);
    s->next_norm += hk_weights_square(weight);
}

static void update_group(ear_t *s, uint32_t first) {
    int32_t g[GROUP];
    hk_kernel_gradient_run(&s->xf[first], s->e, s->gradient_shift, g, GROUP);
    for (uint32_t i = 0U; i < GROUP; i++) {
        const int32_t w = s->active[first + i];
        const int32_t leak = (int32_t)(((int64_t)w * settings->leak_q31) >> 31);
        put(s, first + i, hk_saturate((int64_t)w - leak - step_of(s, g[i])));
    }
}

/* Weights beyond the settings' length fade out, faster than one hears and slower than would click: by an eighth per
 * update, the last few bits toward zero. */
static void fade_group(ear_t *s, uint32_t first) {
    for (uint32_t i = first; i < first + GROUP; i++) {
        const int32_t w = s->active[i];
        put(s, i, (int32_t)((int64_t)w * 7 / 8));
    }
}

static void finish(ear_t *s) {
    if (s->next_sum > design->weight_sum_limit) {
        hk_weights_shrink(s->next, TAPS, s->next_sum, design->weight_sum_limit);
        s->next_norm = hk_weights_norm(s->next, TAPS);
        s->next_clipped = true;
    }
    s->ready = true;
}

static void slice(uint32_t ear, uint32_t index, const hk_control_input_t *input) {
    ear_t *s = &ears[ear];
    if (index < SLICE_POWER) {
        filter_reference(s, ear, index, input->reference);
    } else if (index == SLICE_POWER) {
        prepare(s, input);
    } else if (s->updating && index < SLICE_FINISH) {
        const uint32_t first = (index - SLICE_FIRST_GROUP) * GROUP;
        if (first + s->length < TAPS) {
            fade_group(s, first);
        } else {
            update_group(s, first);
        }
    } else if (s->updating) {
        finish(s);
    }
}

static void stats(uint32_t ear, hk_control_stats_t *out) {
    const ear_t *s = &ears[ear];
    out->weight_norm = s->norm;
    out->updates = s->updates;
    out->clipped = s->clipped;
    out->out_of_bounds = s->active_clipped;
}

const hk_control_ops_t hk_fxnlms_ops = {
    .name = "fxnlms",
    .wants_error = true,
    .init = init,
    .configure = configure,
    .filter = filter,
    .commit = commit,
    .reset = reset,
    .hand_over = hand_over,
    .slices = SLICE_FINISH + 1U,
    .slice = slice,
    .stats = stats,
};

#endif /* HK_CONFIG_ALGORITHM */
