/*
 * 1x1 convolutions, fully connected layers and convolutions of any window: the pixels' taps are widened once into pairs
 * of int16, two pixels side by side, then every group of four outputs is multiplied with them.
 * The stream's order, and why one word of weights serves two outputs, is in hushkit_codegen/network/streams.py.
 */
#include "hk_net_kernels.h"
#include "hk_net_math.h"

#include <stdbool.h>

#define LANES 2U

/* Sums of all taps, separated; the word as it is gave first + 256 * second. */
static const uint32_t *sum_group(const hk_net_op_t *op, const uint32_t *taps, const uint32_t *weights, uint32_t lanes,
                                 int32_t sums[8]) {
    const uint32_t pairs = hk_net_pairs(op);
    int32_t part[8];
    memset(sums, 0, 8U * sizeof *sums);
    for (uint32_t done = 0; done < pairs; done += op->segment) {
        const uint32_t n = pairs - done < op->segment ? pairs - done : op->segment;
        weights =
            lanes == LANES ? hk_net_sum_two_lanes(taps, weights, n, part) : hk_net_sum_one_lane(taps, weights, n, part);
        taps += (size_t)lanes * n;
        for (uint32_t k = 0; k < HK_NET_GROUP * lanes; k += 2U) {
            sums[k] += part[k];
            sums[k + 1U] += (int32_t)((uint32_t)part[k + 1U] - (uint32_t)part[k]) >> 8;
        }
    }
    return weights;
}

/* Whether groups may take the short way: one segment, four outputs, and requantisation without exceptions. */
static bool is_plain(const hk_net_op_t *op) {
    return op->segment >= hk_net_pairs(op) && (op->flags & (HK_NET_WIDE | HK_NET_CLAMP | HK_NET_AWAY)) == 0U;
}

static void multiply_plain(const hk_net_op_t *op, const uint32_t *taps, const uint32_t *stream, int8_t *out,
                           uint32_t lanes, uint32_t n_groups) {
    const uint32_t pairs = hk_net_pairs(op);
    const uint32_t n_pixels = (uint32_t)op->out_h * op->out_w;
    if (lanes == LANES) {
        if (n_groups != 0U) {
            hk_net_groups_two_lanes(taps, stream, pairs, out, n_pixels, n_groups);
        }
        return;
    }
    for (uint32_t group = 0; group < n_groups; group++) {
        const hk_net_channel_t *const channel = (const hk_net_channel_t *)(const void *)stream;
        int32_t sums[8];
        stream = hk_net_sum_one_lane(taps, (const uint32_t *)(const void *)(channel + HK_NET_GROUP), pairs, sums);
        for (uint32_t k = 0; k < HK_NET_GROUP; k += 2U, out += (size_t)2U * n_pixels) {
            out[0] = hk_net_plain_code(&channel[k], sums[k]);
            out[n_pixels] = hk_net_plain_code(&channel[k + 1U], (sums[k + 1U] - sums[k]) >> 8);
        }
    }
}

/* Outputs of one or two pixels from their widened taps: groups from `group` on, at most call->groups. */
static void multiply(const hk_net_call_t *call, const uint32_t *taps, uint32_t pixel, uint32_t lanes, uint32_t group) {
    const hk_net_op_t *const op = call->op;
    const uint32_t n_pixels = (uint32_t)op->out_h * op->out_w;
    const uint32_t group_words = HK_NET_GROUP * sizeof(hk_net_channel_t) / sizeof *taps + 2U * hk_net_pairs(op);
    const uint32_t n_all = hk_net_groups(op);
    const uint32_t end = n_all - group < call->groups ? n_all : group + call->groups;
    const uint32_t *stream = (const uint32_t *)(const void *)(call->blob + op->data) + (size_t)group * group_words;
    uint32_t first = group * HK_NET_GROUP;
    int8_t *out = (int8_t *)(call->arena + op->out) + pixel + (size_t)first * n_pixels;
    if (is_plain(op)) {
        const uint32_t n_whole = (end * HK_NET_GROUP <= op->out_c ? end : end - 1U) - group;
        multiply_plain(op, taps, stream, out, lanes, n_whole);
        first += n_whole * HK_NET_GROUP;
        out += (size_t)n_whole * HK_NET_GROUP * n_pixels;
        stream += (size_t)n_whole * group_words;
    }
    for (; first < op->out_c && first < end * HK_NET_GROUP; first += HK_NET_GROUP) {
        const hk_net_channel_t *const channel = (const hk_net_channel_t *)(const void *)stream;
        int32_t sums[8];
        stream = sum_group(op, taps, (const uint32_t *)(const void *)(channel + HK_NET_GROUP), lanes, sums);
        const uint32_t n_outputs = op->out_c - first < HK_NET_GROUP ? op->out_c - first : HK_NET_GROUP;
        for (uint32_t k = 0; k < n_outputs; k++, out += n_pixels) {
            for (uint32_t lane = 0; lane < lanes; lane++) {
                out[lane] = (int8_t)hk_net_requantise(op, &channel[k], sums[k + HK_NET_GROUP * lane]);
            }
        }
    }
}

