/**
 * @file  hk_level.c
 * @brief Powers as levels: a binary logarithm, one squaring per bit.
 */
#include "hk/hk_level.h"

#define FRACTION_BITS       16U
#define CDB_PER_OCTAVE_Q16  19728302LL /* 1000 * log10(2) = 301.0300 hundredths of a decibel, times 2^16 */
#define CDB_PER_OCTAVE_BITS 16U

/* log2(value) in Q16, value > 0. The mantissa in [1, 2) is squared; each time it passes 2 the next bit is one. */
static int64_t log2_q16(uint64_t value) {
    const uint32_t exponent = 63U - (uint32_t)__builtin_clzll(value);
    uint32_t mantissa = (uint32_t)((exponent >= 31U) ? value >> (exponent - 31U) : value << (31U - exponent));
    int64_t result = (int64_t)exponent << FRACTION_BITS;
    for (uint32_t bit = 1UL << (FRACTION_BITS - 1U); bit > 0U; bit >>= 1) {
        const uint64_t square = (uint64_t)mantissa * mantissa; /* [2^62, 2^64) */
        if ((square >> 63) != 0U) {
            mantissa = (uint32_t)(square >> 32);
            result += bit;
        } else {
            mantissa = (uint32_t)(square >> 31);
        }
    }
    return result;
}

static int32_t to_cdb(int64_t octaves_q16) {
    const int64_t scaled = octaves_q16 * CDB_PER_OCTAVE_Q16;
    return (int32_t)((scaled + ((int64_t)1 << 31)) >> (FRACTION_BITS + CDB_PER_OCTAVE_BITS));
}

int32_t hk_level_cdb(uint64_t value, uint32_t fraction_bits) {
    if (value == 0U) {
        return HK_LEVEL_SILENT_CDB;
    }
    return to_cdb(log2_q16(value) - ((int64_t)fraction_bits << FRACTION_BITS));
}

int32_t hk_level_mean_cdb(uint64_t sum_q48, uint32_t n) {
    if (sum_q48 == 0U) {
        return HK_LEVEL_SILENT_CDB;
    }
    return to_cdb(log2_q16(sum_q48) - log2_q16(n) - ((int64_t)48 << FRACTION_BITS));
}
