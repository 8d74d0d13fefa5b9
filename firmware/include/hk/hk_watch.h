/**
 * @file  hk_watch.h
 * @brief Divergence watch of one ear: finds out whether anti-noise helps, and mutes it when it does not.
 *
 * Method    What the error microphone would read without anti-noise cannot be measured while anti-noise plays, and an
 *           estimate from the secondary-path model is worthless exactly when that model is wrong. So the watch keeps
 *           a gain, "error level without anti-noise over reference level", measured with anti-noise muted at start
 *           (LEARNING), and RUNNING compares the error level with reference level + gain.
 *           Four things raise suspicion: 100 ms louder than that by 1 dB, a window of the design by the design's
 *           ratio, a quarter of it by 6 dB more, or weights held at their limit for 100 ms. Suspicion mutes (CHECKING)
 *           and measures the gain anew over 100 ms: only if the error was louder with anti-noise than without, by
 *           1 dB, are the weights reset to the prior and anti-noise kept muted (HOLDING) for 0.1, 0.4, ... 25.6 s,
 *           longer at each new failure and shorter after each minute without one. Otherwise the noise
 *           itself had changed: the new gain is kept, weights and all go on, and suspicion rests for 0.1, 0.2, ...
 *           3.2 s, longer with each such false alarm in a row (a quarter window still counts).
 *           While anti-noise helps, the gain follows the secondary-path model's estimate by at most 1 dB/s.
 *           Nothing is learned from silence: a muted ear stays muted in silence, where there is nothing to cancel.
 * Price     Anti-noise starts 0.1 s after the noise; a check costs about as much. A wrong model can still play
 *           anti-noise of the wrong sign for 0.1 s per hold: 0.4 % of the time in the long run.
 * Numbers   Powers in units of 2^-48 of full-scale power, levels in 0.01 dB.
 * Context   Background. Its decisions act when the job's results are committed.
 */
#ifndef HK_WATCH_H
#define HK_WATCH_H

#include "hk/hk_app.h" /* hk_watch_state_t */
#include <stdbool.h>   /* bool */
#include <stdint.h>    /* int32_t, uint32_t, uint64_t */

typedef struct {
    uint32_t quarter_jobs; /* jobs per quarter window, at least 1 */
    uint32_t slow_jobs;    /* jobs per 100 ms, a multiple of 4 * quarter_jobs */
    uint32_t settle_jobs;  /* jobs until muting has reached the error microphone */
    uint32_t minute_jobs;  /* jobs per minute */
    int32_t ratio_cdb;     /* error over "off" in a window that raises suspicion */
} hk_watch_design_t;

/** Mean powers of one job. */
typedef struct {
    uint64_t reference;    /* sums over n_reference and n_error samples */
    uint64_t with_anti;    /* error microphone, programme removed */
    uint64_t without_anti; /* the same with anti-noise removed as the secondary-path model has it */
    uint32_t n_reference;
    uint32_t n_error;
    bool wanted;        /* hk_record_t */
    bool quiet;         /* hk_record_t */
    bool out_of_bounds; /* hk_control_stats_t */
    bool masked;        /* programme louder at the error microphone than all else by 15 dB: its remains would decide */
} hk_watch_input_t;

typedef struct {
    uint64_t reference, with_anti, without_anti; /* sums */
    uint32_t jobs;
} hk_watch_sums_t;

typedef struct {
    const hk_watch_design_t *design;
    hk_watch_state_t state;
    hk_watch_sums_t quarter;
    hk_watch_sums_t window;
    hk_watch_sums_t slow;
    int32_t gain_cdb;      /* error without anti-noise over reference; valid after LEARNING */
    int32_t suspect_cdb;   /* error over reference that raised suspicion */
    uint32_t settle;       /* jobs to wait until sums count */
    uint32_t held;         /* 100 ms of HOLDING to go */
    uint32_t failures;     /* log4 of the next hold in 100 ms */
    uint32_t false_alarms; /* in a row */
    uint32_t rest;         /* 100 ms without suspicion to go */
    uint32_t calm_jobs;    /* RUNNING since the last failure, or since the last minute */
    uint32_t bounded_jobs; /* jobs of these 100 ms with the weights at their limit */
    uint32_t checks;
    uint32_t restarts;
    /* Decisions. */
    bool mute;
    bool reset; /* weights = prior, once */
    /* Figures of the last 100 ms. HK_LEVEL_SILENT_CDB: none. */
    int32_t reference_cdb;
    int32_t error_cdb;
    int32_t attenuation_cdb;
    bool has_attenuation;
} hk_watch_t;

/** Below this the reference counts as silence: 2 dB above the self-noise of a 30 dB SPL microphone at 120 dB SPL full
 *  scale. Higher would leave quiet rooms alone, lower would adapt to the microphone's own noise. */
#define HK_WATCH_SILENCE_CDB (-8800)

void hk_watch_init(hk_watch_t *watch, const hk_watch_design_t *design);

/** One job. Afterwards watch->mute and watch->reset say what to do. */
void hk_watch_step(hk_watch_t *watch, const hk_watch_input_t *input);

#endif /* HK_WATCH_H */
