/*
 * Convolutions for vector units: activations lie pixel by pixel, as in TFLite, so that a pixel's channels and a row of
 * a window are vectors as they are. Four pixels are multiplied with the weights of two outputs at a time. A depthwise
 * convolution takes one channel's plane apart: its lines are copied with the padding around them, and the rows under
 * the window are interleaved, so that each output's window is one stretch of bytes.
 */
#include "hk_net_vector.h"

#include "hk_net_kernels.h"
#include "hk_net_math.h"

#include <stdbool.h>

/* One sum to a code, whatever the flags; the stream's constants are not doubled and their shift is negative. */
static int8_t code_of(const hk_net_op_t *op, const hk_net_channel_t *single, int32_t sum) {
    hk_net_channel_t channel = *single;
    if ((op->flags & HK_NET_WIDE) == 0U) {
        channel.bias = (int32_t)((uint32_t)channel.bias << 1);
        channel.shift = -channel.shift;
    }
    return (int8_t)hk_net_requantise(op, &channel, sum);
}

/* ---- 1x1, fully connected and any window ------------------------------------------------------------------------ */

/* One row of a window, n taps from column on, some of them outside. */
static void put_line(const hk_net_op_t *op, const int8_t *line, int32_t column, int8_t *out) {
    const int32_t n = op->kernel_w;
    const uint32_t n_channels = op->in_c;
    const int32_t left = column < 0 ? (-column < n ? -column : n) : 0;
    const int32_t end = column + n > op->in_w ? op->in_w - column : n;
    const int32_t right = end < left ? left : end;
    hk_net_vector_fill(out, op->first_zero, (uint32_t)left * n_channels);
    hk_net_vector_copy(line + (column + left) * (int32_t)n_channels, out + (uint32_t)left * n_channels,
                       (uint32_t)(right - left) * n_channels);
    hk_net_vector_fill(out + (uint32_t)right * n_channels, op->first_zero, (uint32_t)(n - right) * n_channels);
}

static void put_taps(const hk_net_op_t *op, const int8_t *line, int32_t column, int8_t *out) {
    for (uint32_t kx = 0; kx < op->kernel_w; kx++, column += op->dilation_w, out += op->in_c) {
        if (column >= 0 && column < op->in_w) {
            hk_net_vector_copy(line + column * (int32_t)op->in_c, out, op->in_c);
        } else {
            hk_net_vector_fill(out, op->first_zero, op->in_c);
        }
    }
}

/* Taps of one window; outside lies the zero point. */
static void put_window(const hk_net_call_t *call, uint32_t pixel, int8_t *out) {
    const hk_net_op_t *const op = call->op;
    const int8_t *const in = (const int8_t *)(call->arena + op->first);
    const int32_t column = (int32_t)(pixel % op->out_w * op->stride_w) - op->left;
    const uint32_t line_bytes = (uint32_t)op->in_w * op->in_c;
    const uint32_t row_taps = (uint32_t)op->kernel_w * op->in_c;
    const bool is_inside = column >= 0 && column + op->kernel_w <= op->in_w;
    int32_t y = (int32_t)(pixel / op->out_w * op->stride_h) - op->top;
    for (uint32_t ky = 0; ky < op->kernel_h; ky++, y += op->dilation_h, out += row_taps) {
        const int8_t *const line = in + y * (int32_t)line_bytes;
        if (y < 0 || y >= op->in_h) {
            hk_net_vector_fill(out, op->first_zero, row_taps);
        } else if (op->dilation_w != 1U) {
            put_taps(op, line, column, out);
        } else if (is_inside) {
            hk_net_vector_copy(line + column * (int32_t)op->in_c, out, row_taps);
        } else {
            put_line(op, line, column, out);
        }
    }
}

/* Taps of n pixels, the last of them again in the rows that are left. */
static void put_pixels(const hk_net_call_t *call, uint32_t first, uint32_t n, int8_t *rows) {
    const hk_net_op_t *const op = call->op;
    const uint32_t pitch = hk_net_vectors(op) * HK_NET_VECTOR;
    const uint32_t n_rows = n == 1U ? 1U : HK_NET_LANES;
    for (uint32_t k = 0; k < n_rows; k++, rows += pitch) {
        const uint32_t pixel = first + (k < n ? k : n - 1U);
        if (op->kind == HK_NET_VECTOR_CONV) {
            put_window(call, pixel, rows);
        } else {
            hk_net_vector_copy((const int8_t *)(call->arena + op->first) + (size_t)pixel * op->in_c, rows, op->in_c);
        }
    }
}

/* First output of a pair: an odd number's last pair takes the output before once more. */
static uint32_t pair_output(const hk_net_op_t *op, uint32_t pair) {
    return 2U * pair + 2U <= op->out_c || op->out_c == 1U ? 2U * pair : op->out_c - 2U;
}

