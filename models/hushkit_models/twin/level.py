"""Integer twins of DC blocker, gain ramp and output limiter (hk_dc_block.h, hk_ramp.h, hk_limiter.c)."""

from collections.abc import Sequence

import numba
import numpy as np
from numpy.typing import NDArray

GAIN_UNITY_Q30 = 1 << 30

Ints = NDArray[np.int32]


class DcBlockTwin:
    """High-pass that takes the running mean away.

    Args:
        pole_q31: Pole in Q1.31; 0 leaves the filter out.
    """

    def __init__(self, pole_q31: int) -> None:
        self._loss = 0 if pole_q31 <= 0 else (1 << 31) - pole_q31
        self._mean = np.zeros(1, dtype=np.int64)

    def run(self, x: Ints) -> Ints:
        """Filter samples, shape (n,) Q1.31; state carries over to the next call."""
        return _dc_block(self._mean, np.int64(self._loss), np.asarray(x, dtype=np.int32))


class RampTwin:
    """Gain that moves toward its target by a fixed step per sample.

    Args:
        ramp_samples: Samples from silence to unity.
    """

    def __init__(self, ramp_samples: int) -> None:
        self.step_q30 = max(1, GAIN_UNITY_Q30 // max(1, ramp_samples))
        self.gain_q30 = 0

    def run(self, target_q30: int, n: int) -> list[int]:
        """The gains of the next n samples, Q30."""
        gains = []
        for _ in range(n):
            distance = target_q30 - self.gain_q30
            self.gain_q30 += max(-self.step_q30, min(self.step_q30, distance))
            gains.append(self.gain_q30)
        return gains


class LimiterTwin:
    """Gain that drops at once to what keeps a sample at the threshold, and recovers by a fixed step per sample.

    Args:
        threshold_q31: Largest output.
        release_q31: Gain recovered per sample, Q1.31.
    """

    def __init__(self, threshold_q31: int, release_q31: int) -> None:
        self._threshold = threshold_q31
        self._release = release_q31 // 2 if release_q31 > 1 else 1
        self.gain_q30 = GAIN_UNITY_Q30
        self.limited = 0

    def run(self, x: Sequence[int]) -> list[int]:
        """Limit samples of any 33-bit size; returns Q1.31."""
        return [self._sample(int(value)) for value in x]

    def _sample(self, x: int) -> int:
        gain = min(GAIN_UNITY_Q30, self.gain_q30 + self._release)
        if abs(x) > self._threshold:
            quotient = self._threshold // ((abs(x) >> 16) + 1)
            gain = min(gain, GAIN_UNITY_Q30 if quotient >= 1 << 16 else quotient << 14)
        self.gain_q30 = gain
        if gain == GAIN_UNITY_Q30:
            return x
        self.limited += 1
        return (x * gain) >> 30


@numba.njit(cache=True)
def _dc_block(mean: NDArray[np.int64], loss: np.int64, x: Ints) -> Ints:
    y = np.empty_like(x)
    for n in range(x.size):
        value = np.int64(x[n]) - (mean[0] >> 32)
        value = min(max(value, np.int64(-(1 << 31))), np.int64((1 << 31) - 1))
        mean[0] += value * loss * 2
        y[n] = value
    return y
