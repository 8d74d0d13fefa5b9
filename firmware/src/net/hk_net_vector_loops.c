/*
 * Inner loops for vector units. Helium's dot product takes 16 codes and 16 weights into one even register, so eight
 * sums fill the even registers and everything else lives in the odd ones.
 *
 * They are in assembly: GCC 12 spills the sums, and firmware whose other code does without Helium may call them.
 */
#include "hk_net_math.h"
#include "hk_net_vector.h"

#include <stdbool.h>

#if defined(HK_NET_HELIUM)

/* clang-format off */

#define WITH_HELIUM ".arch_extension mve\n"
#define PLAIN(code) ""
#define AWAY(code)                                                      \
    "vshr.s32 q2, " code ", #31\n vadd.i32 " code ", " code ", q2\n"

/* 16 taps of four pixels with both outputs' weights. r1 r3 r5 r7 pixels, r9 stream. */
#define SIXTEEN(multiply)                                               \
    "vldrw.u32 q0, [r1], #16\n vldrw.u32 q1, [r9], #32\n"               \
    multiply " r0, q0, q1\n vldrw.u32 q2, [r9, #-16]\n"                 \
    multiply " r2, q0, q2\n vldrw.u32 q0, [r3], #16\n"                  \
    multiply " r4, q0, q1\n " multiply " r6, q0, q2\n"                  \
    "vldrw.u32 q0, [r5], #16\n"                                         \
    multiply " r8, q0, q1\n " multiply " r10, q0, q2\n"                 \
    "vldrw.u32 q0, [r7], #16\n"                                         \
    multiply " r12, q0, q1\n " multiply " lr, q0, q2\n"

/* Sums in q to codes: r0 bias, r2 factor, r4 rounding, r6 shift, q4 low, q5 high. */
#define CODES(q, away)                                                  \
    "vadd.i32 " q ", " q ", r0\n vqrdmulh.s32 " q ", " q ", r2\n"       \
    away(q)                                                             \
    "vadd.i32 " q ", " q ", r4\n vshl.s32 " q ", r6\n"                  \
    "vmax.s32 " q ", " q ", q4\n vmin.s32 " q ", " q ", q5\n"

/* Stack: q4, q5, then the job. */
#define PAIRS(away)                                                     \
    WITH_HELIUM                                                         \
    "push {r0, r4-r11, lr}\n"                                           \
    "vpush {d8-d11}\n"                                                  \
    "ldr r1, [r0, #40]\n vdup.32 q4, r1\n"                              \
    "ldr r1, [r0, #44]\n vdup.32 q5, r1\n"                              \
    "add r1, r0, #24\n vldrw.u32 q3, [r1]\n"                            \
    "ldr r9, [r0, #4]\n"                                                \
    "1:\n"                                                              \
    "ldr r1, [r0]\n ldr r11, [r0, #20]\n"                               \
    "add r3, r1, r11\n add r5, r3, r11\n add r7, r5, r11\n"             \
    "ldr r11, [r0, #8]\n"                                               \
    SIXTEEN("vmladav.s8")                                               \
    "subs r11, r11, #1\n"                                               \
    "beq 3f\n"                                                          \
    "2:\n"                                                              \
    SIXTEEN("vmladava.s8")                                              \
    "subs r11, r11, #1\n"                                               \
    "bne 2b\n"                                                          \
    "3:\n"                                                              \
    "vmov q0[2], q0[0], r0, r8\n vmov q0[3], q0[1], r4, r12\n"          \
    "vmov q1[2], q1[0], r2, r10\n vmov q1[3], q1[1], r6, lr\n"          \
    "ldr r1, [sp, #32]\n"                                               \
    "ldm r9!, {r0, r2, r4, r6}\n"                                       \
    "ldr r3, [r1, #16]\n"                                               \
    CODES("q0", away)                                                   \
    "ldm r9!, {r0, r2, r4, r6}\n"                                       \
    "vstrb.32 q0, [r3, q3]\n"                                           \
    CODES("q1", away)                                                   \
    "add r3, r3, #1\n"                                                  \
    "ldr r5, [r1, #12]\n"                                               \
    "vstrb.32 q1, [r3, q3]\n"                                           \
    "add r3, r3, #1\n"                                                  \
    "mov r0, r1\n"                                                      \
    "str r3, [r1, #16]\n"                                               \
    "subs r5, r5, #1\n"                                                 \
    "str r5, [r1, #12]\n"                                               \
    "bne 1b\n"                                                          \
    "str r9, [r0, #4]\n"                                                \
    "vpop {d8-d11}\n"                                                   \
    "pop {r0, r4-r11, pc}\n"

