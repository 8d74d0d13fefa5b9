/**
 * @file  hk_warped_chain.h
 * @brief All-pass chain and the dot product on it: the sample-by-sample part of the warped controller.
 *
 * Numbers   Chain values are samples / 2^HK_WARPED_GUARD_BITS. A section computes its output from the previous input p,
 *           the new input t and the previous output u as
 *               d = u - t;  u = p + d - (1 - lambda) * d  =  p + lambda * (u - t),
 *           written so that one rounded multiplication by the small number 1 - lambda is all the arithmetic that can
 * lose bits: nothing is lost down to -96 dBFS. Context   Audio interrupt.
 */
#ifndef HK_WARPED_CHAIN_H
#define HK_WARPED_CHAIN_H

#include <stdint.h> /* int32_t, int64_t, uint32_t */

/** Move the chain on by one sample; chain[0] becomes `in`. hk_kernel_warped_run does this and the dot product in one,
 *  equal bit for bit; tests use this one. */
void hk_warped_chain_step(int32_t *chain, uint32_t n_sections, int32_t one_minus_lambda_q32, int32_t in);

/** sum w * chain over n weights; n is a multiple of 4. The caller keeps sum |w| <= 2^31. */
int64_t hk_warped_chain_dot(const int32_t *chain, const int32_t *weights, uint32_t n);

#endif /* HK_WARPED_CHAIN_H */
