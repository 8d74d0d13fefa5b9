"""Integer arithmetic of TensorFlow Lite for Microcontrollers: what each rounding is, in NumPy.

``high_product`` rounds half up, ``shift_round`` half away from zero; ``multiply`` does one after the other: the *double
rounding* of convolutions, FULLY_CONNECTED, ADD, MUL, MEAN and QUANTIZE. XNNPACK's single rounding in floating
point is another thing and not offered.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Multiplier:
    """A positive real factor: ``value / 2**31 * 2**shift``; value in [2**30, 2**31), or 0 where the factor vanishes."""

    value: int
    shift: int


def quantise_multiplier(real: float) -> Multiplier:
    """As TFLite's ``QuantizeMultiplier``."""
    if real == 0.0:
        return Multiplier(0, 0)
    mantissa, shift = math.frexp(real)
    value = _round_half_away(mantissa * 2.0**31)
    if value == 2**31:
        value, shift = value // 2, shift + 1
    if shift < -31:
        return Multiplier(0, 0)
    if shift > 30:
        return Multiplier(2**31 - 1, 30)
    return Multiplier(value, shift)


def _round_half_away(x: float) -> int:
    return math.floor(abs(x) + 0.5) * (1 if x >= 0 else -1)


def high_product(x: Ints, value: Ints | int) -> Ints:
    """``x * value / 2**31``, rounded half up (``SaturatingRoundingDoublingHighMul``); x is int32, value >= 0."""
    return (x * value + (1 << 30)) >> 31


def shift_round(x: Ints, exponent: Ints | int) -> Ints:
    """``x / 2**exponent``, rounded half away from zero (``RoundingDivideByPOT``)."""
    e = np.asarray(exponent, np.int64)
    half = (np.int64(1) << e) >> 1
    rounded: Ints = (x + half + np.where(e > 0, x >> 63, 0)) >> e
    return rounded


def multiply(x: Ints, value: Ints | int, shift: Ints | int, *, half_up: bool = False) -> Ints:
    """``x * value / 2**31 * 2**shift`` in double rounding (``MultiplyByQuantizedMultiplier``).

    ``half_up`` rounds half up in the second step as well, as the optimised CONV_2D and FULLY_CONNECTED of TFLite do.
    """
    s = np.asarray(shift, np.int64)
    product = high_product(wrap32(x << np.maximum(s, 0)), value)
    e = np.maximum(-s, 0)
    half_up_result: Ints = (product + ((np.int64(1) << e) >> 1)) >> e
    return half_up_result if half_up else shift_round(product, e)


def wrap32(x: Ints) -> Ints:
    """x modulo 2**32, as int32."""
    return ((x + (1 << 31)) & 0xFFFFFFFF) - (1 << 31)
