/*
 * Inner loops of the matrix operators: four outputs of one or two pixels over a segment of taps.
 *
 * With the DSP extension they are in assembly: eight sums, two taps' and two weights' registers and two pointers fill
 * the register file, so the end of the loop waits on the stack. Loads stand in groups, which costs one cycle less each
 * on the Cortex-M4.
 */
#include "hk_net_kernels.h"
#include "hk_net_math.h"

#if defined(__ARM_FEATURE_DSP) && defined(__arm__)

/* clang-format off */

#define LOAD_TWO(at)                                                    \
    "ldr r2, [r0, #" #at "]\n ldr r3, [r0, #" #at " + 4]\n"             \
    "ldr r12, [r1, #" #at "]\n ldr lr, [r1, #" #at " + 4]\n"
#define MULTIPLY_TWO                                                    \
    "smlad r5, r2, r12, r5\n smlad r9, r3, r12, r9\n sxtb16 r12, r12\n" \
    "smlad r7, r2, lr, r7\n smlad r11, r3, lr, r11\n sxtb16 lr, lr\n"   \
    "smlad r4, r2, r12, r4\n smlad r8, r3, r12, r8\n"                   \
    "smlad r6, r2, lr, r6\n smlad r10, r3, lr, r10\n"
#define CLEAR_SUMS                                                      \
    "mov r4, #0\n mov r5, #0\n mov r6, #0\n mov r7, #0\n"               \
    "mov r8, #0\n mov r9, #0\n mov r10, #0\n mov r11, #0\n"

/* Ends of the taps, of whole eights and of all, to the stack. r0 taps, r2 pairs; uses r3, r12. */
#define PUSH_ENDS                                                       \
    "add r12, r0, r2, lsl #3\n"                                         \
    "bic r3, r2, #7\n"                                                  \
    "add r3, r0, r3, lsl #3\n"                                          \
    "push {r3, r12}\n"

/* r0 taps, r1 weights, r2 and r3 taps, r4-r7 sums a-d of lane 0, r8-r11 of lane 1, r12 and lr weights; ends at sp. */
#define SUM_TWO_LANES                                                   \
    "ldr r3, [sp]\n"                                                    \
    "cmp r0, r3\n"                                                      \
    "beq 2f\n"                                                          \
    "1:\n"                                                              \
    LOAD_TWO(0) MULTIPLY_TWO LOAD_TWO(8) MULTIPLY_TWO                   \
    LOAD_TWO(16) MULTIPLY_TWO LOAD_TWO(24) MULTIPLY_TWO                 \
    LOAD_TWO(32) MULTIPLY_TWO LOAD_TWO(40) MULTIPLY_TWO                 \
    LOAD_TWO(48) MULTIPLY_TWO LOAD_TWO(56) MULTIPLY_TWO                 \
    "ldr r12, [sp]\n"                                                   \
    "add r0, r0, #64\n"                                                 \
    "add r1, r1, #64\n"                                                 \
    "cmp r0, r12\n"                                                     \
    "bne 1b\n"                                                          \
    "2:\n"                                                              \
    "ldr r12, [sp, #4]\n"                                               \
    "cmp r0, r12\n"                                                     \
    "beq 4f\n"                                                          \
    "3:\n"                                                              \
    LOAD_TWO(0) MULTIPLY_TWO                                            \
    "ldr r12, [sp, #4]\n"                                               \
    "add r0, r0, #8\n"                                                  \
    "add r1, r1, #8\n"                                                  \
    "cmp r0, r12\n"                                                     \
    "bne 3b\n"                                                          \
    "4:\n"

__attribute__((naked, noinline)) const uint32_t *
hk_net_sum_two_lanes(const uint32_t *taps, const uint32_t *weights, uint32_t pairs, int32_t sums[8]) {
    (void)taps;
    (void)weights;
    (void)pairs;
    (void)sums;
    __asm volatile(
        "push {r3-r11, lr}\n"
        PUSH_ENDS CLEAR_SUMS SUM_TWO_LANES
        "add sp, sp, #8\n"
        "pop {r3}\n"
        "stm r3, {r4-r11}\n"
        "mov r0, r1\n"
        "pop {r4-r11, pc}\n");
}

