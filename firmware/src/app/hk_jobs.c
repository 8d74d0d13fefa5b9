/**
 * @file  hk_jobs.c
 * @brief Background work on records.
 *
 * The audio interrupt preempts the thread and never the other way round, so `state` needs no lock: the interrupt writes
 * the job's fields only while the thread has none (IDLE, DONE), the thread reads them only while it has one (POSTED).
 */
#include "hk_jobs.h"

#include "hk/hk_classifier.h" /* hk_classifier_slice */
#include "hk/hk_dc_block.h"   /* hk_dc_block_run */
#include "hk/hk_fixed.h"      /* hk_saturate, hk_square_q48 */
#include "hk/hk_kernels.h"    /* hk_kernel_secondary_run, HK_KERNEL_SLICE */
#include "hk/hk_level.h"      /* hk_level_cdb */
#include <stdatomic.h>        /* atomic_signal_fence */
#include <string.h>           /* memmove, memset */

#define BLOCK       ((uint32_t)HK_CONFIG_UPDATE_BLOCK)
#define MODEL_TAPS  ((uint32_t)HK_CONFIG_SECONDARY_TAPS)
#define HISTORY     (MODEL_TAPS + BLOCK)
#define PARTS       (BLOCK / HK_KERNEL_SLICE) /* slices that make the error; the watch looks at one sample in some */
#define OWN_SLICES  (PARTS + 1U)
#define WATCH_EVERY ((MODEL_TAPS > 256U && PARTS > 1U) ? 2U : 1U) /* such slices: a long model is dear */
#define MASKING     32U /* programme over everything else: 15 dB; a short secondary-path model leaves -20 dB of it */
#define OVERLOAD_MS 50U /* no adaptation so long after an input at the rail: the converter and the filters recover */

/* Silence as hk_watch.h defines it, as mean power: 2^48 * 10^(-88 dB / 10). */
#define SILENCE_Q48 446115ULL

_Static_assert(HK_CONFIG_UPDATE_BLOCK % HK_CONFIG_BLOCK == 0, "an update block is whole audio blocks");
_Static_assert(HK_CONFIG_UPDATE_BLOCK % 8 == 0 && HK_CONFIG_UPDATE_BLOCK <= 64, "see hk_design.h");

typedef enum { JOB_IDLE, JOB_POSTED, JOB_DONE } job_state_t;

typedef struct {
    int32_t played[HISTORY]; /* anti-noise and feedback, oldest first; ends with the job's block */
    int32_t other[HISTORY];
    int32_t beside[HISTORY]; /* all that played less the fixed filter's part at full gain; only where wanted */
    hk_dc_block_t played_dc;
    hk_dc_block_t other_dc;
    hk_dc_block_t beside_dc;
    int32_t target;
    int32_t error[BLOCK]; /* for the controller */
    int32_t now[BLOCK];   /* what `beside` is of, before its DC blocker */
    uint64_t with_anti;   /* sums of the watch's samples */
    uint64_t without_anti;
    uint64_t other_power; /* of programme and transparency at the error microphone, same samples */
    uint32_t drive_idle;  /* samples for which the drive stream has been zero, up to MODEL_TAPS */
    uint32_t other_idle;  /* the same of `other` */
    uint32_t hold;        /* jobs without adaptation to go, after overload */
    uint32_t settle;      /* jobs until histories are whole, after dropped records */
    bool adapt;
    hk_watch_t watch;
} ear_t;

static hk_record_t records[2][HK_CONFIG_EARS];
static ear_t ears[HK_CONFIG_EARS];
static const hk_control_ops_t *ops;
static hk_watch_design_t watch_design;
static const hk_category_settings_t *fresh_settings; /* wait for the next job; null: none do */

static struct {
    volatile job_state_t state;
    uint32_t bank;  /* records the interrupt writes */
    uint32_t index; /* next slice */
    uint32_t job_number;
    uint32_t overruns;
    uint32_t late; /* in a row */
    uint32_t starvations;
    bool gap;     /* records were dropped since the last hand-over */
    bool job_gap; /* records were dropped before the job's */
    bool starved;
    bool muted[HK_CONFIG_EARS];
} jobs;

static uint32_t at_least_one(uint32_t value) {
    return (value == 0U) ? 1U : value;
}

