/*
 * Operators whose cost is small beside the convolutions': sums and products of activations, pools, means, softmax.
 */
#include "hk_net_kernels.h"
#include "hk_net_math.h"
#include "hk_net_vector.h"

#include <stdbool.h>

#define ADD_SHIFT 20 /* TFLite scales both operands of ADD by 2^20 */

typedef struct {
    int32_t factor;
    int32_t shift;
} factor_t;

static const int8_t *second_of(const hk_net_call_t *call) {
    const uint8_t *const base = (call->op->flags & HK_NET_CONSTANT) != 0U ? call->blob : call->arena;
    return (const int8_t *)(base + call->op->second);
}

static int8_t code(const hk_net_op_t *op, int32_t y) {
    return (int8_t)hk_net_clamp((int32_t)((uint32_t)y + (uint32_t)op->out_zero), op->low, op->high);
}

/* |x| < 2^30; a factor of 1 or more takes the long way. */
static inline int32_t scaled(int32_t x, factor_t f) {
    return f.shift <= 0 ? hk_net_scale(x, f.factor, f.shift) : hk_net_multiply(x, f.factor, f.shift, 1U);
}

/* Walks over the second operand: as the first, or one code per channel. */
typedef struct {
    const int8_t *at, *start, *end;
    uint32_t per_code; /* codes of the first operand that take the same one */
    uint32_t left;
} walk_t;

/* From the call's first unit on. */
static walk_t walk_second(const hk_net_call_t *call) {
    const hk_net_op_t *const op = call->op;
    const int8_t *const start = second_of(call);
    const uint32_t n_pixels = (uint32_t)op->in_h * op->in_w;
    const bool is_per_channel = (op->flags & HK_NET_PER_CHANNEL) != 0U;
    const uint32_t n = is_per_channel ? op->in_c : op->in_c * n_pixels;
    const uint32_t per_code = is_per_channel && (op->flags & HK_NET_PIXELS) == 0U ? n_pixels : 1U;
    const int8_t *const at = start + call->from / per_code % n;
    return (walk_t){at, start, start + n, per_code, per_code - call->from % per_code};
}

static inline int32_t next_second(walk_t *walk) {
    const int32_t value = *walk->at;
    if (--walk->left == 0U) {
        walk->left = walk->per_code;
        walk->at = walk->at + 1 == walk->end ? walk->start : walk->at + 1;
    }
    return value;
}

#if defined(HK_NET_HELIUM)
/* Sums of as many codes as each other, by vectors. @return Whether that is what the operator asks for. */
static bool add_vectors(const hk_net_call_t *call, const factor_t f[3]) {
    const hk_net_op_t *const op = call->op;
    if (op->kind != HK_NET_ADD || (op->flags & HK_NET_PER_CHANNEL) != 0U || f[2].shift > 0) {
        return false;
    }
    hk_net_vector_add(&(hk_net_sum_t){
        .first = (const int8_t *)(call->arena + op->first) + call->from,
        .second = second_of(call) + call->from,
        .out = (int8_t *)(call->arena + op->out) + call->from,
        .n = call->to - call->from,
        .factor = {f[0].factor, f[1].factor, f[2].factor},
        .shift = {f[0].shift, f[1].shift, f[2].shift},
        .zero = {op->first_zero, op->second_zero, op->out_zero},
        .low = op->low,
        .high = op->high,
    });
    return true;
}
#endif

void hk_net_add(const hk_net_call_t *call) {
    const hk_net_op_t *const op = call->op;
    factor_t f[3];
    memcpy(f, call->blob + op->data, sizeof f);
#if defined(HK_NET_HELIUM)
    if (add_vectors(call, f)) {
        return;
    }
#endif
    const int8_t *const a = (const int8_t *)(call->arena + op->first);
    int8_t *const out = (int8_t *)(call->arena + op->out);
    walk_t second = walk_second(call);
    const bool from_first = op->kind == HK_NET_SUB && (op->flags & HK_NET_REVERSED) == 0U;
    const bool from_second = op->kind == HK_NET_SUB && (op->flags & HK_NET_REVERSED) != 0U;
    for (uint32_t k = call->from; k < call->to; k++) {
        const uint32_t x = (uint32_t)(a[k] - op->first_zero) << ADD_SHIFT;
        const uint32_t y = (uint32_t)(next_second(&second) - op->second_zero) << ADD_SHIFT;
        const int32_t p = hk_net_scale((int32_t)x, f[0].factor, f[0].shift);
        const int32_t q = hk_net_scale((int32_t)y, f[1].factor, f[1].shift);
        const int32_t sum = (from_second ? -p : p) + (from_first ? -q : q); /* each below 2^28 */
        out[k] = code(op, scaled(sum, f[2]));
    }
}

void hk_net_mul(const hk_net_call_t *call) {
    const hk_net_op_t *const op = call->op;
    const factor_t *const f = (const factor_t *)(const void *)(call->blob + op->data);
    const int8_t *const a = (const int8_t *)(call->arena + op->first);
    int8_t *const out = (int8_t *)(call->arena + op->out);
    walk_t second = walk_second(call);
    for (uint32_t k = call->from; k < call->to; k++) {
        const int32_t product = (a[k] - op->first_zero) * (next_second(&second) - op->second_zero);
        out[k] = code(op, scaled(product, *f));
    }
}