/* Codes of one output: sums of both lanes, doubled. r0 constants, r1 out; uses r2, r3, r12, lr. */
#define CODES(lane_0, lane_1, doubled)                                  \
    "ldm r0!, {r2, r3, r12, lr}\n"                                      \
    "add " lane_0 ", r2, " lane_0 ", " doubled "\n"                     \
    "add " lane_1 ", r2, " lane_1 ", " doubled "\n"                     \
    "smmulr " lane_0 ", " lane_0 ", r3\n"                               \
    "smmulr " lane_1 ", " lane_1 ", r3\n"                               \
    "ldr r2, [sp, #60]\n"                                               \
    "add " lane_0 ", " lane_0 ", r12\n"                                 \
    "add " lane_1 ", " lane_1 ", r12\n"                                 \
    "asr " lane_0 ", " lane_0 ", lr\n"                                  \
    "asr " lane_1 ", " lane_1 ", lr\n"                                  \
    "ssat " lane_0 ", #8, " lane_0 "\n"                                 \
    "ssat " lane_1 ", #8, " lane_1 "\n"                                 \
    "strb " lane_1 ", [r1, #1]\n"                                       \
    "strb " lane_0 ", [r1]\n"                                           \
    "add r1, r1, r2\n"

/* Stack: ends at 0 and 4, taps 8, stream 12, out 20, r4-r11, lr; the caller's n_pixels at 60, n_groups at 64. */
__attribute__((naked, noinline)) void hk_net_groups_two_lanes(
    const uint32_t *taps, const uint32_t *stream, uint32_t pairs, int8_t *out, uint32_t n_pixels, uint32_t n_groups
) {
    (void)taps;
    (void)stream;
    (void)pairs;
    (void)out;
    (void)n_pixels;
    (void)n_groups;
    __asm volatile(
        "push {r0-r11, lr}\n"
        PUSH_ENDS
        "5:\n"
        "ldr r0, [sp, #8]\n ldr r1, [sp, #12]\n"
        "add r1, r1, #64\n"
        CLEAR_SUMS SUM_TWO_LANES
        "ldr r0, [sp, #12]\n"
        "str r1, [sp, #12]\n"
        "ldr r1, [sp, #20]\n"
        "sub r5, r5, r4\n sub r7, r7, r6\n sub r9, r9, r8\n sub r11, r11, r10\n" /* 256 b: asr #7 is 2 b */
        CODES("r4", "r8", "lsl #1") CODES("r5", "r9", "asr #7")
        CODES("r6", "r10", "lsl #1") CODES("r7", "r11", "asr #7")
        "str r1, [sp, #20]\n"
        "ldr r2, [sp, #64]\n"
        "subs r2, r2, #1\n"
        "str r2, [sp, #64]\n"
        "bne 5b\n"
        "add sp, sp, #24\n"
        "pop {r4-r11, pc}\n");
}

/* r0 taps, r1 weights, r3 and r12 taps, r4-r7 sums, r8-r11 weights, lr end of the unrolled part. */
#define MULTIPLY_ONE(x, ab, cd)                                         \
    "smlad r5, " x ", " ab ", r5\n sxtb16 " ab ", " ab "\n"             \
    "smlad r7, " x ", " cd ", r7\n sxtb16 " cd ", " cd "\n"             \
    "smlad r4, " x ", " ab ", r4\n smlad r6, " x ", " cd ", r6\n"
#define LOAD_ONE(at, from)                                              \
    "ldr r3, [r0, #" #at "]\n ldr r12, [r0, #" #at " + 4]\n"            \
    "ldr r8, [r1, #" #from "]\n ldr r9, [r1, #" #from " + 4]\n"         \
    "ldr r10, [r1, #" #from " + 8]\n ldr r11, [r1, #" #from " + 12]\n"

