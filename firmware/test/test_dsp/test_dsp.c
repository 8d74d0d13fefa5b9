/**
 * @file  test_dsp.c
 * @brief Saturation, levels, DC blocker, ramp, limiter, and the kernels' promises about scaling.
 */
#include "hk/hk_dc_block.h"
#include "hk/hk_fixed.h"
#include "hk/hk_kernels.h"
#include "hk/hk_level.h"
#include "hk/hk_limiter.h"
#include "hk/hk_ramp.h"
#include "hk_config.h"
#include "hk_test.h"

static void saturation_clips_and_counts(void) {
    uint32_t count = 0U;
    HK_TEST_EQUAL(hk_saturate_count((int64_t)INT32_MAX + 1, &count), INT32_MAX);
    HK_TEST_EQUAL(hk_saturate_count((int64_t)INT32_MIN - 1, &count), INT32_MIN);
    HK_TEST_EQUAL(hk_saturate_count(INT32_MIN, &count), INT32_MIN);
    HK_TEST_EQUAL(count, 2);
    HK_TEST_EQUAL(hk_magnitude(INT32_MIN), 1LL << 31);
}

static void unity_gain_is_exact(void) {
    HK_TEST_EQUAL(hk_scale_q30(INT32_MIN, HK_GAIN_UNITY_Q30), INT32_MIN);
    HK_TEST_EQUAL(hk_scale_q30(12345, HK_GAIN_UNITY_Q30), 12345);
}

static void levels_are_right_within_a_hundredth(void) {
    HK_TEST_EQUAL(hk_level_mean_cdb(1ULL << 48, 1U), 0);               /* a full-scale square wave */
    HK_TEST_EQUAL(hk_level_mean_cdb(1ULL << 47, 1U), -301);            /* a full-scale sine */
    HK_TEST_EQUAL(hk_level_mean_cdb(48000ULL << 18, 48000U), -9031);   /* 30 octaves of power */
    HK_TEST_EQUAL(hk_level_mean_cdb((1ULL << 48) / 1000U, 1U), -3000); /* -30 dB */
    HK_TEST_EQUAL(hk_level_mean_cdb(0U, 1U), HK_LEVEL_SILENT_CDB);
    HK_TEST_EQUAL(hk_level_cdb(100ULL << 16, 16U), 2000);
}

static void dc_block_removes_the_smallest_offset(void) {
    hk_dc_block_t f = {0};
    int32_t y = 0;
    for (uint32_t n = 0U; n < 40000U; n++) {
        y = hk_dc_block_run(&f, 1 << 22, 3);
    }
    HK_TEST_CHECK(y >= 0 && y <= 1);
}

static void dc_block_survives_full_scale(void) {
    hk_dc_block_t f = {0};
    for (uint32_t n = 0U; n < 4000U; n++) {
        const int32_t y = hk_dc_block_run(&f, 1 << 24, (n / 2000U == 0U) ? INT32_MAX : INT32_MIN);
        HK_TEST_CHECK((n < 2000U) == (y >= 0));
    }
}

static void ramp_reaches_its_target_in_equal_steps(void) {
    hk_ramp_t ramp = {0, HK_GAIN_UNITY_Q30, HK_GAIN_UNITY_Q30 / 960};
    uint32_t steps = 0U;
    int32_t last = 0;
    while (hk_ramp_moves(&ramp)) {
        const int32_t gain = hk_ramp_next(&ramp);
        HK_TEST_CHECK(gain > last && gain - last <= ramp.step_q30);
        last = gain;
        steps++;
        HK_TEST_CHECK(steps <= 961U);
    }
    HK_TEST_EQUAL(last, HK_GAIN_UNITY_Q30);
}

static void limiter_never_passes_its_threshold(void) {
    hk_limiter_t limiter;
    hk_limiter_init(&limiter, 1520301996, 894598);
    int64_t x = 1;
    uint32_t noise = 1U;
    for (uint32_t n = 0U; n < 20000U; n++) {
        noise = noise * 1664525U + 1013904223U;
        x = (int64_t)(int32_t)noise * ((n & 64U) != 0U ? 3 : 1); /* up to 3 times full scale */
        HK_TEST_CHECK(hk_magnitude(hk_limiter_run(&limiter, x)) <= 1520301996U);
    }
    HK_TEST_CHECK(limiter.limited > 0U);
}

