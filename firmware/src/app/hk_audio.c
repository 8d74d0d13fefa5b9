/**
 * @file  hk_audio.c
 * @brief Audio path of one ear.
 */
#include "hk_audio.h"

#include "hk/hk_fixed.h"   /* hk_saturate_count, hk_scale_q30 */
#include "hk/hk_kernels.h" /* hk_kernel_feedforward_run, hk_kernel_transparency_run */
#include <string.h>        /* memset */

#define BLOCK   ((uint32_t)HK_CONFIG_BLOCK)
#define LATENCY ((uint32_t)HK_CONFIG_LATENCY_SAMPLES)

/* A 24-bit converter at its rail reads 0x7FFFFF00 or 0x80000000. */
#define RAIL 0x7FFFFF00UL

/* Muting may not wait for the length of a mode's cross-fade: the headset is louder than the noise meanwhile. */
#define MUTE_HASTE 4L

static int32_t step_for(uint32_t ramp_samples) {
    const int32_t step = (int32_t)(HK_GAIN_UNITY_Q30 / (int32_t)((ramp_samples == 0U) ? 1U : ramp_samples));
    return (step > 0) ? step : 1;
}

void hk_audio_init(hk_audio_ear_t *audio, const hk_design_t *design) {
    memset(audio, 0, sizeof *audio);
    audio->anti.step_q30 = step_for(design->ramp_samples);
    audio->transparency.step_q30 = audio->anti.step_q30;
    hk_limiter_init(&audio->limiter, design->limiter_threshold_q31, design->limiter_release_q31);
}

void hk_audio_aim(hk_audio_ear_t *audio, const hk_design_t *design, const hk_audio_request_t *request) {
    const int32_t step = step_for(design->ramp_samples);
    audio->anti.target_q30 = request->mute ? 0 : request->anti_q30;
    audio->anti.step_q30 = (request->mute && step < HK_GAIN_UNITY_Q30 / MUTE_HASTE) ? step * MUTE_HASTE : step;
    audio->transparency.target_q30 = request->transparency_q30;
}

static uint32_t at_rail(int32_t x) {
    return (hk_magnitude(x) >= RAIL) ? 1U : 0U;
}

#if HK_CONFIG_FEEDBACK_SECTIONS > 0

_Static_assert(HK_CONFIG_LATENCY_SAMPLES >= HK_CONFIG_BLOCK, "a block cannot be heard before it has played");

/* What feedback plays against this block of the error microphone, at full gain. Programme and transparency are taken
 * out first, as far as a model of their path in a few sections knows them: they are to be heard. */
static void run_feedback(hk_audio_ear_t *audio, uint32_t ear, const int32_t *error, int32_t *back) {
    int32_t other[HK_CONFIG_BLOCK];
    int32_t meant[HK_CONFIG_BLOCK];
    int32_t left[HK_CONFIG_BLOCK];
    for (uint32_t n = 0U; n < BLOCK; n++) {
        other[n] = audio->other[(audio->oldest + n) % LATENCY];
    }
    hk_kernel_feedback_model_run(ear, other, meant);
    for (uint32_t n = 0U; n < BLOCK; n++) {
        left[n] = hk_saturate((int64_t)error[n] - meant[n]);
    }
    hk_kernel_feedback_run(ear, left, back);
}

static void remember_other(hk_audio_ear_t *audio, const int32_t *other) {
    for (uint32_t n = 0U; n < BLOCK; n++) {
        audio->other[(audio->oldest + n) % LATENCY] = other[n];
    }
    audio->oldest = (audio->oldest + BLOCK) % LATENCY;
}

#else

static void run_feedback(hk_audio_ear_t *audio, uint32_t ear, const int32_t *error, int32_t *back) {
    (void)audio;
    (void)ear;
    (void)error;
    memset(back, 0, HK_CONFIG_BLOCK * sizeof back[0]);
}

static void remember_other(hk_audio_ear_t *audio, const int32_t *other) {
    (void)audio;
    (void)other;
}

#endif

void hk_audio_run(hk_audio_ear_t *audio, uint32_t ear, hk_audio_page_t *page, const hk_control_ops_t *ops,
                  hk_record_t *record, uint32_t at) {
    int32_t fixed[HK_CONFIG_BLOCK];
    int32_t through[HK_CONFIG_BLOCK];
    int32_t control[HK_CONFIG_BLOCK];
    int32_t back[HK_CONFIG_BLOCK];
    const int32_t *reference_in = page->in[ear][HK_AUDIO_IN_REFERENCE];
    const int32_t *error_in = page->in[ear][HK_AUDIO_IN_ERROR];
    int32_t *x = &record->reference[at];
    const int32_t loss = hk_dc_block_loss(hk_design.dc_block_pole_q31);
    uint32_t overload = 0U;
    for (uint32_t n = 0U; n < BLOCK; n++) {
        overload += at_rail(reference_in[n]) + at_rail(error_in[n]);
        x[n] = hk_dc_block_run(&audio->reference_dc, loss, reference_in[n]);
        record->error[at + n] = hk_dc_block_run(&audio->error_dc, loss, error_in[n]);
    }
    audio->overloads += overload;
    record->overload += overload;
    hk_kernel_feedforward_run(ear, x, fixed);
    hk_kernel_transparency_run(ear, x, through);
    ops->filter(ear, x, control);
    run_feedback(audio, ear, &record->error[at], back);
    for (uint32_t n = 0U; n < BLOCK; n++) {
        const int32_t anti = hk_saturate_count((int64_t)fixed[n] + control[n], &audio->saturations);
        const int32_t gain = hk_ramp_next(&audio->anti);
        const int32_t played = hk_scale_q30(anti, gain);
        const int32_t answered = hk_scale_q30(back[n], gain);
        const int32_t heard = hk_scale_q30(through[n], hk_ramp_next(&audio->transparency));
        const int64_t sum = (int64_t)played + answered + heard + page->in[ear][HK_AUDIO_IN_PROGRAMME][n];
        const int32_t out = hk_limiter_run(&audio->limiter, sum);
        page->out[ear][n] = out;
        record->fixed[at + n] = fixed[n];
        record->anti[at + n] = anti;
        record->played[at + n] = hk_scale_q30(played, audio->limiter.gain_q30);
        record->back[at + n] = hk_scale_q30(answered, audio->limiter.gain_q30);
        record->other[at + n] = hk_saturate((int64_t)out - record->played[at + n] - record->back[at + n]);
    }
    remember_other(audio, &record->other[at]);
}
