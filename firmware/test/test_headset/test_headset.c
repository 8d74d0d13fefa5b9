/**
 * @file  test_headset.c
 * @brief The whole audio side in a closed loop: a plant made from the design's own secondary-path model.
 *
 * The reference is a periodic wave; the disturbance is the reference through the same path and a delay, so a causal
 * filter can cancel it. `sign` -1 turns the path's polarity round, which makes every update go the wrong way.
 */
#include "hk/hk_app.h"
#include "hk/hk_category.h"
#include "hk/hk_control.h"
#include "hk/hk_fixed.h"
#include "hk/hk_level.h"
#include "hk/hk_port.h"
#include "hk_test.h"
#include <string.h>

#define EARS   ((uint32_t)HK_CONFIG_EARS)
#define BLOCK  ((uint32_t)HK_CONFIG_BLOCK)
#define UPDATE ((uint32_t)HK_CONFIG_UPDATE_BLOCK)
#define MODEL  ((uint32_t)HK_CONFIG_SECONDARY_TAPS)
#define PERIOD 240U /* 200 Hz at 48 kHz */

/* Categories as the shipped specs treat them. */
#define SILENCE   54U
#define EMERGENCY 56U

/* What every shipped design reaches; their leak keeps some from more than 10 dB. */
#define ENOUGH_CDB 800

/* At half intensity feedforward leaves at least half, which is 6 dB; half the loop gain of feedback takes some more. */
#define HALF_CDB ((HK_CONFIG_FEEDBACK_SECTIONS > 0) ? 1500 : 800)

static struct {
    int32_t driver[HK_AUDIO_PAGE_MAX_EARS][1024];    /* ring: what played */
    int32_t reference[HK_AUDIO_PAGE_MAX_EARS][1024]; /* ring */
    uint32_t at;                                     /* sample */
    int32_t sign;
    uint32_t quieter;     /* right shift of the noise */
    bool background;      /* whether the thread gets time */
    uint64_t error_power; /* of ear 0, accumulated */
    uint64_t noise_power;
    int32_t largest_step; /* of ear 0's output, between samples */
    int32_t last_out;
    int32_t programme;
} plant;

/* A wave of parabolas: a sine with 3 % of third harmonic. Amplitude 1/8 of full scale. */
static int32_t wave(uint32_t n) {
    const int32_t t = (int32_t)(n % (PERIOD / 2U));
    const int32_t half = (int32_t)(PERIOD / 2U);
    const int32_t arc = (int32_t)(((int64_t)t * (half - t) * (1LL << 30)) / ((int64_t)half * half));
    return ((n % PERIOD) < PERIOD / 2U) ? arc : -arc;
}

static int64_t through_path(const int32_t *ring, uint32_t newest) {
    int64_t sum = 0;
    for (uint32_t k = 0U; k < MODEL; k++) {
        sum += (int64_t)hk_design.secondary.taps[MODEL - 1U - k] * ring[(newest - k) & 1023U];
    }
    return (sum >> 31) * (1LL << HK_CONFIG_SECONDARY_EXPONENT);
}

static void play_block(void) {
    hk_audio_page_t *page = hk_port_audio_page();
    for (uint32_t ear = 0U; ear < EARS; ear++) {
        for (uint32_t i = 0U; i < BLOCK; i++) {
            const uint32_t n = plant.at + i;
            plant.reference[ear][n & 1023U] = wave(n) >> plant.quieter;
            const int64_t d = through_path(plant.reference[ear], n - 8U) / 2;
            const int64_t e = d + plant.sign * through_path(plant.driver[ear], n);
            page->in[ear][HK_AUDIO_IN_REFERENCE][i] = plant.reference[ear][n & 1023U];
            page->in[ear][HK_AUDIO_IN_ERROR][i] = hk_saturate(e);
            page->in[ear][HK_AUDIO_IN_PROGRAMME][i] = plant.programme;
            if (ear == 0U) {
                plant.error_power += hk_square_q48(hk_saturate(e));
                plant.noise_power += hk_square_q48(hk_saturate(d));
            }
        }
    }
    hk_app_audio_isr();
    for (uint32_t ear = 0U; ear < EARS; ear++) {
        for (uint32_t i = 0U; i < BLOCK; i++) {
            /* The design's model counts in the firmware's sample indices: sample n of the output acts at n. */
            plant.driver[ear][(plant.at + i) & 1023U] = page->out[ear][i];
        }
    }
    const int32_t step = (int32_t)hk_magnitude(hk_saturate((int64_t)page->out[0][0] - plant.last_out));
    plant.largest_step = (step > plant.largest_step) ? step : plant.largest_step;
    plant.last_out = page->out[0][BLOCK - 1U];
    plant.at += BLOCK;
    while (plant.background && hk_app_background()) {
    }
}

