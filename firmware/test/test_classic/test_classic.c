/**
 * @file  test_classic.c
 * @brief Parts of the hybrid and the frequency-domain controller that every build has: transform, least squares,
 * mixture.
 */
#include "../../src/dsp/hk_fft.h"
#include "../../src/dsp/hk_mix.h"
#include "../../src/dsp/hk_rls.h"
#include "hk/hk_design.h"
#include "hk_test.h"

#define N 8U

static bool near(float found, float expected, float within) {
    return found - expected < within && expected - found < within;
}

/* ---- transform --------------------------------------------------------------------------------------------------- */

static float z[2U * HK_FFT_SIZE];

static void clear_frame(void) {
    for (uint32_t i = 0U; i < 2U * HK_FFT_SIZE; i++) {
        z[i] = 0.0F;
    }
}

static void forward(void) {
    for (uint32_t stage = 0U; stage < HK_FFT_STAGES; stage++) {
        hk_fft_forward(z, stage);
    }
}

static void places_of_frequencies_are_their_digits_in_reverse(void) {
    HK_TEST_EQUAL(hk_fft_place(0U), 0U);
    HK_TEST_EQUAL(hk_fft_place(1U), 64U);
    HK_TEST_EQUAL(hk_fft_place(27U), 228U); /* 0123 and 3210 to base 4 */
    for (uint32_t k = 0U; k < HK_FFT_SIZE; k++) {
        HK_TEST_EQUAL(hk_fft_place(hk_fft_place(k)), k);
    }
}

static void an_impulse_has_a_flat_spectrum(void) {
    clear_frame();
    z[0] = 3.0F;

    forward();

    for (uint32_t k = 0U; k < HK_FFT_SIZE; k++) {
        HK_TEST_CHECK(near(z[2U * k], 3.0F, 1e-6F) && near(z[2U * k + 1U], 0.0F, 1e-6F));
    }
}

static void an_impulse_one_sample_late_turns_once_over_the_spectrum(void) {
    clear_frame();
    z[2] = 1.0F;

    forward();

    const float *quarter = &z[2U * hk_fft_place(HK_FFT_SIZE / 4U)]; /* e^(-i pi / 2) */
    HK_TEST_CHECK(near(quarter[0], 0.0F, 1e-6F) && near(quarter[1], -1.0F, 1e-6F));
    const float *eighth = &z[2U * hk_fft_place(HK_FFT_SIZE / 8U)];
    HK_TEST_CHECK(near(eighth[0], 0.70710678F, 1e-6F) && near(eighth[1], -0.70710678F, 1e-6F));
}

static void the_inverse_gives_back_the_signal_times_its_length(void) {
    static float before[2U * HK_FFT_SIZE];
    uint32_t noise = 5U;
    for (uint32_t i = 0U; i < 2U * HK_FFT_SIZE; i++) {
        noise = noise * 1664525U + 1013904223U;
        before[i] = (float)((int32_t)noise >> 8) * (1.0F / 8388608.0F);
        z[i] = before[i];
    }

    forward();
    for (uint32_t stage = 0U; stage < HK_FFT_STAGES; stage++) {
        hk_fft_inverse(z, stage);
    }

    for (uint32_t i = 0U; i < 2U * HK_FFT_SIZE; i++) {
        HK_TEST_CHECK(near(z[i] * (1.0F / (float)HK_FFT_SIZE), before[i], 1e-6F));
    }
}

/* ---- least squares ----------------------------------------------------------------------------------------------- */

static float factor[HK_RLS_SIZE(N)];
static float diagonal[N];
static float gain[N];
static hk_rls_t rls = {.n = N, .factor = factor, .diagonal = diagonal, .gain = gain};

/* Regressors of one equation: a moving average of noise, so that neighbours look alike. */
static void next_regressors(float *r, uint32_t *noise) {
    for (uint32_t k = N - 1U; k > 0U; k--) {
        r[k] = r[k - 1U];
    }
    *noise = *noise * 1664525U + 1013904223U;
    r[0] = 0.95F * r[1] + (float)((int32_t)*noise >> 8) * (1.0F / 8388608.0F);
}

