/**
 * @file  hk_frontend.c
 * @brief Decimation, spectrum, mel bands, logarithm.
 *
 * The FFT is CMSIS-DSP's complex one of 256 points. Its real FFT of 512 would do the rest too, but drags in two tables
 * of 32 KB for all lengths: the parting of the spectrum is done here, with its roundings and a table of 3 KB.
 */
#include "hk/hk_frontend.h"

#include "frontend/hk_frontend_tables.h"
#include "hk/hk_fixed.h"             /* hk_magnitude, hk_saturate, hk_square_q48 */
#include <arm_const_structs.h>       /* arm_cfft_sR_q31_len256 */
#include <dsp/transform_functions.h> /* arm_cfft_q31 */
#include <string.h>                  /* memcpy, memset */

#define BINS           (HK_FRONTEND_FRAME / 2U + 1U)
#define HEADROOM       4U /* of the all-passes: two in a row peak at 6.3 times their input */
#define POWER_SHIFT    16U
#define FEATURE_SHIFT  5
#define OCTAVE_SHIFT   9U /* a bit of headroom is two octaves of power, 512 / 256 */
#define BANDS_PER_STEP 10U
#define PAIRS_PER_STEP 64U

/* Slices of a frame. */
enum {
    STAGE_FFT = 1,
    STAGE_SPLIT = 2, /* a quarter of the bins each */
    STAGE_MEL = STAGE_SPLIT + 2,
    STAGE_END = STAGE_MEL + HK_FRONTEND_MELS / BANDS_PER_STEP
};

void hk_frontend_init(hk_frontend_t *f) {
    memset(f, 0, sizeof *f);
}

/* ---- samples ----------------------------------------------------------------------------------------------------- */

/* With their headroom inputs and outputs stay below 0.4, so that differences fit. */
static inline int32_t allpass(int32_t coefficient, int32_t x, int32_t before, int32_t last) {
    return before + (int32_t)(((int64_t)coefficient * (x - last)) >> 31);
}

/* One branch: its output, and its state moved on. */
static inline int32_t branch(int32_t s[3], const int32_t coefficients[2], int32_t x) {
    const int32_t first = allpass(coefficients[0], x, s[0], s[1]);
    const int32_t second = allpass(coefficients[1], first, s[1], s[2]);
    s[0] = x;
    s[1] = first;
    s[2] = second;
    return second;
}

/* One sample at 16 kHz from three at 48 kHz, oldest first; the newest feeds the first branch. */
static int32_t decimate(int32_t branches[HK_FRONTEND_DECIMATION][3], const int32_t *triple) {
    const int32_t total = branch(branches[0], allpass_q31[0], triple[2] >> HEADROOM) +
                          branch(branches[1], allpass_q31[1], triple[1] >> HEADROOM) +
                          branch(branches[2], allpass_q31[2], triple[0] >> HEADROOM);
    return hk_saturate(((int64_t)total * THIRD_Q31) >> (31U - HEADROOM));
}

static inline int32_t windowed(int32_t x, uint32_t headroom, int32_t window) {
    return (int32_t)(((int64_t)(int32_t)((uint32_t)x << headroom) * window) >> 31);
}

/* Window the full frame into work, scaled up as far as its peak allows. */
static void take_frame(hk_frontend_t *f) {
    uint32_t all = 0U; /* has the bits of the largest magnitude */
    uint64_t power = 0U;
    for (uint32_t n = 0U; n < HK_FRONTEND_FRAME; n++) {
        all |= hk_magnitude(f->frame[n]);
        power += hk_square_q48(f->frame[n]);
    }
    const uint32_t zeros = (all == 0U) ? 31U : (uint32_t)__builtin_clz(all);
    f->headroom = (zeros == 0U) ? 0U : zeros - 1U;
    f->power_q48 = power;
    f->work[0] = 0; /* the window is 0 there */
    f->work[HK_FRONTEND_FRAME / 2U] =
        windowed(f->frame[HK_FRONTEND_FRAME / 2U], f->headroom, hann_q31[HK_FRONTEND_FRAME / 2U]);
    for (uint32_t n = 1U; n < HK_FRONTEND_FRAME / 2U; n++) {
        const uint32_t mirror = HK_FRONTEND_FRAME - n;
        f->work[n] = windowed(f->frame[n], f->headroom, hann_q31[n]);
        f->work[mirror] = windowed(f->frame[mirror], f->headroom, hann_q31[n]);
    }
    f->stage = STAGE_FFT;
}

static void put(hk_frontend_t *f, const int32_t *triple) {
    f->frame[f->n_frame++] = decimate(f->branches, triple);
    if (f->n_frame == HK_FRONTEND_FRAME) {
        f->n_frame = 0U;
        take_frame(f);
    }
}

void hk_frontend_push(hk_frontend_t *f, const int32_t *samples, uint32_t n) {
    const int32_t *at = samples;
    const int32_t *const end = samples + n;
    while (f->n_triple != 0U && at < end) { /* what the last call left */
        f->triple[f->n_triple++] = *at++;
        if (f->n_triple == HK_FRONTEND_DECIMATION) {
            f->n_triple = 0U;
            put(f, f->triple);
        }
    }
    for (; end - at >= (int32_t)HK_FRONTEND_DECIMATION; at += HK_FRONTEND_DECIMATION) {
        put(f, at);
    }
    while (at < end) {
        f->triple[f->n_triple++] = *at++;
    }
}

