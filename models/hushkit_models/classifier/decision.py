"""From the network's codes to a category in force: probabilities, smoothing, hysteresis. Integers, as the headset does.

Twin: firmware/src/classify/hk_decision.c, equal bit for bit.
"""

import math
from dataclasses import dataclass, field
from functools import cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from hushkit_models.classifier.taxonomy import CATEGORIES, EMERGENCIES, SUPERCLASS_OF, SUPERCLASSES

UNKNOWN: Final = 255
"""No category is sure enough."""

_ONE: Final = 1 << 15
_FRACTION: Final = 8
"""Bits that smoothing keeps below Q15."""
_SMOOTHING: Final = 2
"""Each window moves the smoothed probabilities by a quarter: a time constant of 1.7 s at a hop of 0.48 s, on top of the
window's own three seconds."""
_LEAVE: Final = 3
"""A category stays until it falls to three quarters of what it needed to enter."""
_TWICE: Final = 2
"""Windows in a row that must ask for a change."""


@cache
def exp2_q30() -> NDArray[np.int64]:
    """2^(-i / 256) in Q30, shape (256,)."""
    return np.asarray(np.round(2.0 ** (30.0 - np.arange(256) / 256.0)), dtype=np.int64)


def step_q16(scale: float, temperature: float = 1.0) -> int:
    """Octaves of probability per code, Q16.

    Args:
        scale: Of the network's output codes.
        temperature: Divides logits; calibrated on held-out recordings.
    """
    return int(np.float32(np.float32(scale) * np.float32(step_factor(temperature))) + np.float32(0.5))


def step_factor(temperature: float = 1.0) -> int:
    """Octaves of probability per unit of a logit, Q16."""
    return round(65536.0 / math.log(2.0) / temperature)


def power_of_half_q30(octaves_q16: int) -> int:
    """2^-x in Q30 of x >= 0 in Q16, without interpolation: 0.3 % at most."""
    whole = octaves_q16 >> 16
    return int(exp2_q30()[octaves_q16 >> 8 & 255]) >> whole if whole < 31 else 0


def softmax_q15(codes: NDArray[np.int8], step: int) -> list[int]:
    """Probabilities of the categories, Q15.

    Args:
        codes: Of the categories, shape (57,).
        step: From :func:`step_q16`.
    """
    top = int(codes.max())
    weights = [power_of_half_q30((top - int(code)) * step) for code in codes]
    total = sum(weights)
    return [(weight << 15) // total for weight in weights]


def sigmoid_permille(code: int, zero: int, step: int) -> int:
    """Probability of one logit of the emergency head, per mille."""
    octaves = abs(code - zero) * step
    small = power_of_half_q30(octaves)
    part = (1 << 30) if code >= zero else small
    return part * 1000 // ((1 << 30) + small)


@dataclass(slots=True)
class Decision:
    """Smoothed probabilities and the category in force. Feed it every window.

    Attributes:
        enter: Smoothed probability a category needs, per mille.
        category: In force, ``UNKNOWN`` for none.
        guess: The likeliest.
        confidence: Its smoothed probability, per mille.
        superclass: Index of the likeliest of ``SUPERCLASSES``, ``UNKNOWN`` for none.
        windows: So many were taken.
    """

    enter: int
    category: int = UNKNOWN
    guess: int = UNKNOWN
    confidence: int = 0
    superclass: int = UNKNOWN
    windows: int = 0
    _smoothed: list[int] = field(default_factory=lambda: [0] * len(CATEGORIES))
    _pending: int = UNKNOWN
    _times: int = 0

    def take(self, probabilities: list[int]) -> bool:
        """Take one window's probabilities, Q15; whether the category in force changed."""
        for k, p in enumerate(probabilities):
            change = (p << _FRACTION) - self._smoothed[k]
            self._smoothed[k] += change if self.windows == 0 else change >> _SMOOTHING
        self.windows += 1
        self.guess = self._smoothed.index(max(self._smoothed))
        self.confidence = self._permille(self._smoothed[self.guess])
        self._sum_up()
        return self._decide()

    @staticmethod
    def _permille(value: int) -> int:
        return min(1000, value * 1000 >> (15 + _FRACTION))

    def _sum_up(self) -> None:
        sums = [0] * len(SUPERCLASSES)
        for k, index in enumerate(superclass_of()):
            sums[index] += self._smoothed[k]
        best = sums.index(max(sums))
        self.superclass = best if self._permille(sums[best]) >= self.enter else UNKNOWN

    def _decide(self) -> bool:
        wanted = UNKNOWN
        if self.confidence >= self.enter:
            wanted = self.guess
        elif self.category != UNKNOWN and 4 * self._permille(self._smoothed[self.category]) >= _LEAVE * self.enter:
            wanted = self.category
        if wanted == self.category:
            self._times = 0
            return False
        self._times = self._times + 1 if wanted == self._pending else 1
        self._pending = wanted
        if self._times < _TWICE:
            return False
        self.category, self._times = wanted, 0
        return True


@cache
def superclass_of() -> tuple[int, ...]:
    """Index of each category's superclass."""
    names = list(SUPERCLASSES)
    return tuple(names.index(SUPERCLASS_OF[category]) for category in CATEGORIES)


def emergency_permille(codes: NDArray[np.int8], zero: int, step: int) -> tuple[int, list[int]]:
    """Probability of any emergency and of each kind, per mille, of a look's codes, shape (63,)."""
    logits = [int(code) for code in codes[len(CATEGORIES) :]]
    found = [sigmoid_permille(code, zero, step) for code in logits]
    return found[0], found[1 : 1 + len(EMERGENCIES)]
