/**
 * @file  hk_net_kernels.h
 * @brief The runtime's operators. Each trusts its operator: hk_net_load has checked it.
 */
#ifndef HK_NET_KERNELS_H
#define HK_NET_KERNELS_H

#include "hk_net_blob.h"

#include <stdbool.h>

/**
 * Units of an operator with its pointers. Units run in order, from 0 on; between two calls nothing else may use the
 * arena. A matrix operator's unit is a pair of pixels and `groups` groups of four outputs, or four pixels and `groups`
 * pairs of outputs for vector units; a depthwise one's is a channel, a sum's or product's a code; any
 * other operator is one unit.
 */
typedef struct {
    const hk_net_op_t *op;
    const uint8_t *blob;
    uint8_t *arena;
    uint32_t from; /* first unit */
    uint32_t to;   /* behind the last */
    uint32_t groups;
} hk_net_call_t;

/** Groups of four outputs of a matrix operator. */
static inline uint32_t hk_net_groups(const hk_net_op_t *op) {
    return (op->out_c + HK_NET_GROUP - 1U) / HK_NET_GROUP;
}

/** Whether this core has an operator of this kind. */
bool hk_net_has(uint32_t kind);

void hk_net_matrix(const hk_net_call_t *call); /* POINT and CONV */

/**
 * Sums of four outputs a, b, c, d over pairs of taps: sums[0] = a, sums[1] = a + 256 b, sums[2] = c, sums[3] = c + 256
 * d; with two lanes, sums[4..7] those of the second pixel. @return The word behind the weights.
 */
const uint32_t *hk_net_sum_two_lanes(const uint32_t *taps, const uint32_t *weights, uint32_t pairs, int32_t sums[8]);
const uint32_t *hk_net_sum_one_lane(const uint32_t *taps, const uint32_t *weights, uint32_t pairs, int32_t sums[8]);

/** Whole groups without exceptions: from their streams to codes at out[k * n_pixels] and out[k * n_pixels + 1]. */
void hk_net_groups_two_lanes(const uint32_t *taps, const uint32_t *stream, uint32_t pairs, int8_t *out,
                             uint32_t n_pixels, uint32_t n_groups);

/** What hk_net_window_3x3 needs; all doubled but factor, rounding and shift. rows is counted down. */
typedef struct {
    uint32_t first[3];  /* per kernel row: taps 0 and 1 */
    uint32_t second[3]; /* taps 1 and 2 */
    int32_t bias, factor, rounding, shift;
    uint32_t row_bytes; /* output codes per row, rounded up to even */
    uint32_t odd;       /* 1: the last code of a row is written over by the next row's first */
    uint32_t rows;
} hk_net_window_t;

/** 3x3, stride 1, rows of pairs of outputs; pitch in bytes between rows of the widened plane. */
void hk_net_window_3x3(const int16_t *wide, uint32_t pitch, int8_t *out, hk_net_window_t *window);

void hk_net_depthwise(const hk_net_call_t *call);
void hk_net_vector_matrix(const hk_net_call_t *call); /* VECTOR_POINT and VECTOR_CONV */
void hk_net_vector_depthwise(const hk_net_call_t *call);
void hk_net_add(const hk_net_call_t *call); /* ADD and SUB */
void hk_net_mul(const hk_net_call_t *call);
void hk_net_pool(const hk_net_call_t *call); /* AVERAGE and MAX */
void hk_net_mean(const hk_net_call_t *call);
void hk_net_softmax(const hk_net_call_t *call);

#endif /* HK_NET_KERNELS_H */
