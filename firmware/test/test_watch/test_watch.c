/**
 * @file  test_watch.c
 * @brief Divergence watch, driven with made-up powers: every state and every reason to leave it.
 */
#include "hk/hk_fixed.h"
#include "hk/hk_watch.h"
#include "hk_test.h"

#define ONE (1ULL << 30) /* a reference power well above silence: -54 dBFS */

static const hk_watch_design_t design = {
    .quarter_jobs = 2U, .slow_jobs = 40U, .settle_jobs = 5U, .minute_jobs = 400U, .ratio_cdb = 600};

/* Powers with and without anti-noise, in sixteenths of the reference's. */
static hk_watch_input_t powers(uint64_t with_anti, uint64_t without_anti, bool quiet) {
    const hk_watch_input_t input = {.reference = ONE,
                                    .with_anti = ONE * with_anti / 16U,
                                    .without_anti = ONE * without_anti / 16U,
                                    .n_reference = 1U,
                                    .n_error = 1U,
                                    .wanted = true,
                                    .quiet = quiet};
    return input;
}

/* A headset that obeys: muted it hears `off`, else `on`. @return jobs until the watch reset the weights, 0: never. */
static uint32_t play(hk_watch_t *watch, uint32_t n_jobs, uint64_t on, uint64_t off) {
    uint32_t reset_at = 0U;
    for (uint32_t n = 1U; n <= n_jobs; n++) {
        const hk_watch_input_t input = powers(watch->mute ? off : on, off, watch->mute);
        hk_watch_step(watch, &input);
        if (watch->reset && reset_at == 0U) {
            reset_at = n;
        }
    }
    return reset_at;
}

static hk_watch_t learned(void) {
    hk_watch_t watch;
    hk_watch_init(&watch, &design);
    (void)play(&watch, 60U, 16U, 16U);
    return watch;
}

static void start_is_muted_and_learns(void) {
    hk_watch_t watch;
    hk_watch_init(&watch, &design);
    HK_TEST_CHECK(watch.mute);
    (void)play(&watch, 44U, 4U, 4U);
    HK_TEST_EQUAL(watch.state, HK_WATCH_LEARNING);
    (void)play(&watch, 2U, 4U, 4U);
    HK_TEST_EQUAL(watch.state, HK_WATCH_RUNNING);
    HK_TEST_CHECK(!watch.mute);
    HK_TEST_EQUAL(watch.gain_cdb, -602); /* a quarter of the reference's power */
}

static void anti_noise_that_helps_is_left_alone(void) {
    hk_watch_t watch = learned();
    HK_TEST_EQUAL(play(&watch, 4000U, 1U, 16U), 0);
    HK_TEST_EQUAL(watch.checks, 0);
    HK_TEST_EQUAL(watch.state, HK_WATCH_RUNNING);
    HK_TEST_EQUAL(watch.attenuation_cdb, 1204);
}

static void slight_amplification_is_found_within_100_ms(void) {
    hk_watch_t watch = learned();
    (void)play(&watch, 10U, 22U, 16U); /* +1.4 dB; the ramp's settling time counts too */
    HK_TEST_EQUAL(watch.checks, 0);
    (void)play(&watch, 80U, 22U, 16U);
    HK_TEST_EQUAL(watch.checks, 1);
    HK_TEST_CHECK(watch.mute);
}

static void loud_amplification_is_found_within_a_quarter_window(void) {
    hk_watch_t watch = learned();
    (void)play(&watch, 20U, 16U, 16U);
    (void)play(&watch, 3U, 16U * 40U, 16U);
    HK_TEST_EQUAL(watch.state, HK_WATCH_CHECKING);
}

static void divergence_is_confirmed_and_resets_the_weights(void) {
    hk_watch_t watch = learned();
    uint32_t jobs = 0U;
    while (play(&watch, 1U, 64U, 16U) == 0U) {
        jobs++;
        HK_TEST_CHECK(jobs < 60U); /* a window of the ramp, one to suspect, 100 ms to confirm */
    }
    HK_TEST_EQUAL(watch.restarts, 1);
    HK_TEST_EQUAL(watch.state, HK_WATCH_HOLDING);
    HK_TEST_CHECK(watch.mute);
}

static void a_headset_that_only_diverges_stays_muted_nearly_always(void) {
    hk_watch_t watch = learned();
    uint32_t playing = 0U;
    for (uint32_t n = 0U; n < 20000U; n++) {
        playing += watch.mute ? 0U : 1U;
        (void)play(&watch, 1U, 64U, 16U);
    }
    HK_TEST_CHECK(watch.restarts > 5U);
    HK_TEST_CHECK(playing < 20000U / 50U);
}

static void louder_noise_alone_is_a_false_alarm(void) {
    hk_watch_t watch = learned();
    (void)play(&watch, 60U, 16U, 16U);
    HK_TEST_EQUAL(play(&watch, 300U, 64U, 160U), 0); /* 10 dB more noise per reference, 4 dB attenuation of it */
    HK_TEST_EQUAL(watch.checks, 1);
    HK_TEST_EQUAL(watch.restarts, 0);
    HK_TEST_EQUAL(watch.gain_cdb / 10, 100);
    HK_TEST_EQUAL(watch.state, HK_WATCH_RUNNING);
}

static void weights_at_their_limit_are_suspicious(void) {
    hk_watch_t watch = learned();
    for (uint32_t n = 0U; n < 90U && watch.checks == 0U; n++) {
        hk_watch_input_t input = powers(8U, 16U, watch.mute);
        input.out_of_bounds = true;
        hk_watch_step(&watch, &input);
    }
    HK_TEST_EQUAL(watch.checks, 1);
}

static void silence_teaches_nothing(void) {
    hk_watch_t watch;
    hk_watch_init(&watch, &design);
    for (uint32_t n = 0U; n < 1000U; n++) {
        hk_watch_input_t input = powers(16U, 16U, watch.mute);
        input.reference = 1U;
        hk_watch_step(&watch, &input);
    }
    HK_TEST_EQUAL(watch.state, HK_WATCH_LEARNING);
    HK_TEST_CHECK(watch.mute);
    (void)play(&watch, 80U, 16U, 16U);
    HK_TEST_EQUAL(watch.state, HK_WATCH_RUNNING);
}

static void loud_programme_decides_nothing(void) {
    hk_watch_t watch = learned();
    for (uint32_t n = 0U; n < 500U; n++) {
        hk_watch_input_t input = powers(64U, 16U, watch.mute);
        input.masked = true;
        hk_watch_step(&watch, &input);
    }
    HK_TEST_EQUAL(watch.checks, 0);
    (void)play(&watch, 100U, 64U, 16U);
    HK_TEST_CHECK(watch.checks > 0U);
}

const hk_test_t hk_tests[] = {
    HK_TEST(start_is_muted_and_learns),
    HK_TEST(anti_noise_that_helps_is_left_alone),
    HK_TEST(slight_amplification_is_found_within_100_ms),
    HK_TEST(loud_amplification_is_found_within_a_quarter_window),
    HK_TEST(divergence_is_confirmed_and_resets_the_weights),
    HK_TEST(a_headset_that_only_diverges_stays_muted_nearly_always),
    HK_TEST(louder_noise_alone_is_a_false_alarm),
    HK_TEST(weights_at_their_limit_are_suspicious),
    HK_TEST(silence_teaches_nothing),
    HK_TEST(loud_programme_decides_nothing),
};
const uint32_t hk_n_tests = sizeof hk_tests / sizeof hk_tests[0];
