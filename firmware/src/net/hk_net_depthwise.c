/*
 * Depthwise convolution, plane by plane: the plane is widened to int16 with its padding around it, then the window runs
 * over it without a test at the edge. The output may lie where the input was.
 */
#include "hk_net_kernels.h"
#include "hk_net_math.h"

#include <stdbool.h>

/* One channel of a call. */
typedef struct {
    const hk_net_op_t *op;
    const hk_net_channel_t *constants; /* its taps behind */
    const int16_t *wide;
    int8_t *out;
    uint32_t pitch; /* samples between rows of wide */
    bool is_last;   /* nothing may be touched behind its plane */
} plane_t;

static const void *taps_of(const plane_t *plane) {
    return plane->constants + 1;
}

/* Four codes at a time; what is left of the row one by one. */
static void widen_long_row(const int8_t *in, int16_t *wide, uint32_t width) {
    uint32_t x = 0;
    for (; x + 4U <= width; x += 4U) {
        const uint32_t codes = hk_net_word(in + x);
        const uint32_t even = hk_net_even_bytes(codes);
        const uint32_t odd = hk_net_odd_bytes(codes);
        const uint32_t words[2] = {hk_net_low_halves(even, odd), hk_net_high_halves(even, odd)};
        memcpy(wide + x, words, sizeof words);
    }
    for (; x < width; x++) {
        wide[x] = in[x];
    }
}

/* Rows so short that a loop over them costs more than the copy: the caller's width is a constant. */
static inline __attribute__((always_inline)) void widen_short_rows(const hk_net_op_t *op, const int8_t *in,
                                                                   int16_t *wide, uint32_t height, uint32_t pitch,
                                                                   const uint32_t width) {
    for (uint32_t y = 0; y < height; y++, wide += pitch, in += op->in_w) {
        for (uint32_t x = 0; x < width; x++) {
            wide[x] = in[x];
        }
    }
}

/* Copies a plane into the middle of the widened one; what lies outside either is left out. */
static void widen(const hk_net_op_t *op, const int8_t *in, int16_t *wide, uint32_t rows, uint32_t pitch) {
    const uint32_t n_rows = op->top < rows ? rows - op->top : 0U;
    const uint32_t n_columns = op->left < pitch ? pitch - op->left : 0U;
    const uint32_t height = op->in_h < n_rows ? op->in_h : n_rows;
    const uint32_t width = op->in_w < n_columns ? op->in_w : n_columns;
    wide += (size_t)op->top * pitch + op->left;
    switch (width) {
    case 3U:
        widen_short_rows(op, in, wide, height, pitch, 3U);
        return;
    case 4U:
        widen_short_rows(op, in, wide, height, pitch, 4U);
        return;
    case 5U:
        widen_short_rows(op, in, wide, height, pitch, 5U);
        return;
    case 6U:
        widen_short_rows(op, in, wide, height, pitch, 6U);
        return;
    default:
        for (uint32_t y = 0; y < height; y++, wide += pitch, in += op->in_w) {
            widen_long_row(in, wide, width);
        }
    }
}

static void any_window(const plane_t *plane) {
    const hk_net_op_t *const op = plane->op;
    const uint32_t row_taps = (op->kernel_w + 1U) / 2U * 2U;
    int8_t *out = plane->out;
    for (uint32_t y = 0; y < op->out_h; y++) {
        for (uint32_t x = 0; x < op->out_w; x++) {
            const int16_t *taps = taps_of(plane);
            const int16_t *at = plane->wide + (size_t)y * op->stride_h * plane->pitch + (size_t)x * op->stride_w;
            int32_t sum = 0;
            for (uint32_t ky = 0; ky < op->kernel_h; ky++) {
                for (uint32_t kx = 0; kx < op->kernel_w; kx++) {
                    sum += taps[kx] * at[(size_t)kx * op->dilation_w];
                }
                taps += row_taps;
                at += (size_t)op->dilation_h * plane->pitch;
            }
            *out++ = (int8_t)hk_net_requantise(op, plane->constants, sum);
        }
    }
}