__attribute__((naked, noinline)) const uint32_t *
hk_net_sum_one_lane(const uint32_t *taps, const uint32_t *weights, uint32_t pairs, int32_t sums[8]) {
    (void)taps;
    (void)weights;
    (void)pairs;
    (void)sums;
    __asm volatile(
        "push {r2-r11, lr}\n"
        "mov r4, #0\n mov r5, #0\n mov r6, #0\n mov r7, #0\n"
        "bic lr, r2, #3\n"
        "add lr, r0, lr, lsl #2\n"
        "cmp r0, lr\n"
        "beq 2f\n"
        "1:\n"
        LOAD_ONE(0, 0) MULTIPLY_ONE("r3", "r8", "r9") MULTIPLY_ONE("r12", "r10", "r11")
        LOAD_ONE(8, 16) MULTIPLY_ONE("r3", "r8", "r9") MULTIPLY_ONE("r12", "r10", "r11")
        "add r0, r0, #16\n"
        "add r1, r1, #32\n"
        "cmp r0, lr\n"
        "bne 1b\n"
        "2:\n"
        "ands r2, r2, #3\n"
        "beq 4f\n"
        "3:\n"
        "ldr r3, [r0], #4\n ldr r8, [r1], #4\n ldr r9, [r1], #4\n"
        MULTIPLY_ONE("r3", "r8", "r9")
        "subs r2, r2, #1\n"
        "bne 3b\n"
        "4:\n"
        "pop {r2, r3}\n"
        "stm r3, {r4-r7}\n"
        "mov r0, r1\n"
        "pop {r4-r11, pc}\n");
}

/* The first sum takes x0 x1 and x2, the second x1 and x2 x3. */
#define ROW(first, second)                                              \
    "smlad r10, r2, " first ", r10\n smlatb r11, r2, " first ", r11\n"  \
    "smlabt r10, r3, " second ", r10\n smlad r11, r3, " second ", r11\n"

/*
 * r0 wide, r1 pitch, r2 r3 samples, r4-r6 first taps, r7-r9 second taps, r10 r11 sums, r12 out, lr wide + 4 bytes.
 * Stack: the row's end in out at 0, bias 8, factor 12, rounding 16, shift 20, the row's start in wide 24, window 28.
 */
__attribute__((naked, noinline)) void
hk_net_window_3x3(const int16_t *wide, uint32_t pitch, int8_t *out, hk_net_window_t *window) {
    (void)wide;
    (void)pitch;
    (void)out;
    (void)window;
    __asm volatile(
        "push {r0, r3-r11, lr}\n"
        "mov lr, r2\n"
        "ldm r3!, {r4-r9}\n"
        "ldm r3!, {r2, r10, r11, r12}\n"
        "push {r2, r10, r11, r12}\n"
        "sub sp, sp, #8\n"
        "mov r12, lr\n"
        "1:\n"
        "ldr r3, [sp, #28]\n"
        "ldr r2, [r3, #40]\n"
        "add r2, r2, r12\n"
        "str r2, [sp]\n"
        "2:\n"
        "ldr r10, [sp, #8]\n ldr r2, [r0]\n ldr r3, [r0, #4]\n"
        "add lr, r0, #4\n"
        "mov r11, r10\n"
        ROW("r4", "r7")
        "ldr r2, [r0, r1]\n ldr r3, [lr, r1]\n"
        ROW("r5", "r8")
        "ldr r2, [r0, r1, lsl #1]\n ldr r3, [lr, r1, lsl #1]\n"
        ROW("r6", "r9")
        "ldr r2, [sp, #12]\n ldr r3, [sp, #16]\n ldr r0, [sp, #20]\n"
        "smmulr r10, r10, r2\n smmulr r11, r11, r2\n"
        "add r10, r10, r3\n add r11, r11, r3\n"
        "asr r10, r10, r0\n asr r11, r11, r0\n"
        "ldr r2, [sp]\n"
        "ssat r10, #8, r10\n ssat r11, #8, r11\n"
        "mov r0, lr\n"
        "strb r10, [r12]\n strb r11, [r12, #1]\n"
        "add r12, r12, #2\n"
        "cmp r12, r2\n"
        "bne 2b\n"
        "ldr r3, [sp, #28]\n"
        "ldr r0, [sp, #24]\n"
        "add r0, r0, r1\n"
        "str r0, [sp, #24]\n"
        "ldr r2, [r3, #44]\n" /* odd */
        "sub r12, r12, r2\n"
        "ldr r2, [r3, #48]\n" /* rows */
        "subs r2, r2, #1\n"
        "str r2, [r3, #48]\n"
        "bne 1b\n"
        "add sp, sp, #32\n"
        "pop {r4-r11, pc}\n");
}

