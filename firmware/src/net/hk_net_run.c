/*
 * Executes a checked network, operator by operator.
 */
#include "hk/hk_net.h"
#include "hk_net_kernels.h"
#include "hk_net_math.h" /* HK_NET_HAS_... */

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

static void look_up(const hk_net_call_t *call) {
    const hk_net_op_t *const op = call->op;
    const int8_t *const table = (const int8_t *)(call->blob + op->data) + 128;
    const int8_t *const in = (const int8_t *)(call->arena + op->first);
    int8_t *const out = (int8_t *)(call->arena + op->out);
    const uint32_t n = (uint32_t)op->in_c * op->in_h * op->in_w;
    for (uint32_t k = 0; k < n; k++) {
        out[k] = table[in[k]];
    }
}

static void copy(const hk_net_call_t *call) {
    const hk_net_op_t *const op = call->op;
    const uint32_t n = (uint32_t)op->in_c * op->in_h * op->in_w;
    const uint8_t *const in = call->arena + op->first;
    uint8_t *out = call->arena + op->out;
    for (uint32_t done = 0; done < n; done += op->run, out += op->distance) {
        memmove(out, in + done, op->run);
    }
}

static void slice(const hk_net_call_t *call) {
    const hk_net_op_t *const op = call->op;
    const uint32_t n = (uint32_t)op->out_c * op->out_h * op->out_w;
    const uint8_t *in = call->arena + op->first;
    uint8_t *const out = call->arena + op->out;
    for (uint32_t done = 0; done < n; done += op->run, in += op->distance) {
        memmove(out + done, in, op->run);
    }
}

static void pad(const hk_net_call_t *call) {
    const hk_net_op_t *const op = call->op;
    const uint8_t *in = call->arena + op->first;
    uint8_t *out = call->arena + op->out;
    const size_t plane = (size_t)op->out_h * op->out_w;
    memset(out, (uint8_t)op->out_zero, op->out_c * plane);
    if ((op->flags & HK_NET_PIXELS) != 0U) {
        for (uint32_t y = 0; y < op->in_h; y++) {
            uint8_t *at = out + ((size_t)(op->top + y) * op->out_w + op->left) * op->out_c + op->segment;
            for (uint32_t x = 0; x < op->in_w; x++, at += op->out_c, in += op->in_c) {
                memmove(at, in, op->in_c);
            }
        }
        return;
    }
    out += op->segment * plane;
    for (uint32_t c = 0; c < op->in_c; c++, out += plane) {
        for (uint32_t y = 0; y < op->in_h; y++, in += op->in_w) {
            memmove(out + (size_t)(op->top + y) * op->out_w + op->left, in, op->in_w);
        }
    }
}

#if defined(HK_NET_HAS_PLANES)
static void transpose(const hk_net_call_t *call) {
    const hk_net_op_t *const op = call->op;
    const uint8_t *in = call->arena + op->first;
    uint8_t *const out = call->arena + op->out;
    for (uint32_t row = 0; row < op->run; row++) {
        uint8_t *at = out + row;
        for (uint32_t column = 0; column < op->distance; column++, at += op->run) {
            *at = *in++;
        }
    }
}
#endif

typedef void (*kernel_t)(const hk_net_call_t *call);

static const kernel_t kernels[HK_NET_SUB + 1] = {
#if defined(HK_NET_HAS_PLANES)
    [HK_NET_POINT] = hk_net_matrix,
    [HK_NET_CONV] = hk_net_matrix,
    [HK_NET_DEPTHWISE] = hk_net_depthwise,
    [HK_NET_TRANSPOSE] = transpose,
#endif
#if defined(HK_NET_HAS_VECTORS)
    [HK_NET_VECTOR_POINT] = hk_net_vector_matrix,
    [HK_NET_VECTOR_CONV] = hk_net_vector_matrix,
    [HK_NET_VECTOR_DEPTHWISE] = hk_net_vector_depthwise,
#endif
    [HK_NET_ADD] = hk_net_add,
    [HK_NET_SUB] = hk_net_add,
    [HK_NET_MUL] = hk_net_mul,
    [HK_NET_AVERAGE] = hk_net_pool,
    [HK_NET_MAX] = hk_net_pool,
    [HK_NET_MEAN] = hk_net_mean,
    [HK_NET_SOFTMAX] = hk_net_softmax,
    [HK_NET_TABLE] = look_up,
    [HK_NET_COPY] = copy,
    [HK_NET_PAD] = pad,
    [HK_NET_SLICE] = slice,
};

bool hk_net_has(uint32_t kind) {
    return kind <= HK_NET_SUB && kernels[kind] != NULL;
}

/* Units of an operator, and the work of one in instructions, roughly; hushkit_codegen/network/work.py counts alike. */
typedef struct {
    uint32_t n;
    uint32_t groups;
    uint64_t work;
} units_t;

#define WORK_PER_OUTPUT 14U  /* requantise and store */
#define WORK_PER_SUM    80U  /* scale two codes, add, scale */
#define WORK_PER_WINDOW 10U  /* fetch a tap of a window */
#define WORK_OF_WINDOW  200U /* find out what of it lies inside, row by row */
#define WORK_PER_TAP    3U   /* of a single pixel */
#define WORK_PER_VECTOR 16U  /* four pixels and two outputs of 16 taps each */

/* What a matrix operator does with `lanes` pixels at a time: fetch their taps, then n_all groups of outputs. */
typedef struct {
    uint32_t lanes;
    uint32_t n_all;
    uint64_t widen;
    uint64_t per_group;
} matrix_work_t;