/* Requantisation without exceptions; away is -1 where the second step rounds half away from zero, else 0. */
static inline int8_t code(hk_net_channel_t channel, int32_t sum, int32_t away) {
    const uint32_t twice = ((uint32_t)sum << 1) + (uint32_t)channel.bias;
    const int32_t y = hk_net_high_product((int32_t)twice, channel.factor);
    return (int8_t)hk_net_saturate((y + (y < 0 ? away : 0) + channel.rounding) >> channel.shift);
}

static int32_t away_of(const hk_net_op_t *op) {
    return (op->flags & HK_NET_AWAY) != 0U ? -1 : 0;
}

/*
 * An odd number of taps per row, stride 1, rows from y on: two outputs at once from the same words. The first
 * multiplies pairs from its first tap on; the second its first tap alone, then pairs from its second on.
 */
static inline __attribute__((always_inline)) void pairs_of_outputs(const plane_t *plane, uint32_t y,
                                                                   const uint32_t rows, const uint32_t words) {
    const hk_net_op_t *const op = plane->op;
    const hk_net_channel_t constants = *plane->constants;
    const int32_t away = away_of(op);
    const uint32_t *const taps = taps_of(plane);
    int8_t *out = plane->out + (size_t)y * op->out_w;
    uint32_t even[9], odd[9];
    for (uint32_t k = 0; k < rows * words; k++) {
        even[k] = taps[k];
        odd[k] = (k + 1U) % words != 0U ? hk_net_middle(taps[k], taps[k + 1U]) : 0U;
    }
    for (; y < op->out_h; y++) {
        const int16_t *at = plane->wide + (size_t)y * plane->pitch;
        for (uint32_t x = 0; x < op->out_w; x += 2U, at += 2) {
            int32_t first = 0, second = 0;
            for (uint32_t row = 0; row < rows; row++) {
                const uint32_t *const samples = (const uint32_t *)(const void *)(at + (size_t)row * plane->pitch);
                first = hk_net_smlad(samples[0], even[row * words], first);
                second = hk_net_smlatb(samples[0], even[row * words], second);
                for (uint32_t k = 1; k < words; k++) {
                    first = hk_net_smlad(samples[k], even[row * words + k], first);
                    second = hk_net_smlad(samples[k], odd[row * words + k - 1U], second);
                }
            }
            *out++ = code(constants, first, away);
            if (x + 1U < op->out_w) {
                *out++ = code(constants, second, away);
            }
        }
    }
}

/* Any number of taps, stride 2: words lie even. */
static inline __attribute__((always_inline)) void every_second(const plane_t *plane, const uint32_t rows,
                                                               const uint32_t words) {
    const hk_net_op_t *const op = plane->op;
    const hk_net_channel_t constants = *plane->constants;
    const int32_t away = away_of(op);
    const uint32_t *const taps = taps_of(plane);
    int8_t *out = plane->out;
    for (uint32_t y = 0; y < op->out_h; y++) {
        const int16_t *at = plane->wide + (size_t)y * op->stride_h * plane->pitch;
        for (uint32_t left = op->out_w; left != 0U; left--, at += 2) {
            int32_t sum = 0;
            for (uint32_t row = 0; row < rows; row++) {
                const uint32_t *const samples = (const uint32_t *)(const void *)(at + (size_t)row * plane->pitch);
                for (uint32_t k = 0; k < words; k++) {
                    sum = hk_net_smlad(samples[k], taps[row * words + k], sum);
                }
            }
            *out++ = code(constants, sum, away);
        }
    }
}

/* Both taps of a word, doubled. */
static uint32_t doubled(uint32_t taps) {
    return (taps << 1) & 0xFFFEFFFFU;
}

/*
 * Rows in the fast loop. It writes one code past an odd row, and the next row writes over it; past the last row the
 * code is put back, or, where the arena may end there, that row is left to the slow loop.
 */