/* Outputs of single pixels, and those that take the long way of requantising. */
static void multiply_singly(const hk_net_call_t *call, const int8_t *rows, uint32_t first, uint32_t n, uint32_t pair,
                            uint32_t end) {
    const hk_net_op_t *const op = call->op;
    const uint32_t n_vectors = hk_net_vectors(op);
    const uint32_t pitch = n_vectors * HK_NET_VECTOR;
    const uint32_t n_codes = op->out_c == 1U ? 1U : 2U;
    const uint8_t *stream = call->blob + op->data + (size_t)pair * hk_net_pair_bytes(op);
    for (; pair < end; pair++, stream += hk_net_pair_bytes(op)) {
        const hk_net_channel_t *const channel = (const hk_net_channel_t *)(const void *)(stream + (size_t)2U * pitch);
        int8_t *out = (int8_t *)(call->arena + op->out) + (size_t)first * op->out_c + pair_output(op, pair);
        for (uint32_t k = 0; k < n; k++, out += op->out_c) {
            int32_t sums[2];
            hk_net_vector_sums(rows + (size_t)k * pitch, stream, n_vectors, sums);
            for (uint32_t j = 0; j < n_codes; j++) {
                out[j] = code_of(op, &channel[j], sums[j]);
            }
        }
    }
}

static void multiply(const hk_net_call_t *call, const int8_t *rows, uint32_t first, uint32_t n, uint32_t pair,
                     uint32_t end) {
    const hk_net_op_t *const op = call->op;
    if (n == 1U || op->out_c == 1U || (op->flags & HK_NET_WIDE) != 0U) {
        multiply_singly(call, rows, first, n, pair, end);
        return;
    }
    void (*const run)(hk_net_pairs_t *) =
        (op->flags & HK_NET_AWAY) != 0U ? hk_net_vector_pairs_away : hk_net_vector_pairs;
    const uint32_t whole = op->out_c / 2U < end ? op->out_c / 2U : end;
    int8_t *const out = (int8_t *)(call->arena + op->out) + (size_t)first * op->out_c;
    hk_net_pairs_t job = {
        .rows = rows,
        .stream = call->blob + op->data + (size_t)pair * hk_net_pair_bytes(op),
        .n_vectors = hk_net_vectors(op),
        .n_pairs = whole > pair ? whole - pair : 0U,
        .out = out + (size_t)2U * pair,
        .pitch = hk_net_vectors(op) * HK_NET_VECTOR,
        .low = op->low,
        .high = op->high,
    };
    for (uint32_t k = 0; k < HK_NET_LANES; k++) {
        job.pixel_offset[k] = (k < n ? k : n - 1U) * op->out_c;
    }
    if (job.n_pairs != 0U) {
        run(&job);
    }
    if (end > whole) {
        job.out = out + pair_output(op, whole);
        job.n_pairs = 1U;
        run(&job);
    }
}

void hk_net_vector_matrix(const hk_net_call_t *call) {
    const hk_net_op_t *const op = call->op;
    int8_t *const rows = (int8_t *)(call->arena + op->scratch);
    const uint32_t n_pixels = (uint32_t)op->out_h * op->out_w;
    const uint32_t n_fours = (n_pixels + HK_NET_LANES - 1U) / HK_NET_LANES;
    const uint32_t n_pairs = ((uint32_t)op->out_c + 1U) / 2U;
    const uint32_t n_parts = (n_pairs + call->groups - 1U) / call->groups;
    const bool is_backward = op->kind == HK_NET_VECTOR_POINT && op->out_c > op->in_c; /* out may lie where in was */
    for (uint32_t unit = call->from; unit < call->to; unit++) {
        const uint32_t four = is_backward ? n_fours - 1U - unit / n_parts : unit / n_parts;
        const uint32_t pair = unit % n_parts * call->groups;
        const uint32_t end = n_pairs - pair < call->groups ? n_pairs : pair + call->groups;
        const uint32_t first = four * HK_NET_LANES;
        const uint32_t n = n_pixels - first < HK_NET_LANES ? n_pixels - first : HK_NET_LANES;
        if (pair == 0U) {
            put_pixels(call, first, n, rows);
        }
        multiply(call, rows, first, n, pair, end);
    }
}

/* ---- depthwise -------------------------------------------------------------------------------------------------- */

/* The plane of one channel into the middle of its lines; what lies outside either is left out. */
static void put_lines(const hk_net_op_t *op, const hk_net_frame_t *frame, const int8_t *in, int8_t *lines) {
    const bool is_across = (op->flags & HK_NET_ACROSS) != 0U;
    const uint32_t along = is_across ? op->in_h : op->in_w;
    const uint32_t across = is_across ? op->in_w : op->in_h;
    const uint32_t along_step = (is_across ? op->in_w : 1U) * (uint32_t)op->in_c;
    const uint32_t across_step = (is_across ? 1U : op->in_w) * (uint32_t)op->in_c;
    const uint32_t before = is_across ? op->top : op->left;
    const uint32_t above = is_across ? op->left : op->top;
    const uint32_t room = before < frame->pitch ? (uint32_t)frame->pitch - before : 0U;
    const uint32_t n = along < room ? along : room;
    for (uint32_t k = 0; k < across && above + k < frame->lines && n != 0U; k++, in += across_step) {
        hk_net_vector_gather(in, along_step, lines + (above + k) * frame->pitch + before, n);
    }
}

