/*
 * Checks a blob before anything trusts it: after hk_net_load no operator can read or write outside blob and arena.
 */
#include "hk/hk_crc32.h"
#include "hk/hk_net.h"
#include "hk_net_kernels.h"
#include "hk_net_math.h" /* HK_NET_HAS_... */

#include <stdbool.h>
#include <string.h>

#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC optimize("Os") /* runs once per network */
#endif

/* Whether a blob's weights are laid out for this core; the host runs every core's. */
static bool core_ok(uint32_t core) {
#if defined(HK_BOARD_CPU_PART)
    static const uint32_t parts[][2] = {{0xC24U, 4U}, {0xC27U, 7U}, {0xD21U, 33U}, {0xD22U, 55U}}; /* CPUID.PARTNO */
    for (size_t k = 0; k < sizeof parts / sizeof parts[0]; k++) {
        if (parts[k][0] == HK_BOARD_CPU_PART) {
            return core == parts[k][1];
        }
    }
    return false;
#else
    return core == 4U || core == 7U || core == 33U || core == 55U;
#endif
}

typedef struct {
    const uint8_t *blob;
    uint32_t total;
    uint32_t arena;
} limits_t;

static bool within(uint64_t offset, uint64_t bytes, uint32_t end) {
    return bytes != 0U && offset + bytes <= end;
}

static uint64_t volume(uint32_t c, uint32_t h, uint32_t w) {
    return (uint64_t)c * h * w;
}

static bool channel_ok(const hk_net_channel_t *channel, bool wide) {
    return wide ? channel->shift >= -31 && channel->shift <= 30 : channel->shift >= 1 && channel->shift <= 31;
}

/* One stream of rows, each with n constants in front; rows are stride bytes apart. */
static bool channels_ok(const limits_t *in, const hk_net_op_t *op, uint32_t n_rows, uint32_t n, uint64_t stride) {
    if (stride * n_rows != op->data_bytes) {
        return false;
    }
    const uint8_t *row = in->blob + op->data;
    for (uint32_t k = 0; k < n_rows; k++, row += stride) {
        for (uint32_t j = 0; j < n; j++) {
            hk_net_channel_t channel;
            memcpy(&channel, row + j * sizeof channel, sizeof channel);
            if (!channel_ok(&channel, (op->flags & HK_NET_WIDE) != 0U)) {
                return false;
            }
        }
    }
    return true;
}

static bool matrix_ok(const limits_t *in, const hk_net_op_t *op) {
    const uint64_t taps = volume(op->in_c, op->kernel_h, op->kernel_w);
    const uint64_t pairs = (taps + 1U) / 2U;
    const uint64_t lanes = volume(1U, op->out_h, op->out_w) > 1U ? 8U : 4U;
    const uint32_t groups = (op->out_c + HK_NET_GROUP - 1U) / HK_NET_GROUP;
    if (op->segment == 0U || !within(op->scratch, lanes * pairs, in->arena)) {
        return false;
    }
    if (op->kind == HK_NET_POINT &&
        (taps != op->in_c || volume(1U, op->in_h, op->in_w) != volume(1U, op->out_h, op->out_w))) {
        return false;
    }
    return channels_ok(in, op, groups, HK_NET_GROUP, HK_NET_GROUP * sizeof(hk_net_channel_t) + 8U * pairs);
}

static bool depthwise_ok(const limits_t *in, const hk_net_op_t *op) {
    const uint64_t plane = volume(2U, hk_net_plane_rows(op), hk_net_plane_pitch(op));
    const uint64_t taps = volume(2U, op->kernel_h, (op->kernel_w + 1U) / 2U * 2U);
    return op->out_c % op->in_c == 0U && within(op->scratch, plane, in->arena) &&
           channels_ok(in, op, op->out_c, 1U, sizeof(hk_net_channel_t) + taps);
}

#if defined(HK_NET_HAS_VECTORS)
static bool vector_channels_ok(const limits_t *in, const hk_net_op_t *op, uint32_t n_rows, uint64_t weights,
                               uint32_t n) {
    const uint64_t stride = weights + n * sizeof(hk_net_channel_t);
    if (stride * n_rows != op->data_bytes) {
        return false;
    }
    const bool is_wide = (op->flags & HK_NET_WIDE) != 0U;
    const uint8_t *at = in->blob + op->data + (op->kind == HK_NET_VECTOR_DEPTHWISE ? 0U : weights);
    for (uint32_t k = 0; k < n_rows; k++, at += stride) {
        for (uint32_t j = 0; j < n; j++) {
            hk_net_channel_t channel;
            memcpy(&channel, at + j * sizeof channel, sizeof channel);
            if (channel.shift < -31 || channel.shift > (is_wide ? 30 : -1)) {
                return false;
            }
        }
    }
    return true;
}

