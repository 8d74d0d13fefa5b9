/**
 * @file  hk_fdaf.c
 * @brief Frequency-domain adaptive filter: filter in the interrupt, one weight update per 128 samples in the
 * background.
 */
#include "hk/hk_fdaf.h"

#include "hk_config.h"
#if HK_CONFIG_ALGORITHM == HK_ALGORITHM_FDAF

#include "hk/hk_fixed.h"   /* hk_saturate, hk_magnitude */
#include "hk/hk_kernels.h" /* hk_kernel_control_run, hk_kernel_secondary_run */
#include "hk_fft.h"
#include "hk_weights.h"
#include <string.h> /* memcpy, memset */

#define TAPS       ((uint32_t)HK_CONFIG_CONTROL_TAPS)
#define BLOCK      HK_FDAF_BLOCK
#define FRAME      HK_FFT_SIZE
#define PARTITIONS (TAPS / BLOCK)
#define BINS       (FRAME / 2U + 1U)
#define JOB        ((uint32_t)HK_CONFIG_UPDATE_BLOCK)
#define JOBS       (BLOCK / JOB) /* per update */

/* Steps of one update. */
#define STEP_SPLIT    HK_FFT_STAGES
#define STEP_GAIN     (STEP_SPLIT + 1U)
#define N_GAIN        4U
#define STEP_PAIR     (STEP_GAIN + N_GAIN)
#define PAIR_INVERSE  2U
#define PAIR_WEIGHTS  (PAIR_INVERSE + HK_FFT_STAGES)
#define STEPS_OF_PAIR (PAIR_WEIGHTS + 2U)
#define STEP_FINISH   (STEP_PAIR + STEPS_OF_PAIR * PARTITIONS / 2U)
#define STEPS         (STEP_FINISH + 1U)

/* Slices of one job. */
#define STEPS_OF_JOB  ((STEPS + JOBS - 1U) / JOBS)
#define SLICE_COLLECT (STEPS_OF_JOB + JOB / HK_KERNEL_SLICE)

#define POWER_SHARE 0.1F /* of the latest block in a bin's mean power: 0.01 lets a sudden noise overshoot */
#define DELTA_LIMIT 1073741824.0F

_Static_assert(HK_FFT_SIZE == 2U * HK_FDAF_BLOCK, "overlap-save takes two blocks");
_Static_assert(HK_CONFIG_CONTROL_TAPS % 256 == 0 && HK_CONFIG_CONTROL_TAPS > 0, "partitions are adapted two by two");
_Static_assert(HK_CONFIG_UPDATE_BLOCK % 8 == 0 && 128 % HK_CONFIG_UPDATE_BLOCK == 0, "a block is whole jobs");
_Static_assert(HK_CONFIG_SECONDARY_TAPS > 0, "the filter needs an error microphone and a secondary-path model");

typedef struct {
    float re;
    float im;
} bin_t;

typedef struct {
    const int32_t *active; /* what the interrupt filters with: a bank, or the prior */
    int32_t bank[2][TAPS];
    uint64_t norm; /* of the active weights */
    uint32_t updates;
    uint32_t clipped;
    bool active_clipped;
    bool restart; /* the weights were reset: the update under way is void */
    bool ready;   /* next is complete and waits for commit */

    /* The block being collected. */
    int32_t xf[FRAME]; /* filtered reference, oldest first: the last block, then this one */
    int32_t error[BLOCK];
    uint32_t job;       /* of this block */
    uint32_t trust_q16; /* the least of its jobs */
    bool adapt;         /* every job so far may move the weights */
    uint32_t settle;    /* jobs until histories are whole again after dropped records */

    /* The update under way. */
    float z[2U * FRAME]; /* transform, in place */
    bin_t spectra[PARTITIONS][BINS];
    uint32_t newest; /* row of the latest spectrum; older ones follow */
    bin_t weighted[BINS];
    float power[BINS];
    float scale;   /* from the inverse transform to LSB of a weight */
    bool loaded;   /* z holds a block */
    bool updating; /* it changes the weights */
    int32_t *next; /* the bank it writes */
    uint64_t next_sum;
    uint64_t next_norm;
    bool next_clipped;
} ear_t;

static const hk_fdaf_design_t *design;
static const hk_category_settings_t *settings;
static uint64_t prior_norm;
static ear_t ears[HK_CONFIG_EARS];

static void configure(const hk_category_settings_t *wanted) {
    prior_norm = hk_weights_norm(wanted->prior.taps, TAPS);
    settings = wanted;
}

static void reset(uint32_t ear) {
    ear_t *s = &ears[ear];
    s->active = settings->prior.taps;
    s->norm = prior_norm;
    s->active_clipped = false;
    s->ready = false;
    s->restart = true;
}

static bool in_range(const hk_category_settings_t *s) {
    return s->prior.n_taps == TAPS && s->prior.exponent == HK_CONFIG_CONTROL_EXPONENT && s->prior.taps != 0 &&
           s->step_q31 > 0 && s->leak_q31 >= 0;
}