static void limiter_leaves_quiet_signals_alone_and_recovers(void) {
    hk_limiter_t limiter;
    hk_limiter_init(&limiter, 1 << 30, 1 << 20);
    HK_TEST_EQUAL(hk_limiter_run(&limiter, -(1LL << 30)), -(1LL << 30));
    HK_TEST_EQUAL(limiter.limited, 0);
    (void)hk_limiter_run(&limiter, 1LL << 32);
    HK_TEST_CHECK(limiter.gain_q30 <= HK_GAIN_UNITY_Q30 / 4);
    for (uint32_t n = 0U; n < 2048U; n++) {
        (void)hk_limiter_run(&limiter, 1000);
    }
    HK_TEST_EQUAL(hk_limiter_run(&limiter, 1000), 1000);
    HK_TEST_EQUAL(limiter.gain_q30, HK_GAIN_UNITY_Q30);
}

#if HK_CONFIG_CONTROL_TAPS > 0
#define TAPS HK_CONFIG_CONTROL_TAPS

static void control_filter_delays_by_its_tap(void) {
    static int32_t weights[TAPS];
    const uint32_t delay = 5U;
    weights[TAPS - 1U - delay] = 1 << 30; /* last tap first; 0.5 * 2^exponent */
    hk_kernels_reset(0U);
    for (uint32_t n = 0U; n < 8U; n++) {
        int32_t x[HK_CONFIG_BLOCK] = {0};
        int32_t y[HK_CONFIG_BLOCK];
        x[0] = (n == 0U) ? 1 << 12 : 0;
        hk_kernel_control_run(0U, weights, x, y);
        for (uint32_t i = 0U; i < HK_CONFIG_BLOCK; i++) {
            const int32_t expected = (n * HK_CONFIG_BLOCK + i == delay) ? (1 << 11) << HK_CONFIG_CONTROL_EXPONENT : 0;
            HK_TEST_EQUAL(y[i], expected);
        }
    }
    hk_kernels_reset(0U);
}

static void control_filter_saturates_at_the_largest_weights(void) {
    static int32_t weights[TAPS];
    for (uint32_t j = 0U; j < TAPS; j++) {
        weights[j] = INT32_MAX / (int32_t)TAPS; /* sum |w| is just below 2^31 */
    }
    int32_t y[HK_CONFIG_BLOCK] = {0};
    for (uint32_t n = 0U; n < TAPS; n++) {
        int32_t x[HK_CONFIG_BLOCK];
        for (uint32_t i = 0U; i < HK_CONFIG_BLOCK; i++) {
            x[i] = INT32_MIN;
        }
        hk_kernel_control_run(0U, weights, x, y);
        HK_TEST_CHECK(y[0] < 0);
    }
    HK_TEST_CHECK(y[0] <= INT32_MIN + (1 << 16));
    hk_kernels_reset(0U);
}

static void gradient_equals_its_definition(void) {
    static int32_t xf[32 + HK_CONFIG_UPDATE_BLOCK];
    int32_t e[HK_CONFIG_UPDATE_BLOCK];
    int32_t g[32];
    uint32_t noise = 7U;
    for (uint32_t n = 0U; n < 32U + HK_CONFIG_UPDATE_BLOCK; n++) {
        noise = noise * 1664525U + 1013904223U;
        xf[n] = (int32_t)noise;
        e[n % HK_CONFIG_UPDATE_BLOCK] = (int32_t)(noise >> 7) - (1 << 24);
    }
    hk_kernel_gradient_run(xf, e, 31U, g, 32U);
    for (uint32_t j = 0U; j < 32U; j++) {
        int64_t sum = 0;
        for (uint32_t n = 0U; n < HK_CONFIG_UPDATE_BLOCK; n++) {
            sum += (int64_t)e[n] * xf[j + n];
        }
        HK_TEST_EQUAL(g[j], (int32_t)(sum >> 31));
    }
}
#endif

const hk_test_t hk_tests[] = {
    HK_TEST(saturation_clips_and_counts),         HK_TEST(unity_gain_is_exact),
    HK_TEST(levels_are_right_within_a_hundredth), HK_TEST(dc_block_removes_the_smallest_offset),
    HK_TEST(dc_block_survives_full_scale),        HK_TEST(ramp_reaches_its_target_in_equal_steps),
    HK_TEST(limiter_never_passes_its_threshold),  HK_TEST(limiter_leaves_quiet_signals_alone_and_recovers),
#if HK_CONFIG_CONTROL_TAPS > 0
    HK_TEST(control_filter_delays_by_its_tap),    HK_TEST(control_filter_saturates_at_the_largest_weights),
    HK_TEST(gradient_equals_its_definition),
#endif
};
const uint32_t hk_n_tests = sizeof hk_tests / sizeof hk_tests[0];
