/**
 * @file  cmsis_compiler.h
 * @brief The part of CMSIS-Core's compiler layer that CMSIS-DSP wants, for GCC on cores with the DSP extension.
 *
 * CMSIS-DSP's source distribution comes without CMSIS-Core; this stands in for it on top of <arm_acle.h>. The host
 * build does not see it: there CMSIS-DSP is compiled with -D__GNUC_PYTHON__ and brings its own portable definitions.
 *
 * Numbers   As the Armv7E-M instructions of the same names.
 */
#ifndef CMSIS_COMPILER_H
#define CMSIS_COMPILER_H

#include <arm_acle.h> /* __smlad and the other DSP intrinsics */
#include <stdint.h>   /* int32_t, int64_t, uint8_t, uint32_t */

#ifndef __ARM_FEATURE_DSP
#error "cmsis_compiler.h: found a core without the DSP extension; build for a Cortex-M4, M7, M33 or M55 with DSP"
#endif

#define __ASM                __asm
#define __INLINE             inline
#define __STATIC_INLINE      static inline
#define __STATIC_FORCEINLINE __attribute__((always_inline)) static inline
#define __NO_RETURN          __attribute__((__noreturn__))
#define __USED               __attribute__((used))
#define __WEAK               __attribute__((weak))
#define __PACKED             __attribute__((packed, aligned(1)))
#define __ALIGNED(x)         __attribute__((aligned(x)))
#define __RESTRICT           __restrict

#define __SSAT(value, bits) __ssat((value), (bits))
#define __USAT(value, bits) __usat((value), (bits))
#define __QADD(a, b)        ((int32_t)__qadd((a), (b)))
#define __QSUB(a, b)        ((int32_t)__qsub((a), (b)))
#define __QADD8(a, b)       ((uint32_t)__qadd8((int8x4_t)(a), (int8x4_t)(b)))
#define __QSUB8(a, b)       ((uint32_t)__qsub8((int8x4_t)(a), (int8x4_t)(b)))
#define __QADD16(a, b)      ((uint32_t)__qadd16((int16x2_t)(a), (int16x2_t)(b)))
#define __QSUB16(a, b)      ((uint32_t)__qsub16((int16x2_t)(a), (int16x2_t)(b)))
#define __SHADD16(a, b)     ((uint32_t)__shadd16((int16x2_t)(a), (int16x2_t)(b)))
#define __SHSUB16(a, b)     ((uint32_t)__shsub16((int16x2_t)(a), (int16x2_t)(b)))
#define __QASX(a, b)        ((uint32_t)__qasx((int16x2_t)(a), (int16x2_t)(b)))
#define __QSAX(a, b)        ((uint32_t)__qsax((int16x2_t)(a), (int16x2_t)(b)))
#define __SHASX(a, b)       ((uint32_t)__shasx((int16x2_t)(a), (int16x2_t)(b)))
#define __SHSAX(a, b)       ((uint32_t)__shsax((int16x2_t)(a), (int16x2_t)(b)))
#define __SMUAD(a, b)       ((uint32_t)__smuad((int16x2_t)(a), (int16x2_t)(b)))
#define __SMUADX(a, b)      ((uint32_t)__smuadx((int16x2_t)(a), (int16x2_t)(b)))
#define __SMUSD(a, b)       ((uint32_t)__smusd((int16x2_t)(a), (int16x2_t)(b)))
#define __SMUSDX(a, b)      ((uint32_t)__smusdx((int16x2_t)(a), (int16x2_t)(b)))
#define __SMLAD(a, b, c)    ((uint32_t)__smlad((int16x2_t)(a), (int16x2_t)(b), (int32_t)(c)))
#define __SMLADX(a, b, c)   ((uint32_t)__smladx((int16x2_t)(a), (int16x2_t)(b), (int32_t)(c)))
#define __SMLSDX(a, b, c)   ((uint32_t)__smlsdx((int16x2_t)(a), (int16x2_t)(b), (int32_t)(c)))
#define __SMLALD(a, b, c)   ((uint64_t)__smlald((int16x2_t)(a), (int16x2_t)(b), (int64_t)(c)))
#define __SMLALDX(a, b, c)  ((uint64_t)__smlaldx((int16x2_t)(a), (int16x2_t)(b), (int64_t)(c)))
#define __SXTB16(a)         ((uint32_t)__sxtb16((int8x4_t)(a)))

/** High word of a product plus an addend. */
__STATIC_FORCEINLINE int32_t __SMMLA(int32_t a, int32_t b, int32_t c) {
    return (int32_t)((uint32_t)(int32_t)(((int64_t)a * b) >> 32) + (uint32_t)c);
}

/** Leading zeros; 32 for zero, where the builtin is undefined. */
__STATIC_FORCEINLINE uint8_t __CLZ(uint32_t value) {
    return (value == 0U) ? 32U : (uint8_t)__builtin_clz(value);
}

/** Rotate right. */
__STATIC_FORCEINLINE uint32_t __ROR(uint32_t value, uint32_t places) {
    places %= 32U;
    return (places == 0U) ? value : (value >> places) | (value << (32U - places));
}

/* As instructions, like CMSIS-Core: GCC 12 does not find them in the C expressions, which costs arm_fir_q15 a third. */
#define __PKHBT(a, b, shift)                                                                                           \
    __extension__({                                                                                                    \
        uint32_t pkhbt_result;                                                                                         \
        __asm("pkhbt %0, %1, %2, lsl %3" : "=r"(pkhbt_result) : "r"((uint32_t)(a)), "r"((uint32_t)(b)), "I"(shift));   \
        pkhbt_result;                                                                                                  \
    })
#define __PKHTB(a, b, shift)                                                                                           \
    __extension__({                                                                                                    \
        uint32_t pkhtb_result;                                                                                         \
        if ((shift) == 0) {                                                                                            \
            __asm("pkhtb %0, %1, %2" : "=r"(pkhtb_result) : "r"((uint32_t)(a)), "r"((uint32_t)(b)));                   \
        } else {                                                                                                       \
            __asm("pkhtb %0, %1, %2, asr %3"                                                                           \
                  : "=r"(pkhtb_result)                                                                                 \
                  : "r"((uint32_t)(a)), "r"((uint32_t)(b)), "I"(shift));                                               \
        }                                                                                                              \
        pkhtb_result;                                                                                                  \
    })

#endif /* CMSIS_COMPILER_H */
