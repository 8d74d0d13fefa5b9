/**
 * @file  hk_hybrid.c
 * @warped NLMS and RLS mixed: both filters in the interrupt, one equation per update block in the background.
 */
#include "hk/hk_hybrid.h"

#include "hk_config.h"
#if HK_CONFIG_ALGORITHM == HK_ALGORITHM_HYBRID

#include "hk/hk_fixed.h"     /* hk_magnitude, hk_saturate */
#include "hk/hk_kernels.h"   /* hk_kernel_{control,warped,regressors}_run */
#include "hk/hk_warped_ls.h" /* HK_WARPED_GUARD_BITS */
#include "hk_mix.h"
#include "hk_rls.h"
#include "hk_warped_chain.h"
#include <string.h> /* memcpy, memset */

#define TAPS     ((uint32_t)HK_CONFIG_CONTROL_TAPS)
#define SHORT    ((uint32_t)HK_CONFIG_WARPED_TAPS)
#define MODEL    ((uint32_t)HK_CONFIG_WARPED_SECONDARY_TAPS)
#define SECTIONS (SHORT + MODEL - 1U)
#define BLOCK    ((uint32_t)HK_CONFIG_UPDATE_BLOCK)
#define GROUP    128U /* weights of the long filter per slice */
#define GROUPS   ((TAPS + GROUP - 1U) / GROUP)

/* Slices of one job. */
#define SLICE_EQUATION (BLOCK / HK_KERNEL_SLICE)
#define SLICE_LONG     (SLICE_EQUATION + 1U)
#define SLICE_COLUMNS  (SLICE_LONG + GROUPS)
#define N_COLUMNS      4U
#define SLICE_MIX      (SLICE_COLUMNS + N_COLUMNS)
#define SLICE_UPDATE   (SLICE_MIX + 1U)
#define SLICE_BOUND    (SLICE_UPDATE + GROUPS)
#define SLICE_ROUND    (SLICE_BOUND + 1U)
#define SLICE_FINISH   (SLICE_ROUND + GROUPS)

#define SHIFT        26            /* 31 - HK_WARPED_GUARD_BITS: dot product to samples, before the exponent */
#define MAX_EXPONENT 10            /* of the short filter: sum |w| up to 1024 */
#define WITHIN       0.999F        /* of the limit: rounding of the sum */
#define FULL         2147483648.0F /* 2^31 */
#define MEASURE      8U            /* equations that measure the regressors' power before the first is used */
#define FIRST_MEMORY 32.0F         /* equations; grows by a third per equation: the ridge of the start fades in time */
#define POWER_SHARE  (1.0F / 256.0F) /* of the latest equation in the regressors' mean power */
#define POWER_FLOOR  1.0F            /* LSB^2 */

_Static_assert(HK_CONFIG_CONTROL_TAPS % 32 == 0 && HK_CONFIG_CONTROL_TAPS >= 64, "long filter: see hk_design.h");
_Static_assert(HK_CONFIG_WARPED_TAPS % 4 == 0 && HK_CONFIG_WARPED_TAPS >= 4, "the dot product takes four at a time");
_Static_assert(HK_CONFIG_SECONDARY_TAPS > 0, "the filters need an error microphone and a secondary-path model");
_Static_assert(31U - HK_WARPED_GUARD_BITS == SHIFT, "one scaling");

typedef struct {
    int32_t fir[TAPS];     /* last tap first, with the mixture's share */
    int32_t warped[SHORT]; /* on the chain, with the rest */
    int32_t exponent;      /* of warped */
} bank_t;

