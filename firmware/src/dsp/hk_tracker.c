/**
 * @file  hk_tracker.c
 * @brief Warped FIR that identifies the secondary path: equations, jobs, auxiliary noise.
 */
#include "hk/hk_tracker.h"

#include "hk_config.h"
#if HK_CONFIG_ALGORITHM == HK_ALGORITHM_WARPED_LS_TRACKING

#include "hk/hk_fixed.h"     /* hk_saturate */
#include "hk/hk_kernels.h"   /* hk_kernel_{warped,played,equaliser,inverse,enter}_run, HK_KERNEL_SLICE */
#include "hk/hk_warped_ls.h" /* HK_WARPED_GUARD_BITS */
#include "hk_fit.h"
#include "hk_tracker_solve.h"
#include "hk_warped_weights.h"
#include <string.h> /* memcpy, memmove, memset */

#define K     HK_TRACKER_K
#define S     HK_TRACKER_S
#define N     HK_TRACKER_N
#define M     HK_TRACKER_M
#define J     ((uint32_t)HK_CONFIG_WEIGHTING_TAPS)
#define BLOCK ((uint32_t)HK_CONFIG_UPDATE_BLOCK)
#define BATCH 4U

#define X_SECTIONS (N + J - 1U)
#define U_SECTIONS (S + J - 1U)

/* Slices of one job. */
#define SLICE_CHAINS  0U
#define N_CHAINS      (BLOCK / HK_KERNEL_SLICE)
#define SLICE_COLLECT (SLICE_CHAINS + N_CHAINS)
#define SLICE_UPDATE  (SLICE_COLLECT + 1U)
#define N_UPDATE      4U /* of a quarter of the rows each job */
#define SLICE_SOLVE   (SLICE_UPDATE + N_UPDATE)
#define N_SOLVE       16U
#define SLICE_FADE    (SLICE_SOLVE + N_SOLVE)
#define N_SLICES      (SLICE_FADE + 1U)

#define SHIFT       26            /* 31 - HK_WARPED_GUARD_BITS: dot product to samples, before the exponent */
#define NOISE_BITS  4U            /* 1 / (1 - pole) of the noise's colour is at most 16 */
#define LEAST_LEVEL 1e-9F         /* of full scale: nothing is heard of it */
#define MOST_LEVEL  0.03F         /* of full scale, whatever the residual */
#define UNITY       2147483648.0F /* full scale */
/* Caution after a solution that was refused, and its slow return. */
#define MORE         8.0F
#define LESS         0.97F
#define MOST_CAUTION 1e4F
#define SEED         2463534242UL    /* Marsaglia's, of xorshift32 */
#define CHAIN_UNIT   (UNITY / 32.0F) /* full scale on a chain */

_Static_assert(31U - HK_WARPED_GUARD_BITS == SHIFT, "one scaling");
_Static_assert(HK_CONFIG_SECONDARY_TAPS > 0, "the tracker needs an error microphone");

typedef struct {
    float r[M][BATCH];
    float error[BATCH];
} batch_t;

/* What goes over the rows of the covariance while the next batch is collected. */
typedef enum {
    PASS_NONE,
    PASS_ENTER,   /* the last batch enters */
    PASS_COPY,    /* the solver takes the rows; the last batch is lost */
    PASS_REWRITE, /* the secondary path becomes unknown, and the primary path stays as known as it was; the same */
} pass_t;

typedef struct {
    /* Interrupt. */
    int32_t chain[X_SECTIONS];
    int32_t taken[X_SECTIONS];    /* the chain at this block's instant */
    uint32_t at;                  /* sample of the block */
    uint32_t instant;             /* of the block's equation, another in each: a steady beat would alias harmonics */
    int32_t snapshot[X_SECTIONS]; /* the chain at the job's instant; written while no job is under way */
    uint32_t job_instant;
    hk_warped_weights_t weights;
    uint32_t random;
    int32_t noise; /* coloured */
    volatile int32_t level_q31;
    bool restart; /* weights were reset: the job starts afresh */
    bool gap;     /* records were dropped: the chain of what was played is torn */
    /* Background. */
    int32_t played[U_SECTIONS];
    int32_t heard[J]; /* chain of the error microphone */
    batch_t batch[2];
    uint32_t filling; /* batch being collected */
    uint32_t phase;   /* equations in it */
    bool collected;   /* one came in this job */
    pass_t pass;
    bool rewrite;    /* the next pass is */
    uint32_t wait;   /* jobs until the next equation */
    uint32_t settle; /* jobs until the chains are whole again */
    uint32_t until_solve;
    uint32_t hurry; /* jobs in which solutions come faster */
    uint32_t doubt; /* jobs in which another detection means that the primary path has changed as well */
    float age;      /* equations since the start, as far as the memory grows */
    float scale;    /* of the evidence, with the next batch */
    float covariance[HK_LDL_SIZE(M)];
    float right[M];
    float fresh[N]; /* right side of a rewrite in work */
    float p[N];
    float s[S];
    float toward[K];   /* where the extra ridge pulls: the prior, or nothing after harm */
    float extra_ridge; /* of the weights, fading by ... */
    float extra_fade;  /* ... this per solution */
    float caution;     /* times the settings' ridge: a few tones leave a covariance single precision cannot factor */
    hk_fit_t fit;
} ear_t;

