/**
 * @file  test_fit.c
 * @brief The watch on the fit, driven with made-up values: what it takes for a change, for harm, and for neither.
 */
#include "../../src/dsp/hk_fit.h"
#include "hk_test.h"
#include <string.h> /* memset */

static const hk_tracking_design_t design = {
    .change_ratio = 3.0F, .harm_ratio = 1.26F, .fast = 0.1F, .slow = 0.002F, .blind_jobs = 50U};

/* Equations of steady amplitudes with changing signs, as many as given. @return the first verdict that was not STEADY.
 */
static hk_fit_verdict_t play(hk_fit_t *fit, uint32_t n, hk_fit_input_t input) {
    hk_fit_verdict_t found = HK_FIT_STEADY;
    for (uint32_t i = 0U; i < n; i++) {
        const float sign = ((i % 3U) == 0U) ? -1.0F : 1.0F;
        const hk_fit_input_t now = {
            .error = sign * input.error,
            .silence = -sign * input.silence,
            .prediction = sign * input.prediction,
            .reference = sign * input.reference,
        };
        const hk_fit_verdict_t verdict = hk_fit_step(fit, &design, &now);
        found = (found == HK_FIT_STEADY) ? verdict : found;
    }
    return found;
}

static const hk_fit_input_t good = {.error = 1.0F, .silence = 10.0F, .prediction = 1.0F, .reference = 10.0F};

static hk_fit_t settled(void) {
    hk_fit_t fit;
    memset(&fit, 0, sizeof fit);
    hk_fit_start(&fit, &design);
    (void)play(&fit, 3000U, good);
    return fit;
}

static void a_filter_that_works_is_left_alone(void) {
    hk_fit_t fit = settled();
    HK_TEST_EQUAL(play(&fit, 5000U, good), HK_FIT_STEADY);
    HK_TEST_EQUAL(fit.changes + fit.harms, 0);
}

static void louder_noise_is_no_change(void) {
    hk_fit_t fit = settled();
    const hk_fit_input_t louder = {.error = 1.5F, .silence = 15.0F, .prediction = 1.5F, .reference = 15.0F};
    HK_TEST_EQUAL(play(&fit, 2000U, louder), HK_FIT_STEADY);
}

static void a_prediction_that_fails_is_a_change_told_once(void) {
    hk_fit_t fit = settled();
    const hk_fit_input_t wrong = {.error = 5.0F, .silence = 10.0F, .prediction = 5.0F, .reference = 10.0F};
    HK_TEST_EQUAL(play(&fit, 20U, wrong), HK_FIT_CHANGED);
    HK_TEST_EQUAL(play(&fit, 40U, wrong), HK_FIT_STEADY);
    HK_TEST_EQUAL(fit.changes, 1);
}

static void an_error_louder_than_silence_is_harm(void) {
    hk_fit_t fit = settled();
    const hk_fit_input_t harmful = {.error = 12.0F, .silence = 10.0F, .prediction = 1.0F, .reference = 10.0F};
    HK_TEST_EQUAL(play(&fit, 60U, harmful), HK_FIT_HARM);
    HK_TEST_EQUAL(fit.harms, 1);
}

/* With a wrong secondary path the silence it tells of is wrong as well: the usual one decides. */
static void an_error_louder_than_silence_usually_is_harm_too(void) {
    hk_fit_t fit = settled();
    const hk_fit_input_t harmful = {.error = 20.0F, .silence = 25.0F, .prediction = 1.0F, .reference = 10.0F};
    HK_TEST_EQUAL(play(&fit, 60U, harmful), HK_FIT_HARM);
}

static void a_start_is_blind(void) {
    hk_fit_t fit;
    memset(&fit, 0, sizeof fit);
    hk_fit_start(&fit, &design);
    const hk_fit_input_t unknown = {.error = 9.0F, .silence = 1.0F, .prediction = 9.0F, .reference = 10.0F};
    HK_TEST_EQUAL(play(&fit, 50U, unknown), HK_FIT_STEADY);
    HK_TEST_EQUAL(play(&fit, 1U, unknown), HK_FIT_HARM);
}

const hk_test_t hk_tests[] = {
    HK_TEST(a_filter_that_works_is_left_alone),
    HK_TEST(louder_noise_is_no_change),
    HK_TEST(a_prediction_that_fails_is_a_change_told_once),
    HK_TEST(an_error_louder_than_silence_is_harm),
    HK_TEST(an_error_louder_than_silence_usually_is_harm_too),
    HK_TEST(a_start_is_blind),
};
const uint32_t hk_n_tests = sizeof hk_tests / sizeof hk_tests[0];