/* clang-format on */

#else

const uint32_t *hk_net_sum_two_lanes(const uint32_t *taps, const uint32_t *weights, uint32_t pairs, int32_t sums[8]) {
    memset(sums, 0, 8U * sizeof *sums);
    for (uint32_t k = 0; k < pairs; k++, taps += 2, weights += 2) {
        for (uint32_t lane = 0; lane < 2U; lane++) {
            int32_t *const to = sums + 4U * lane;
            to[0] = hk_net_smlad(taps[lane], hk_net_even_bytes(weights[0]), to[0]);
            to[1] = hk_net_smlad(taps[lane], weights[0], to[1]);
            to[2] = hk_net_smlad(taps[lane], hk_net_even_bytes(weights[1]), to[2]);
            to[3] = hk_net_smlad(taps[lane], weights[1], to[3]);
        }
    }
    return weights;
}

const uint32_t *hk_net_sum_one_lane(const uint32_t *taps, const uint32_t *weights, uint32_t pairs, int32_t sums[8]) {
    memset(sums, 0, 8U * sizeof *sums);
    for (uint32_t k = 0; k < pairs; k++, taps++, weights += 2) {
        sums[0] = hk_net_smlad(*taps, hk_net_even_bytes(weights[0]), sums[0]);
        sums[1] = hk_net_smlad(*taps, weights[0], sums[1]);
        sums[2] = hk_net_smlad(*taps, hk_net_even_bytes(weights[1]), sums[2]);
        sums[3] = hk_net_smlad(*taps, weights[1], sums[3]);
    }
    return weights;
}

void hk_net_groups_two_lanes(const uint32_t *taps, const uint32_t *stream, uint32_t pairs, int8_t *out,
                             uint32_t n_pixels, uint32_t n_groups) {
    for (; n_groups != 0U; n_groups--) {
        const hk_net_channel_t *const channel = (const hk_net_channel_t *)(const void *)stream;
        int32_t sums[8];
        stream = hk_net_sum_two_lanes(taps, (const uint32_t *)(const void *)(channel + HK_NET_GROUP), pairs, sums);
        for (uint32_t k = 0; k < HK_NET_GROUP; k++, out += n_pixels) {
            for (uint32_t lane = 0; lane < 2U; lane++) {
                const int32_t *const sum = sums + 4U * lane + k;
                const int32_t own = k % 2U == 0U ? sum[0] : (int32_t)((uint32_t)sum[0] - (uint32_t)sum[-1]) >> 8;
                out[lane] = hk_net_plain_code(&channel[k], own);
            }
        }
    }
}

void hk_net_window_3x3(const int16_t *wide, uint32_t pitch, int8_t *out, hk_net_window_t *window) {
    const hk_net_channel_t channel = {window->bias, window->factor, window->rounding, window->shift};
    for (; window->rows != 0U; window->rows--, wide += pitch / 2U, out += window->row_bytes - window->odd) {
        for (uint32_t x = 0; x < window->row_bytes; x += 2U) {
            int32_t sums[2] = {0, 0};
            for (uint32_t row = 0; row < 3U; row++) {
                const uint32_t x01 = hk_net_word(wide + (size_t)row * (pitch / 2U) + x);
                const uint32_t x23 = hk_net_word(wide + (size_t)row * (pitch / 2U) + x + 2U);
                sums[0] = hk_net_smlabt(x23, window->second[row], hk_net_smlad(x01, window->first[row], sums[0]));
                sums[1] = hk_net_smlad(x23, window->second[row], hk_net_smlatb(x01, window->first[row], sums[1]));
            }
            for (uint32_t k = 0; k < 2U; k++) { /* taps are doubled already */
                out[x + k] = hk_net_plain_code(&channel, sums[k] >> 1);
            }
        }
    }
}

#endif
