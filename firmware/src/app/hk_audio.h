/**
 * @file  hk_audio.h
 * @brief Audio path of one ear: microphones and programme in, driver out, a record of it for the background.
 *
 *     reference -> DC block -+-> feedforward --+
 *                            +-> control ------+-> anti-noise -> gain --+
 *                            +-> transparency -------------------> gain -+-> limiter -> driver
 *     programme ---------------------------------------------------------+
 *     error -> DC block -> less what programme and transparency are      |
 *                          meant to sound like -> feedback -> gain ------+
 *
 * Numbers   Samples Q1.31, gains Q30. Sums are 64 bits wide up to the limiter.
 * Context   Audio interrupt; hk_audio_init in the thread before audio starts.
 */
#ifndef HK_AUDIO_H
#define HK_AUDIO_H

#include "hk/hk_audio_page.h" /* hk_audio_page_t */
#include "hk/hk_control.h"    /* hk_record_t, hk_control_ops_t */
#include "hk/hk_dc_block.h"   /* hk_dc_block_t */
#include "hk/hk_limiter.h"    /* hk_limiter_t */
#include "hk/hk_ramp.h"       /* hk_ramp_t */

/** What this ear is asked to do. */
typedef struct {
    int32_t anti_q30;         /* gain of the anti-noise that mode and intensity want */
    int32_t transparency_q30; /* gain of the hear-through filter */
    bool mute;                /* the watch, or starvation, forbids anti-noise */
} hk_audio_request_t;

typedef struct {
    int32_t other[HK_CONFIG_LATENCY_SAMPLES]; /* programme and transparency that have played, a ring ... */
    uint32_t oldest;                          /* ... and what reaches the error microphone with this block */
    hk_dc_block_t reference_dc;
    hk_dc_block_t error_dc;
    hk_ramp_t anti;
    hk_ramp_t transparency;
    hk_limiter_t limiter;
    uint32_t saturations;
    uint32_t overloads;
} hk_audio_ear_t;

void hk_audio_init(hk_audio_ear_t *audio, const hk_design_t *design);

/** Aim the gains. Muting ramps four times as fast as a change of mode. */
void hk_audio_aim(hk_audio_ear_t *audio, const hk_design_t *design, const hk_audio_request_t *request);

/** One block of one ear, written to `record` from sample `at` on. */
void hk_audio_run(hk_audio_ear_t *audio, uint32_t ear, hk_audio_page_t *page, const hk_control_ops_t *ops,
                  hk_record_t *record, uint32_t at);

#endif /* HK_AUDIO_H */
