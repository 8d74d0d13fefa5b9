/**
 * @file  hk_fdaf.h
 * @brief Delayless partitioned-block frequency-domain adaptive filter behind hk_control_ops_t.
 *
 * Method    The control filter runs in the time domain, in the interrupt, so it delays nothing. Its weights are adapted
 *           once per block of B = 128 samples, in P partitions of B weights, in the frequency domain:
 *             X_p = spectrum of the filtered reference of two blocks, p blocks ago;  E = spectrum of [0, error block];
 *             g_p = first half of the inverse transform of step / (power + regularisation) * conj(X_p) * E;
 *             w_p -= leak * w_p + g_p,  with power the larger of the mean and the latest sum of |X_p|^2 over p, by bin.
 *           A step of its own in each bin lets weak frequencies converge as fast as strong ones. The halves of 256
 *           samples make the correlation a linear one (overlap-save), and keeping only the first half of g_p constrains
 *           the gradient, so the optimum is the time-domain filter's.
 *           Two real signals share each transform: reference and error, then partitions two by two. The update of a
 *           block is worked off in equal steps by the jobs of the next one and acts after that.
 * Numbers   Weights Q1.31 times 2^HK_CONFIG_CONTROL_EXPONENT, last tap first. Spectra in single precision, background
 *           only, + - * / in a fixed order (HK-DEV-10): q31 transforms lose a bit per stage, and a bin 60 dB below the
 *           loudest has none to lose.
 * Memory    Per ear 16 L + 5 kB.
 * Context   As hk_control_ops_t says. The interrupt only ever changes a pointer.
 * Sources   D. R. Morgan, J. C. Thi, A Delayless Subband Adaptive Filter Architecture, IEEE Trans. SP 43(8), 1995;
 *           J.-S. Soo, K. K. Pang, Multidelay Block Frequency Domain Adaptive Filter, IEEE Trans. ASSP 38(2), 1990.
 * Twin      models/hushkit_models/twin/fdaf.py, equal bit for bit
 */
#ifndef HK_FDAF_H
#define HK_FDAF_H

#include "hk/hk_control.h" /* hk_control_ops_t */

#define HK_FDAF_BLOCK 128U /* samples per update, and weights per partition */

extern const hk_control_ops_t hk_fdaf_ops;

#endif /* HK_FDAF_H */