/* How often a unit of work fits; work is below 2^32, so that the division is one instruction. */
static uint32_t times(uint64_t work, uint64_t unit) {
    return unit > work ? 0U : (uint32_t)work / (uint32_t)unit;
}

static units_t matrix_units(const hk_net_op_t *op, matrix_work_t m, uint64_t work) {
    const uint64_t n_pixels = (uint64_t)op->out_h * op->out_w;
    const uint32_t fits = work > m.widen ? times(work - m.widen, m.per_group) : 0U;
    const uint32_t groups = fits == 0U ? 1U : (fits < m.n_all ? fits : m.n_all);
    const uint32_t n_parts = (m.n_all + groups - 1U) / groups;
    const uint32_t n = ((uint32_t)n_pixels + m.lanes - 1U) / m.lanes * n_parts;
    return (units_t){n, groups, m.widen + m.per_group * groups};
}

static matrix_work_t matrix_work(const hk_net_op_t *op) {
    const uint64_t pairs = hk_net_pairs(op);
    const uint64_t windows = 4U * pairs * WORK_PER_WINDOW + 2U * WORK_OF_WINDOW;
    return (matrix_work_t){2U, hk_net_groups(op), op->kind == HK_NET_CONV ? windows : 4U * pairs * WORK_PER_TAP,
                           4U * HK_NET_GROUP * pairs + 2U * HK_NET_GROUP * WORK_PER_OUTPUT};
}

static matrix_work_t vector_work(const hk_net_op_t *op) {
    const uint64_t vectors = hk_net_vectors(op);
    return (matrix_work_t){4U, (op->out_c + 1U) / 2U, op->kind == HK_NET_VECTOR_CONV ? vectors * WORK_PER_VECTOR : 0U,
                           vectors * WORK_PER_VECTOR + 8U * WORK_PER_OUTPUT};
}

static units_t units_of(const hk_net_op_t *op, uint32_t work) {
    const uint64_t n_pixels = (uint64_t)op->out_h * op->out_w;
    const uint64_t plane = (uint64_t)op->in_h * op->in_w;
    switch (op->kind) {
    case HK_NET_POINT:
    case HK_NET_CONV:
        return matrix_units(op, matrix_work(op), work);
    case HK_NET_VECTOR_POINT:
    case HK_NET_VECTOR_CONV:
        return matrix_units(op, vector_work(op), work);
    case HK_NET_DEPTHWISE:
    case HK_NET_VECTOR_DEPTHWISE:
        return (units_t){op->out_c, 0U,
                         2U * plane + n_pixels * (WORK_PER_OUTPUT + (uint64_t)op->kernel_h * op->kernel_w)};
    case HK_NET_ADD:
    case HK_NET_SUB:
    case HK_NET_MUL:
        return (units_t){(uint32_t)(op->in_c * plane), 0U, WORK_PER_SUM};
    default:
        return (units_t){1U, 0U, (op->in_c * plane + op->out_c * n_pixels) * WORK_PER_OUTPUT / 2U};
    }
}

static const hk_net_op_t *ops_of(const hk_net_t *net) {
    return (const hk_net_op_t *)(const void *)(net->blob + sizeof(hk_net_header_t));
}

static void run_units(const hk_net_t *net, void *arena, const hk_net_op_t *op, uint32_t from, uint32_t to,
                      uint32_t groups) {
    kernels[op->kind](
        &(hk_net_call_t){.op = op, .blob = net->blob, .arena = arena, .from = from, .to = to, .groups = groups});
}

static hk_status_t check(const hk_net_t *net, const void *arena, size_t n_bytes) {
    if (net == NULL || net->blob == NULL) {
        return HK_ERR_STATE;
    }
    if (arena == NULL || (uintptr_t)arena % 4U != 0U) {
        return HK_ERR_ARG;
    }
    return n_bytes < net->arena_bytes ? HK_ERR_SPACE : HK_OK;
}

hk_status_t hk_net_run(const hk_net_t *net, void *arena, size_t n_bytes) {
    const hk_status_t status = check(net, arena, n_bytes);
    if (status != HK_OK) {
        return status;
    }
    const hk_net_op_t *op = ops_of(net);
    for (uint32_t k = 0; k < net->n_ops; k++, op++) {
        const units_t units = units_of(op, UINT32_MAX);
        run_units(net, arena, op, 0U, units.n, units.groups);
    }
    return HK_OK;
}

hk_status_t hk_net_step(const hk_net_t *net, void *arena, size_t n_bytes, hk_net_cursor_t *cursor, uint32_t work) {
    const hk_status_t status = check(net, arena, n_bytes);
    if (status != HK_OK) {
        return status;
    }
    uint64_t left = work;
    while (cursor->op < net->n_ops) {
        const hk_net_op_t *const op = ops_of(net) + cursor->op;
        const units_t units = units_of(op, work);
        const uint32_t fits = times(left, units.work + 1U);
        if (fits == 0U && left != work) {
            break;
        }
        const uint32_t rest = units.n - cursor->unit;
        const uint32_t n = fits == 0U ? 1U : (fits < rest ? fits : rest);
        run_units(net, arena, op, cursor->unit, cursor->unit + n, units.groups);
        const uint64_t spent = n * (units.work + 1U);
        left = spent < left ? left - spent : 0U;
        cursor->unit += n;
        if (cursor->unit == units.n) {
            cursor->op++;
            cursor->unit = 0U;
        }
    }
    return HK_OK;
}
