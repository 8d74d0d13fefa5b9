/**
 * @file  hk_warped_ls.c
 * @brief Warped FIR by recursive regularised least squares.
 */
#include "hk/hk_warped_ls.h"

#include "hk_config.h"
#if HK_CONFIG_ALGORITHM == HK_ALGORITHM_WARPED_LS

#include "hk/hk_fixed.h"   /* hk_magnitude, hk_saturate */
#include "hk/hk_kernels.h" /* hk_kernel_{warped,regressors,enter}_run */
#include "hk_ldl.h"
#include "hk_warped_weights.h"
#include <string.h> /* memcpy, memset */

#define TAPS     ((uint32_t)HK_CONFIG_WARPED_TAPS)
#define MODEL    ((uint32_t)HK_CONFIG_WARPED_SECONDARY_TAPS)
#define SECTIONS (TAPS + MODEL - 1U)
#define PACKED   HK_LDL_SIZE(TAPS)
#define BATCH    4U

/* Slices of one job. */
#define SLICE_COLLECT 0U
#define SLICE_COPY    1U
#define SLICE_UPDATE  2U
#define N_UPDATE      4U /* of a quarter of the rows each job */
#define SLICE_SOLVE   (SLICE_UPDATE + N_UPDATE)
#define N_SOLVE       3U
#define SLICE_FADE    (SLICE_SOLVE + N_SOLVE)
#define N_SLICES      (SLICE_FADE + 1U)

#define SHIFT       26   /* 31 - HK_WARPED_GUARD_BITS: dot product to samples, before the exponent */
#define FLOOR_RIDGE 1.0F /* LSB^2: keeps a covariance of nothing solvable */

_Static_assert(HK_CONFIG_WARPED_TAPS % 4 == 0 && HK_CONFIG_WARPED_TAPS >= 4, "the dot product takes four at a time");
_Static_assert(HK_CONFIG_WARPED_SECONDARY_TAPS % 4 == 0 && HK_CONFIG_WARPED_SECONDARY_TAPS >= 4, "the same");
_Static_assert(HK_CONFIG_SECONDARY_TAPS > 0, "warped_ls needs an error microphone and a secondary-path model");
_Static_assert(31U - HK_WARPED_GUARD_BITS == SHIFT, "one scaling");

typedef struct {
    float r[TAPS][BATCH];
    float target[BATCH];
} batch_t;

typedef struct {
    /* Interrupt. */
    int32_t chain[SECTIONS];
    int32_t snapshot[SECTIONS]; /* written while no job is under way */
    bool restart;               /* weights were reset: the job starts afresh */
    /* Background. */
    hk_warped_weights_t weights;
    batch_t batch[2];
    uint32_t filling; /* batch being collected; the other is being entered */
    uint32_t phase;   /* equations in it */
    bool entering;    /* the other batch is full */
    bool collected;   /* an equation came in this job */
    uint32_t wait;    /* jobs until the next equation */
    uint32_t until_solve;
    float covariance[PACKED];
    float right[TAPS];
    float extra_ridge; /* of the start, fading */
} ear_t;

static const hk_warped_ls_design_t *design;
static const hk_category_settings_t *settings;
static ear_t ears[HK_CONFIG_EARS];
static float regressor_scale;                /* regressors and targets in LSB of a sample */
static float forget_batch;                   /* forget^BATCH */
static uint32_t rows[BATCH * N_UPDATE + 1U]; /* row groups of equal area */

/* One factorisation at a time: the ears take turns. */
static struct {
    hk_ldl_t ldl;
    uint32_t owner; /* ear, or HK_CONFIG_EARS: free */
    float a[PACKED];
    float x[TAPS];
    float row_work[HK_LDL_SIDE * TAPS];
    float pivot[TAPS];
} solver;

static void start_afresh(ear_t *s, uint32_t ear) {
    memset(s->batch, 0, sizeof s->batch);
    memset(s->covariance, 0, sizeof s->covariance);
    memset(s->right, 0, sizeof s->right);
    s->filling = 0U;
    s->phase = 0U;
    s->entering = false;
    s->wait = 0U;
    s->until_solve = design->solve_jobs + ear * (design->solve_jobs / HK_CONFIG_EARS);
    hk_warped_weights_start(&s->weights, &settings->prior);
    s->extra_ridge = settings->start_ridge;
    if (solver.owner == ear) {
        solver.owner = HK_CONFIG_EARS;
    }
}

static bool in_range(const hk_category_settings_t *s) {
    return hk_warped_weights_fit(&s->prior) && s->forget > 0.0F && s->forget < 1.0F && s->ridge > 0.0F &&
           s->start_ridge >= 0.0F;
}

