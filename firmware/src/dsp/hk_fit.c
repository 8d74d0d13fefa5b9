/**
 * @file  hk_fit.c
 * @brief Changes of the fit, and harm.
 */
#include "hk_fit.h"

#define USUAL 1.6F /* 20 ms of noise vary by 2 dB in power: 1.0 would stop a filter that cancels only 2 dB */
#define DOWN  4.0F /* the slow level falls so much faster than it rises: a filter that learns must not hide a change */

void hk_fit_start(hk_fit_t *fit, const hk_tracking_design_t *design) {
    const hk_fit_power_t none = {0.0F, 0.0F};
    fit->error = none;
    fit->silence = none;
    fit->prediction = none;
    fit->reference = none;
    fit->blind = design->blind_jobs;
}

static void follow(hk_fit_power_t *power, const hk_tracking_design_t *design, float value) {
    const float square = value * value;
    power->fast += design->fast * (square - power->fast);
    power->slow += design->slow * (square - power->slow);
}

/* Its slow level takes at most the ratio that counts as a change, so that a change does not lift what it is measured
 * by. */
static void follow_prediction(hk_fit_power_t *power, const hk_tracking_design_t *design, float value) {
    power->fast += design->fast * (value * value - power->fast);
    const float most = design->change_ratio * power->slow;
    const float step = ((power->fast < most) ? power->fast : most) - power->slow;
    power->slow += ((step > 0.0F) ? design->slow : DOWN * design->slow) * step;
}

hk_fit_verdict_t hk_fit_step(hk_fit_t *fit, const hk_tracking_design_t *design, const hk_fit_input_t *input) {
    follow(&fit->error, design, input->error);
    follow(&fit->silence, design, input->silence);
    follow(&fit->reference, design, input->reference);
    follow_prediction(&fit->prediction, design, input->prediction);
    if (fit->blind > 0U) {
        fit->blind--;
        if (fit->prediction.slow < fit->prediction.fast) {
            fit->prediction.slow = fit->prediction.fast;
        }
        return HK_FIT_STEADY;
    }
    /* A burst of the noise itself is no change. */
    const float burst = (fit->reference.fast > fit->reference.slow) ? fit->reference.fast : fit->reference.slow;
    if (fit->prediction.fast * fit->reference.slow > design->change_ratio * fit->prediction.slow * burst) {
        fit->changes++;
        fit->blind = design->blind_jobs;
        return HK_FIT_CHANGED;
    }
    const float usual = USUAL * fit->silence.slow * fit->reference.fast;
    if (fit->error.fast > design->harm_ratio * fit->silence.fast ||
        fit->error.fast * fit->reference.slow > design->harm_ratio * usual) {
        fit->harms++;
        fit->blind = design->blind_jobs;
        return HK_FIT_HARM;
    }
    return HK_FIT_STEADY;
}