/* The rows under one line of outputs, column by column; rows that no window reaches have no weight. */
static const int8_t *interleaved(const hk_net_frame_t *frame, uint32_t rows, const int8_t *line, int8_t *strip) {
    if (rows == 1U) {
        return line;
    }
    if (rows == 4U) {
        hk_net_vector_interleave(line, (uint32_t)frame->pitch, strip, (uint32_t)frame->pitch);
        return strip;
    }
    int8_t *at = strip;
    for (uint32_t x = 0; x < frame->pitch; x++) {
        for (uint32_t r = 0; r < rows; r++) {
            *at++ = line[r * frame->pitch + x];
        }
    }
    return strip;
}

/* The same outputs where requantising takes the long way. */
static void run_singly(const hk_net_op_t *op, const hk_net_strip_t *job) {
    const hk_net_channel_t channel = {job->bias, job->factor, job->rounding, job->shift};
    for (uint32_t k = 0; k < job->n_outputs; k++) {
        int32_t sum = 0;
        for (uint32_t j = 0; j < job->n_vectors * HK_NET_VECTOR; j++) {
            sum += job->strip[(size_t)k * job->step + j] * job->weights[j];
        }
        int8_t *const out = job->out + (size_t)(k / HK_NET_LANES) * job->out_step;
        out[job->offset[k % HK_NET_LANES]] = code_of(op, &channel, sum);
    }
}

/* One channel from its lines. */
static void run_channel(const hk_net_op_t *op, const hk_net_frame_t *frame, hk_net_strip_t *job, const int8_t *lines,
                        int8_t *strip, int8_t *out) {
    const bool is_across = (op->flags & HK_NET_ACROSS) != 0U;
    const uint32_t n_lines = is_across ? op->out_w : op->out_h;
    const uint32_t line_step = (is_across ? 1U : op->out_w) * (uint32_t)op->out_c;
    const uint32_t stride = is_across ? op->stride_w : op->stride_h;
    for (uint32_t k = 0; k < n_lines; k++, out += line_step) {
        job->strip = interleaved(frame, op->run, lines + (size_t)k * stride * frame->pitch, strip);
        job->out = out;
        if ((op->flags & HK_NET_WIDE) != 0U) {
            run_singly(op, job);
        } else if ((op->flags & HK_NET_AWAY) != 0U) {
            hk_net_vector_strip_away(job);
        } else {
            hk_net_vector_strip(job);
        }
    }
}

void hk_net_vector_depthwise(const hk_net_call_t *call) {
    const hk_net_op_t *const op = call->op;
    const hk_net_frame_t frame = hk_net_frame(op);
    const bool is_across = (op->flags & HK_NET_ACROSS) != 0U;
    const uint32_t repeat = (uint32_t)op->out_c / op->in_c;
    const uint32_t channel_bytes = sizeof(hk_net_channel_t) + (uint32_t)frame.vectors * HK_NET_VECTOR;
    const uint32_t out_step = (is_across ? op->out_w : 1U) * (uint32_t)op->out_c;
    int8_t *const lines = (int8_t *)(call->arena + op->scratch);
    int8_t *const strip = lines + frame.lines * frame.pitch;
    hk_net_strip_t job = {
        .n_vectors = (uint32_t)frame.vectors,
        .step = (is_across ? op->stride_h : op->stride_w) * op->run,
        .n_outputs = is_across ? op->out_h : op->out_w,
        .out_step = HK_NET_LANES * out_step,
        .low = op->low,
        .high = op->high,
        .offset = {0U, out_step, 2U * out_step, 3U * out_step},
    };
    if (call->from == 0U) {
        hk_net_vector_fill(lines, op->first_zero, (uint32_t)(frame.lines * frame.pitch));
    }
    for (uint32_t c = call->from; c < call->to; c++) {
        const uint8_t *const stream = call->blob + op->data + (size_t)c * channel_bytes;
        const hk_net_channel_t *const channel = (const hk_net_channel_t *)(const void *)stream;
        if (c % repeat == 0U) {
            put_lines(op, &frame, (const int8_t *)(call->arena + op->first) + c / repeat, lines);
        }
        job.bias = channel->bias;
        job.factor = channel->factor;
        job.rounding = channel->rounding;
        job.shift = channel->shift;
        job.weights = (const int8_t *)(channel + 1);
        run_channel(op, &frame, &job, lines, strip, (int8_t *)(call->arena + op->out) + c);
    }
}