__attribute__((naked, noinline)) void hk_net_vector_pairs(hk_net_pairs_t *job) {
    (void)job;
    __asm volatile(PAIRS(PLAIN));
}

__attribute__((naked, noinline)) void hk_net_vector_pairs_away(hk_net_pairs_t *job) {
    (void)job;
    __asm volatile(PAIRS(AWAY));
}

__attribute__((naked, noinline)) void
hk_net_vector_sums(const int8_t *taps, const uint8_t *weights, uint32_t n_vectors, int32_t sums[2]) {
    (void)taps;
    (void)weights;
    (void)n_vectors;
    (void)sums;
    __asm volatile(
        WITH_HELIUM
        "push {r4, lr}\n"
        "mov r4, #0\n mov r12, #0\n"
        "dls lr, r2\n"
        "1:\n"
        "vldrw.u32 q0, [r0], #16\n vldrw.u32 q1, [r1], #32\n"
        "vmladava.s8 r4, q0, q1\n vldrw.u32 q2, [r1, #-16]\n"
        "vmladava.s8 r12, q0, q2\n"
        "le lr, 1b\n"
        "strd r4, r12, [r3]\n"
        "pop {r4, pc}\n");
}

/* Four outputs' sums. r1 strip, r3 step, r5 vectors, r9 weights; r1 moves on to the next four outputs. */
#define ONE_VECTOR                                                      \
    "vldrb.u8 q0, [r1]\n add r1, r1, r3\n vmladav.s8 r8, q0, q3\n"      \
    "vldrb.u8 q1, [r1]\n add r1, r1, r3\n vmladav.s8 r10, q1, q3\n"     \
    "vldrb.u8 q0, [r1]\n add r1, r1, r3\n vmladav.s8 r12, q0, q3\n"     \
    "vldrb.u8 q1, [r1]\n add r1, r1, r3\n vmladav.s8 lr, q1, q3\n"
#define ANY_VECTORS                                                     \
    "str r11, [sp, #4]\n mov r11, r5\n"                                 \
    "mov r8, #0\n mov r10, #0\n mov r12, #0\n mov lr, #0\n"             \
    "5:\n"                                                              \
    "vldrw.u32 q3, [r9], #16\n"                                         \
    "vldrb.u8 q0, [r1]\n add r1, r1, r3\n vmladava.s8 r8, q0, q3\n"     \
    "vldrb.u8 q1, [r1]\n add r1, r1, r3\n vmladava.s8 r10, q1, q3\n"    \
    "vldrb.u8 q0, [r1]\n add r1, r1, r3\n vmladava.s8 r12, q0, q3\n"    \
    "vldrb.u8 q1, [r1], #16\n sub r1, r1, r3\n"                         \
    "vmladava.s8 lr, q1, q3\n sub r1, r1, r3, lsl #1\n"                 \
    "subs r11, r11, #1\n"                                               \
    "bne 5b\n"                                                          \
    "ldr r11, [sp, #4]\n"                                               \
    "sub r9, r9, r5, lsl #4\n sub r1, r1, r5, lsl #4\n"                 \
    "add r1, r1, r3, lsl #2\n"

