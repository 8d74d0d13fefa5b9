"""Integer twin of the biquad cascade with fraction saving (hk_kernel_feedforward_run, hk_kernel_transparency_run)."""

import numba
import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int32]


class BiquadTwin:
    """One cascade of one ear, bit for bit as the firmware runs it.

    A section's sum of products is cut to Q1.31 toward minus infinity; the bits cut off are added to its next sum.

    Args:
        sections: Rows b0, b1, b2, -a1, -a2 in Q1.31, scaled by 2^-post_shift, shape (n, 5).
        post_shift: 0..7.
        output_shift: 0..15; the cascade's output is shifted left by it, saturating.
    """

    def __init__(self, sections: object, post_shift: int, output_shift: int = 0) -> None:
        self._taps = np.array(sections, dtype=np.int64).reshape(-1, 5)
        self._shift = 31 - post_shift
        self._output_shift = output_shift
        self._history = np.zeros((len(self._taps) + 1, 2), dtype=np.int64)
        self._fraction = np.zeros(len(self._taps), dtype=np.int64)

    def run(self, x: Ints) -> Ints:
        """Filter samples, shape (n,) Q1.31; state carries over to the next call."""
        samples = np.ascontiguousarray(x, dtype=np.int32)
        return _run(self._taps, self._shift, self._output_shift, self._history, self._fraction, samples)


@numba.njit(cache=True)
def _run(  # noqa: PLR0917 - numba takes positional arguments
    taps: NDArray[np.int64],
    shift: int,
    output_shift: int,
    history: NDArray[np.int64],
    fraction: NDArray[np.int64],
    x: Ints,
) -> Ints:
    y = np.empty_like(x)
    mask = (np.int64(1) << shift) - 1
    for n in range(x.size):
        value = np.int64(x[n])
        for i in range(taps.shape[0]):
            acc = fraction[i]
            acc += taps[i, 0] * value
            acc += taps[i, 1] * history[i, 0]
            acc += taps[i, 2] * history[i, 1]
            acc += taps[i, 3] * history[i + 1, 0]
            acc += taps[i, 4] * history[i + 1, 1]
            history[i, 1] = history[i, 0]
            history[i, 0] = value
            value = np.int64(np.int32(acc >> shift))
            fraction[i] = acc & mask
        last = taps.shape[0]
        history[last, 1] = history[last, 0]
        history[last, 0] = value
        wide = value << output_shift
        y[n] = min(max(wide, np.int64(-(1 << 31))), np.int64((1 << 31) - 1))
    return y