/* Sum of n codes. */
static int32_t sum_of(const int8_t *in, uint32_t n, uint32_t step) {
    int32_t sum = 0;
    for (; step != 1U && n != 0U; n--, in += step) {
        sum += *in;
    }
    for (; n >= 4U; n -= 4U, in += 4) {
        const uint32_t word = hk_net_word(in);
        sum = hk_net_smlad(hk_net_even_bytes(word), 0x00010001U, sum);
        sum = hk_net_smlad(hk_net_odd_bytes(word), 0x00010001U, sum);
    }
    for (; n != 0U; n--) {
        sum += *in++;
    }
    return sum;
}

static int32_t rounded_mean(int32_t sum, int32_t n) {
    return sum > 0 ? (sum + n / 2) / n : (sum - n / 2) / n;
}

/* One pooled pixel whose window starts at (row, column); a window that lies outside altogether gives 0. */
static int32_t pooled(const hk_net_op_t *op, const int8_t *plane, uint32_t step, int32_t row, int32_t column) {
    const int32_t bottom = row + op->kernel_h < op->in_h ? row + op->kernel_h : op->in_h;
    const int32_t right = column + op->kernel_w < op->in_w ? column + op->kernel_w : op->in_w;
    int32_t sum = 0;
    int32_t n = 0;
    int32_t largest = INT8_MIN;
    for (int32_t y = row > 0 ? row : 0; y < bottom; y++) {
        for (int32_t x = column > 0 ? column : 0; x < right; x++) {
            const int32_t value = plane[((size_t)y * op->in_w + (size_t)x) * step];
            sum += value;
            largest = value > largest ? value : largest;
            n++;
        }
    }
    if (n == 0) {
        return 0;
    }
    return op->kind == HK_NET_MAX ? largest : rounded_mean(sum, n);
}

void hk_net_pool(const hk_net_call_t *call) {
    const hk_net_op_t *const op = call->op;
    const int8_t *plane = (const int8_t *)(call->arena + op->first);
    int8_t *out = (int8_t *)(call->arena + op->out);
    const uint32_t n = (uint32_t)op->in_h * op->in_w;
    const bool is_pixels = (op->flags & HK_NET_PIXELS) != 0U;
    const uint32_t step = is_pixels ? op->in_c : 1U;
    if (op->kind == HK_NET_AVERAGE && op->out_h * op->out_w == 1 && op->top == 0U && op->left == 0U &&
        op->kernel_h >= op->in_h && op->kernel_w >= op->in_w) { /* one window over everything */
        for (uint32_t c = 0; c < op->in_c; c++, plane += is_pixels ? 1U : n) {
            const int32_t sum = sum_of(plane, n, step);
            out[c] = (int8_t)hk_net_clamp(rounded_mean(sum, (int32_t)n), op->low, op->high);
        }
        return;
    }
    const size_t n_out = (size_t)op->out_h * op->out_w;
    for (uint32_t c = 0; c < op->in_c; c++, plane += is_pixels ? 1U : n, out += is_pixels ? 1U : n_out) {
        int8_t *at = out;
        for (int32_t y = 0; y < op->out_h; y++) {
            for (int32_t x = 0; x < op->out_w; x++, at += step) {
                const int32_t value = pooled(op, plane, step, y * op->stride_h - op->top, x * op->stride_w - op->left);
                *at = (int8_t)hk_net_clamp(value, op->low, op->high);
            }
        }
    }
}

void hk_net_mean(const hk_net_call_t *call) {
    const hk_net_op_t *const op = call->op;
    const factor_t *const f = (const factor_t *)(const void *)(call->blob + op->data);
    const int8_t *in = (const int8_t *)(call->arena + op->first);
    int8_t *const out = (int8_t *)(call->arena + op->out);
    const uint32_t n = (uint32_t)op->in_h * op->in_w;
    const bool is_pixels = (op->flags & HK_NET_PIXELS) != 0U;
    for (uint32_t c = 0; c < op->in_c; c++, in += is_pixels ? 1U : n) {
        const uint32_t sum = (uint32_t)sum_of(in, n, is_pixels ? op->in_c : 1U);
        const uint32_t shifted = sum - (uint32_t)op->first_zero * n;
        out[c] = code(op, hk_net_multiply((int32_t)shifted, f->factor, f->shift, 1U));
    }
}

/*
 * One row. Codes of 1/256 from -128; the table holds exp(-scale * distance) for distances from the largest code. A blob
 * of nonsense may let out overlap in, hence the distances' 8 bits.
 */
static void softmax_row(const float *table, const int8_t *in, int8_t *out, uint32_t n) {
    int32_t largest = INT8_MIN;
    for (uint32_t k = 0; k < n; k++) {
        largest = in[k] > largest ? in[k] : largest;
    }
    float total = 0.0f;
    for (uint32_t k = 0; k < n; k++) {
        total += table[(uint8_t)(largest - in[k])];
    }
    const float inverse = 1.0f / (total * (1.0f / 256.0f));
    for (uint32_t k = 0; k < n; k++) {
        const float y = table[(uint8_t)(largest - in[k])] * inverse;
        int32_t whole = 255; /* also what a table of nonsense gives */
        if (y < 255.0f) {
            whole = y > 0.0f ? (int32_t)y : 0;
            whole += y - (float)whole >= 0.5f ? 1 : 0;
        }
        out[k] = (int8_t)(whole - 128);
    }
}

void hk_net_softmax(const hk_net_call_t *call) {
    const hk_net_op_t *const op = call->op;
    const float *const table = (const float *)(const void *)(call->blob + op->data);
    const int8_t *in = (const int8_t *)(call->arena + op->first);
    int8_t *out = (int8_t *)(call->arena + op->out);
    for (uint32_t left = (uint32_t)op->in_h * op->in_w; left != 0U; left--, in += op->in_c, out += op->in_c) {
        softmax_row(table, in, out, op->in_c);
    }
}
