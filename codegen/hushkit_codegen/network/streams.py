"""Prepared constants of convolutions: zero points and constant channels in biases, weights in the kernels' order.

A stream is read front to back. POINT and CONV: per four outputs a, b, c, d the requantisation constants
``{bias, factor, rounding, shift}`` of each, then for every two taps k, k+1 two words of
int8: ``a_k b_k a_k+1 b_k+1`` and ``c d c d``.
The kernel multiplies the sign-extended low bytes (a) and the word as it is (a + 256 b); the difference over 256 is b's
sum, exact while it stays within 24 bits: ``segment`` says after how many pairs that must be taken.
DEPTHWISE: per channel the constants, then each kernel row in int16, padded to an even count.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hushkit_codegen.network.errors import NetworkError
from hushkit_codegen.network.rounding import Ints, Multiplier, high_product
from hushkit_codegen.network.steps import Flag

GROUP = 4
_SUM_LIMIT = 1 << 23
_HEADROOM = 1 << 30
_CODE = 128  # largest magnitude of an activation


@dataclass(frozen=True, slots=True)
class Requantisation:
    """Constants per channel, rows ``bias factor rounding shift``, and how the kernel must apply them.

    Without ``Flag.WIDE`` the bias is doubled, as the sum is before its high product, and rounding holds the zero point.
    """

    rows: NDArray[np.int32]
    flags: Flag


def requantisation(
    bias: Ints,
    reach: Ints,
    factors: list[Multiplier],
    zero_point: int,
    limits: tuple[int, int],
    *,
    away: bool,
    label: str,
) -> Requantisation:
    """Constants of one convolution.

    Args:
        bias: Added to the sum of weights times codes, per channel.
        reach: Largest magnitude that sum can have.
        factors: Per channel.
        zero_point: Of the output.
        limits: Smallest and largest code of the output.
        away: Whether the second rounding step is half away from zero.
        label: For errors.

    Raises:
        NetworkError: An accumulator could leave 32 bits.
    """
    largest = np.abs(bias) + reach
    if largest.max(initial=0) >= 1 << 31:
        raise NetworkError(
            f"{label}: a sum can reach {largest.max()}, expected below 2^31; use fewer inputs per output"
        )
    values = np.array([f.value for f in factors], np.int64)
    shifts = np.array([f.shift for f in factors], np.int64)
    down = -shifts
    widest = high_product(largest, values) + 1
    half = np.where(down > 0, np.int64(1) << np.maximum(down - 1, 0), 0)
    fits = (down > 0) & (largest < _HEADROOM) & (widest + half + (abs(zero_point) << np.clip(down, 0, 31)) < 1 << 31)
    flags = Flag.NONE
    if away and limits[0] < zero_point:
        flags |= Flag.AWAY
    if limits != (-128, 127):
        flags |= Flag.CLAMP
    if not bool(fits.all()):
        flags |= Flag.WIDE
        return Requantisation(_rows(bias, values, np.zeros_like(bias), shifts), flags)
    return Requantisation(_rows(2 * bias, values, half + zero_point * (np.int64(1) << down), down), flags)


def _rows(*columns: Ints) -> NDArray[np.int32]:
    return np.stack(columns, axis=1).astype(np.int32)


def matrix_stream(weights: Ints, constants: NDArray[np.int32], label: str) -> tuple[bytes, int]:
    """Stream of a POINT or CONV step, and its ``segment`` in pairs of taps.

    Args:
        weights: Shape (outputs, taps).
        constants: Of :class:`Requantisation`, one row per output.
        label: For errors.

    Raises:
        NetworkError: A weight of -128, which the INT8 specification excludes, where two weights share a halfword.
    """
    n_out, n_taps = weights.shape
    padded = np.zeros((-(-n_out // GROUP) * GROUP, -(-n_taps // 2) * 2), np.int64)
    padded[:n_out, :n_taps] = weights
    rows = np.zeros((len(padded), 4), np.int32)
    rows[:n_out] = constants
    rows[n_out:, 3] = 1
    if bool(((padded[1::2] == -128) & (padded[0::2] < 0)).any()):
        raise NetworkError(
            f"{label}: found a weight of -128, expected -127 to 127 (INT8 specification); quantise again"
        )
    parts = []
    for first in range(0, len(padded), GROUP):
        group = padded[first : first + GROUP]  # (4, taps)
        high = group[1::2] + 0
        low = group[0::2]
        # halfword = low + 256 * high, both signed: a negative low byte borrows from the high one
        halfwords = (low + 256 * high).astype(np.int16)  # (2, taps): outputs a|b and c|d
        words = halfwords.reshape(2, -1, 2).transpose(1, 0, 2)  # (pairs, word, tap)
        parts += [rows[first : first + GROUP].tobytes(), np.ascontiguousarray(words).tobytes()]
    return b"".join(parts), _segment(padded[1::2])


def _segment(high: Ints) -> int:
    n_pairs = high.shape[1] // 2
    segment = n_pairs
    magnitudes = np.abs(high).reshape(len(high), n_pairs, 2).sum(axis=2) * _CODE
    while segment > 1:
        starts = np.arange(0, n_pairs, segment)
        if np.add.reduceat(magnitudes, starts, axis=1).max(initial=0) < _SUM_LIMIT:
            return segment
        segment = (segment + 1) // 2
    return segment


def depthwise_stream(weights: Ints, constants: NDArray[np.int32]) -> bytes:
    """Stream of a DEPTHWISE step; weights have shape (channels, kernel h, kernel w)."""
    n, kh, kw = weights.shape
    padded = np.zeros((n, kh, (kw + 1) // 2 * 2), np.int16)
    padded[:, :, :kw] = weights
    return b"".join(constants[c].tobytes() + padded[c].tobytes() for c in range(n))
