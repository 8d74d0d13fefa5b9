"""Integer twin of the filtered-x NLMS controller (firmware/src/dsp/hk_fxnlms.c), bit for bit."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hushkit_models.twin.fir import FirQ31Twin, gradient_q31

Ints = NDArray[np.int32]

_ERROR_BITS = 25
_INT32_MIN = -(1 << 31)
_INT32_MAX = (1 << 31) - 1


@dataclass(frozen=True, slots=True)
class FxNlmsSettings:
    """Integers of the design (hk_fxnlms_design_t), and the update block's length in samples.

    ``secondary`` and ``prior`` are taps in Q1.31, last in time first, with their exponents.
    """

    secondary: tuple[int, ...]
    secondary_exponent: int
    prior: tuple[int, ...]
    exponent: int
    step_q31: int
    leak_q31: int
    regularisation_q48: int
    weight_sum_limit: int
    update_block: int


class FxNlmsTwin:
    """One ear's controller: the filter of the interrupt and the job of the background.

    What ``update`` makes of block k acts from the first sample of block k + 2: the caller says when, by ``commit``.
    """

    def __init__(self, settings: FxNlmsSettings) -> None:
        self._settings = settings
        self._taps = len(settings.prior)
        self.weights: Ints = np.array(settings.prior, dtype=np.int32)
        self._next: Ints | None = None
        self._control = FirQ31Twin(settings.prior, settings.exponent)
        self._secondary = FirQ31Twin(settings.secondary, settings.secondary_exponent)
        self._filtered: Ints = np.zeros(self._taps + settings.update_block - 1, dtype=np.int32)
        self.clipped = 0

    def filter(self, x: Ints) -> Ints:
        """Control filter with the weights that act now, any number of samples."""
        return self._control.run(x, self.weights)

    def commit(self) -> None:
        """Let the finished update act."""
        if self._next is not None:
            self.weights = self._next
            self._next = None

    def update(self, reference: Ints, error: Ints, *, adapt: bool = True, trust_q16: int = 1 << 16) -> None:
        """One job: an update block of the reference and of the error microphone, Q1.31, and the worth of a step."""
        settings = self._settings
        kept = self._filtered[settings.update_block :]
        self._filtered = np.concatenate([kept, self._secondary.run(reference)])
        if adapt and np.any(error) and np.any(self._filtered):
            self._next = self._step(error, trust_q16)

    def _step(self, error: Ints, trust_q16: int) -> Ints:
        settings = self._settings
        xf = self._filtered.astype(np.int64)
        power = settings.regularisation_q48 + sum(int(x) ** 2 >> 14 for x in xf[settings.update_block - 1 :])
        e_shift = _ERROR_BITS - _bits(error)
        e = error.astype(np.int64)
        scaled = (e << e_shift if e_shift >= 0 else e >> -e_shift).astype(np.int32)
        shift = max(0, _ERROR_BITS + _bits(self._filtered) + 6 - 31)
        gradient = gradient_q31(self._filtered, scaled, shift, self._taps)
        zeros = 64 - power.bit_length()
        most = (1 << 29) // settings.update_block  # HK_FXNLMS_STEP_LIMIT_Q31
        wanted = min(settings.step_q31, most) * trust_q16 >> 16
        step = (wanted << 31) // ((power << zeros) >> 32)
        exponent = shift - e_shift - 62 + zeros - 46 + 31 - settings.exponent
        weights = [
            _saturate(int(w) - ((int(w) * settings.leak_q31) >> 31) - _scaled(int(g) * step, exponent))
            for w, g in zip(self.weights, gradient, strict=True)
        ]
        return np.array(self._bounded(weights), dtype=np.int32)

    def _bounded(self, weights: list[int]) -> list[int]:
        limit = self._settings.weight_sum_limit
        total = sum(abs(w) for w in weights)
        if total <= limit:
            return weights
        self.clipped += 1
        factor = (limit << 31) // (total + 1)
        return [(abs(w) * factor >> 31) * (1 if w >= 0 else -1) for w in weights]


def _bits(values: Ints) -> int:
    """Bits of the largest magnitude."""
    return int(np.abs(values.astype(np.int64)).max()).bit_length()


def _scaled(product: int, exponent: int) -> int:
    """Product times 2^exponent, rounded half up and saturated; a left shift saturates at once."""
    if exponent >= 0:
        return _INT32_MAX if product > 0 else (_INT32_MIN if product < 0 else 0)
    places = -exponent
    return 0 if places > 62 else _saturate(((product >> (places - 1)) + 1) >> 1)


def _saturate(value: int) -> int:
    return max(_INT32_MIN, min(_INT32_MAX, value))
