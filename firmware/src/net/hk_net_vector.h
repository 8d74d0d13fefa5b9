/**
 * @file  hk_net_vector.h
 * @brief Inner loops of the operators for vector units: Helium where the core has it, the same bits elsewhere.
 *
 * Streams   hushkit_codegen/network/vectors.py: vectors of 16 codes or weights; constants with a single bias and a
 *           negative shift (hk_net_channel_t otherwise).
 */
#ifndef HK_NET_VECTOR_H
#define HK_NET_VECTOR_H

#include "hk_net_math.h" /* HK_NET_HELIUM */

#define HK_NET_VECTOR 16U /* codes per vector */
#define HK_NET_LANES  4U  /* outputs requantised at once */

/** Pairs of outputs of four pixels; n_pairs, stream and out move on. Offsets are hard-coded in the assembly. */
typedef struct {
    const int8_t *rows;                  /* four pixels' taps, pitch apart */
    const uint8_t *stream;               /* per pair: n_vectors times both outputs' weights, then both constants */
    uint32_t n_vectors;                  /* 1 or more */
    uint32_t n_pairs;                    /* 1 or more */
    int8_t *out;                         /* first pixel's first output; the pair's second lies behind it */
    uint32_t pitch;                      /* n_vectors * HK_NET_VECTOR */
    uint32_t pixel_offset[HK_NET_LANES]; /* of each pixel, from out */
    int32_t low, high;
} hk_net_pairs_t;

void hk_net_vector_pairs(hk_net_pairs_t *job);      /* second rounding step half up */
void hk_net_vector_pairs_away(hk_net_pairs_t *job); /* half away from zero */

/** Both sums of a pair for one pixel. */
void hk_net_vector_sums(const int8_t *taps, const uint8_t *weights, uint32_t n_vectors, int32_t sums[2]);

/** Outputs of one channel along a strip, four at a time. Offsets are hard-coded in the assembly. */
typedef struct {
    const int8_t *strip;
    const int8_t *weights;
    uint32_t n_vectors;
    uint32_t step; /* bytes in the strip from output to output */
    int8_t *out;
    uint32_t n_outputs; /* 1 or more */
    uint32_t out_step;  /* bytes from four outputs to the next four */
    int32_t bias, factor, rounding, shift;
    int32_t low, high;
    uint32_t offset[HK_NET_LANES]; /* of each of the four, from out */
} hk_net_strip_t;

void hk_net_vector_strip(const hk_net_strip_t *job); /* as above */
void hk_net_vector_strip_away(const hk_net_strip_t *job);

#if defined(HK_NET_HELIUM)
/** Sums of codes: both scaled, added, scaled again, each half away from zero. The assembly has the offsets. */
typedef struct {
    const int8_t *first;
    const int8_t *second;
    int8_t *out;
    uint32_t n; /* 1 or more */
    int32_t factor[3];
    int32_t shift[3]; /* -31..0 */
    int32_t zero[3];  /* of first, second and output */
    int32_t low, high;
} hk_net_sum_t;

void hk_net_vector_add(const hk_net_sum_t *job);
#endif

/** out[k] = in[k * distance], distance below 9362. */
void hk_net_vector_gather(const int8_t *in, uint32_t distance, int8_t *out, uint32_t n);

/** out[4 k + r] = in[r * pitch + k]; n a multiple of HK_NET_VECTOR. */
void hk_net_vector_interleave(const int8_t *in, uint32_t pitch, int8_t *out, uint32_t n);

/** memcpy and memset for short stretches, which the C library does byte by byte. */
void hk_net_vector_copy(const int8_t *in, int8_t *out, uint32_t n);
void hk_net_vector_fill(int8_t *out, int32_t value, uint32_t n);

#endif /* HK_NET_VECTOR_H */
