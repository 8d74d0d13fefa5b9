/**
 * @file  hk_control.h
 * @brief What an adaptive controller is to the rest of the firmware. Every algorithm joins behind these operations.
 *
 * Time is counted in update blocks of HK_CONFIG_UPDATE_BLOCK samples. While block k plays, the interrupt writes its
 * record; at its end the background gets the record as job k and has the whole of block k + 1 for it; at the start of
 * block k + 2 the interrupt commits the result. So what an update does, and when, never depends on preemption. A job
 * that is late is counted as an overrun, commits at a later boundary, and the records made meanwhile are dropped: the
 * next job then starts with `gap` set.
 *
 * Numbers   Samples Q1.31.
 */
#ifndef HK_CONTROL_H
#define HK_CONTROL_H

#include "hk/hk_design.h" /* hk_design_t */
#include "hk/hk_status.h" /* hk_status_t, HK_MUST_CHECK */
#include "hk_config.h"    /* HK_CONFIG_EARS, HK_CONFIG_UPDATE_BLOCK */
#include <stdbool.h>      /* bool */
#include <stdint.h>       /* int32_t, uint32_t */

/** What happened at one ear during one update block. All signals are of the same sample indices. */
typedef struct {
    int32_t reference[HK_CONFIG_UPDATE_BLOCK]; /* reference microphone, DC removed */
    int32_t error[HK_CONFIG_UPDATE_BLOCK];     /* error microphone, DC removed */
    int32_t fixed[HK_CONFIG_UPDATE_BLOCK];     /* fixed filter's part of the anti-noise, at full gain */
    int32_t anti[HK_CONFIG_UPDATE_BLOCK];      /* anti-noise at full gain: what would have played at intensity 1 */
    int32_t played[HK_CONFIG_UPDATE_BLOCK];    /* anti-noise as it played: mode, intensity and limiter applied */
    int32_t back[HK_CONFIG_UPDATE_BLOCK];      /* feedback as it played, beside the anti-noise */
    int32_t other[HK_CONFIG_UPDATE_BLOCK];     /* programme and transparency as they played */
    uint32_t overload;                         /* input samples at the rails */
    bool wanted;                               /* mode and intensity ask for anti-noise */
    bool quiet;                                /* no anti-noise played in the whole block */
} hk_record_t;

/** One ear's part of a job, made by the application from the record before the controller sees it. */
typedef struct {
    const int32_t *reference; /* HK_CONFIG_UPDATE_BLOCK samples */
    const int32_t *error;     /* as the error microphone would read if exactly the full-gain anti-noise had played */
    int32_t target;           /* the same for the block's last sample, had only the fixed filter's part played */
    const int32_t *heard;     /* the error microphone as it read, DC removed */
    const int32_t *beside;    /* what played, but for feedback, less the fixed filter's part at full gain */
    bool programme;           /* some of that is programme or transparency */
    uint32_t trust_q16;       /* share of the error that is not programme: what a step is worth, unity 2^16 */
    bool adapt;               /* false: keep histories up to date, leave the weights */
} hk_control_input_t;

/** Figures for statistics and for the divergence watch. */
typedef struct {
    uint64_t weight_norm; /* sum of w^2, in units of 2^-32 of (1.0)^2 */
    uint32_t updates;     /* weight updates committed */
    uint32_t clipped;     /* weights held at a limit, or solves refused */
    bool out_of_bounds;   /* the design's bound on the weights is broken: the watch acts at once */
} hk_control_stats_t;

/** A controller. The application calls them in the order of the table; `ear` < HK_CONFIG_EARS. */
typedef struct {
    const char *name;
    bool wants_error;  /* hk_control_input_t.error is made for it; else it is undefined */
    bool wants_target; /* hk_control_input_t.target is made for it; else it is undefined */
    bool wants_beside; /* hk_control_input_t.beside is made for it; else it is undefined */
    bool learns_muted; /* jobs may adapt while the watch mutes: what plays, or does not, is part of its equations */

    /** Thread, audio stopped. Bind the design, clear all state, weights = prior. */
    hk_status_t (*init)(const hk_design_t *design);

    /** Thread, between two jobs: what acts from the next job on, and the prior of restarts. Weights move on from where
     *  they are. Called once before audio starts. Null: the controller has nothing to set. */
    void (*configure)(const hk_category_settings_t *settings);

    /** Audio interrupt: full-gain anti-noise of HK_CONFIG_BLOCK samples. Integer only, bounded. */
    void (*filter)(uint32_t ear, const int32_t *x, int32_t *y);

    /** Audio interrupt, at an update block's end: make the finished job's results of this ear act. */
    void (*commit)(uint32_t ear);

    /** Audio interrupt, right after commit, no job under way: weights = prior, in bounded time. */
    void (*reset)(uint32_t ear);

    /** Audio interrupt, last thing at an update block's end: the background gets the block just recorded.
     *  Snapshots that belong to it are taken here. `gap`: records before this one were dropped. */
    void (*hand_over)(uint32_t ear, bool gap);

    /** Thread: slices per job and ear; constant, so that the load can be spread evenly over a block. */
    uint32_t slices;

    /** Thread: slice `index` (0..slices - 1) of the job of one ear. Bounded; preempted by the interrupt at will. */
    void (*slice)(uint32_t ear, uint32_t index, const hk_control_input_t *input);

    /** Audio interrupt, or thread within a critical section. */
    void (*stats)(uint32_t ear, hk_control_stats_t *stats);
} hk_control_ops_t;

/** The controller HK_CONFIG_ALGORITHM selects. */
const hk_control_ops_t *hk_control_ops(void);

#endif /* HK_CONTROL_H */