static hk_status_t check(const hk_design_t *headset) {
    const hk_warped_ls_design_t *d = &headset->warped_ls;
    if (d->secondary.n_taps != MODEL || d->secondary.taps == 0) {
        return HK_ERR_ABI;
    }
    bool fits = d->one_minus_lambda_q32 > 0 && d->equation_jobs > 0U && d->solve_jobs >= BATCH * d->equation_jobs &&
                d->start_fade >= 0.0F && d->start_fade < 1.0F;
    for (uint32_t i = 0U; i < headset->n_settings; i++) {
        fits = fits && in_range(&headset->settings[i]);
    }
    return fits ? HK_OK : HK_ERR_RANGE;
}

static void configure(const hk_category_settings_t *wanted) {
    settings = wanted;
    forget_batch = wanted->forget * wanted->forget * wanted->forget * wanted->forget;
}

/* Work per slice that spreads a solution over nine tenths of an ear's share of the interval: the busiest job counts. */
static uint32_t solve_budget(void) {
    const uint32_t slices = N_SOLVE * (design->solve_jobs / HK_CONFIG_EARS);
    return 10U * hk_ldl_work(TAPS) / (9U * slices) + 1U;
}

static hk_status_t init(const hk_design_t *headset) {
    const hk_status_t status = check(headset);
    if (status != HK_OK) {
        return status;
    }
    design = &headset->warped_ls;
    configure(&headset->settings[0]);
    memset(ears, 0, sizeof ears);
    memset(&solver, 0, sizeof solver);
    solver.owner = HK_CONFIG_EARS;
    solver.ldl.n = TAPS;
    solver.ldl.a = solver.a;
    solver.ldl.x = solver.x;
    solver.ldl.row_work = solver.row_work;
    solver.ldl.pivot = solver.pivot;
    solver.ldl.budget = solve_budget();
    regressor_scale = (float)(1UL << design->secondary.exponent) * (1.0F / (float)(1UL << SHIFT));
    uint32_t row = 0U;
    for (uint32_t group = 0U; group < BATCH * N_UPDATE; group++) {
        rows[group] = row;
        while (row < TAPS && hk_ldl_row(row) * BATCH * N_UPDATE < (group + 1U) * PACKED) {
            row++;
        }
    }
    rows[BATCH * N_UPDATE] = TAPS;
    for (uint32_t i = 0U; i < HK_CONFIG_EARS; i++) {
        hk_warped_weights_play(&ears[i].weights, &settings->prior);
        start_afresh(&ears[i], i);
    }
    return HK_OK;
}

/* ---- interrupt --------------------------------------------------------------------------------------------------- */

static void filter(uint32_t ear, const int32_t *x, int32_t *y) {
    ear_t *s = &ears[ear];
    const hk_warped_weights_t *w = &s->weights;
    for (uint32_t n = 0U; n < HK_CONFIG_BLOCK; n++) {
        const int64_t sum =
            hk_kernel_warped_run(s->chain, w->active, design->one_minus_lambda_q32, x[n] >> HK_WARPED_GUARD_BITS);
        y[n] = hk_saturate(sum >> (SHIFT - w->exponent));
    }
}

static void commit(uint32_t ear) {
    hk_warped_weights_commit(&ears[ear].weights);
}

static void reset(uint32_t ear) {
    hk_warped_weights_play(&ears[ear].weights, &settings->prior);
    ears[ear].restart = true;
}

static void hand_over(uint32_t ear, bool gap) {
    (void)gap; /* the chain lives in the interrupt and misses nothing */
    memcpy(ears[ear].snapshot, ears[ear].chain, sizeof ears[ear].snapshot);
}

/* ---- background -------------------------------------------------------------------------------------------------- */

/* Least shift with which the model's sums over this chain fit 32 bits, as sum |model| <= 2^31: quiet signals keep all
 * their bits. */
static uint32_t regressor_shift(const int32_t *chain) {
    uint32_t any = 1U;
    for (uint32_t k = 0U; k < SECTIONS; k++) {
        any |= hk_magnitude(chain[k]);
    }
    return 32U - (uint32_t)__builtin_clz(any);
}