typedef struct {
    /* Interrupt. */
    const int32_t *fir; /* what it filters with */
    const int32_t *warped;
    int32_t exponent;
    int32_t chain[SECTIONS];
    int32_t snapshot[SECTIONS]; /* written while no job is under way */
    bool restart;               /* the weights were reset: the next job starts from the prior */
    uint32_t settle;            /* jobs until the histories are whole again after dropped records */

    /* Background. */
    bank_t bank[2];
    bank_t *next;
    bool ready;    /* next waits for commit */
    bool updating; /* this job changes the weights */
    int32_t path[MODEL];
    int32_t xf[2U * TAPS]; /* filtered reference, oldest first: a window of TAPS from `start` on */
    uint32_t start;
    float w[TAPS];  /* long filter */
    float v[SHORT]; /* short filter */
    float r[SHORT]; /* its regressors, in LSB */
    float target;
    float y_long; /* each filter's part of the error at the block's last sample, alone at full share */
    float y_short;
    float xf_power;  /* over the long filter's length */
    float step;      /* of the long filter's weights, per LSB of xf */
    float scale;     /* from the long filter's weights to LSB */
    float draw_back; /* 1, or the factor that bounds them */
    hk_mix_t mix;
    hk_rls_t rls;
    float factor[HK_RLS_SIZE(SHORT)];
    float diagonal[SHORT];
    float gain[SHORT];
    float power;  /* mean square of the regressors */
    uint32_t age; /* equations since the least squares began */
    uint32_t reset_in;
    float next_sum; /* of the long filter's |w| */
    float next_norm;
    float norm;
    uint32_t updates;
    uint32_t clipped;
    bool clipping;
} ear_t;

static const hk_hybrid_design_t *design;
static const hk_category_settings_t *settings;
static float longest_memory;             /* equations */
static float regressor_scale;            /* regressors in LSB of a sample */
static float weight_limit;               /* of the long filter's sum |w|, in LSB */
static uint32_t columns[N_COLUMNS + 1U]; /* of the triangle, in groups of equal area */
static const int32_t no_warped[SHORT];
static ear_t ears[HK_CONFIG_EARS];

/* ---- start ------------------------------------------------------------------------------------------------------- */

static void restart_rls(ear_t *s) {
    s->age = MEASURE + 1U;
    s->reset_in = design->reset_jobs;
    hk_rls_restart(&s->rls, 1.0F / (settings->start_ridge * FIRST_MEMORY * s->power + POWER_FLOOR));
}

static void start_afresh(ear_t *s) {
    const float unit = (float)(1UL << settings->prior.exponent) * (1.0F / FULL);
    for (uint32_t j = 0U; j < TAPS; j++) {
        s->w[j] = (float)settings->prior.taps[j] * unit;
    }
    memset(s->v, 0, sizeof s->v);
    s->age = 0U;
    s->power = 0.0F;
    s->reset_in = 0U;
    s->clipping = false;
    hk_mix_start(&s->mix, design->rule);
}

static void configure(const hk_category_settings_t *wanted) {
    settings = wanted;
    longest_memory = 1.0F / (1.0F - wanted->forget);
}

static void reset(uint32_t ear) {
    ear_t *s = &ears[ear];
    s->fir = settings->prior.taps;
    s->warped = no_warped;
    s->exponent = 0;
    s->norm = 0.0F;
    s->ready = false;
    s->restart = true;
}

static bool in_range(const hk_category_settings_t *s) {
    return s->prior.taps != 0 && s->prior.n_taps == TAPS && s->prior.exponent == HK_CONFIG_CONTROL_EXPONENT &&
           s->step_q31 > 0 && s->leak_q31 >= 0 && s->forget > 0.0F && s->forget < 1.0F && s->ridge > 0.0F &&
           s->start_ridge > 0.0F;
}

static hk_status_t check(const hk_design_t *headset) {
    const hk_hybrid_design_t *d = &headset->hybrid;
    if (d->secondary.n_taps != MODEL || d->secondary.taps == 0 || headset->settings[0].prior.n_taps != TAPS) {
        return HK_ERR_ABI;
    }
    bool fits = d->one_minus_lambda_q32 > 0 && d->regularisation > 0.0F && d->weight_sum_limit > 0U &&
                d->weight_sum_limit <= (1ULL << 31) && d->worst_condition > 1.0F && d->rule <= HK_HYBRID_RULE_RATE;
    for (uint32_t i = 0U; i < headset->n_settings; i++) {
        fits = fits && in_range(&headset->settings[i]);
    }
    return fits ? HK_OK : HK_ERR_RANGE;
}

static void share_columns(void) {
    uint32_t column = 0U;
    for (uint32_t group = 0U; group < N_COLUMNS; group++) {
        columns[group] = column;
        while (column < SHORT && column * column * N_COLUMNS < (group + 1U) * SHORT * SHORT) {
            column++;
        }
    }
    columns[N_COLUMNS] = SHORT;
}