static const hk_warped_ls_design_t *design;
static const hk_tracking_design_t *tracking;
static const hk_category_settings_t *settings;
static ear_t ears[HK_CONFIG_EARS];
static uint32_t rows[BATCH * N_UPDATE + 1U]; /* row groups of equal area */
static uint32_t settle_jobs;                 /* the chain of what was played has forgotten */

/* One solution at a time: the ears take turns. */
static hk_tracker_solver_t solver;
static uint32_t owner; /* ear, or HK_CONFIG_EARS: free */

/* Update blocks from one solution to the next. */
static uint32_t interval(const ear_t *s) {
    return (s->hurry > 0U) ? tracking->hurry_solve_jobs : design->solve_jobs;
}

static void start_afresh(ear_t *s, uint32_t ear) {
    const float unit = (float)(1UL << design->secondary.exponent) * (1.0F / UNITY);
    memset(s->batch, 0, sizeof s->batch);
    memset(s->covariance, 0, sizeof s->covariance);
    memset(s->right, 0, sizeof s->right);
    memset(s->p, 0, sizeof s->p);
    for (uint32_t k = 0U; k < S; k++) {
        s->s[k] = (float)design->secondary.taps[k] * unit;
    }
    s->filling = 0U;
    s->phase = 0U;
    s->pass = PASS_NONE;
    s->rewrite = false;
    s->wait = 0U;
    s->age = 0.0F;
    s->caution = 1.0F;
    s->scale = 1.0F;
    s->doubt = 0U;
    s->hurry = tracking->hurry_jobs;
    s->until_solve = ear * (interval(s) / HK_CONFIG_EARS) + 1U;
    s->extra_ridge = settings->start_ridge;
    s->extra_fade = design->start_fade;
    s->level_q31 = 0;
    for (uint32_t k = 0U; k < K; k++) {
        s->toward[k] = hk_warped_weights_of(&settings->prior, k);
    }
    hk_warped_weights_start(&s->weights, &settings->prior);
    hk_fit_start(&s->fit, tracking);
    if (owner == ear) {
        owner = HK_CONFIG_EARS;
    }
}

static bool in_range(const hk_category_settings_t *s) {
    return hk_warped_weights_fit(&s->prior) && s->forget > 0.0F && s->forget < 1.0F && s->ridge > 0.0F &&
           s->start_ridge >= 0.0F;
}

static hk_status_t check(const hk_design_t *headset) {
    const hk_warped_ls_design_t *d = &headset->warped_ls;
    const hk_tracking_design_t *t = &d->tracking;
    if (d->secondary.n_taps != S || d->secondary.taps == 0 || t->weighting == 0 || t->auxiliary_correlation == 0) {
        return HK_ERR_ABI;
    }
    bool fits = d->one_minus_lambda_q32 > 0 && d->equation_jobs > 0U && d->solve_jobs >= BATCH * d->equation_jobs &&
                d->start_fade >= 0.0F && d->start_fade < 1.0F;
    fits = fits && t->hold > 0.0F && t->change_ratio > 1.0F && t->change_keeps > 0.0F && t->harm_ratio > 1.0F &&
           t->fast > 0.0F && t->fast <= 1.0F && t->hurry_solve_jobs >= 2U * BATCH * HK_CONFIG_EARS * d->equation_jobs &&
           t->delay > 0U && t->delay < BLOCK && t->slow > 0.0F && t->slow <= t->fast && t->auxiliary_rms > 0.0F &&
           t->auxiliary_pole_q31 >= 0 && t->fade_jobs > 0U;
    for (uint32_t i = 0U; i < headset->n_settings; i++) {
        fits = fits && in_range(&headset->settings[i]);
    }
    return fits ? HK_OK : HK_ERR_RANGE;
}