/* r0 r2 r4 r6 constants, r7 out, r11 outputs left; the predicate leaves out what lies behind the last output. */
#define OUTPUTS(sums, away)                                             \
    "1:\n"                                                              \
    sums                                                                \
    "vmov q0[2], q0[0], r8, r12\n vmov q0[3], q0[1], r10, lr\n"         \
    CODES("q0", away)                                                   \
    "vctp.32 r11\n"                                                     \
    "ldr r8, [sp]\n"                                                    \
    "vpst\n vstrbt.32 q0, [r7, q6]\n"                                   \
    "add r7, r7, r8\n"                                                  \
    "subs r11, r11, #4\n"                                               \
    "bgt 1b\n"

/* Stack: the step of out and a place for r11. */
#define STRIP(away)                                                     \
    WITH_HELIUM                                                         \
    "push {r3, r4-r11, lr}\n"                                           \
    "vpush {d8-d13}\n"                                                  \
    "ldr r1, [r0, #24]\n sub sp, sp, #8\n str r1, [sp]\n"               \
    "ldr r1, [r0, #44]\n vdup.32 q4, r1\n"                              \
    "ldr r1, [r0, #48]\n vdup.32 q5, r1\n"                              \
    "add r1, r0, #52\n vldrw.u32 q6, [r1]\n"                            \
    "ldr r1, [r0]\n ldr r9, [r0, #4]\n ldr r5, [r0, #8]\n"              \
    "ldr r3, [r0, #12]\n ldr r7, [r0, #16]\n ldr r11, [r0, #20]\n"      \
    "ldr r2, [r0, #32]\n ldr r4, [r0, #36]\n ldr r6, [r0, #40]\n"       \
    "ldr r0, [r0, #28]\n"                                               \
    "cmp r5, #1\n"                                                      \
    "bne 3f\n"                                                          \
    "vldrw.u32 q3, [r9]\n"                                              \
    OUTPUTS(ONE_VECTOR, away)                                           \
    "b 4f\n"                                                            \
    "3:\n"                                                              \
    OUTPUTS(ANY_VECTORS, away)                                          \
    "4:\n"                                                              \
    "add sp, sp, #8\n"                                                  \
    "vpop {d8-d13}\n"                                                   \
    "pop {r3, r4-r11, pc}\n"

__attribute__((naked, noinline)) void hk_net_vector_strip(const hk_net_strip_t *job) {
    (void)job;
    __asm volatile(STRIP(PLAIN));
}

__attribute__((naked, noinline)) void hk_net_vector_strip_away(const hk_net_strip_t *job) {
    (void)job;
    __asm volatile(STRIP(AWAY));
}

/* A factor with a rounding shift; the shift's vector says whether it shifts at all, for a tie is lowered only then. */
#define SCALE(q, factor, shift, shifts)                                 \
    "vqrdmulh.s32 " q ", " q ", " factor "\n"                           \
    "vand q2, " q ", " shifts "\n vshr.s32 q2, q2, #31\n"              \
    "vadd.i32 " q ", " q ", q2\n vrshl.s32 " q ", " shift "\n"

__attribute__((naked, noinline)) void hk_net_vector_add(const hk_net_sum_t *job) {
    (void)job;
    __asm volatile(
        WITH_HELIUM
        "push {r4-r12, lr}\n"
        "vpush {d8-d15}\n"
        "mov r12, r0\n"
        "ldr r1, [r12, #52]\n vdup.32 q3, r1\n"
        "ldr r1, [r12, #56]\n vdup.32 q4, r1\n"
        "add r3, r12, #16\n ldm r3, {r4-r11}\n"
        "vdup.32 q5, r7\n vdup.32 q6, r8\n vdup.32 q7, r9\n"
        "ldr r3, [r12, #12]\n ldm r12, {r0-r2}\n ldr r12, [r12, #48]\n"
        "dlstp.32 lr, r3\n"
        "1:\n"
        "vldrb.s32 q0, [r0], #4\n vldrb.s32 q1, [r1], #4\n"
        "vsub.i32 q0, q0, r10\n vsub.i32 q1, q1, r11\n"
        "vshl.i32 q0, q0, #20\n vshl.i32 q1, q1, #20\n"
        SCALE("q0", "r4", "r7", "q5") SCALE("q1", "r5", "r8", "q6")
        "vadd.i32 q0, q0, q1\n"
        SCALE("q0", "r6", "r9", "q7")
        "vadd.i32 q0, q0, r12\n"
        "vmax.s32 q0, q0, q3\n vmin.s32 q0, q0, q4\n"
        "vstrb.32 q0, [r2], #4\n"
        "letp lr, 1b\n"
        "vpop {d8-d15}\n"
        "pop {r4-r12, pc}\n");
}