/* ---- spectrum ---------------------------------------------------------------------------------------------------- */

/* High word of a product, rounded: CMSIS-DSP's mult_32x32_keep32_R, and its sums with an accumulator. */
static inline int32_t times(int32_t x, int32_t y) {
    return (int32_t)(((int64_t)x * y + 0x80000000LL) >> 32);
}

static inline int32_t plus_times(int32_t sum, int32_t x, int32_t y) {
    return (int32_t)((((int64_t)sum * (1LL << 32)) + (int64_t)x * y + 0x80000000LL) >> 32);
}

static inline int32_t less_times(int32_t sum, int32_t x, int32_t y) {
    return (int32_t)((((int64_t)sum * (1LL << 32)) - (int64_t)x * y + 0x80000000LL) >> 32);
}

static uint64_t power_of(int32_t re, int32_t im) {
    return (uint64_t)((int64_t)re * re + (int64_t)im * im) >> POWER_SHIFT;
}

/* Power of bin k from bins k and 256 - k of the complex transform. */
static uint64_t bin_power(const int32_t *a, const int32_t *b, const int32_t *c) {
    int32_t re = less_times(times(a[0], c[0]), a[1], c[1]);
    int32_t im = plus_times(times(a[0], c[1]), a[1], c[0]);
    re = plus_times(less_times(re, b[1], c[1]), b[0], c[2]);
    im = less_times(less_times(im, b[1], c[2]), b[0], c[1]);
    return power_of(re, im);
}

static void put_power(int32_t *work, uint32_t bin, uint64_t power) {
    memcpy(&work[2U * bin], &power, sizeof power);
}

/* Bins first..first + n - 1 and their mirrors, in place. Bin 0 gives both ends, bin 128 is its own mirror. */
static void split(int32_t *work, uint32_t first, uint32_t n) {
    const uint32_t last = BINS - 1U;
    for (uint32_t k = first; k < first + n; k++) {
        if (k == 0U) {
            const int32_t re = work[0];
            const int32_t im = work[1];
            put_power(work, 0U, power_of((re + im) >> 1, 0));
            put_power(work, last, power_of((re - im) >> 1, 0));
            continue;
        }
        const uint64_t low = bin_power(&work[2U * k], &work[2U * (last - k)], split_q31[k - 1U]);
        const uint64_t high = bin_power(&work[2U * (last - k)], &work[2U * k], split_q31[last - k - 1U]);
        put_power(work, k, low);
        put_power(work, last - k, high);
    }
}

/* ---- bands ------------------------------------------------------------------------------------------------------- */

/* 256 log2(value); 0 for 0. */
static int32_t log2_of(uint64_t value) {
    if (value == 0U) {
        return 0;
    }
    const uint32_t msb = 63U - (uint32_t)__builtin_clzll(value);
    const uint64_t mantissa = (msb >= 8U) ? value >> (msb - 8U) : value << (8U - msb);
    return (int32_t)(msb * 256U + log2_q8[mantissa & 255U]);
}

static void gather(hk_frontend_t *f, uint32_t first, uint32_t n) {
    uint32_t at = 0U;
    for (uint32_t m = 0U; m < first; m++) {
        at += mel_bands[m].count;
    }
    for (uint32_t m = first; m < first + n; m++) {
        uint64_t total = 0U;
        for (uint32_t j = 0U; j < mel_bands[m].count; j++) {
            uint64_t power;
            memcpy(&power, &f->work[2U * (mel_bands[m].first + j)], sizeof power);
            total += power * mel_weights_q15[at + j];
        }
        at += mel_bands[m].count;
        f->log_mel[m] = (int16_t)(log2_of(total) - (int32_t)(f->headroom << OCTAVE_SHIFT));
    }
}

bool hk_frontend_step(hk_frontend_t *f) {
    if (f->stage == 0U) {
        return false;
    }
    if (f->stage < STAGE_SPLIT) {
        arm_cfft_q31(&arm_cfft_sR_q31_len256, f->work, 0U, 1U);
    } else if (f->stage < STAGE_MEL) {
        const uint32_t quarter = f->stage - STAGE_SPLIT;
        split(f->work, quarter * PAIRS_PER_STEP, PAIRS_PER_STEP + quarter);
    } else {
        gather(f, (f->stage - STAGE_MEL) * BANDS_PER_STEP, BANDS_PER_STEP);
    }
    f->stage++;
    if (f->stage < STAGE_END) {
        return false;
    }
    f->stage = 0U;
    f->frames++;
    return true;
}

/* ---- features ---------------------------------------------------------------------------------------------------- */

int32_t hk_frontend_mean(int32_t sum, uint32_t n) {
    const int32_t count = (int32_t)n;
    return (sum >= 0) ? sum / count : -((count - 1 - sum) / count);
}

void hk_frontend_features(const int16_t *log_mel, uint32_t n, int32_t mean, int8_t *features) {
    for (uint32_t k = 0U; k < n; k++) {
        const int32_t relative = (log_mel[k] - mean + (1 << (FEATURE_SHIFT - 1))) >> FEATURE_SHIFT;
        features[k] = (int8_t)((relative < INT8_MIN) ? INT8_MIN : (relative > INT8_MAX) ? INT8_MAX : relative);
    }
}