static void play(uint32_t ms) {
    const uint32_t end = plant.at + ms * (uint32_t)(HK_CONFIG_RATE_HZ / 1000U);
    plant.error_power = 0U;
    plant.noise_power = 0U;
    plant.largest_step = 0;
    while (plant.at < end) {
        play_block();
    }
}

/* Attenuation of ear 0 over the last play, 0.01 dB. */
static int32_t attenuation(void) {
    return hk_level_mean_cdb(plant.noise_power, 1000U) - hk_level_mean_cdb(plant.error_power, 1000U);
}

static bool start(int32_t sign) {
    memset(&plant, 0, sizeof plant);
    plant.sign = sign;
    plant.background = true;
    plant.at = 2048U;
    return hk_app_init() == HK_OK;
}

static bool set(hk_mode_t mode, uint16_t intensity) {
    const hk_configuration_t configuration = {(uint8_t)mode, intensity, 1000U};
    return hk_app_configure(&configuration) == HK_OK;
}

static hk_statistics_t statistics(void) {
    hk_statistics_t s;
    hk_app_statistics(&s);
    return s;
}

static void init_fills_the_page(void) {
    HK_TEST_CHECK(start(1));
    const hk_audio_page_t *page = hk_port_audio_page();
    HK_TEST_EQUAL(page->n_ears, EARS);
    HK_TEST_EQUAL(page->block, BLOCK);
    HK_TEST_EQUAL(page->rate_hz, HK_CONFIG_RATE_HZ);
    HK_TEST_CHECK(memcmp(&page->build_id, hk_build_id, 4U) == 0);
}

static void configuration_out_of_range_changes_nothing(void) {
    HK_TEST_CHECK(start(1) && set(HK_MODE_TRANSPARENCY, 250U));
    const hk_configuration_t wrong[] = {{3U, 1000U, 1000U}, {1U, 1001U, 1000U}, {1U, 1000U, 99U}};
    for (uint32_t i = 0U; i < 3U; i++) {
        HK_TEST_EQUAL(hk_app_configure(&wrong[i]), HK_ERR_RANGE);
    }
    HK_TEST_EQUAL(hk_app_configure(0), HK_ERR_ARG);
    hk_configuration_t found;
    hk_app_configuration(&found);
    HK_TEST_EQUAL(found.mode, HK_MODE_TRANSPARENCY);
    HK_TEST_EQUAL(found.intensity, 250);
    play(1U);
    HK_TEST_EQUAL(statistics().mode, HK_MODE_TRANSPARENCY);
}

static void programme_passes_unchanged_in_mode_off(void) {
    HK_TEST_CHECK(start(1) && set(HK_MODE_OFF, 1000U));
    plant.programme = 123456789;
    play(50U);
    HK_TEST_EQUAL(hk_port_audio_page()->out[0][0], 123456789);
}

static void a_change_of_mode_does_not_click(void) {
    HK_TEST_CHECK(start(1) && set(HK_MODE_TRANSPARENCY, 1000U));
    play(200U);
    const int32_t steady = plant.largest_step;
    HK_TEST_CHECK(set(HK_MODE_OFF, 1000U));
    play(40U);
    HK_TEST_CHECK(plant.largest_step <= steady + steady / 4 + 65536);
    play(5U);
    HK_TEST_EQUAL(plant.largest_step, 0);
}