__attribute__((naked, noinline)) void
hk_net_vector_gather(const int8_t *in, uint32_t distance, int8_t *out, uint32_t n) {
    (void)in;
    (void)distance;
    (void)out;
    (void)n;
    __asm volatile(
        WITH_HELIUM
        "push {r4, lr}\n"
        "mov r4, #0\n"
        "vidup.u16 q1, r4, #1\n"
        "vmul.i16 q1, q1, r1\n"
        "lsl r1, r1, #3\n"
        "dlstp.16 lr, r3\n"
        "1:\n"
        "vldrb.s16 q0, [r0, q1]\n"
        "add r0, r0, r1\n"
        "vstrb.16 q0, [r2], #8\n"
        "letp lr, 1b\n"
        "pop {r4, pc}\n");
}

__attribute__((naked, noinline)) void
hk_net_vector_interleave(const int8_t *in, uint32_t pitch, int8_t *out, uint32_t n) {
    (void)in;
    (void)pitch;
    (void)out;
    (void)n;
    __asm volatile(
        WITH_HELIUM
        "push {r4, lr}\n"
        "add r12, r0, r1\n add r4, r12, r1\n add r1, r4, r1\n"
        "lsr r3, r3, #4\n"
        "dls lr, r3\n"
        "1:\n"
        "vldrb.u8 q0, [r0], #16\n vldrb.u8 q1, [r12], #16\n"
        "vldrb.u8 q2, [r4], #16\n vldrb.u8 q3, [r1], #16\n"
        "vst40.8 {q0, q1, q2, q3}, [r2]\n vst41.8 {q0, q1, q2, q3}, [r2]\n"
        "vst42.8 {q0, q1, q2, q3}, [r2]\n vst43.8 {q0, q1, q2, q3}, [r2]!\n"
        "le lr, 1b\n"
        "pop {r4, pc}\n");
}

__attribute__((naked, noinline)) void hk_net_vector_copy(const int8_t *in, int8_t *out, uint32_t n) {
    (void)in;
    (void)out;
    (void)n;
    __asm volatile(
        WITH_HELIUM
        "push {r4, lr}\n"
        "wlstp.8 lr, r2, 2f\n"
        "1:\n"
        "vldrb.u8 q0, [r0], #16\n vstrb.8 q0, [r1], #16\n"
        "letp lr, 1b\n"
        "2:\n"
        "pop {r4, pc}\n");
}

__attribute__((naked, noinline)) void hk_net_vector_fill(int8_t *out, int32_t value, uint32_t n) {
    (void)out;
    (void)value;
    (void)n;
    __asm volatile(
        WITH_HELIUM
        "push {r4, lr}\n"
        "vdup.8 q0, r1\n"
        "wlstp.8 lr, r2, 2f\n"
        "1:\n"
        "vstrb.8 q0, [r0], #16\n"
        "letp lr, 1b\n"
        "2:\n"
        "pop {r4, pc}\n");
}

/* clang-format on */

#else