static void least_squares_find_the_weights(void) {
    float w[N] = {0.0F};
    float r[N] = {0.0F};
    uint32_t noise = 11U;
    hk_rls_restart(&rls, 1e4F);
    for (uint32_t equation = 0U; equation < 200U; equation++) {
        next_regressors(r, &noise);
        float error = 0.0F;
        for (uint32_t k = 0U; k < N; k++) {
            error += (w[k] - (float)(k + 1U)) * r[k]; /* the weights wanted are 1, 2, 3, ... */
        }
        hk_rls_begin(&rls, 0.99F, 1e6F);
        hk_rls_columns(&rls, r, 0U, N / 2U);
        hk_rls_columns(&rls, r, N / 2U, N);
        for (uint32_t k = 0U; k < N; k++) {
            w[k] -= gain[k] * (error / rls.innovation);
        }
    }
    for (uint32_t k = 0U; k < N; k++) {
        HK_TEST_CHECK(near(w[k], (float)(k + 1U), 1e-3F));
    }
    HK_TEST_CHECK(hk_rls_condition(&rls) >= 1.0F);
}

static void what_nothing_excites_stays_below_the_cap(void) {
    const float r[N] = {1.0F};
    hk_rls_restart(&rls, 1.0F);
    for (uint32_t equation = 0U; equation < 10000U; equation++) {
        hk_rls_begin(&rls, 0.99F, 50.0F);
        hk_rls_columns(&rls, r, 0U, N);
    }
    for (uint32_t k = 1U; k < N; k++) {
        HK_TEST_CHECK(diagonal[k] <= 50.0F && diagonal[k] > 49.0F);
    }
    HK_TEST_CHECK(diagonal[0] > 0.0F && diagonal[0] < 1.0F);
}

static void a_broken_covariance_is_told(void) {
    hk_rls_restart(&rls, 1.0F);
    diagonal[3] = -1.0F;

    HK_TEST_CHECK(hk_rls_condition(&rls) < 0.0F);
}

/* ---- mixture ----------------------------------------------------------------------------------------------------- */

static void the_convex_mixture_follows_the_better_filter(void) {
    hk_mix_t mix;
    hk_mix_start(&mix, HK_HYBRID_RULE_CONVEX);
    HK_TEST_CHECK(near(mix.share, 0.5F, 1e-6F));
    for (uint32_t n = 0U; n < 4000U; n++) {
        const float sign = (n % 2U == 0U) ? 1.0F : -1.0F;
        hk_mix_step(&mix, HK_HYBRID_RULE_CONVEX, 10000.0F * sign, 100.0F * sign);
    }
    HK_TEST_CHECK(mix.share < 0.05F && mix.share > 0.0F);
    for (uint32_t n = 0U; n < 4000U; n++) {
        const float sign = (n % 2U == 0U) ? 1.0F : -1.0F;
        hk_mix_step(&mix, HK_HYBRID_RULE_CONVEX, 100.0F * sign, 10000.0F * sign);
    }
    HK_TEST_CHECK(mix.share > 0.95F && mix.share < 1.0F);
}

static void the_rate_leads_with_the_short_filter_while_the_error_falls(void) {
    hk_mix_t mix;
    hk_mix_start(&mix, HK_HYBRID_RULE_RATE);
    HK_TEST_CHECK(near(mix.share, 0.3F, 1e-6F));
    for (uint32_t n = 0U; n < 20000U; n++) { /* steady: the long one takes over */
        hk_mix_step(&mix, HK_HYBRID_RULE_RATE, 1000.0F, 1000.0F);
    }
    HK_TEST_CHECK(near(mix.share, 0.9F, 1e-3F));
    float level = 1000.0F;
    for (uint32_t n = 0U; n < 500U; n++) {
        level *= 0.99F;
        hk_mix_step(&mix, HK_HYBRID_RULE_RATE, level, level);
    }
    HK_TEST_CHECK(near(mix.share, 0.3F, 0.05F));
}

const hk_test_t hk_tests[] = {
    HK_TEST(places_of_frequencies_are_their_digits_in_reverse),
    HK_TEST(an_impulse_has_a_flat_spectrum),
    HK_TEST(an_impulse_one_sample_late_turns_once_over_the_spectrum),
    HK_TEST(the_inverse_gives_back_the_signal_times_its_length),
    HK_TEST(least_squares_find_the_weights),
    HK_TEST(what_nothing_excites_stays_below_the_cap),
    HK_TEST(a_broken_covariance_is_told),
    HK_TEST(the_convex_mixture_follows_the_better_filter),
    HK_TEST(the_rate_leads_with_the_short_filter_while_the_error_falls),
};
const uint32_t hk_n_tests = sizeof hk_tests / sizeof hk_tests[0];
