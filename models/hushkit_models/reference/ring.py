"""Delay lines that a compiled loop reads without wrapping.

A line of length m lives in 2 m cells; each value is written twice, so the newest m values are always contiguous, newest
first, from the returned position on.
"""

import numba
import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float64]


@numba.njit(fastmath=True)
def push(cells: Vector, at: int, value: float) -> int:
    """Store a value.

    Args:
        cells: The line, shape (2 m,).
        at: Position of the newest value so far.
        value: The new one.

    Returns:
        Position of the newest value: ``cells[at:at + m]`` are the last m values, newest first.
    """
    length = cells.size // 2
    at = at - 1 if at > 0 else length - 1
    cells[at] = value
    cells[at + length] = value
    return at


@numba.njit(fastmath=True)
def dot(taps: Vector, cells: Vector, at: int) -> float:
    """Sum of taps times the newest values."""
    # A slice first: an index that is a sum may be negative to the compiler, which then uses no vectors: 4 times slower.
    line = cells[at : at + taps.size]
    total = 0.0
    for k in range(taps.size):
        total += taps[k] * line[k]
    return total