static void window_3x3(const plane_t *plane) {
    const hk_net_op_t *const op = plane->op;
    const uint32_t odd = op->out_w % 2U;
    const uint32_t rows = plane->is_last ? op->out_h - odd : op->out_h;
    if ((op->flags & HK_NET_AWAY) != 0U || rows == 0U) {
        pairs_of_outputs(plane, 0U, 3U, 2U);
        return;
    }
    const uint32_t *const taps = taps_of(plane);
    hk_net_window_t window = {
        .bias = plane->constants->bias,
        .factor = plane->constants->factor,
        .rounding = plane->constants->rounding,
        .shift = plane->constants->shift,
        .row_bytes = op->out_w + odd,
        .odd = odd,
        .rows = rows,
    };
    for (uint32_t k = 0; k < 3U; k++) {
        window.first[k] = doubled(taps[2U * k]);
        window.second[k] = doubled(hk_net_middle(taps[2U * k], taps[2U * k + 1U]));
    }
    int8_t *const end = plane->out + (size_t)rows * op->out_w;
    const int8_t behind = odd != 0U ? *end : 0;
    hk_net_window_3x3(plane->wide, 2U * plane->pitch, plane->out, &window);
    if (odd != 0U) {
        *end = behind;
    }
    if (rows != op->out_h) {
        pairs_of_outputs(plane, rows, 3U, 2U);
    }
}

static void window_1x3(const plane_t *plane) {
    pairs_of_outputs(plane, 0U, 1U, 2U);
}

static void window_1x5(const plane_t *plane) {
    pairs_of_outputs(plane, 0U, 1U, 3U);
}

static void window_3x3_stride_2(const plane_t *plane) {
    every_second(plane, 3U, 2U);
}

static void window_1x3_stride_2(const plane_t *plane) {
    every_second(plane, 1U, 2U);
}

static void window_1x5_stride_2(const plane_t *plane) {
    every_second(plane, 1U, 3U);
}

typedef void (*window_t)(const plane_t *plane);

static window_t window_of(const hk_net_op_t *op) {
    static const struct {
        uint8_t kernel_h, kernel_w, stride_w;
        window_t run;
    } windows[] = {
        {3U, 3U, 1U, window_3x3},          {1U, 3U, 1U, window_1x3},          {1U, 5U, 1U, window_1x5},
        {3U, 3U, 2U, window_3x3_stride_2}, {1U, 3U, 2U, window_1x3_stride_2}, {1U, 5U, 2U, window_1x5_stride_2},
    };
    const uint32_t special = (uint32_t)op->flags & (HK_NET_WIDE | HK_NET_CLAMP);
    for (size_t k = 0; special == 0U && k < sizeof windows / sizeof windows[0]; k++) {
        if (op->kernel_h == windows[k].kernel_h && op->kernel_w == windows[k].kernel_w &&
            op->stride_w == windows[k].stride_w && op->dilation_h == 1U && op->dilation_w == 1U &&
            (op->stride_h == op->stride_w || op->out_h == 1U)) {
            return windows[k].run;
        }
    }
    return any_window;
}

void hk_net_depthwise(const hk_net_call_t *call) {
    const hk_net_op_t *const op = call->op;
    const window_t window = window_of(op);
    const uint32_t rows = hk_net_plane_rows(op);
    const uint32_t pitch = hk_net_plane_pitch(op);
    const uint32_t repeat = (uint32_t)op->out_c / op->in_c;
    const uint32_t channel_bytes = sizeof(hk_net_channel_t) + 2U * op->kernel_h * ((op->kernel_w + 1U) / 2U * 2U);
    const int8_t *in = (const int8_t *)(call->arena + op->first);
    int16_t *const wide = (int16_t *)(void *)(call->arena + op->scratch);
    const uint32_t n_pixels = (uint32_t)op->out_h * op->out_w;
    const uint8_t *stream = call->blob + op->data + (size_t)call->from * channel_bytes;
    for (uint32_t k = 0; call->from == 0U && k < rows * pitch; k++) {
        wide[k] = op->first_zero;
    }
    plane_t plane = {.op = op, .wide = wide, .out = (int8_t *)(call->arena + op->out), .pitch = pitch};
    plane.out += (size_t)call->from * n_pixels;
    in += (size_t)((call->from + repeat - 1U) / repeat) * op->in_h * op->in_w;
    for (uint32_t c = call->from; c < call->to; c++, stream += channel_bytes) {
        if (c % repeat == 0U) {
            widen(op, in, wide, rows, pitch);
            in += (size_t)op->in_h * op->in_w;
        }
        plane.constants = (const hk_net_channel_t *)(const void *)stream;
        plane.is_last = c + 1U == op->out_c;
        window(&plane);
        plane.out += n_pixels;
    }
}