static bool vector_matrix_ok(const limits_t *in, const hk_net_op_t *op) {
    const uint64_t taps = volume(op->in_c, op->kernel_h, op->kernel_w);
    const uint64_t weights = (taps + 15U) / 16U * 32U;
    if (!within(op->scratch, 2U * weights, in->arena)) {
        return false;
    }
    if (op->kind == HK_NET_VECTOR_POINT &&
        (taps != op->in_c || volume(1U, op->in_h, op->in_w) != volume(1U, op->out_h, op->out_w))) {
        return false;
    }
    return vector_channels_ok(in, op, ((uint32_t)op->out_c + 1U) / 2U, weights, 2U);
}

static bool vector_depthwise_ok(const limits_t *in, const hk_net_op_t *op) {
    if (op->run != 1U && op->run != 4U && op->run != 8U && op->run != 16U) {
        return false;
    }
    const hk_net_frame_t frame = hk_net_frame(op);
    const uint64_t strip = op->run == 1U ? 0U : op->run * frame.pitch;
    const uint64_t step = (op->flags & HK_NET_ACROSS) != 0U ? volume(op->in_w, op->in_c, 1U) : op->in_c;
    return op->out_c % op->in_c == 0U && step < HK_NET_MAX_GATHER && frame.pitch <= in->arena &&
           frame.lines <= in->arena && within(op->scratch, frame.lines * frame.pitch + strip, in->arena) &&
           vector_channels_ok(in, op, op->out_c, 16U * frame.vectors, 1U);
}
#endif

static bool factors_ok(const limits_t *in, const hk_net_op_t *op, uint32_t n, int32_t largest_last) {
    if (op->data_bytes != 8U * n) {
        return false;
    }
    for (uint32_t k = 0; k < n; k++) {
        int32_t pair[2];
        memcpy(pair, in->blob + op->data + 8U * k, sizeof pair);
        if (pair[1] < -31 || pair[1] > (k + 1U == n ? largest_last : 0)) {
            return false;
        }
    }
    return true;
}

static bool arithmetic_ok(const limits_t *in, const hk_net_op_t *op, uint64_t n_in, uint64_t n_out) {
    const uint64_t n = (op->flags & HK_NET_PER_CHANNEL) != 0U ? op->in_c : n_in;
    return n_in == n_out && op->in_c == op->out_c &&
           within(op->second, n, (op->flags & HK_NET_CONSTANT) != 0U ? in->total : in->arena) &&
           factors_ok(in, op, op->kind == HK_NET_MUL ? 1U : 3U, 15);
}

static bool kind_ok(const limits_t *in, const hk_net_op_t *op) {
    const uint64_t n_in = volume(op->in_c, op->in_h, op->in_w);
    const uint64_t n_out = volume(op->out_c, op->out_h, op->out_w);
    switch (op->kind) {
    case HK_NET_POINT:
    case HK_NET_CONV:
        return matrix_ok(in, op);
    case HK_NET_DEPTHWISE:
        return depthwise_ok(in, op);
#if defined(HK_NET_HAS_VECTORS)
    case HK_NET_VECTOR_POINT:
    case HK_NET_VECTOR_CONV:
        return vector_matrix_ok(in, op);
    case HK_NET_VECTOR_DEPTHWISE:
        return vector_depthwise_ok(in, op);
#endif
    case HK_NET_ADD:
    case HK_NET_SUB:
    case HK_NET_MUL:
        return arithmetic_ok(in, op, n_in, n_out);
    case HK_NET_AVERAGE:
    case HK_NET_MAX:
        return op->in_c == op->out_c;
    case HK_NET_MEAN:
        return op->in_c == n_out && factors_ok(in, op, 1U, 15);
    case HK_NET_SOFTMAX:
        return n_in == n_out && op->data_bytes == 256U * sizeof(float);
    case HK_NET_TABLE:
        return n_in == n_out && op->data_bytes == 256U;
    case HK_NET_COPY:
        return op->run != 0U && (uint32_t)n_in % op->run == 0U &&
               ((uint32_t)n_in / op->run - 1ULL) * op->distance + op->run <= in->arena - (uint64_t)op->out;
    case HK_NET_SLICE:
        return op->run != 0U && n_in == n_out && (uint32_t)n_out % op->run == 0U &&
               ((uint32_t)n_out / op->run - 1ULL) * op->distance + op->run <= in->arena - (uint64_t)op->first;
    case HK_NET_PAD:
        return op->segment + op->in_c <= op->out_c && op->top + op->in_h <= op->out_h &&
               op->left + op->in_w <= op->out_w;
    case HK_NET_TRANSPOSE:
        return n_in == n_out && volume(1U, op->run, op->distance) == n_in;
    default:
        return false;
    }
}