/* One sum to a code as CODES does it. */
static int8_t code(int32_t sum, const hk_net_channel_t *channel, int32_t low, int32_t high, bool away) {
    const uint32_t biased = (uint32_t)sum + (uint32_t)channel->bias;
    const int32_t y = hk_net_high_product((int32_t)(biased << 1), channel->factor);
    const uint32_t sign = away && y < 0 ? UINT32_MAX : 0U;
    const int32_t shifted = (int32_t)((uint32_t)y + sign + (uint32_t)channel->rounding) >> -channel->shift;
    return (int8_t)hk_net_clamp(shifted, low, high);
}

static int32_t dot(const int8_t *x, const int8_t *w, int32_t sum) {
    for (uint32_t k = 0; k < HK_NET_VECTOR; k++) {
        sum += x[k] * w[k];
    }
    return sum;
}

void hk_net_vector_sums(const int8_t *taps, const uint8_t *weights, uint32_t n_vectors, int32_t sums[2]) {
    const int8_t *w = (const int8_t *)weights;
    sums[0] = 0;
    sums[1] = 0;
    for (; n_vectors != 0U; n_vectors--, taps += HK_NET_VECTOR, w += 2U * HK_NET_VECTOR) {
        sums[0] = dot(taps, w, sums[0]);
        sums[1] = dot(taps, w + HK_NET_VECTOR, sums[1]);
    }
}

static void run_pairs(hk_net_pairs_t *job, bool away) {
    for (; job->n_pairs != 0U; job->n_pairs--, job->out += 2) {
        hk_net_channel_t channel[2];
        memcpy(channel, job->stream + (size_t)2U * job->pitch, sizeof channel);
        for (uint32_t k = 0; k < HK_NET_LANES; k++) {
            int32_t sums[2];
            hk_net_vector_sums(job->rows + (size_t)k * job->pitch, job->stream, job->n_vectors, sums);
            for (uint32_t j = 0; j < 2U; j++) {
                job->out[job->pixel_offset[k] + j] = code(sums[j], &channel[j], job->low, job->high, away);
            }
        }
        job->stream += (size_t)2U * job->pitch + sizeof channel;
    }
}

void hk_net_vector_pairs(hk_net_pairs_t *job) {
    run_pairs(job, false);
}

void hk_net_vector_pairs_away(hk_net_pairs_t *job) {
    run_pairs(job, true);
}

static void run_strip(const hk_net_strip_t *job, bool away) {
    const hk_net_channel_t channel = {job->bias, job->factor, job->rounding, job->shift};
    for (uint32_t k = 0; k < job->n_outputs; k++) {
        int32_t sum = 0;
        for (uint32_t v = 0; v < HK_NET_VECTOR * job->n_vectors; v += HK_NET_VECTOR) {
            sum = dot(job->strip + (size_t)k * job->step + v, job->weights + v, sum);
        }
        int8_t *const out = job->out + (size_t)(k / HK_NET_LANES) * job->out_step;
        out[job->offset[k % HK_NET_LANES]] = code(sum, &channel, job->low, job->high, away);
    }
}

void hk_net_vector_strip(const hk_net_strip_t *job) {
    run_strip(job, false);
}

void hk_net_vector_strip_away(const hk_net_strip_t *job) {
    run_strip(job, true);
}

void hk_net_vector_gather(const int8_t *in, uint32_t distance, int8_t *out, uint32_t n) {
    for (uint32_t k = 0; k < n; k++, in += distance) {
        out[k] = *in;
    }
}

void hk_net_vector_interleave(const int8_t *in, uint32_t pitch, int8_t *out, uint32_t n) {
    for (uint32_t k = 0; k < n; k++) {
        for (uint32_t r = 0; r < 4U; r++) {
            *out++ = in[(size_t)r * pitch + k];
        }
    }
}

void hk_net_vector_copy(const int8_t *in, int8_t *out, uint32_t n) {
    memmove(out, in, n); /* a blob of nonsense may let them overlap */
}

void hk_net_vector_fill(int8_t *out, int32_t value, uint32_t n) {
    memset(out, value, n);
}

#endif