static void configure(const hk_category_settings_t *wanted) {
    settings = wanted;
}

/* Slices a solution has, so that the ears' turns fill the interval; the copy takes a batch's time. */
static uint32_t solve_slices(const ear_t *s) {
    const uint32_t jobs = interval(s) / HK_CONFIG_EARS - BATCH * design->equation_jobs;
    return N_SOLVE * jobs;
}

static hk_status_t init(const hk_design_t *headset) {
    const hk_status_t status = check(headset);
    if (status != HK_OK) {
        return status;
    }
    design = &headset->warped_ls;
    tracking = &design->tracking;
    configure(&headset->settings[0]);
    memset(ears, 0, sizeof ears);
    owner = HK_CONFIG_EARS;
    memset(&solver, 0, sizeof solver);
    /* A section delays low frequencies by (1 + lambda) / (1 - lambda) samples, at most 2 / (1 - lambda). */
    const uint32_t delay = (uint32_t)((2ULL << 32) / (uint32_t)design->one_minus_lambda_q32);
    settle_jobs = U_SECTIONS * delay / BLOCK + 1U;
    uint32_t row = 0U;
    for (uint32_t group = 0U; group < BATCH * N_UPDATE; group++) {
        rows[group] = row;
        while (row < M && hk_ldl_row(row) * BATCH * N_UPDATE < (group + 1U) * HK_LDL_SIZE(M)) {
            row++;
        }
    }
    rows[BATCH * N_UPDATE] = M;
    for (uint32_t i = 0U; i < HK_CONFIG_EARS; i++) {
        ears[i].random = SEED + i;
        hk_warped_weights_play(&ears[i].weights, &settings->prior);
        start_afresh(&ears[i], i);
    }
    return HK_OK;
}

/* ---- interrupt --------------------------------------------------------------------------------------------------- */

/* One sample of coloured noise at its level. */
static int32_t auxiliary(ear_t *s) {
    uint32_t r = s->random;
    r ^= r << 13;
    r ^= r >> 17;
    r ^= r << 5;
    s->random = r;
    s->noise = (int32_t)(((int64_t)s->noise * tracking->auxiliary_pole_q31) >> 31) + ((int32_t)r >> NOISE_BITS);
    return (int32_t)(((int64_t)s->noise * s->level_q31) >> 31);
}

static void filter(uint32_t ear, const int32_t *x, int32_t *y) {
    ear_t *s = &ears[ear];
    const hk_warped_weights_t *w = &s->weights;
    int32_t flat[HK_CONFIG_BLOCK];
    for (uint32_t n = 0U; n < HK_CONFIG_BLOCK; n++) {
        const int64_t sum =
            hk_kernel_warped_run(s->chain, w->active, design->one_minus_lambda_q32, x[n] >> HK_WARPED_GUARD_BITS);
        flat[n] = hk_saturate((sum >> (SHIFT - w->exponent)) + auxiliary(s));
        if (s->at == s->instant) {
            memcpy(s->taken, s->chain, sizeof s->taken);
        }
        s->at++;
    }
#if HK_CONFIG_EQUALISER_SECTIONS > 0
    hk_kernel_equaliser_run(ear, flat, y);
#else
    memcpy(y, flat, sizeof flat);
#endif
}

static void commit(uint32_t ear) {
    hk_warped_weights_commit(&ears[ear].weights);
}

static void reset(uint32_t ear) {
    hk_warped_weights_play(&ears[ear].weights, &settings->prior);
    ears[ear].restart = true;
}

static void hand_over(uint32_t ear, bool gap) {
    ear_t *s = &ears[ear];
    s->gap = gap;
    s->job_instant = s->instant;
    memcpy(s->snapshot, s->taken, sizeof s->snapshot);
    s->at = 0U;
    s->instant = s->random % (BLOCK - tracking->delay);
}

/* ---- background: chains and equations ---------------------------------------------------------------------------- */

