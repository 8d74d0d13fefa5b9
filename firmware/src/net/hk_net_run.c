/*
 * Executes a checked network, operator by operator.
 */
#include "hk/hk_net.h"
#include "hk_net_kernels.h"

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

static void pad(const hk_net_call_t *call) {
    const hk_net_op_t *const op = call->op;
    const uint8_t *in = call->arena + op->first;
    uint8_t *out = call->arena + op->out;
    memset(out, (uint8_t)op->out_zero, (size_t)op->out_c * op->out_h * op->out_w);
    for (uint32_t c = 0; c < op->in_c; c++, out += (size_t)op->out_h * op->out_w) {
        for (uint32_t y = 0; y < op->in_h; y++, in += op->in_w) {
            memmove(out + (size_t)(op->top + y) * op->out_w + op->left, in, op->in_w);
        }
    }
}

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

typedef void (*kernel_t)(const hk_net_call_t *call);

static const kernel_t kernels[HK_NET_TRANSPOSE + 1] = {
    [HK_NET_POINT] = hk_net_matrix, [HK_NET_CONV] = hk_net_matrix, [HK_NET_DEPTHWISE] = hk_net_depthwise,
    [HK_NET_ADD] = hk_net_add,      [HK_NET_MUL] = hk_net_mul,     [HK_NET_AVERAGE] = hk_net_pool,
    [HK_NET_MAX] = hk_net_pool,     [HK_NET_MEAN] = hk_net_mean,   [HK_NET_SOFTMAX] = hk_net_softmax,
    [HK_NET_TABLE] = look_up,       [HK_NET_COPY] = copy,          [HK_NET_PAD] = pad,
    [HK_NET_TRANSPOSE] = transpose,
};

hk_status_t hk_net_run(const hk_net_t *net, void *arena, size_t n_bytes) {
    if (net == NULL || net->blob == NULL) {
        return HK_ERR_STATE;
    }
    if (arena == NULL || (uintptr_t)arena % 4U != 0U) {
        return HK_ERR_ARG;
    }
    if (n_bytes < net->arena_bytes) {
        return HK_ERR_SPACE;
    }
    const hk_net_op_t *op = (const hk_net_op_t *)(const void *)(net->blob + sizeof(hk_net_header_t));
    for (uint32_t k = 0; k < net->n_ops; k++, op++) {
        kernels[op->kind](&(hk_net_call_t){.op = op, .blob = net->blob, .arena = arena});
    }
    return HK_OK;
}