static void an_unknown_category_changes_nothing(void) {
    HK_TEST_CHECK(start(1));
    HK_TEST_EQUAL(hk_category_acting(), HK_CATEGORY_UNKNOWN);
    HK_TEST_EQUAL(hk_category_settings_apply(HK_CATEGORY_COUNT), HK_ERR_RANGE);
    HK_TEST_EQUAL(hk_category_acting(), HK_CATEGORY_UNKNOWN);
}

static void an_emergency_is_heard_within_100_ms_without_a_click(void) {
    HK_TEST_CHECK(start(1) && set(HK_MODE_ANC, 1000U));
    play(1000U);
    play(100U);
    int32_t steady = plant.largest_step;
    HK_TEST_EQUAL(hk_category_settings_apply(EMERGENCY), HK_OK);
    play(100U);
    const int32_t crossing = plant.largest_step;
    HK_TEST_EQUAL(statistics().mode, HK_MODE_TRANSPARENCY);
    HK_TEST_EQUAL(statistics().ramping, 0);
    play(100U);
    steady = (plant.largest_step > steady) ? plant.largest_step : steady;
    HK_TEST_CHECK(crossing <= steady + steady / 4 + 65536);
    hk_configuration_t operators;
    hk_app_configuration(&operators);
    HK_TEST_EQUAL(operators.mode, HK_MODE_ANC);
    HK_TEST_EQUAL(hk_category_settings_apply(HK_CATEGORY_UNKNOWN), HK_OK);
    play(100U);
    HK_TEST_EQUAL(statistics().mode, HK_MODE_ANC);
}

static void what_an_operator_switched_off_stays_off(void) {
    HK_TEST_CHECK(start(1) && set(HK_MODE_OFF, 1000U));
    HK_TEST_EQUAL(hk_category_settings_apply(EMERGENCY), HK_OK);
    play(50U);
    HK_TEST_EQUAL(statistics().mode, HK_MODE_OFF);
}

#if HK_CONFIG_ALGORITHM != HK_ALGORITHM_NONE && HK_CONFIG_SECONDARY_TAPS > 0

static void a_category_turns_intensity_down_and_settings_do_not_disturb(void) {
    HK_TEST_CHECK(start(1) && set(HK_MODE_ANC, 1000U));
    play(1500U);
    HK_TEST_EQUAL(hk_category_settings_apply(SILENCE), HK_OK);
    play(1000U);
    play(100U);
    HK_TEST_EQUAL(statistics().intensity, 500);
    HK_TEST_CHECK(attenuation() > 300 && attenuation() < HALF_CDB);
    HK_TEST_EQUAL(hk_category_settings_apply(HK_CATEGORY_UNKNOWN), HK_OK);
    play(500U);
    play(100U);
    HK_TEST_CHECK(attenuation() > ENOUGH_CDB);
    HK_TEST_EQUAL(statistics().ears[0].restarts, 0);
}

static void a_tone_is_cancelled_loud_and_quiet(void) {
    static const uint32_t quieter[] = {0U, 7U}; /* -20 dBFS peak and 42 dB less: -63 dBFS */
    for (uint32_t i = 0U; i < 2U; i++) {
        HK_TEST_CHECK(start(1) && set(HK_MODE_ANC, 1000U));
        plant.quieter = quieter[i];
        play(1500U);
        play(100U);
        HK_TEST_CHECK(attenuation() > ENOUGH_CDB);
        const hk_statistics_t s = statistics();
        HK_TEST_EQUAL(s.ears[0].restarts, 0);
        HK_TEST_EQUAL(s.overruns, 0);
        HK_TEST_CHECK(s.ears[0].attenuation_cdb > ENOUGH_CDB - 100);
    }
}

static void intensity_scales_and_adaptation_does_not_undo_it(void) {
    HK_TEST_CHECK(start(1) && set(HK_MODE_ANC, 1000U));
    play(1500U);
    HK_TEST_CHECK(set(HK_MODE_ANC, 500U));
    play(1000U);
    play(100U);
    HK_TEST_CHECK(attenuation() > 300 &&
                  attenuation() < HALF_CDB); /* half of it cancelled: 6 dB, less what leak leaves */
}

