/**
 * @file  hk_jobs.h
 * @brief Background work on records: what the audio interrupt recorded in one update block becomes a job of bounded
 * slices.
 *
 * Per ear a job (1) makes the error the controller learns from, programme and gains removed with the secondary-path
 * model, (2) feeds the divergence watch, (3) runs the controller's slices. When, in samples, its results act does not
 * depend on when its slices ran: hk_control.h.
 *
 * Context   hk_jobs_boundary: audio interrupt. The rest: thread.
 */
#ifndef HK_JOBS_H
#define HK_JOBS_H

#include "hk/hk_control.h" /* hk_record_t, hk_control_ops_t */
#include "hk/hk_watch.h"   /* hk_watch_t */

/** Boundaries in a row without a finished job after which anti-noise is muted: 43 ms at 32 samples and 48 kHz. A guard
 *  against a stuck thread; a busy one must not trigger it. */
#define HK_JOBS_STARVED 64U

/** Clear everything; the watches start muted. */
void hk_jobs_init(const hk_design_t *design, const hk_control_ops_t *ops);

/** A category's settings; they act from the next job on. Thread. */
void hk_jobs_configure(const hk_category_settings_t *settings);

/** The records the audio interrupt writes now, one per ear. */
hk_record_t *hk_jobs_records(void);

/** End of an update block: commit the finished job, start the next. @return false when the background was late. */
bool hk_jobs_boundary(void);

/** One slice. @return true when more waits. */
bool hk_jobs_slice(void);

/** Slices of one job, all ears. */
uint32_t hk_jobs_slices(void);

/** Whether anti-noise of this ear is forbidden now. Audio interrupt. */
bool hk_jobs_muted(uint32_t ear);

/** Boundaries missed, and mutings for starvation, since start. */
uint32_t hk_jobs_overruns(void);
uint32_t hk_jobs_starvations(void);

/** The watch of one ear, and whether its last job let the weights move. Thread. */
const hk_watch_t *hk_jobs_watch(uint32_t ear);
bool hk_jobs_adapting(uint32_t ear);

#endif /* HK_JOBS_H */
