/**
 * @file  hk_level.h
 * @brief Powers as levels in 0.01 dB, in integers.
 *
 * Numbers   Powers in units of 2^-48 of full-scale power (hk_square_q48). Levels in 0.01 dB, a full-scale square wave
 *           is 0. Error at most 0.01 dB.
 * Context   Thread; about 16 multiplications.
 */
#ifndef HK_LEVEL_H
#define HK_LEVEL_H

#include <stdint.h> /* int32_t, uint32_t, uint64_t */

#define HK_LEVEL_SILENT_CDB (-20000) /* the level of nothing at all */

/** Level of a mean power: a sum over n samples. n >= 1. Nothing at all is HK_LEVEL_SILENT_CDB. */
int32_t hk_level_mean_cdb(uint64_t sum_q48, uint32_t n);

/** 1000 log10(value / 2^fraction_bits): 0.01 dB of a power. value 0 is HK_LEVEL_SILENT_CDB. */
int32_t hk_level_cdb(uint64_t value, uint32_t fraction_bits);

#endif /* HK_LEVEL_H */