static void programme_passes_and_does_not_disturb(void) {
    HK_TEST_CHECK(start(1) && set(HK_MODE_ANC, 1000U));
    play(1500U);
    const hk_statistics_t before = statistics();
    plant.programme = 1 << 26; /* a step, and the loudest the DC blocker can meet */
    play(1000U);
    plant.programme = 0;
    play(1000U);
    play(100U);
    HK_TEST_CHECK(attenuation() > ENOUGH_CDB);
    HK_TEST_EQUAL(statistics().ears[0].restarts, before.ears[0].restarts);
}

#if HK_CONFIG_ALGORITHM == HK_ALGORITHM_WARPED_LS_TRACKING

static void a_path_6_db_louder_is_followed(void) {
    HK_TEST_CHECK(start(1) && set(HK_MODE_ANC, 1000U));
    play(2000U);
    plant.sign = 2; /* of the path's gain */
    play(100U);
    play(1900U);
    HK_TEST_CHECK(attenuation() > -100);
    play(500U);
    HK_TEST_CHECK(attenuation() > ENOUGH_CDB);
    HK_TEST_EQUAL(statistics().ears[0].restarts, 0);
}

#endif

static void a_path_of_the_wrong_sign_mutes_and_restarts(void) {
    HK_TEST_CHECK(start(-1) && set(HK_MODE_ANC, 1000U));
    play(3000U);
    const hk_statistics_t s = statistics();
    HK_TEST_CHECK(s.ears[0].restarts >= 2U);
    play(4000U);
    HK_TEST_CHECK(attenuation() > -100); /* at most 1 dB louder than off, all told */
}

static void a_late_background_is_counted_and_muted(void) {
    HK_TEST_CHECK(start(1) && set(HK_MODE_ANC, 1000U));
    play(1000U);
    plant.background = false;
    play(2U * UPDATE * 1000U / (uint32_t)HK_CONFIG_RATE_HZ + 10U);
    HK_TEST_CHECK(statistics().overruns > 0U);
    HK_TEST_EQUAL(statistics().starvations, 0);
    play(100U);
    HK_TEST_EQUAL(statistics().starvations, 1);
    play(20U);
    HK_TEST_EQUAL(hk_port_audio_page()->out[0][0], 0);
    plant.background = true;
    play(1500U);
    play(100U);
    HK_TEST_CHECK(attenuation() > ENOUGH_CDB);
    HK_TEST_EQUAL(statistics().ears[0].restarts, 0);
}

#endif

const hk_test_t hk_tests[] = {
    HK_TEST(init_fills_the_page),
    HK_TEST(configuration_out_of_range_changes_nothing),
    HK_TEST(programme_passes_unchanged_in_mode_off),
    HK_TEST(a_change_of_mode_does_not_click),
    HK_TEST(an_unknown_category_changes_nothing),
    HK_TEST(an_emergency_is_heard_within_100_ms_without_a_click),
    HK_TEST(what_an_operator_switched_off_stays_off),
#if HK_CONFIG_ALGORITHM != HK_ALGORITHM_NONE && HK_CONFIG_SECONDARY_TAPS > 0
    HK_TEST(a_category_turns_intensity_down_and_settings_do_not_disturb),
    HK_TEST(a_tone_is_cancelled_loud_and_quiet),
    HK_TEST(intensity_scales_and_adaptation_does_not_undo_it),
    HK_TEST(programme_passes_and_does_not_disturb),
#if HK_CONFIG_ALGORITHM == HK_ALGORITHM_WARPED_LS_TRACKING
    HK_TEST(a_path_6_db_louder_is_followed),
#endif
    HK_TEST(a_path_of_the_wrong_sign_mutes_and_restarts),
    HK_TEST(a_late_background_is_counted_and_muted),
#endif
};
const uint32_t hk_n_tests = sizeof hk_tests / sizeof hk_tests[0];