static hk_status_t init(const hk_design_t *headset) {
    const hk_status_t status = check(headset);
    if (status != HK_OK) {
        return status;
    }
    design = &headset->hybrid;
    configure(&headset->settings[0]);
    regressor_scale = (float)(1UL << design->secondary.exponent) * (1.0F / (float)(1UL << SHIFT));
    weight_limit = (float)(uint32_t)(design->weight_sum_limit >> 1) * 2.0F;
    share_columns();
    memset(ears, 0, sizeof ears);
    for (uint32_t i = 0U; i < HK_CONFIG_EARS; i++) {
        ear_t *s = &ears[i];
        s->rls.n = SHORT;
        s->rls.factor = s->factor;
        s->rls.diagonal = s->diagonal;
        s->rls.gain = s->gain;
        reset(i);
    }
    return HK_OK;
}

/* ---- interrupt --------------------------------------------------------------------------------------------------- */

static void filter(uint32_t ear, const int32_t *x, int32_t *y) {
    ear_t *s = &ears[ear];
    hk_kernel_control_run(ear, s->fir, x, y);
    for (uint32_t n = 0U; n < HK_CONFIG_BLOCK; n++) {
        const int64_t sum =
            hk_kernel_warped_run(s->chain, s->warped, design->one_minus_lambda_q32, x[n] >> HK_WARPED_GUARD_BITS);
        y[n] = hk_saturate((int64_t)y[n] + hk_saturate(sum >> (SHIFT - s->exponent)));
    }
}

static void commit(uint32_t ear) {
    ear_t *s = &ears[ear];
    if (s->ready) {
        s->fir = s->next->fir;
        s->warped = s->next->warped;
        s->exponent = s->next->exponent;
        s->norm = s->next_norm;
        s->updates++;
        s->ready = false;
    }
}

static void hand_over(uint32_t ear, bool gap) {
    if (gap) { /* the chain lives in the interrupt and misses nothing */
        ears[ear].settle = (TAPS + MODEL * 64U) / BLOCK;
    }
    memcpy(ears[ear].snapshot, ears[ear].chain, sizeof ears[ear].snapshot);
}

/* ---- background: the equation ------------------------------------------------------------------------------------ */

/* One block on; back to the buffer's beginning only where its end is reached. */
static void move_window(ear_t *s) {
    s->start += BLOCK;
    if (s->start > TAPS) {
        memcpy(s->xf, &s->xf[s->start], (TAPS - BLOCK) * sizeof s->xf[0]);
        s->start = 0U;
    }
}

/* Eight samples of the reference through the secondary path, on a chain of the background's own: dearer per weight than
 * a transversal model, but a tenth of the weights reach lower. */
static void filter_reference(ear_t *s, uint32_t index, const int32_t *reference) {
    if (index == 0U) {
        move_window(s);
    }
    const uint32_t at = index * HK_KERNEL_SLICE;
    for (uint32_t n = at; n < at + HK_KERNEL_SLICE; n++) {
        hk_warped_chain_step(s->path, MODEL, design->one_minus_lambda_q32, reference[n] >> HK_WARPED_GUARD_BITS);
        const int64_t sum = hk_warped_chain_dot(s->path, design->secondary.taps, MODEL);
        s->xf[s->start + TAPS - BLOCK + n] = hk_saturate(sum >> (SHIFT - (int32_t)design->secondary.exponent));
    }
}

/* Least shift with which the model's sums over this chain fit 32 bits, as sum |model| <= 2^31. */
static uint32_t regressor_shift(const int32_t *chain) {
    uint32_t any = 1U;
    for (uint32_t k = 0U; k < SECTIONS; k++) {
        any |= hk_magnitude(chain[k]);
    }
    return 32U - (uint32_t)__builtin_clz(any);
}

