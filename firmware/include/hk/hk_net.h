/**
 * @file  hk_net.h
 * @brief Runs a compiled INT8 network from flash or from a downloaded slot.
 *
 * Numbers   int8 codes; scale and zero point of input and output are in the description. TFLite's order: channels last.
 * Rounding  As the blob was compiled: tflite-runtime's or TFLM's, documented per operator in hushkit_codegen/network.
 * Context   Background. No allocation; the caller gives one arena. Softmax uses single precision, the rest integers.
 * Loading   Checks every offset, size and the CRC-32, so that a run cannot leave blob and arena; a refused blob leaves
 *           the network as it was.
 * Twin      codegen/hushkit_codegen/network/reference.py, equal bit for bit
 */
#ifndef HK_NET_H
#define HK_NET_H

#include "hk/hk_status.h" /* hk_status_t, HK_MUST_CHECK */
#include <stddef.h>       /* size_t */
#include <stdint.h>       /* int8_t, uint32_t */

typedef struct {
    const uint8_t *blob; /* null: nothing loaded */
    uint32_t n_ops;
    uint32_t model;       /* names the model: first four bytes of the SHA-256 of its .tflite file, big-endian */
    uint32_t arena_bytes; /* what hk_net_run needs, 4-byte aligned */
    uint32_t input;       /* offset of the input in the arena */
    uint32_t input_bytes;
    uint32_t output; /* offset of the output in the arena */
    uint32_t output_bytes;
    float input_scale; /* real value of one code */
    float output_scale;
    int16_t input_zero_point;
    int16_t output_zero_point;
} hk_net_t;

/**
 * Check a blob and make it the network; blob must stay readable, 4-byte aligned.
 * @return HK_OK, HK_ERR_ARG (null or misaligned), HK_ERR_LENGTH (cut short or padded), HK_ERR_UNKNOWN (magic, version
 * or operator), HK_ERR_ABI (another core's blob), HK_ERR_CORRUPT (CRC) or HK_ERR_RANGE (a size or offset that leaves
 * blob or arena). On failure *net is unchanged.
 */
HK_MUST_CHECK hk_status_t hk_net_load(hk_net_t *net, const void *blob, size_t n_bytes);

/**
 * Run once. The caller has put input_bytes codes at arena + input and finds output_bytes at arena + output; the input
 * is overwritten.
 * @return HK_OK, HK_ERR_STATE (nothing loaded), HK_ERR_ARG (arena null or misaligned) or HK_ERR_SPACE (arena too
 * small).
 */
HK_MUST_CHECK hk_status_t hk_net_run(const hk_net_t *net, void *arena, size_t n_bytes);

/** Where a run in slices stands. Zero is its start; it is over when op is the network's n_ops. */
typedef struct {
    uint32_t op;
    uint32_t unit; /* within it */
} hk_net_cursor_t;

/**
 * A slice of a run: about `work` instructions, at least one unit. A unit is at most two pixels and four outputs of a
 * convolution, one channel of a depthwise one, one code of a sum, or the whole of a smaller operator. Every slice of a
 * run is given the same `work`; between them nothing else may use the arena. The output is hk_net_run's.
 * @return As hk_net_run.
 */
HK_MUST_CHECK hk_status_t hk_net_step(const hk_net_t *net, void *arena, size_t n_bytes, hk_net_cursor_t *cursor,
                                      uint32_t work);

#endif /* HK_NET_H */
