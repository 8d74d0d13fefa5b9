/**
 * @file  hk_fft.h
 * @brief Complex Fourier transform of 256 points in single precision, in slices of bounded work.
 *
 * Method    Radix 4, in place, four stages. Forward: decimation in frequency, e^(-2 pi i n k / 256), natural order in,
 *           digits reversed out. Inverse: decimation in time, digits reversed in, natural order out, times 256. Spectra
 *           are read and written through hk_fft_place, so nothing is ever reordered.
 *           CMSIS-DSP has a transform of this size; ours has one order of operations on every core, Helium included, so
 *           that host and targets agree bit for bit (HK-DEV-10), and it stops after every stage.
 * Numbers   Real and imaginary part interleaved. Twiddle factors are CMSIS-DSP's table.
 * Context   Background.
 */
#ifndef HK_FFT_H
#define HK_FFT_H

#include <stdint.h> /* uint32_t */

#define HK_FFT_SIZE   256U
#define HK_FFT_STAGES 4U

/** Stage 0..HK_FFT_STAGES - 1 of the forward transform of z[2 * HK_FFT_SIZE]; in ascending order. */
void hk_fft_forward(float *z, uint32_t stage);

/** Stage 0..HK_FFT_STAGES - 1 of the inverse transform; in ascending order. */
void hk_fft_inverse(float *z, uint32_t stage);

/** Where frequency k < HK_FFT_SIZE stands in a spectrum: the four digits of k to base 4 in reverse. */
static inline uint32_t hk_fft_place(uint32_t k) {
    return ((k & 3U) << 6) | ((k & 12U) << 2) | ((k >> 2) & 12U) | (k >> 6);
}

#endif /* HK_FFT_H */