static hk_status_t init(const hk_design_t *headset) {
    const hk_fdaf_design_t *d = &headset->fdaf;
    if (headset->settings[0].prior.n_taps != TAPS || headset->secondary.n_taps != HK_CONFIG_SECONDARY_TAPS) {
        return HK_ERR_ABI;
    }
    if (!(d->regularisation > 0.0F) || d->weight_sum_limit == 0U || d->weight_sum_limit > (1ULL << 31)) {
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

/* ---- interrupt --------------------------------------------------------------------------------------------------- */

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
        ears[ear].settle = (HK_CONFIG_CONTROL_TAPS + HK_CONFIG_SECONDARY_TAPS) / JOB + 2U * JOBS;
    }
}

/* ---- collecting a block ------------------------------------------------------------------------------------------ */

static void filter_reference(ear_t *s, uint32_t ear, uint32_t at, const int32_t *reference) {
    hk_kernel_secondary_run(ear, HK_KERNEL_STREAM_REFERENCE, &reference[at], &s->xf[BLOCK + s->job * JOB + at]);
}

static uint32_t bits_of(const int32_t *x, uint32_t n) {
    uint32_t any = 0U;
    for (uint32_t i = 0U; i < n; i++) {
        any |= hk_magnitude(x[i]);
    }
    return (any == 0U) ? 0U : 32U - (uint32_t)__builtin_clz(any);
}

static float power_of_two(int32_t exponent) {
    return (exponent >= 0) ? (float)(1UL << (uint32_t)exponent) : 1.0F / (float)(1UL << (uint32_t)-exponent);
}

/* Reference and error of the whole block into one transform. The error is raised to the reference's level: what one
 * signal's rounding leaves in the other then is as small as its own. */
static void load(ear_t *s) {
    const uint32_t xf_bits = bits_of(s->xf, FRAME);
    const uint32_t e_bits = bits_of(s->error, BLOCK);
    const int32_t raised = (int32_t)xf_bits - (int32_t)e_bits;
    const float raise = power_of_two(raised);
    for (uint32_t n = 0U; n < FRAME; n++) {
        s->z[2U * n] = (float)s->xf[n];
        s->z[2U * n + 1U] = (n < BLOCK) ? 0.0F : (float)s->error[n - BLOCK] * raise;
    }
    s->updating = s->adapt && xf_bits > 0U && e_bits > 0U;
    s->scale = power_of_two(31 - (int32_t)HK_CONFIG_CONTROL_EXPONENT) / (float)FRAME * power_of_two(-raised) *
               ((float)s->trust_q16 * (1.0F / 65536.0F));
    s->newest = (s->newest == 0U) ? PARTITIONS - 1U : s->newest - 1U;
    s->loaded = true;
    memcpy(s->xf, &s->xf[BLOCK], BLOCK * sizeof s->xf[0]);
}

static void collect(ear_t *s, const hk_control_input_t *input) {
    memcpy(&s->error[s->job * JOB], input->error, JOB * sizeof s->error[0]);
    const bool first = s->job == 0U;
    const bool may = input->adapt && s->settle == 0U;
    s->adapt = may && (first || s->adapt);
    s->trust_q16 = (first || input->trust_q16 < s->trust_q16) ? input->trust_q16 : s->trust_q16;
    s->settle -= (s->settle > 0U) ? 1U : 0U;
    s->job++;
    if (s->job == JOBS) {
        s->job = 0U;
        load(s);
    }
}

/* ---- the update, in steps ---------------------------------------------------------------------------------------- */

/* The last update acts by now. */
static void begin(ear_t *s) {
    s->next = (s->active == s->bank[0]) ? s->bank[1] : s->bank[0];
    s->next_sum = 0U;
    s->next_norm = 0U;
    s->next_clipped = false;
}

static const bin_t *spectrum(const ear_t *s, uint32_t partition) {
    const uint32_t row = s->newest + partition;
    return s->spectra[(row < PARTITIONS) ? row : row - PARTITIONS];
}

/* The two real signals' spectra out of the complex one's: X[k] = Z[k] + conj Z[-k], E[k] = (Z[k] - conj Z[-k]) / i. */
static void split(ear_t *s) {
    bin_t *reference = s->spectra[s->newest];
    for (uint32_t k = 0U; k < BINS; k++) {
        const float *here = &s->z[2U * hk_fft_place(k)];
        const float *there = &s->z[2U * hk_fft_place((FRAME - k) % FRAME)];
        reference[k].re = 0.5F * (here[0] + there[0]);
        reference[k].im = 0.5F * (here[1] - there[1]);
        s->weighted[k].re = 0.5F * (here[1] + there[1]);
        s->weighted[k].im = 0.5F * (there[0] - here[0]);
    }
}