void hk_jobs_init(const hk_design_t *design, const hk_control_ops_t *control) {
    memset(records, 0, sizeof records);
    memset(ears, 0, sizeof ears);
    memset(&jobs, 0, sizeof jobs);
    ops = control;
    hk_jobs_configure(&design->settings[0]);
    const uint32_t quarter = at_least_one(design->watch_samples / BLOCK / 4U);
    watch_design.quarter_jobs = quarter;
    watch_design.slow_jobs = at_least_one(design->rate_hz / 10U / BLOCK / (4U * quarter)) * 4U * quarter;
    watch_design.settle_jobs = (design->ramp_samples + MODEL_TAPS) / BLOCK + 4U;
    watch_design.minute_jobs = 60U * design->rate_hz / BLOCK;
    watch_design.ratio_cdb = hk_level_cdb((uint64_t)design->watch_ratio_q16, 16U);
    for (uint32_t i = 0U; i < HK_CONFIG_EARS; i++) {
        hk_watch_init(&ears[i].watch, &watch_design);
        jobs.muted[i] = MODEL_TAPS > 0U; /* nothing to learn without an error microphone */
        ears[i].drive_idle = MODEL_TAPS;
        ears[i].other_idle = HISTORY;
    }
}

void hk_jobs_configure(const hk_category_settings_t *settings) {
    fresh_settings = settings;
}

hk_record_t *hk_jobs_records(void) {
    return records[jobs.bank];
}

static uint32_t controller_slices(void) {
    return HK_CONFIG_EARS * (OWN_SLICES + ops->slices);
}

uint32_t hk_jobs_slices(void) {
    return controller_slices() + HK_CONFIG_CLASSIFIER * PARTS;
}

bool hk_jobs_muted(uint32_t ear) {
    return jobs.muted[ear] || jobs.starved;
}

uint32_t hk_jobs_overruns(void) {
    return jobs.overruns;
}

uint32_t hk_jobs_starvations(void) {
    return jobs.starvations;
}

const hk_watch_t *hk_jobs_watch(uint32_t ear) {
    return &ears[ear].watch;
}

bool hk_jobs_adapting(uint32_t ear) {
    return ears[ear].adapt;
}

/* ---- interrupt --------------------------------------------------------------------------------------------------- */

static void commit_all(void) {
    for (uint32_t i = 0U; i < HK_CONFIG_EARS; i++) {
        ops->commit(i);
        if (MODEL_TAPS > 0U) {
            jobs.muted[i] = ears[i].watch.mute;
            if (ears[i].watch.reset) {
                ops->reset(i);
            }
        }
    }
}

bool hk_jobs_boundary(void) {
    if (jobs.state == JOB_POSTED) {
        jobs.overruns++;
        jobs.late++;
        jobs.gap = true;
        if (jobs.late == HK_JOBS_STARVED) {
            jobs.starved = true;
            jobs.starvations++;
        }
        return false;
    }
    atomic_signal_fence(memory_order_acquire);
    if (jobs.state == JOB_DONE) {
        commit_all();
    }
    jobs.late = 0U;
    jobs.starved = false;
    for (uint32_t i = 0U; i < HK_CONFIG_EARS; i++) {
        ops->hand_over(i, jobs.gap);
    }
    jobs.job_gap = jobs.gap;
    jobs.gap = false;
    jobs.bank ^= 1U;
    jobs.index = 0U;
    jobs.job_number++;
    atomic_signal_fence(memory_order_release);
    jobs.state = JOB_POSTED;
    return true;
}

/* ---- thread ------------------------------------------------------------------------------------------------------ */

#if HK_CONFIG_SECONDARY_TAPS > 0

static bool all_zero(const int32_t *x, uint32_t n) {
    int32_t any = 0;
    for (uint32_t i = 0U; i < n; i++) {
        any |= x[i];
    }
    return any == 0;
}

/* What the secondary-path model makes of a history at one sample. */
static int32_t through_model(const int32_t *newest) {
    return hk_kernel_model_run(newest - (MODEL_TAPS - 1U));
}

