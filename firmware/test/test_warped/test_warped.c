/**
 * @file  test_warped.c
 * @brief Parts of the warped least-squares controller that every build has: the chain and the solver.
 */
#include "../../src/dsp/hk_ldl.h"
#include "../../src/dsp/hk_warped_chain.h"
#include "hk_test.h"

#define N            12U
#define LAMBDA_C_Q32 214748365 /* 1 - 0.95 */

static void a_section_is_all_pass(void) {
    int32_t chain[2] = {0};
    uint64_t in_energy = 0U;
    uint64_t out_energy = 0U;
    uint32_t noise = 3U;
    for (uint32_t n = 0U; n < 4000U; n++) {
        noise = noise * 1664525U + 1013904223U;
        const int32_t x = (n < 3000U) ? (int32_t)noise >> 6 : 0;
        hk_warped_chain_step(chain, 2U, LAMBDA_C_Q32, x);
        in_energy += (uint64_t)((int64_t)x * x) >> 16;
        out_energy += (uint64_t)((int64_t)chain[1] * chain[1]) >> 16;
    }
    const int64_t difference = (int64_t)(out_energy - in_energy);
    HK_TEST_CHECK(difference < (int64_t)(in_energy >> 12) && difference > -(int64_t)(in_energy >> 12));
}

static void a_section_has_the_impulse_response_of_its_definition(void) {
    int32_t chain[2] = {0};
    double expected = 0.0; /* test code may: y[n] = x[n - 1] + lambda (y[n - 1] - x[n]) */
    double last_in = 0.0;
    for (uint32_t n = 0U; n < 200U; n++) {
        const int32_t x = (n == 0U) ? 1 << 24 : 0;
        hk_warped_chain_step(chain, 2U, LAMBDA_C_Q32, x);
        expected = last_in + 0.95 * (expected - (double)x);
        last_in = (double)x;
        const double error = (double)chain[1] - expected;
        HK_TEST_CHECK(error < 12.0 && error > -12.0); /* half an LSB per sample, remembered for 20 samples */
    }
}

static void quiet_signals_survive_the_chain(void) {
    static int32_t chain[64];
    uint64_t energy[2] = {0U, 0U};
    uint32_t noise = 9U;
    int32_t low = 0;
    for (uint32_t n = 0U; n < 30000U; n++) {
        noise = noise * 1664525U + 1013904223U;
        low += (((int32_t)noise >> 16) - low) / 16; /* some 2^11 LSB rms, mostly low tones */
        hk_warped_chain_step(chain, 64U, LAMBDA_C_Q32, low);
        if (n > 10000U) {
            energy[0] += (uint64_t)((int64_t)chain[0] * chain[0]);
            energy[1] += (uint64_t)((int64_t)chain[63] * chain[63]);
        }
    }
    const int64_t difference = (int64_t)(energy[1] - energy[0]);
    HK_TEST_CHECK(difference < (int64_t)(energy[0] / 20U) && difference > -(int64_t)(energy[0] / 20U));
}

static void dot_product_is_exact(void) {
    int32_t chain[8];
    int32_t weights[8];
    int64_t expected = 0;
    for (int32_t k = 0; k < 8; k++) {
        chain[k] = INT32_MIN / (k + 1);
        weights[k] = (k % 2 == 0) ? 268435455 : -268435455;
        expected += (int64_t)chain[k] * weights[k];
    }
    HK_TEST_EQUAL(hk_warped_chain_dot(chain, weights, 8U), expected);
}

static float a[HK_LDL_SIZE(N)];
static float x[N];
static float row_work[HK_LDL_SIDE * N];
static float pivot[N];
static hk_ldl_t ldl = {HK_LDL_IDLE, N, 256U, 0U, 0U, a, x, row_work, pivot};

/* A[i][j] = 1 / (1 + |i - j|), plus `ridge` on the diagonal; the solution is 1, -2, 3, ... */
static void fill(float ridge) {
    for (uint32_t i = 0U; i < N; i++) {
        x[i] = 0.0F;
        for (uint32_t j = 0U; j < N; j++) {
            const float value = 1.0F / (1.0F + (float)((i > j) ? i - j : j - i)) + ((i == j) ? ridge : 0.0F);
            x[i] += value * ((j % 2U == 0U) ? 1.0F : -1.0F) * (float)(j + 1U);
            if (j <= i) {
                a[hk_ldl_row(i) + j] = value;
            }
        }
    }
}

static void ldl_solves(void) {
    fill(0.01F);
    hk_ldl_start(&ldl);
    uint32_t slices = 0U;
    while (ldl.state != HK_LDL_DONE) {
        hk_ldl_step(&ldl);
        slices++;
        HK_TEST_CHECK(slices < 10U && ldl.state != HK_LDL_REFUSED);
    }
    HK_TEST_CHECK(slices > 1U);
    for (uint32_t i = 0U; i < N; i++) {
        const float expected = ((i % 2U == 0U) ? 1.0F : -1.0F) * (float)(i + 1U);
        HK_TEST_CHECK(x[i] - expected < 1e-3F && x[i] - expected > -1e-3F);
    }
}

static void ldl_refuses_what_is_not_positive(void) {
    fill(-2.0F);
    hk_ldl_start(&ldl);
    for (uint32_t slices = 0U; slices < 10U; slices++) {
        hk_ldl_step(&ldl);
    }
    HK_TEST_EQUAL(ldl.state, HK_LDL_REFUSED);
}

const hk_test_t hk_tests[] = {
    HK_TEST(a_section_is_all_pass),
    HK_TEST(a_section_has_the_impulse_response_of_its_definition),
    HK_TEST(quiet_signals_survive_the_chain),
    HK_TEST(dot_product_is_exact),
    HK_TEST(ldl_solves),
    HK_TEST(ldl_refuses_what_is_not_positive),
};
const uint32_t hk_n_tests = sizeof hk_tests / sizeof hk_tests[0];