static void take_regressors(ear_t *s) {
    int32_t r[SHORT];
    const uint32_t shift = regressor_shift(s->snapshot);
    hk_kernel_regressors_run(s->snapshot, design->secondary.taps, shift, r);
    const float scale = (float)(1UL << shift) * regressor_scale;
    float power = 0.0F;
    float y = 0.0F;
    for (uint32_t k = 0U; k < SHORT; k++) {
        s->r[k] = (float)r[k] * scale;
        power += s->r[k] * s->r[k];
        y += s->v[k] * s->r[k];
    }
    power *= 1.0F / (float)SHORT;
    const float share = (s->age < MEASURE) ? 1.0F / (float)(s->age + 1U) : POWER_SHARE;
    s->power += share * (power - s->power);
    s->y_short = y;
}

static bool rls_runs(const ear_t *s) {
    return s->age > MEASURE;
}

/* Whether this job learns; its equation, as far as the reference makes it. */
static void begin(ear_t *s, const hk_control_input_t *input) {
    if (s->restart) {
        s->restart = false;
        start_afresh(s);
    }
    s->updating = input->adapt && s->settle == 0U;
    s->settle -= (s->settle > 0U) ? 1U : 0U;
    if (!s->updating) {
        return;
    }
    s->target = (float)input->target;
    s->y_long = 0.0F;
    s->xf_power = 0.0F;
    take_regressors(s);
    s->age++;
    if (s->age == MEASURE || s->reset_in == 1U) {
        restart_rls(s);
    }
    s->reset_in -= (s->reset_in > 0U) ? 1U : 0U;
    const float grown = FIRST_MEMORY + (float)s->age * (1.0F / 3.0F);
    const float memory = (grown < longest_memory) ? grown : longest_memory;
    const float cap = 1.0F / (settings->ridge * memory * s->power + POWER_FLOOR * 1e-6F);
    hk_rls_begin(&s->rls, 1.0F - 1.0F / memory, cap);
}

/* What some weights of the long filter make of the filtered reference, and its power under them. */
static void take_long(ear_t *s, uint32_t group) {
    const uint32_t first = group * GROUP;
    const uint32_t end = (first + GROUP < TAPS) ? first + GROUP : TAPS;
    const int32_t *xf = &s->xf[s->start];
    float y = 0.0F;
    float y_odd = 0.0F;
    float power = 0.0F;
    float power_odd = 0.0F;
    for (uint32_t j = first; j < end; j += 2U) {
        const float x = (float)xf[j];
        const float x_odd = (float)xf[j + 1U];
        y += s->w[j] * x;
        y_odd += s->w[j + 1U] * x_odd;
        power += x * x;
        power_odd += x_odd * x_odd;
    }
    s->y_long += y + y_odd;
    s->xf_power += power + power_odd;
}

/* ---- background: its consequences -------------------------------------------------------------------------------- */

static void learn_short(ear_t *s, float error) {
    const float condition = hk_rls_condition(&s->rls);
    if (!(condition > 0.0F && condition <= design->worst_condition && s->rls.innovation > 0.0F)) {
        restart_rls(s);
        s->clipped++;
        return;
    }
    const float part = error / s->rls.innovation;
    for (uint32_t k = 0U; k < SHORT; k++) {
        s->v[k] -= s->gain[k] * part;
    }
}

static void mix(ear_t *s, uint32_t trust_q16) {
    const float trust = (float)trust_q16 * (1.0F / 65536.0F);
    const float e_long = s->target + s->y_long;
    const float e_short = s->target + s->y_short;
    hk_mix_step(&s->mix, design->rule, e_long, e_short);
    if (rls_runs(s)) {
        learn_short(s, e_short * trust);
    }
    const float step = (float)settings->step_q31 * (1.0F / FULL);
    s->step = step * trust * e_long / (design->regularisation + s->xf_power);
    s->next = (s->fir == s->bank[0].fir) ? &s->bank[1] : &s->bank[0];
    s->next_sum = 0.0F;
    s->next_norm = 0.0F;
}

static void update(ear_t *s, uint32_t group) {
    const uint32_t first = group * GROUP;
    const uint32_t end = (first + GROUP < TAPS) ? first + GROUP : TAPS;
    const float keep = 1.0F - (float)settings->leak_q31 * (1.0F / FULL);
    const int32_t *xf = &s->xf[s->start];
    float sum = 0.0F;
    float norm = 0.0F;
    for (uint32_t j = first; j < end; j++) {
        const float w = keep * s->w[j] - s->step * (float)xf[j];
        s->w[j] = w;
        sum += (w < 0.0F) ? -w : w;
        norm += w * w;
    }
    s->next_sum += sum;
    s->next_norm += norm;
}