/* Take an equation when one is due. */
static void collect(ear_t *s, uint32_t ear, const hk_control_input_t *input) {
    if (s->restart) {
        s->restart = false;
        start_afresh(s, ear);
    }
    s->collected = false;
    if (!input->adapt) {
        return;
    }
    s->until_solve -= (s->until_solve > 0U) ? 1U : 0U;
    if (s->wait > 0U) {
        s->wait--;
        return;
    }
    s->wait = design->equation_jobs - 1U;
    if (s->phase == BATCH) {
        s->phase = 0U;
        s->filling ^= 1U;
        s->entering = true;
    }
    batch_t *batch = &s->batch[s->filling];
    int32_t r[TAPS];
    const uint32_t shift = regressor_shift(s->snapshot);
    hk_kernel_regressors_run(s->snapshot, design->secondary.taps, shift, r);
    const float scale = (float)(1UL << shift) * regressor_scale;
    for (uint32_t k = 0U; k < TAPS; k++) {
        batch->r[k][s->phase] = (float)r[k] * scale;
    }
    batch->target[s->phase] = (float)input->target;
    s->phase++;
    s->collected = true;
}

/* Start a factorisation when one is due, the covariance holds whole batches only, and the solver is free. */
static void copy(ear_t *s, uint32_t ear) {
    if (s->until_solve > 0U || solver.owner != HK_CONFIG_EARS || !s->collected || s->phase != 1U) {
        return;
    }
    float trace = 0.0F;
    for (uint32_t i = 0U; i < TAPS; i++) {
        trace += s->covariance[hk_ldl_row(i) + i];
    }
    const float mean = trace * (1.0F / (float)TAPS);
    const float ridge = (settings->ridge + s->extra_ridge) * mean + FLOOR_RIDGE;
    const float pull = s->extra_ridge * mean; /* the start's ridge holds on to the prior */
    memcpy(solver.a, s->covariance, sizeof solver.a);
    for (uint32_t i = 0U; i < TAPS; i++) {
        solver.a[hk_ldl_row(i) + i] += ridge;
        solver.x[i] = pull * hk_warped_weights_of(&settings->prior, i) - s->right[i];
    }
    s->until_solve = design->solve_jobs;
    s->extra_ridge *= design->start_fade;
    solver.owner = ear;
    hk_ldl_start(&solver.ldl);
}

/* Enter four equations into some rows. */
static void enter(ear_t *s, uint32_t first, uint32_t end) {
    const batch_t *b = &s->batch[s->filling ^ 1U];
    for (uint32_t i = first; i < end; i++) {
        const float *r = b->r[i];
        const float factors[1U + BATCH] = {forget_batch, r[0], r[1], r[2], r[3]};
        hk_kernel_enter_run(&s->covariance[hk_ldl_row(i)], b->r[0], i / 4U + 1U, factors);
        s->right[i] = forget_batch * s->right[i] + r[0] * b->target[0] + r[1] * b->target[1] + r[2] * b->target[2] +
                      r[3] * b->target[3];
    }
}

static void enter_slice(ear_t *s, uint32_t index) {
    if (s->collected && s->entering) {
        const uint32_t group = (s->phase - 1U) * N_UPDATE + index;
        enter(s, rows[group], rows[group + 1U]);
    }
}

static void solve(ear_t *s, uint32_t ear) {
    if (solver.owner != ear) {
        return;
    }
    hk_ldl_step(&solver.ldl);
    if (solver.ldl.state == HK_LDL_DONE) {
        hk_warped_weights_aim(&s->weights, solver.x, design->solve_jobs);
        solver.owner = HK_CONFIG_EARS;
    } else if (solver.ldl.state == HK_LDL_REFUSED) {
        hk_warped_weights_refuse(&s->weights);
        solver.owner = HK_CONFIG_EARS;
    }
}

static void slice(uint32_t ear, uint32_t index, const hk_control_input_t *input) {
    ear_t *s = &ears[ear];
    if (index == SLICE_COLLECT) {
        collect(s, ear, input);
    } else if (index == SLICE_COPY) {
        copy(s, ear);
    } else if (index < SLICE_SOLVE) {
        enter_slice(s, index - SLICE_UPDATE);
    } else if (index < SLICE_FADE) {
        solve(s, ear);
    } else {
        hk_warped_weights_step(&s->weights);
    }
}

static void stats(uint32_t ear, hk_control_stats_t *out) {
    hk_warped_weights_stats(&ears[ear].weights, out);
}

const hk_control_ops_t hk_warped_ls_ops = {
    .name = "warped_ls",
    .wants_target = true,
    .init = init,
    .configure = configure,
    .filter = filter,
    .commit = commit,
    .reset = reset,
    .hand_over = hand_over,
    .slices = N_SLICES,
    .slice = slice,
    .stats = stats,
};

#endif /* HK_CONFIG_ALGORITHM */