static hk_status_t check_op(const limits_t *in, const hk_net_op_t *op) {
    if (!hk_net_has(op->kind)) {
        return HK_ERR_UNKNOWN;
    }
    const bool sizes_ok =
        within(op->first, volume(op->in_c, op->in_h, op->in_w), in->arena) && op->out < in->arena &&
        (op->kind == HK_NET_COPY || within(op->out, volume(op->out_c, op->out_h, op->out_w), in->arena)) &&
        op->kernel_h != 0U && op->kernel_w != 0U && op->stride_h != 0U && op->stride_w != 0U && op->dilation_h != 0U &&
        op->dilation_w != 0U && op->low <= op->high;
    const bool places_ok = op->data % 4U == 0U && op->scratch % 4U == 0U && op->scratch <= in->arena &&
                           op->data <= in->total && op->data_bytes <= in->total - op->data;
    return sizes_ok && places_ok && kind_ok(in, op) ? HK_OK : HK_ERR_RANGE;
}

static hk_status_t check_header(const hk_net_header_t *header, const uint8_t *blob, size_t n_bytes) {
    if (header->magic != HK_NET_MAGIC || header->version != HK_NET_VERSION) {
        return HK_ERR_UNKNOWN;
    }
    if (header->total_bytes != n_bytes) {
        return HK_ERR_LENGTH;
    }
    if (hk_crc32(blob + 16, n_bytes - 16U) != header->crc32) {
        return HK_ERR_CORRUPT;
    }
    if (!core_ok(header->core)) {
        return HK_ERR_ABI;
    }
    const bool ok = header->arena_bytes <= HK_NET_MAX_ARENA &&
                    within(header->input, header->input_bytes, header->arena_bytes) &&
                    within(header->output, header->output_bytes, header->arena_bytes) &&
                    header->n_ops <= (n_bytes - sizeof *header) / sizeof(hk_net_op_t);
    return ok ? HK_OK : HK_ERR_RANGE;
}

hk_status_t hk_net_load(hk_net_t *net, const void *blob, size_t n_bytes) {
    if (net == NULL || blob == NULL || (uintptr_t)blob % 4U != 0U) {
        return HK_ERR_ARG;
    }
    hk_net_header_t header;
    if (n_bytes < sizeof header || n_bytes > UINT32_MAX) {
        return HK_ERR_LENGTH;
    }
    memcpy(&header, blob, sizeof header);
    hk_status_t status = check_header(&header, blob, n_bytes);
    const limits_t limits = {.blob = blob, .total = (uint32_t)n_bytes, .arena = header.arena_bytes};
    const hk_net_op_t *ops = (const hk_net_op_t *)(const void *)((const uint8_t *)blob + sizeof header);
    for (uint32_t k = 0; status == HK_OK && k < header.n_ops; k++) {
        status = check_op(&limits, &ops[k]);
    }
    if (status != HK_OK) {
        return status;
    }
    *net = (hk_net_t){
        .blob = blob,
        .n_ops = header.n_ops,
        .model = header.model,
        .arena_bytes = header.arena_bytes,
        .input = header.input,
        .input_bytes = header.input_bytes,
        .output = header.output,
        .output_bytes = header.output_bytes,
        .input_scale = header.input_scale,
        .output_scale = header.output_scale,
        .input_zero_point = header.input_zero_point,
        .output_zero_point = header.output_zero_point,
    };
    return HK_OK;
}