/* The error's chain: a few sections, in plain C, the same arithmetic as the generated chains. */
static void hear(ear_t *s, int32_t in) {
    int32_t before = s->heard[0];
    int32_t now = in;
    s->heard[0] = in;
    for (uint32_t k = 1U; k < J; k++) {
        const int32_t past = s->heard[k];
        const int32_t difference = past - now;
        const int64_t lost = (int64_t)design->one_minus_lambda_q32 * difference;
        now = before + difference + (int32_t)(((1LL << 31) - lost) >> 32);
        s->heard[k] = now;
        before = past;
    }
}

/* n sections of a chain as the equations see them, into one equation of a batch. */
static void weigh(const int32_t *chain, uint32_t n, float (*to)[BATCH], uint32_t at) {
    float whole[X_SECTIONS];
    float seen[N];
    for (uint32_t k = 0U; k < n + J - 1U; k++) {
        whole[k] = (float)chain[k];
    }
#if HK_CONFIG_WEIGHTING_TAPS > 1
    hk_kernel_weigh_run(whole, tracking->weighting, seen, n);
#else
    memcpy(seen, whole, n * sizeof seen[0]);
#endif
    for (uint32_t k = 0U; k < n; k++) {
        to[k][at] = seen[k];
    }
}

static float weighted_error(const int32_t *chain) {
    float sum = 0.0F;
    for (uint32_t j = 0U; j < J; j++) {
        sum += tracking->weighting[j] * (float)chain[j];
    }
    return sum;
}

/* Eight samples of what was played and of what was heard onto their chains; the equation's part of either when it is
 * due. */
static void move_chains(ear_t *s, uint32_t ear, uint32_t at, const hk_control_input_t *input) {
    int32_t flat[HK_KERNEL_SLICE];
#if HK_CONFIG_EQUALISER_SECTIONS > 0
    hk_kernel_inverse_run(ear, &input->beside[at], flat);
#else
    (void)ear;
    memcpy(flat, &input->beside[at], sizeof flat);
#endif
    static const int32_t none[1] = {0};
    batch_t *batch = &s->batch[s->filling];
    for (uint32_t n = 0U; n < HK_KERNEL_SLICE; n++) {
        (void)hk_kernel_played_run(s->played, none, design->one_minus_lambda_q32, flat[n] >> HK_WARPED_GUARD_BITS);
        hear(s, input->heard[at + n] >> HK_WARPED_GUARD_BITS);
        if (at + n == s->job_instant) {
            weigh(s->played, S, &batch->r[N], s->phase);
        }
        if (at + n == s->job_instant + tracking->delay) {
            batch->error[s->phase] = weighted_error(s->heard);
        }
    }
}

static void cancel(ear_t *s, uint32_t ear) {
    if (owner == ear) {
        owner = HK_CONFIG_EARS;
        s->until_solve = 0U;
    }
}

/* The primary path has changed as well, or the filter does harm although the secondary path was fitted anew: what is
 * known counts little, and both paths begin as at the start. */
static void begin_anew(ear_t *s) {
    s->rewrite = false;
    s->scale = tracking->harm_keeps;
    s->age = 0.0F;
    memset(s->toward, 0, sizeof s->toward);
    s->extra_ridge = settings->start_ridge;
    s->extra_fade = design->start_fade;
}

static void react(ear_t *s, uint32_t ear, hk_fit_verdict_t verdict) {
    static const float nothing[K];
    cancel(s, ear);
    s->hurry = tracking->hurry_jobs;
    if (s->doubt == 0U) {
        s->rewrite = true;
    } else {
        begin_anew(s);
        if (verdict == HK_FIT_HARM) {
            hk_warped_weights_aim(&s->weights, nothing, tracking->fade_jobs);
        }
    }
    s->doubt = tracking->hurry_jobs;
}

/* What the estimates say of this equation, for the watch on the fit. */
static hk_fit_verdict_t judge(ear_t *s, const batch_t *batch, uint32_t at) {
    float of_played = 0.0F;
    for (uint32_t k = 0U; k < S; k++) {
        of_played += s->s[k] * batch->r[N + k][at];
    }
    float of_reference = 0.0F;
    for (uint32_t k = 0U; k < N; k++) {
        of_reference += s->p[k] * batch->r[k][at];
    }
    const float error = batch->error[at];
    const hk_fit_input_t input = {
        .error = error,
        .silence = error - of_played,
        .prediction = error - of_played - of_reference,
        .reference = batch->r[0][at],
    };
    return hk_fit_step(&s->fit, tracking, &input);
}

