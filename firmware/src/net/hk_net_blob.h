/**
 * @file  hk_net_blob.h
 * @brief Layout of a compiled network, as hushkit_codegen/network/blob.py writes it. Little-endian, 4-byte aligned.
 *
 * Layout    header, operators, prepared constants (streams.py says what is in them)
 * Planes    activations lie channel by channel, each height x width
 */
#ifndef HK_NET_BLOB_H
#define HK_NET_BLOB_H

#include <stdint.h> /* int8_t, int16_t, int32_t, uint8_t, uint16_t, uint32_t */

#define HK_NET_MAGIC     0x4E4E4B48UL /* "HKNN" */
#define HK_NET_VERSION   2U
#define HK_NET_MAX_ARENA (1UL << 24) /* keeps every product of sizes within 32 bits */

typedef struct {
    uint32_t magic;
    uint16_t version;
    uint16_t core; /* 4, 7, 33 or 55 */
    uint32_t total_bytes;
    uint32_t crc32; /* IEEE, over everything behind this word */
    uint16_t n_ops;
    uint16_t reserved;
    uint32_t arena_bytes;
    uint32_t input;
    uint32_t input_bytes;
    uint32_t output;
    uint32_t output_bytes;
    float input_scale;
    int16_t input_zero_point;
    int16_t output_zero_point;
    float output_scale;
    uint32_t model; /* see hk_net_t */
    uint32_t reserved_words[2];
} hk_net_header_t;

enum {
    HK_NET_POINT = 1,
    HK_NET_CONV,
    HK_NET_DEPTHWISE,
    HK_NET_ADD,
    HK_NET_MUL,
    HK_NET_AVERAGE,
    HK_NET_MAX,
    HK_NET_MEAN,
    HK_NET_SOFTMAX,
    HK_NET_TABLE,
    HK_NET_COPY,
    HK_NET_PAD,
    HK_NET_TRANSPOSE,
    HK_NET_VECTOR_POINT, /* for vector units, activations pixel by pixel */
    HK_NET_VECTOR_CONV,
    HK_NET_VECTOR_DEPTHWISE,
    HK_NET_SLICE, /* the output's sizes stand for the input's too */
    HK_NET_SUB
};

enum {
    HK_NET_AWAY = 1,         /* second rounding step half away from zero */
    HK_NET_WIDE = 2,         /* requantise in 64 bits */
    HK_NET_CLAMP = 4,        /* limits are tighter than int8 */
    HK_NET_CONSTANT = 8,     /* second operand is in the blob */
    HK_NET_PER_CHANNEL = 16, /* second operand has one code per channel */
    HK_NET_PIXELS = 32,      /* activations lie pixel by pixel */
    HK_NET_ACROSS = 64,      /* VECTOR_DEPTHWISE: lines run down the height */
    HK_NET_REVERSED = 128    /* SUB: first from second */
};

typedef struct {
    uint8_t kind;
    uint8_t flags;
    int8_t low; /* limits of the output's codes */
    int8_t high;
    uint32_t first; /* offsets into the arena; second into the blob with HK_NET_CONSTANT */
    uint32_t second;
    uint32_t out;
    uint32_t scratch;
    uint32_t data; /* prepared constants, offset into the blob */
    uint32_t data_bytes;
    uint16_t in_c, in_h, in_w;
    uint16_t out_c, out_h, out_w;
    uint8_t kernel_h, kernel_w;
    uint8_t stride_h, stride_w;
    uint8_t dilation_h, dilation_w;
    uint8_t top, left;
    int16_t first_zero, second_zero, out_zero;
    uint16_t segment; /* pairs of taps after which the kernel separates two sums; PAD: channels in front */
    uint32_t run; /* COPY, SLICE: bytes per run; TRANSPOSE: rows; VECTOR_DEPTHWISE: rows interleaved, 1, 4, 8 or 16 */
    uint32_t distance; /* COPY, SLICE: from run to run in the output, the input; TRANSPOSE: columns */
} hk_net_op_t;

_Static_assert(sizeof(hk_net_header_t) == 64U, "blob.py writes 64 bytes");
_Static_assert(sizeof(hk_net_op_t) == 64U, "blob.py writes 64 bytes");

/** Requantisation of one channel. Without HK_NET_WIDE bias is doubled and rounding holds the output's zero point. */
typedef struct {
    int32_t bias;
    int32_t factor;
    int32_t rounding;
    int32_t shift; /* right, 1..31; with HK_NET_WIDE left, -31..30 */
} hk_net_channel_t;

#define HK_NET_GROUP 4U /* outputs per group of a matrix stream */

/** Pairs of taps of a POINT or CONV operator. */
static inline uint32_t hk_net_pairs(const hk_net_op_t *op) {
    return ((uint32_t)op->in_c * op->kernel_h * op->kernel_w + 1U) / 2U;
}

/** Rows and samples per row of a DEPTHWISE operator's widened plane. */
static inline uint32_t hk_net_plane_rows(const hk_net_op_t *op) {
    return (op->out_h - 1U) * op->stride_h + (op->kernel_h - 1U) * op->dilation_h + 1U;
}

static inline uint32_t hk_net_plane_pitch(const hk_net_op_t *op) {
    const uint32_t pairs = (op->out_w + 1U) / 2U;
    const uint32_t taps = (op->kernel_w + 1U) / 2U * 2U;
    return ((2U * pairs - 1U) * op->stride_w + (taps - 1U) * op->dilation_w + 2U) / 2U * 2U;
}

/* ---- vector units: 16 codes at a time ------------------------------------------------------------------------------
 */

#define HK_NET_MAX_GATHER 9362U /* seven steps of a gather fit 16 bits */

/** Vectors of taps of a VECTOR_POINT or VECTOR_CONV operator. */
static inline uint32_t hk_net_vectors(const hk_net_op_t *op) {
    return ((uint32_t)op->in_c * op->kernel_h * op->kernel_w + 15U) / 16U;
}

/** Bytes of a pair of outputs in its stream: weights, then constants. */
static inline uint32_t hk_net_pair_bytes(const hk_net_op_t *op) {
    return 32U * hk_net_vectors(op) + 2U * (uint32_t)sizeof(hk_net_channel_t);
}

/** Geometry of a VECTOR_DEPTHWISE operator's scratch: lines with their padding, then one strip of interleaved rows. */
typedef struct {
    uint64_t vectors; /* of weights per channel */
    uint64_t pitch;   /* bytes of a line, and columns of a strip; a multiple of 16 */
    uint64_t lines;
} hk_net_frame_t;

static inline hk_net_frame_t hk_net_frame(const hk_net_op_t *op) {
    const uint32_t is_across = op->flags & HK_NET_ACROSS;
    const uint64_t outputs = is_across != 0U ? op->out_h : op->out_w;
    const uint64_t stride = is_across != 0U ? op->stride_h : op->stride_w;
    const uint64_t span = is_across != 0U ? (op->kernel_h - 1U) * (uint64_t)op->dilation_h + 1U
                                          : (op->kernel_w - 1U) * (uint64_t)op->dilation_w + 1U;
    const uint64_t line_stride = is_across != 0U ? op->stride_w : op->stride_h;
    const uint64_t n_lines = is_across != 0U ? op->out_w : op->out_h;
    const uint64_t vectors = (span * op->run + 15U) / 16U;
    const uint64_t columns = ((outputs + 3U) / 4U * 4U - 1U) * stride + 16U * (uint32_t)vectors / op->run;
    return (hk_net_frame_t){vectors, (columns + 15U) / 16U * 16U, (n_lines - 1U) * line_stride + op->run};
}

#endif /* HK_NET_BLOB_H */
