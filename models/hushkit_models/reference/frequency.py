"""Delayless frequency-domain adaptive filter, partitioned in blocks.

The control filter runs in the time domain, sample by sample, so it delays nothing; only its adaptation works on blocks
of B samples. The filter is divided into partitions of B taps, each adapted in the frequency domain with a step of its
own per bin (divided by the filtered reference's power there), which is what lets weak frequencies converge as fast as
strong ones. The gradient is constrained (its wrapped half removed), so the optimum is the time-domain one. Modified
filtered-x.

Sources:
    D. R. Morgan, J. C. Thi, A Delayless Subband Adaptive Filter Architecture, IEEE Trans. SP 43(8), 1995.
    J.-S. Soo, K. K. Pang, Multidelay Block Frequency Domain Adaptive Filter, IEEE Trans. ASSP 38(2), 1990.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numba
import numpy as np
import scipy.fft
from numpy.typing import NDArray

from hushkit_models.reference.controller import Controller, ControllerError
from hushkit_models.reference.lms import check_model, check_taps
from hushkit_models.reference.ring import dot, push

Vector = NDArray[np.float64]

_POWER_MEMORY = 0.9
"""Share of a bin's power that survives a block. 0.99 lets a sudden noise overshoot, 0.5 makes the step jitter."""


class FrequencyState(NamedTuple):
    """Arrays of one controller.

    ``block_r`` and ``block_d``: filtered reference and disturbance of the block under way; ``at``: positions of x, u
    and within the block.
    """

    weights: Vector
    model: Vector
    x: Vector
    u: Vector
    at: NDArray[np.int64]
    block_r: Vector
    block_d: Vector


@numba.njit(fastmath=True)
def _output(state: FrequencyState, x: float) -> float:
    state.at[0] = push(state.x, state.at[0], x)
    return dot(state.weights, state.x, state.at[0])


@numba.njit(fastmath=True)
def _adapt(state: FrequencyState, e: float, u: float) -> None:
    at = state.at
    at[1] = push(state.u, at[1], u)
    state.block_r[at[2]] = dot(state.model, state.x, at[0])
    state.block_d[at[2]] = e - dot(state.model, state.u, at[1])
    at[2] = (at[2] + 1) % state.block_r.size


class FrequencyDomain(Controller):
    """Delayless partitioned-block frequency-domain adaptive filter.

    Args:
        taps: Length of the control filter, a multiple of the block.
        model: Secondary path's model, latency included.
        block: Samples between updates and taps per partition, a power of two.
        step: Step per bin, 0 to 1.
        regularisation: Added to a bin's power, per sample of it, in full scale squared.
    """

    def __init__(
        self, *, taps: int, model: Vector, block: int = 128, step: float = 0.2, regularisation: float = 1e-12
    ) -> None:
        super().__init__()
        check_taps(taps)
        model = check_model(model)
        if block < 8 or block & (block - 1) or taps % block or not 0 < step <= 1:
            raise ControllerError(
                f"taps {taps}, block {block}, step {step}; expected a block of 8, 16, 32, ... that divides the taps, "
                "and a step above 0, at most 1"
            )
        self.interval = block
        self._step, self._regularisation = step, regularisation * 2 * block
        parts = taps // block
        self._partitions = np.zeros((parts, block + 1), dtype=np.complex128)
        self._spectra = np.zeros((parts, block + 1), dtype=np.complex128)
        self._power = np.zeros(block + 1)
        self._previous = np.zeros(block)
        self.state = FrequencyState(
            np.zeros(taps),
            model,
            np.zeros(2 * max(taps, model.size)),
            np.zeros(2 * model.size),
            np.zeros(3, dtype=np.int64),
            np.zeros(block),
            np.zeros(block),
        )

    @staticmethod
    def functions() -> tuple[Callable[..., Any], Callable[..., Any]]:
        """See the base class."""
        return _output, _adapt

    @property
    def weights(self) -> Vector:
        """Control filter, shape (taps,)."""
        return np.array(self.state.weights)

    def background(self, samples: int) -> None:
        """Adapt to the block that just ended."""
        state, block = self.state, self.interval
        self._spectra = np.roll(self._spectra, 1, axis=0)
        self._spectra[0] = scipy.fft.rfft(np.concatenate([self._previous, state.block_r]))
        self._previous = state.block_r.copy()
        anti = scipy.fft.irfft(np.sum(self._spectra * self._partitions, axis=0), 2 * block)[block:]
        error = scipy.fft.rfft(np.concatenate([np.zeros(block), state.block_d + anti]))
        instant = np.sum(np.abs(self._spectra) ** 2, axis=0)
        # The larger of mean and instant: a bin that just became loud must not meet the step of its quiet past.
        self._power = _POWER_MEMORY * self._power + (1 - _POWER_MEMORY) * instant
        gain = self._step / (np.maximum(self._power, instant) + self._regularisation)
        gradient = scipy.fft.irfft(gain * self._spectra.conj() * error, 2 * block, axis=1)
        gradient[:, block:] = 0.0
        self._partitions -= scipy.fft.rfft(gradient, axis=1)
        state.weights[:] = scipy.fft.irfft(self._partitions, 2 * block, axis=1)[:, :block].ravel()
