"""Prepared constants for vector units (Helium): 16 taps to a vector, activations pixel by pixel as in TFLite.

Requantisation constants are rows ``bias factor rounding shift`` as in streams.py, but the bias is single and the shift
negative (to the left), as the vector instructions take them; with ``Flag.WIDE`` they are the same.
VECTOR_POINT and VECTOR_CONV: per pair of outputs a, b for every 16 taps 16 weights of a, then 16 of b; then the
constants of a, then of b. Taps are in the order kernel row, kernel column, channel; an odd number's last pair takes the
output before once more, a single output stands twice.
VECTOR_DEPTHWISE: per channel the constants, then its window as it lies in a strip: rows interleaved, column by column.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from hushkit_codegen.network.errors import NetworkError
from hushkit_codegen.network.rounding import Ints
from hushkit_codegen.network.steps import Flag
from hushkit_codegen.network.streams import Requantisation

VECTOR: Final = 16
LANES: Final = 4
_INTERLEAVES: Final = (1, 4, 8, 16)
_MAX_STEP: Final = 9361  # seven steps of a gather fit 16 bits


def _constants(prepared: Requantisation) -> NDArray[np.int32]:
    if Flag.WIDE in prepared.flags:
        return prepared.rows
    rows = prepared.rows.copy()
    rows[:, 0] //= 2
    rows[:, 3] *= -1
    return rows


def pair_stream(weights: Ints, prepared: Requantisation) -> bytes:
    """Stream of a VECTOR_POINT or VECTOR_CONV step; weights have shape (outputs, taps)."""
    n_out, n_taps = weights.shape
    padded = np.zeros((n_out, -(-n_taps // VECTOR) * VECTOR), np.int8)
    padded[:, :n_taps] = weights
    constants = _constants(prepared)
    parts = []
    for first in range(0, n_out, 2):
        a = min(first, max(n_out - 2, 0))
        b = min(a + 1, n_out - 1)
        both = padded[[a, b]].reshape(2, -1, VECTOR).transpose(1, 0, 2)
        parts += [np.ascontiguousarray(both).tobytes(), constants[a].tobytes(), constants[b].tobytes()]
    return b"".join(parts)


@dataclass(frozen=True, slots=True)
class Frame:
    """How a VECTOR_DEPTHWISE step walks; mirrors ``hk_net_frame`` in hk_net_blob.h.

    Attributes:
        across: Lines run down the height instead of along the width.
        rows: Rows interleaved in a strip.
        vectors: Of weights per channel.
        pitch: Bytes of a line, and columns of a strip.
        lines: Lines of one channel's plane with its padding.
    """

    across: bool
    rows: int
    vectors: int
    pitch: int
    lines: int

    @property
    def scratch_bytes(self) -> int:
        """Lines, and one strip where rows are interleaved."""
        return self.pitch * (self.lines + (self.rows if self.rows > 1 else 0))


def frame(
    kernel: tuple[int, int], stride: tuple[int, int], dilation: tuple[int, int], out: tuple[int, int], *, across: bool,
    rows: int = 0,
) -> Frame | None:  # fmt: skip
    """Geometry for one direction; None where the window is too wide for it. Pairs are height and width."""
    along = 0 if across else 1
    spans = [(kernel[k] - 1) * dilation[k] + 1 for k in range(2)]
    fitting = [n for n in _INTERLEAVES if n >= max(spans[1 - along], rows)]
    if not fitting:
        return None
    n_rows = fitting[0]
    vectors = -(-spans[along] * n_rows // VECTOR)
    columns = (-(-out[along] // LANES) * LANES - 1) * stride[along] + VECTOR * vectors // n_rows
    lines = (out[1 - along] - 1) * stride[1 - along] + n_rows
    return Frame(across, n_rows, vectors, -(-columns // VECTOR) * VECTOR, lines)


def _cost(f: Frame, out: tuple[int, int]) -> int:
    """Instructions per channel, roughly."""
    along = 0 if f.across else 1
    tile = 27 if f.vectors == 1 else 27 + 20 * f.vectors
    strip = {1: 0, 4: f.pitch // VECTOR * 9 + 12}.get(f.rows, 6 * f.pitch * f.rows)
    gather = f.lines * (20 + 4 * (f.pitch // 8))
    return out[1 - along] * (-(-out[along] // LANES) * tile + strip + 40) + gather


def choose_frame(
    kernel: tuple[int, int], stride: tuple[int, int], dilation: tuple[int, int], *, shape: tuple[int, int, int],
    out: tuple[int, int], label: str,
) -> Frame:  # fmt: skip
    """The cheaper direction for an input of (channels, height, width).

    Raises:
        NetworkError: The window, or a row of the input, is too large for either.
    """
    channels, _, width = shape
    found = []
    for across in (False, True):
        f = frame(kernel, stride, dilation, out, across=across)
        if f is not None and channels * (width if across else 1) <= _MAX_STEP:
            found.append(f)
    if not found:
        raise NetworkError(
            f"{label}: found a window of {kernel} (dilation {dilation}) over {channels} channels, expected 16 at most "
            f"in one direction and at most {_MAX_STEP} channels; use a smaller window"
        )
    return min(found, key=lambda f: _cost(f, out))


def window_stream(weights: Ints, prepared: Requantisation, dilation: tuple[int, int], f: Frame) -> bytes:
    """Stream of a VECTOR_DEPTHWISE step; weights have shape (channels, kernel h, kernel w)."""
    n, kh, kw = weights.shape
    windows = np.zeros((n, f.vectors * VECTOR), np.int8)
    for ky in range(kh):
        for kx in range(kw):
            y, x = ky * dilation[0], kx * dilation[1]
            row, column = (x, y) if f.across else (y, x)
            windows[:, column * f.rows + row] = weights[:, ky, kx]
    constants = _constants(prepared)
    return b"".join(constants[c].tobytes() + windows[c].tobytes() for c in range(n))