/* Channels of two neighbouring pixels: bytes (c p0, c p1, c+1 p0, c+1 p1) part into even and odd. */
static void widen_two_pixels(const hk_net_op_t *op, const int8_t *in, uint32_t n_pixels, uint32_t *taps) {
    uint32_t c = 0;
    for (; c + 2U <= op->in_c; c += 2U) {
        uint16_t even, odd;
        memcpy(&even, in, sizeof even);
        memcpy(&odd, in + n_pixels, sizeof odd);
        const uint32_t bytes = even | ((uint32_t)odd << 16);
        *taps++ = hk_net_even_bytes(bytes);
        *taps++ = hk_net_odd_bytes(bytes);
        in += (size_t)2U * n_pixels;
    }
    if (c < op->in_c) {
        *taps++ = hk_net_low_halves((uint32_t)in[0], 0U);
        *taps = hk_net_low_halves((uint32_t)in[1], 0U);
    }
}

static void widen_one_pixel(const hk_net_op_t *op, const int8_t *in, uint32_t n_pixels, uint32_t *taps) {
    uint32_t c = 0;
    for (; c + 2U <= op->in_c; c += 2U) {
        *taps++ = hk_net_low_halves((uint32_t)in[0], (uint32_t)in[n_pixels]);
        in += (size_t)2U * n_pixels;
    }
    if (c < op->in_c) {
        *taps = hk_net_low_halves((uint32_t)in[0], 0U);
    }
}

/* Where the next tap of a lane goes: its two halfwords, then past the other lane's. */
typedef struct {
    int16_t *at;
    uint32_t step; /* from the second tap of a pair to the first of the next */
    bool is_second;
} place_t;

static inline void put(place_t *place, int32_t tap) {
    *place->at = (int16_t)tap;
    place->at += place->is_second ? place->step : 1U;
    place->is_second = !place->is_second;
}

/* One row of a window that lies inside. */
static inline void put_row(place_t *place, const int8_t *line, uint32_t n, uint32_t dilation) {
    uint32_t k = 0;
    for (; !place->is_second && k + 2U <= n; k += 2U, line += (size_t)2U * dilation) {
        place->at[0] = line[0];
        place->at[1] = line[dilation];
        place->at += place->step + 1U;
    }
    for (; k < n; k++, line += dilation) {
        put(place, *line);
    }
}

/* Taps of one window, plane by plane; outside the planes lies the zero point. */
static void widen_window(const hk_net_call_t *call, uint32_t pixel, int16_t *taps, uint32_t lanes) {
    const hk_net_op_t *const op = call->op;
    const int32_t row = (int32_t)(pixel / op->out_w * op->stride_h) - op->top;
    const int32_t column = (int32_t)(pixel % op->out_w * op->stride_w) - op->left;
    const bool is_inside = column >= 0 && column + (op->kernel_w - 1) * op->dilation_w < op->in_w;
    const int8_t *plane = (const int8_t *)(call->arena + op->first);
    place_t place = {.at = taps, .step = 2U * lanes - 1U, .is_second = false};
    for (uint32_t c = 0; c < op->in_c; c++, plane += (size_t)op->in_h * op->in_w) {
        int32_t y = row;
        for (uint32_t ky = 0; ky < op->kernel_h; ky++, y += op->dilation_h) {
            const bool has_row = y >= 0 && y < op->in_h;
            if (has_row && is_inside) {
                put_row(&place, plane + y * op->in_w + column, op->kernel_w, op->dilation_w);
                continue;
            }
            int32_t x = column;
            for (uint32_t kx = 0; kx < op->kernel_w; kx++, x += op->dilation_w) {
                put(&place, has_row && x >= 0 && x < op->in_w ? plane[y * op->in_w + x] : op->first_zero);
            }
        }
    }
    if (place.is_second) {
        put(&place, 0);
    }
}

static void widen(const hk_net_call_t *call, uint32_t *taps, uint32_t pixel, uint32_t lanes) {
    const hk_net_op_t *const op = call->op;
    const int8_t *const in = (const int8_t *)(call->arena + op->first);
    const uint32_t n_pixels = (uint32_t)op->out_h * op->out_w;
    if (op->kind == HK_NET_CONV) {
        for (uint32_t lane = 0; lane < lanes; lane++) {
            widen_window(call, pixel + lane, (int16_t *)(void *)(taps + lane), lanes);
        }
    } else if (lanes == LANES) {
        widen_two_pixels(op, in + pixel, n_pixels, taps);
    } else {
        widen_one_pixel(op, in + pixel, n_pixels, taps);
    }
}

void hk_net_matrix(const hk_net_call_t *call) {
    const hk_net_op_t *const op = call->op;
    uint32_t *const taps = (uint32_t *)(void *)(call->arena + op->scratch);
    const uint32_t n_pixels = (uint32_t)op->out_h * op->out_w;
    const uint32_t n_parts = (hk_net_groups(op) + call->groups - 1U) / call->groups;
    uint32_t pixel = call->from / n_parts * LANES;
    uint32_t part = call->from % n_parts;
    for (uint32_t unit = call->from; unit < call->to; unit++) {
        const uint32_t lanes = n_pixels - pixel >= LANES ? LANES : 1U;
        if (part == 0U) {
            widen(call, taps, pixel, lanes);
        }
        multiply(call, taps, pixel, lanes, part * call->groups);
        if (++part == n_parts) {
            part = 0U;
            pixel += LANES;
        }
    }
}