/* A batch is full: choose what goes over the rows during the next four equations. */
static void turn_batch(ear_t *s, uint32_t ear) {
    s->phase = 0U;
    s->filling ^= 1U;
    s->age += (float)BATCH;
    if (s->rewrite) {
        s->rewrite = false;
        s->pass = PASS_REWRITE;
        s->until_solve = interval(s) / 2U;
        memset(s->fresh, 0, sizeof s->fresh);
    } else if (s->until_solve == 0U && owner == HK_CONFIG_EARS) {
        owner = ear;
        solver.stage = HK_TRACKER_IDLE;
        s->pass = PASS_COPY;
        s->until_solve = interval(s);
    } else {
        s->pass = PASS_ENTER;
    }
}

/* Take an equation when one is due. */
static void collect(ear_t *s, uint32_t ear, const hk_control_input_t *input) {
    s->collected = false;
    if (s->restart) {
        s->restart = false;
        start_afresh(s, ear);
        return;
    }
    s->settle = s->gap ? settle_jobs : s->settle;
    if (!input->adapt || s->settle > 0U) {
        s->settle -= (s->settle > 0U) ? 1U : 0U;
        return;
    }
    s->until_solve -= (s->until_solve > 0U) ? 1U : 0U;
    s->hurry -= (s->hurry > 0U) ? 1U : 0U;
    s->doubt -= (s->doubt > 0U) ? 1U : 0U;
    if (s->wait > 0U) {
        s->wait--;
        return;
    }
    s->wait = design->equation_jobs - 1U;
    batch_t *batch = &s->batch[s->filling];
    weigh(s->snapshot, N, batch->r, s->phase);
    const hk_fit_verdict_t verdict = judge(s, batch, s->phase);
    if (verdict != HK_FIT_STEADY) {
        react(s, ear, verdict);
    }
    s->collected = true;
    s->phase++;
    if (s->phase == BATCH) {
        turn_batch(s, ear);
    }
}

/* ---- background: passes over the covariance ---------------------------------------------------------------------- */

/* Share of the evidence that a batch leaves. At the start the memory is half as long as there was anything to remember:
 * what the chains held while they filled would spoil a deep fit. */
static float forgetting(const ear_t *s) {
    const float forget = settings->forget * settings->forget * settings->forget * settings->forget;
    const float half = (s->age < tracking->least_memory) ? tracking->least_memory : s->age;
    const float growing = 1.0F - 2.0F * (float)BATCH / half;
    return (growing < forget) ? growing : forget;
}

/* Enter four equations into some rows. */
static void enter(ear_t *s, uint32_t first, uint32_t end) {
    const batch_t *b = &s->batch[s->filling ^ 1U];
    const float forget = forgetting(s) * s->scale;
    for (uint32_t i = first; i < end; i++) {
        const float *r = b->r[i];
        const float factors[1U + BATCH] = {forget, r[0], r[1], r[2], r[3]};
        hk_kernel_enter_run(&s->covariance[hk_ldl_row(i)], b->r[0], i / 4U + 1U, factors);
        s->right[i] =
            forget * s->right[i] + r[0] * b->error[0] + r[1] * b->error[1] + r[2] * b->error[2] + r[3] * b->error[3];
    }
    s->scale = (end == M) ? 1.0F : s->scale;
}

/* Make of some rows what they would be had the last seconds been silent, with the primary path that is known: it stays
 * as well known as it was, and the secondary path is free to be fitted from what the wrong filter plays. */
static void rewrite(ear_t *s, uint32_t first, uint32_t end) {
    const float keep = tracking->change_keeps;
    for (uint32_t i = first; i < end; i++) {
        float *row = &s->covariance[hk_ldl_row(i)];
        if (i >= N) {
            memset(row, 0, 4U * (i / 4U + 1U) * sizeof row[0]);
            s->right[i] = 0.0F;
            continue;
        }
        float sum = row[i] * s->p[i];
        row[i] *= keep;
        for (uint32_t j = 0U; j < i; j++) {
            sum += row[j] * s->p[j];
            s->fresh[j] += row[j] * s->p[i];
            row[j] *= keep;
        }
        s->fresh[i] += sum;
    }
    for (uint32_t i = 0U; end == M && i < N; i++) {
        s->right[i] = keep * s->fresh[i];
    }
}