/* Draw the long filter back where its sum, at its share, would pass the limit. */
static void bound_long(ear_t *s) {
    const float unit = FULL / (float)(1UL << HK_CONFIG_CONTROL_EXPONENT);
    const float allowed = weight_limit * WITHIN;
    const float sum = s->next_sum * s->mix.share * unit;
    s->clipping = !(sum <= allowed);
    s->draw_back = s->clipping ? allowed / sum : 1.0F;
    s->scale = s->mix.share * s->draw_back * unit;
}

static void round_long(ear_t *s, uint32_t group) {
    const uint32_t first = group * GROUP;
    const uint32_t end = (first + GROUP < TAPS) ? first + GROUP : TAPS;
    for (uint32_t j = first; j < end; j++) {
        s->next->fir[j] = (int32_t)(s->w[j] * s->scale);
    }
    if (s->clipping) {
        for (uint32_t j = first; j < end; j++) {
            s->w[j] *= s->draw_back;
        }
    }
}

/* The short filter's integers, with the least exponent that fits. @return false when none does, or it is no number. */
static bool round_short(ear_t *s) {
    const float share = 1.0F - s->mix.share;
    float sum = 0.0F;
    float norm = 0.0F;
    for (uint32_t k = 0U; k < SHORT; k++) {
        const float v = share * s->v[k];
        sum += (v < 0.0F) ? -v : v;
        norm += v * v;
    }
    int32_t exponent = 0;
    float scale = FULL;
    while (exponent < MAX_EXPONENT && !(sum * scale < 2147480000.0F)) {
        exponent++;
        scale *= 0.5F;
    }
    if (!(sum * scale < 2147480000.0F)) {
        return false;
    }
    for (uint32_t k = 0U; k < SHORT; k++) {
        s->next->warped[k] = (int32_t)(share * s->v[k] * scale);
    }
    s->next->exponent = exponent;
    s->next_norm = s->mix.share * s->mix.share * s->next_norm + norm;
    return true;
}

static void finish(ear_t *s) {
    if (!round_short(s)) {
        memset(s->v, 0, sizeof s->v);
        memset(s->next->warped, 0, sizeof s->next->warped);
        s->next->exponent = 0;
        s->age = 0U;
        s->clipping = true;
    }
    s->clipped += s->clipping ? 1U : 0U;
    s->ready = true;
}

static void slice(uint32_t ear, uint32_t index, const hk_control_input_t *input) {
    ear_t *s = &ears[ear];
    if (index < SLICE_EQUATION) {
        filter_reference(s, index, input->reference);
    } else if (index == SLICE_EQUATION) {
        begin(s, input);
    } else if (!s->updating) {
        return;
    } else if (index < SLICE_COLUMNS) {
        take_long(s, index - SLICE_LONG);
    } else if (index < SLICE_MIX) {
        if (rls_runs(s)) {
            const uint32_t group = index - SLICE_COLUMNS;
            hk_rls_columns(&s->rls, s->r, columns[group], columns[group + 1U]);
        }
    } else if (index == SLICE_MIX) {
        mix(s, input->trust_q16);
    } else if (index < SLICE_BOUND) {
        update(s, index - SLICE_UPDATE);
    } else if (index == SLICE_BOUND) {
        bound_long(s);
    } else if (index < SLICE_FINISH) {
        round_long(s, index - SLICE_ROUND);
    } else {
        finish(s);
    }
}

static void stats(uint32_t ear, hk_control_stats_t *out) {
    const ear_t *s = &ears[ear];
    const uint32_t whole = (uint32_t)s->norm; /* in two words: the 64-bit conversion would go through double */
    const uint32_t part = (uint32_t)((s->norm - (float)whole) * 4294967296.0F);
    out->weight_norm = ((uint64_t)whole << 32) | part;
    out->updates = s->updates;
    out->clipped = s->clipped;
    out->out_of_bounds = s->clipping;
}

const hk_control_ops_t hk_hybrid_ops = {
    .name = "hybrid",
    .wants_target = true,
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