/* What played, as the DC blocker lets the error microphone hear it: left out, 5 % of a tone at 40 Hz would stay. */
static void append(int32_t *history, hk_dc_block_t *dc, const int32_t *block) {
    memmove(history, &history[BLOCK], (HISTORY - BLOCK) * sizeof history[0]);
    const int32_t loss = hk_dc_block_loss(hk_design.dc_block_pole_q31);
    for (uint32_t n = 0U; n < BLOCK; n++) {
        history[HISTORY - BLOCK + n] = hk_dc_block_run(dc, loss, block[n]);
    }
}

static void begin(ear_t *s, const hk_record_t *record) {
    int32_t answer[BLOCK];
    for (uint32_t n = 0U; n < BLOCK; n++) {
        answer[n] = hk_saturate((int64_t)record->played[n] + record->back[n]);
    }
    append(s->played, &s->played_dc, answer);
    /* Without feedback, which answers the error and would be taken for a cause of it: it is part of the paths. */
    if (ops->wants_beside) {
        for (uint32_t n = 0U; n < BLOCK; n++) {
            s->now[n] = hk_saturate((int64_t)record->played[n] + record->other[n] - record->fixed[n]);
        }
    }
    if (ops->wants_target) {
        for (uint32_t n = 0U; n < BLOCK; n++) {
            answer[n] = hk_saturate((int64_t)answer[n] + record->other[n] - record->fixed[n]);
        }
        append(s->beside, &s->beside_dc, answer);
        s->target = hk_saturate((int64_t)record->error[BLOCK - 1U] - through_model(&s->beside[HISTORY - 1U]));
    }
    s->with_anti = 0U;
    s->without_anti = 0U;
    s->other_power = 0U;
    s->other_idle = all_zero(record->other, BLOCK) ? s->other_idle + BLOCK : 0U;
    if (s->other_idle > HISTORY) {
        s->other_idle = HISTORY + BLOCK; /* nothing in it but zeros: nothing to move on */
    } else {
        append(s->other, &s->other_dc, record->other);
    }
}

/* Eight samples of the error as it would be if exactly the full-gain anti-noise had played, and no feedback:
 * e + S * (anti - out). In the usual case, full gain and neither programme nor feedback, the stream is zero and so is
 * what the model makes of it. */
static void make_error(ear_t *s, uint32_t ear, const hk_record_t *record, uint32_t at) {
    int32_t drive[HK_KERNEL_SLICE];
    int32_t correction[HK_KERNEL_SLICE];
    for (uint32_t n = 0U; n < HK_KERNEL_SLICE; n++) {
        const uint32_t i = at + n;
        drive[n] = hk_saturate((int64_t)record->anti[i] - record->played[i] - record->back[i] - record->other[i]);
    }
    if (!all_zero(drive, HK_KERNEL_SLICE)) {
        s->drive_idle = 0U;
    }
    if (s->drive_idle >= MODEL_TAPS) {
        memcpy(&s->error[at], &record->error[at], sizeof drive);
        return;
    }
    s->drive_idle += HK_KERNEL_SLICE;
    hk_kernel_secondary_run(ear, HK_KERNEL_STREAM_DRIVE, drive, correction);
    for (uint32_t n = 0U; n < HK_KERNEL_SLICE; n++) {
        s->error[at + n] = hk_saturate((int64_t)record->error[at + n] + correction[n]);
    }
}

/* One sample in eight or sixteen for the watch, at another place in each block so that no tone hides between them. */
static void sample_watch(ear_t *s, const hk_record_t *record, uint32_t at) {
    const uint32_t i = at + (3U * jobs.job_number) % HK_KERNEL_SLICE;
    const uint32_t newest = HISTORY - BLOCK + i;
    const int32_t other = (s->other_idle <= HISTORY) ? through_model(&s->other[newest]) : 0;
    const int32_t with_anti = hk_saturate((int64_t)record->error[i] - other);
    const int32_t without_anti = hk_saturate((int64_t)with_anti - through_model(&s->played[newest]));
    s->with_anti += hk_square_q48(with_anti);
    s->without_anti += hk_square_q48(without_anti);
    s->other_power += hk_square_q48(other);
}

#endif

static uint64_t power_of(const int32_t *x) {
    uint64_t sum = 0U;
    for (uint32_t n = 0U; n < BLOCK; n++) {
        sum += hk_square_q48(x[n]);
    }
    return sum;
}

