/**
 * @file  hk_fft.c
 * @brief Radix-4 butterflies.
 */
#include "hk_fft.h"

#include "arm_common_tables.h" /* twiddleCoef_256: cos(2 pi i / 256), sin(2 pi i / 256) */

typedef struct {
    float re;
    float im;
} complex_t;

static inline complex_t load(const float *z, uint32_t at) {
    const complex_t value = {z[2U * at], z[2U * at + 1U]};
    return value;
}

static inline void store(float *z, uint32_t at, complex_t value) {
    z[2U * at] = value.re;
    z[2U * at + 1U] = value.im;
}

static inline complex_t add(complex_t a, complex_t b) {
    const complex_t sum = {a.re + b.re, a.im + b.im};
    return sum;
}

static inline complex_t subtract(complex_t a, complex_t b) {
    const complex_t difference = {a.re - b.re, a.im - b.im};
    return difference;
}

/* a - i b and a + i b */
static inline complex_t turn_back(complex_t a, complex_t b) {
    const complex_t sum = {a.re + b.im, a.im - b.re};
    return sum;
}

static inline complex_t turn_on(complex_t a, complex_t b) {
    const complex_t sum = {a.re - b.im, a.im + b.re};
    return sum;
}

/* a times e^(-2 pi i at / 256), and times its conjugate */
static inline complex_t rotate_back(complex_t a, uint32_t at) {
    const complex_t w = load(twiddleCoef_256, at);
    const complex_t product = {a.re * w.re + a.im * w.im, a.im * w.re - a.re * w.im};
    return product;
}

static inline complex_t rotate_on(complex_t a, uint32_t at) {
    const complex_t w = load(twiddleCoef_256, at);
    const complex_t product = {a.re * w.re - a.im * w.im, a.im * w.re + a.re * w.im};
    return product;
}

void hk_fft_forward(float *z, uint32_t stage) {
    const uint32_t quarter = (HK_FFT_SIZE / 4U) >> (2U * stage);
    const uint32_t turn = 1UL << (2U * stage);
    for (uint32_t j = 0U; j < quarter; j++) {
        for (uint32_t at = j; at < HK_FFT_SIZE; at += 4U * quarter) {
            const complex_t a0 = load(z, at);
            const complex_t a1 = load(z, at + quarter);
            const complex_t a2 = load(z, at + 2U * quarter);
            const complex_t a3 = load(z, at + 3U * quarter);
            const complex_t even = add(a0, a2);
            const complex_t odd = add(a1, a3);
            const complex_t even_left = subtract(a0, a2);
            const complex_t odd_left = subtract(a1, a3);
            store(z, at, add(even, odd));
            store(z, at + quarter, rotate_back(turn_back(even_left, odd_left), j * turn));
            store(z, at + 2U * quarter, rotate_back(subtract(even, odd), 2U * j * turn));
            store(z, at + 3U * quarter, rotate_back(turn_on(even_left, odd_left), 3U * j * turn));
        }
    }
}

void hk_fft_inverse(float *z, uint32_t stage) {
    const uint32_t turn = (HK_FFT_SIZE / 4U) >> (2U * stage);
    const uint32_t quarter = 1UL << (2U * stage);
    for (uint32_t j = 0U; j < quarter; j++) {
        for (uint32_t at = j; at < HK_FFT_SIZE; at += 4U * quarter) {
            const complex_t a0 = load(z, at);
            const complex_t a1 = rotate_on(load(z, at + quarter), j * turn);
            const complex_t a2 = rotate_on(load(z, at + 2U * quarter), 2U * j * turn);
            const complex_t a3 = rotate_on(load(z, at + 3U * quarter), 3U * j * turn);
            const complex_t even = add(a0, a2);
            const complex_t odd = add(a1, a3);
            const complex_t even_left = subtract(a0, a2);
            const complex_t odd_left = subtract(a1, a3);
            store(z, at, add(even, odd));
            store(z, at + quarter, turn_on(even_left, odd_left));
            store(z, at + 2U * quarter, subtract(even, odd));
            store(z, at + 3U * quarter, turn_back(even_left, odd_left));
        }
    }
}