/* The error's spectrum times each bin's own step. */
static void weigh(ear_t *s, uint32_t first, uint32_t end) {
    const float step = (float)settings->step_q31 * (1.0F / 2147483648.0F);
    for (uint32_t k = first; k < end; k++) {
        float latest = 0.0F;
        for (uint32_t p = 0U; p < PARTITIONS; p++) {
            const bin_t x = s->spectra[p][k];
            latest += x.re * x.re + x.im * x.im;
        }
        s->power[k] += POWER_SHARE * (latest - s->power[k]);
        const float larger = (latest > s->power[k]) ? latest : s->power[k];
        const float gain = step / (larger + design->regularisation);
        s->weighted[k].re *= gain;
        s->weighted[k].im *= gain;
    }
}

/* Gradients of two partitions, conj(X) * E each, as the one complex spectrum whose transform has them as real and
 * imaginary part. */
static void correlate(ear_t *s, uint32_t pair, uint32_t first, uint32_t end) {
    const bin_t *x = spectrum(s, 2U * pair);
    const bin_t *older = spectrum(s, 2U * pair + 1U);
    for (uint32_t k = first; k < end; k++) {
        const bin_t e = s->weighted[k];
        const bin_t a = {x[k].re * e.re + x[k].im * e.im, x[k].re * e.im - x[k].im * e.re};
        const bin_t b = {older[k].re * e.re + older[k].im * e.im, older[k].re * e.im - older[k].im * e.re};
        float *here = &s->z[2U * hk_fft_place(k)];
        float *there = &s->z[2U * hk_fft_place((FRAME - k) % FRAME)];
        there[0] = a.re + b.im;
        there[1] = b.re - a.im;
        here[0] = a.re - b.im;
        here[1] = b.re + a.im;
    }
}

/* One partition's weights, from the real (0) or imaginary (1) part of the transform. */
static void update(ear_t *s, uint32_t partition, uint32_t part) {
    const uint32_t last = TAPS - 1U - partition * BLOCK; /* last tap first: its earliest tap stands last */
    for (uint32_t j = 0U; j < BLOCK; j++) {
        const int32_t w = s->active[last - j];
        const int32_t leak = (int32_t)(((int64_t)w * settings->leak_q31) >> 31);
        float delta = s->z[2U * j + part] * s->scale;
        delta = (delta < DELTA_LIMIT) ? delta : DELTA_LIMIT;
        delta = (delta > -DELTA_LIMIT) ? delta : -DELTA_LIMIT;
        const int32_t next = hk_saturate((int64_t)w - leak - (int32_t)delta);
        s->next[last - j] = next;
        s->next_sum += hk_magnitude(next);
        s->next_norm += hk_weights_square(next);
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

static void step_of_pair(ear_t *s, uint32_t pair, uint32_t step) {
    if (step < PAIR_INVERSE) {
        correlate(s, pair, step * (BINS / 2U), (step == 0U) ? BINS / 2U : BINS);
    } else if (step < PAIR_WEIGHTS) {
        hk_fft_inverse(s->z, step - PAIR_INVERSE);
    } else {
        update(s, 2U * pair + step - PAIR_WEIGHTS, step - PAIR_WEIGHTS);
    }
}

/* Spectra and powers are kept up to date even where the weights stay. */
static void run_step(ear_t *s, uint32_t step) {
    if (step == 0U) {
        begin(s);
    }
    if (step < STEP_SPLIT) {
        hk_fft_forward(s->z, step);
    } else if (step == STEP_SPLIT) {
        split(s);
    } else if (step < STEP_PAIR) {
        const uint32_t first = (step - STEP_GAIN) * (BINS / N_GAIN);
        weigh(s, first, (step == STEP_PAIR - 1U) ? BINS : first + BINS / N_GAIN);
    } else if (s->updating && step < STEP_FINISH) {
        step_of_pair(s, (step - STEP_PAIR) / STEPS_OF_PAIR, (step - STEP_PAIR) % STEPS_OF_PAIR);
    } else if (s->updating && step == STEP_FINISH) {
        finish(s);
    }
}

static void slice(uint32_t ear, uint32_t index, const hk_control_input_t *input) {
    ear_t *s = &ears[ear];
    if (index == 0U && s->restart) {
        s->restart = false;
        s->updating = false;
    }
    if (index == SLICE_COLLECT) {
        collect(s, input);
    } else if (index >= STEPS_OF_JOB) {
        filter_reference(s, ear, (index - STEPS_OF_JOB) * HK_KERNEL_SLICE, input->reference);
    } else if (s->loaded) {
        run_step(s, s->job * STEPS_OF_JOB + index);
    }
}

static void stats(uint32_t ear, hk_control_stats_t *out) {
    const ear_t *s = &ears[ear];
    out->weight_norm = s->norm;
    out->updates = s->updates;
    out->clipped = s->clipped;
    out->out_of_bounds = s->active_clipped;
}

const hk_control_ops_t hk_fdaf_ops = {
    .name = "fdaf",
    .wants_error = true,
    .init = init,
    .filter = filter,
    .commit = commit,
    .reset = reset,
    .hand_over = hand_over,
    .slices = SLICE_COLLECT + 1U,
    .slice = slice,
    .stats = stats,
    .configure = configure,
};

#endif /* HK_CONFIG_ALGORITHM */