/* Share of the error that is not in doubt: what is left of loud programme after the secondary-path model took it out
 * would drive the weights. */
static uint32_t trust(const ear_t *s) {
    if (s->other_power == 0U) {
        return 1UL << 16;
    }
    return (uint32_t)((s->with_anti << 8) / (((s->with_anti + s->other_power) >> 8) + 1U));
}

/* Step the watch, and decide whether this job may move the weights. */
static void decide(ear_t *s, uint32_t ear, const hk_record_t *record) {
    if (jobs.job_gap) {
        s->settle = (MODEL_TAPS + BLOCK) / BLOCK + 1U;
    }
    if (record->overload > 0U) {
        s->hold = (OVERLOAD_MS * HK_CONFIG_RATE_HZ / 1000U) / BLOCK + 1U;
    }
    hk_control_stats_t control = {0};
    ops->stats(ear, &control);
    const hk_watch_input_t input = {
        .reference = power_of(record->reference),
        .with_anti = s->with_anti,
        .without_anti = s->without_anti,
        .n_reference = BLOCK,
        .n_error = PARTS / WATCH_EVERY,
        .wanted = record->wanted && MODEL_TAPS > 0U,
        .quiet = record->quiet,
        .out_of_bounds = control.out_of_bounds,
        .masked = s->other_power / MASKING > s->with_anti,
    };
    if (s->settle == 0U) {
        hk_watch_step(&s->watch, &input);
    } else {
        s->watch.reset = false;
    }
    const bool trusted = ops->learns_muted || s->watch.state == HK_WATCH_LEARNING || s->watch.state == HK_WATCH_RUNNING;
    s->adapt = record->wanted && trusted && s->hold == 0U && s->settle == 0U && input.reference >= SILENCE_Q48 * BLOCK;
    s->hold -= (s->hold > 0U) ? 1U : 0U;
    s->settle -= (s->settle > 0U) ? 1U : 0U;
}

static void own_slice(ear_t *s, uint32_t ear, uint32_t index, const hk_record_t *record) {
    if (index == PARTS) {
        decide(s, ear, record);
        return;
    }
#if HK_CONFIG_SECONDARY_TAPS > 0
    if (index == 0U) {
        begin(s, record);
    }
    if (ops->wants_error) {
        make_error(s, ear, record, index * HK_KERNEL_SLICE);
    }
    if ((index + jobs.job_number) % WATCH_EVERY == 0U) {
        sample_watch(s, record, index * HK_KERNEL_SLICE);
    }
#endif
}

static void controller_slice(uint32_t at) {
    const uint32_t per_ear = OWN_SLICES + ops->slices;
    const uint32_t ear = at / per_ear;
    const uint32_t index = at % per_ear;
    ear_t *s = &ears[ear];
    const hk_record_t *record = &records[jobs.bank ^ 1U][ear];
    if (index < OWN_SLICES) {
        own_slice(s, ear, index, record);
    } else {
        const hk_control_input_t input = {
            .reference = record->reference,
            .error = s->error,
            .target = s->target,
            .heard = record->error,
            .beside = s->now,
            .programme = s->other_idle == 0U,
            .trust_q16 = trust(s),
            .adapt = s->adapt,
        };
        ops->slice(ear, index - OWN_SLICES, &input);
    }
}

bool hk_jobs_slice(void) {
    if (jobs.state != JOB_POSTED) {
        return false;
    }
    atomic_signal_fence(memory_order_acquire);
    if (jobs.index == 0U && fresh_settings != 0) {
        if (ops->configure != 0) {
            ops->configure(fresh_settings);
        }
        fresh_settings = 0;
    }
    if (jobs.index < controller_slices()) {
        controller_slice(jobs.index);
    } else {
        const uint32_t at = (jobs.index - controller_slices()) * HK_KERNEL_SLICE;
        hk_classifier_slice(&records[jobs.bank ^ 1U][0].reference[at], HK_KERNEL_SLICE);
    }
    jobs.index++;
    if (jobs.index < hk_jobs_slices()) {
        return true;
    }
    atomic_signal_fence(memory_order_release);
    jobs.state = JOB_DONE;
    return false;
}
