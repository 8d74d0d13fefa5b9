"""Integer twins of the transversal filters: control, secondary-path model and fixed FIR filters in q31 and q15."""

import numba
import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int32]

_INT32_MIN = -(1 << 31)
_INT32_MAX = (1 << 31) - 1


class FirQ31Twin:
    """One q31 filter, as CMSIS-DSP ``arm_fir_q31`` and then a saturating shift.

    The 64-bit sum of products is cut to Q1.31 toward minus infinity, shifted left by ``exponent`` and saturated.

    Args:
        taps: Last in time first, Q1.31, shape (n,).
        exponent: 0..15.
    """

    def __init__(self, taps: object, exponent: int = 0) -> None:
        self._taps = np.array(taps, dtype=np.int64)
        self._exponent = exponent
        self._delay = np.zeros(self._taps.size - 1, dtype=np.int64)

    def run(self, x: Ints, taps: Ints | None = None) -> Ints:
        """Filter samples, shape (n,) Q1.31, with other taps of the same length where given; state carries over."""
        if taps is not None:
            self._taps = np.asarray(taps, dtype=np.int64)
        window = np.concatenate([self._delay, np.asarray(x, dtype=np.int64)])
        self._delay = window[window.size - self._delay.size :].copy()
        return _fir(self._taps, window, self._exponent)


class FirQ15Twin:
    """One q15 filter on q31 samples, as CMSIS-DSP ``arm_fir_q15`` between a rounding and a saturating shift.

    Args:
        taps: Last in time first, Q1.15, shape (n,).
        exponent: 0..15.
    """

    def __init__(self, taps: object, exponent: int = 0) -> None:
        self._taps = np.array(taps, dtype=np.int64)
        self._exponent = exponent
        self._delay = np.zeros(self._taps.size - 1, dtype=np.int64)

    def run(self, x: Ints) -> Ints:
        """Filter samples, shape (n,) Q1.31; state carries over to the next call."""
        rounded = np.minimum(((np.asarray(x, dtype=np.int64) >> 15) + 1) >> 1, 32767)
        window = np.concatenate([self._delay, rounded])
        self._delay = window[window.size - self._delay.size :].copy()
        sums = np.array([self._taps @ window[n : n + self._taps.size] for n in range(rounded.size)], dtype=np.int64)
        narrow = np.clip(sums >> 15, -32768, 32767)
        return np.clip(narrow << (16 + self._exponent), _INT32_MIN, _INT32_MAX).astype(np.int32)


def gradient_q31(xf: Ints, e: Ints, shift: int, n_taps: int) -> Ints:
    """Correlation of an error block with the filtered reference (hk_kernel_gradient_run).

    Args:
        xf: Oldest first, shape (n_taps + e.size - 1,), Q1.31.
        e: Error block, Q1.31.
        shift: Bits cut from each 64-bit sum.
        n_taps: Number of results.

    Returns:
        g[j] = (sum_n e[n] * xf[j + n]) >> shift, shape (n_taps,), for weights stored last tap first.
    """
    return _gradient(xf.astype(np.int64), e.astype(np.int64), shift, n_taps)


@numba.njit(cache=True)
def _fir(taps: NDArray[np.int64], window: NDArray[np.int64], exponent: int) -> Ints:
    n = window.size - taps.size + 1
    y = np.empty(n, dtype=np.int32)
    for i in range(n):
        acc = np.int64(0)
        for j in range(taps.size):
            acc += taps[j] * window[i + j]
        wide = np.int64(np.int32(acc >> 31)) << exponent
        y[i] = min(max(wide, np.int64(-(1 << 31))), np.int64((1 << 31) - 1))
    return y


@numba.njit(cache=True)
def _gradient(xf: NDArray[np.int64], e: NDArray[np.int64], shift: int, n_taps: int) -> Ints:
    g = np.empty(n_taps, dtype=np.int32)
    for j in range(n_taps):
        acc = np.int64(0)
        for n in range(e.size):
            acc += e[n] * xf[j + n]
        g[j] = np.int32(acc >> shift)
    return g