static void start_solution(ear_t *s) {
    const hk_tracker_ridges_t ridges = {
        .paths = settings->ridge * s->caution, .hold = tracking->hold, .weights = s->extra_ridge, .toward = s->toward};
    hk_tracker_solve_start(&solver, &ridges, s->s, solve_slices(s));
    s->extra_ridge *= s->extra_fade;
}

static void pass_slice(ear_t *s, uint32_t ear, uint32_t index) {
    if (!s->collected || s->pass == PASS_NONE) {
        return;
    }
    const uint32_t group = s->phase * N_UPDATE + index;
    const uint32_t first = rows[group];
    const uint32_t end = rows[group + 1U];
    if (s->pass == PASS_ENTER) {
        enter(s, first, end);
    } else if (s->pass == PASS_REWRITE) {
        rewrite(s, first, end);
    } else if (owner == ear) {
        hk_tracker_solve_copy(&solver, s->covariance, s->right, first, end);
        if (end == M) {
            start_solution(s);
        }
    }
}

/* ---- background: solutions --------------------------------------------------------------------------------------- */

/* Square root: three steps from a guess by halving the exponent. */
static float root(float x) {
    if (!(x > 0.0F)) {
        return 0.0F;
    }
    uint32_t bits = 0U;
    memcpy(&bits, &x, sizeof bits);
    bits = (bits >> 1) + 0x1FC00000UL;
    float y = 0.0F;
    memcpy(&y, &bits, sizeof y);
    for (uint32_t i = 0U; i < 3U; i++) {
        y = 0.5F * (y + x / y);
    }
    return y;
}

/* The auxiliary noise, as far below the residual as the design wants it when it has passed the secondary path. */
static void set_level(ear_t *s, bool programme) {
    float power = 0.0F;
    for (uint32_t d = 0U; d < S; d++) {
        float at = 0.0F;
        for (uint32_t k = d; k < S; k++) {
            at += s->s[k] * s->s[k - d];
        }
        power += ((d == 0U) ? 1.0F : 2.0F) * tracking->auxiliary_correlation[d] * at;
    }
    const float residual = (s->fit.error.fast < s->fit.error.slow) ? s->fit.error.fast : s->fit.error.slow;
    const float gain = root(power) * tracking->auxiliary_rms * CHAIN_UNIT;
    float level = (gain > 0.0F) ? tracking->auxiliary * root(residual) / gain : 0.0F;
    level = (level < MOST_LEVEL) ? level : MOST_LEVEL;
    s->level_q31 = (programme || !(level > LEAST_LEVEL)) ? 0 : (int32_t)(level * UNITY);
}

static void solve(ear_t *s, uint32_t ear, const hk_control_input_t *input) {
    if (owner != ear || solver.stage == HK_TRACKER_IDLE) {
        return;
    }
    hk_tracker_solve_step(&solver);
    if (solver.stage == HK_TRACKER_DONE) {
        memcpy(s->p, solver.p, sizeof s->p);
        memcpy(s->s, solver.s, sizeof s->s);
        hk_warped_weights_aim(&s->weights, solver.x, (s->hurry > 0U) ? tracking->fade_jobs : interval(s));
        set_level(s, input->programme);
        s->caution = (s->caution > 1.0F / LESS) ? s->caution * LESS : 1.0F;
        owner = HK_CONFIG_EARS;
    } else if (solver.stage == HK_TRACKER_REFUSED) {
        s->caution = (s->caution < MOST_CAUTION) ? s->caution * MORE : s->caution;
        s->until_solve = 0U;
        hk_warped_weights_refuse(&s->weights);
        owner = HK_CONFIG_EARS;
    }
}

static void slice(uint32_t ear, uint32_t index, const hk_control_input_t *input) {
    ear_t *s = &ears[ear];
    if (index < SLICE_COLLECT) {
        move_chains(s, ear, index * HK_KERNEL_SLICE, input);
    } else if (index == SLICE_COLLECT) {
        collect(s, ear, input);
    } else if (index < SLICE_SOLVE) {
        pass_slice(s, ear, index - SLICE_UPDATE);
    } else if (index < SLICE_FADE) {
        solve(s, ear, input);
    } else {
        hk_warped_weights_step(&s->weights);
    }
}

static void stats(uint32_t ear, hk_control_stats_t *out) {
    hk_warped_weights_stats(&ears[ear].weights, out);
}

const hk_control_ops_t hk_tracker_ops = {
    .name = "warped_ls_tracking",
    .wants_beside = true,
    .learns_muted = true,
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
