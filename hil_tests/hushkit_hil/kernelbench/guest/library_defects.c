/*
 * Shows, on the host, the defects of CMSIS-DSP 1.10.3 that the generated kernels do not share. Prints one line each:
 *   lms_norm_q31|lms_norm_q15 LEVEL_DBFS ERROR_DB   identification of a two-tap path with 128 weights, last tenth
 *   low_corner_q15|low_corner_q31 PEAK              output peak of a 30 Hz low pass at DC, of full scale
 */
#include "arm_math.h"

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define TAPS  128
#define BLOCK 8
#define TOTAL 24000

static uint32_t random_state;

static double random_uniform(void) {
    random_state = random_state * 1664525U + 1013904223U;
    return (double)(int32_t)random_state / 2147483648.0 * 1.7320508; /* unit variance */
}

static double error_db(int q15, double level_db) {
    static q31_t weights31[TAPS], state31[TAPS + BLOCK];
    static q15_t weights15[TAPS], state15[TAPS + BLOCK];
    arm_lms_norm_instance_q31 s31;
    arm_lms_norm_instance_q15 s15;
    memset(weights31, 0, sizeof weights31);
    memset(weights15, 0, sizeof weights15);
    arm_lms_norm_init_q31(&s31, TAPS, weights31, state31, 107374182, BLOCK, 0); /* step 0.05 */
    arm_lms_norm_init_q15(&s15, TAPS, weights15, state15, 1638, BLOCK, 0);
    const double gain = pow(10.0, level_db / 20.0);
    double past[16] = {0.0};
    double error_power = 0.0;
    double wanted_power = 0.0;
    random_state = 7U;
    for (int at = 0; at < TOTAL; at += BLOCK) {
        q31_t x31[BLOCK], d31[BLOCK], y31[BLOCK], e31[BLOCK];
        q15_t x15[BLOCK], d15[BLOCK], y15[BLOCK], e15[BLOCK];
        double wanted[BLOCK];
        for (int n = 0; n < BLOCK; n++) {
            memmove(&past[1], &past[0], 15 * sizeof past[0]);
            past[0] = gain * random_uniform();
            wanted[n] = 0.5 * past[3] - 0.25 * past[10];
            x31[n] = (q31_t)(past[0] * 2147483647.0);
            d31[n] = (q31_t)(wanted[n] * 2147483647.0);
            x15[n] = (q15_t)(past[0] * 32767.0);
            d15[n] = (q15_t)(wanted[n] * 32767.0);
        }
        if (q15) {
            arm_lms_norm_q15(&s15, x15, d15, y15, e15, BLOCK);
        } else {
            arm_lms_norm_q31(&s31, x31, d31, y31, e31, BLOCK);
        }
        for (int n = 0; n < BLOCK && at >= TOTAL - TOTAL / 10; n++) {
            const double e = q15 ? e15[n] / 32768.0 : e31[n] / 2147483648.0;
            error_power += e * e;
            wanted_power += wanted[n] * wanted[n];
        }
    }
    return 10.0 * log10(error_power / wanted_power + 1e-20);
}

/* Second-order Butterworth low pass, 30 Hz at 48 kHz, halved coefficients (post shift 1). */
static void low_corner(void) {
    const double k = tan(3.14159265358979 * 30.0 / 48000.0);
    const double norm = 1.0 / (1.0 + 1.41421356 * k + k * k);
    const double b = k * k * norm;
    const double a1 = 2.0 * (1.0 - k * k) * norm;
    const double a2 = -(1.0 - 1.41421356 * k + k * k) * norm;
    const q15_t c15[6] = {(q15_t)(b * 16384.0),        0,
                          (q15_t)(2.0 * b * 16384.0),  (q15_t)(b * 16384.0),
                          (q15_t)(a1 * 16384.0 - 1.0), (q15_t)(a2 * 16384.0)};
    const q31_t c31[5] = {(q31_t)(b * 1073741824.0), (q31_t)(2.0 * b * 1073741824.0), (q31_t)(b * 1073741824.0),
                          (q31_t)(a1 * 1073741824.0), (q31_t)(a2 * 1073741824.0)};
    q15_t state15[4];
    q31_t state31[4];
    arm_biquad_casd_df1_inst_q15 f15;
    arm_biquad_casd_df1_inst_q31 f31;
    arm_biquad_cascade_df1_init_q15(&f15, 1, c15, state15, 1);
    arm_biquad_cascade_df1_init_q31(&f31, 1, c31, state31, 1);
    double peak15 = 0.0;
    double peak31 = 0.0;
    for (int at = 0; at < 48000; at += BLOCK) {
        q15_t x15[BLOCK], y15[BLOCK];
        q31_t x31[BLOCK], y31[BLOCK];
        for (int n = 0; n < BLOCK; n++) {
            x15[n] = 16384;
            x31[n] = 1073741824;
        }
        arm_biquad_cascade_df1_q15(&f15, x15, y15, BLOCK);
        arm_biquad_cascade_df1_q31(&f31, x31, y31, BLOCK);
        for (int n = 0; n < BLOCK; n++) {
            peak15 = fmax(peak15, fabs(y15[n] / 32768.0));
            peak31 = fmax(peak31, fabs(y31[n] / 2147483648.0));
        }
    }
    printf("low_corner_q15 %.4f\nlow_corner_q31 %.4f\n", peak15, peak31);
}

int main(void) {
    const double levels_db[] = {-40.0, -30.0, -24.0, -18.0, -12.0};
    for (unsigned k = 0; k < sizeof levels_db / sizeof levels_db[0]; k++) {
        printf("lms_norm_q31 %.0f %.1f\n", levels_db[k], error_db(0, levels_db[k]));
        printf("lms_norm_q15 %.0f %.1f\n", levels_db[k], error_db(1, levels_db[k]));
    }
    low_corner();
    puts("\nend");
    return 0;
}
