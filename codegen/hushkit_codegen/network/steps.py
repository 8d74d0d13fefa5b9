"""The plan: steps of the runtime with their prepared constants. Mirrors ``hk_net_op_t`` in hk_net_blob.h."""

import enum
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray


class Kind(enum.IntEnum):
    """What a step does; the numbers are in the blob."""

    POINT = 1  # every pixel's channels times a matrix: 1x1 convolution, fully connected
    CONV = 2
    DEPTHWISE = 3
    ADD = 4
    MUL = 5
    AVERAGE = 6
    MAX = 7
    MEAN = 8
    SOFTMAX = 9
    TABLE = 10
    COPY = 11
    PAD = 12
    TRANSPOSE = 13
    VECTOR_POINT = 14  # for vector units, see vectors.py
    VECTOR_CONV = 15
    VECTOR_DEPTHWISE = 16
    SLICE = 17
    SUB = 18


class Flag(enum.IntFlag):
    """How it does it; the numbers are in the blob."""

    NONE = 0
    AWAY = 1  # second rounding step half away from zero; without it half up
    WIDE = 2  # requantise in 64 bits: a factor of 1/2 or more, or too little headroom
    CLAMP = 4  # limits are tighter than int8
    CONSTANT = 8  # second operand is in the blob
    PER_CHANNEL = 16  # second operand has one code per channel
    PIXELS = 32  # activations lie pixel by pixel
    ACROSS = 64  # VECTOR_DEPTHWISE: lines run down the height
    REVERSED = 128  # SUB: first from second


@dataclass(frozen=True, slots=True)
class Value:
    """Activations in the arena, planes of channels (CHW), or pixel by pixel; values of one name share their buffer."""

    name: str
    channels: int
    height: int
    width: int

    @property
    def bytes(self) -> int:
        """Size in the arena."""
        return self.channels * self.height * self.width

    @property
    def pixels(self) -> int:
        """Codes per channel."""
        return self.height * self.width


@dataclass(frozen=True, slots=True)
class Step:
    """One step. ``second`` is None, a Value, or constant codes; ``data`` the prepared constants, 4-byte aligned.

    Attributes:
        in_place: The first operand's buffer may be the output's.
        offset: Bytes into the output's buffer (parts of a concatenation).
        first_offset: Bytes into the first operand's buffer (SLICE).
        extra: Two numbers, by kind: COPY (bytes per run, distance of runs in the output), SLICE (the same in the
            input), VECTOR_DEPTHWISE (rows).
        scratch: Working memory that the kind's own rule does not tell.
        source: Operator in the model, for reports.
    """

    kind: Kind
    source: str
    first: Value
    out: Value
    second: Value | NDArray[np.int8] | None = None
    flags: Flag = Flag.NONE
    limits: tuple[int, int] = (-128, 127)
    kernel: tuple[int, int] = (1, 1)
    stride: tuple[int, int] = (1, 1)
    dilation: tuple[int, int] = (1, 1)
    before: tuple[int, int] = (0, 0)
    zero_points: tuple[int, int, int] = (0, 0, 0)  # first, second, output
    segment: int = 0
    data: bytes = b""
    in_place: bool = False
    offset: int = 0
    first_offset: int = 0
    extra: tuple[int, int] = (0, 0)
    macs: int = 0
    scratch: int = 0

    def scratch_bytes(self) -> int:
        """Working memory, as the runtime computes it."""
        if self.kind in {Kind.POINT, Kind.CONV}:
            taps = self.kernel[0] * self.kernel[1] * self.first.channels
            return (8 if self.out.pixels > 1 else 4) * ((taps + 1) // 2)
        if self.kind is Kind.DEPTHWISE:
            rows = (self.out.height - 1) * self.stride[0] + (self.kernel[0] - 1) * self.dilation[0] + 1
            return 2 * rows * self.row_pitch()
        return self.scratch

    def row_pitch(self) -> int:
        """Samples per row of the widened plane of a DEPTHWISE step: even, and one pair may be read past the end."""
        pairs = (self.out.width + 1) // 2
        last = (2 * pairs - 1) * self.stride[1] + ((self.kernel[1] + 1) // 2 * 2 - 1) * self.dilation[1]
        return (last + 2) // 2 * 2

    def swapped(self) -> "Step":
        """The same with height and width exchanged, where the width is 1 everywhere: planes are rows then."""
        if self.first.width != 1 or self.out.width != 1 or self.kernel[1] != 1:
            return self
        return replace(
            self,
            first=replace(self.first, height=1, width=self.first.height),
            out=replace(self.out, height=1, width=self.out.height),
            kernel=self.kernel[::-1],
            stride=self.stride[::-1],
            dilation=self.dilation[::-1],
            before=self.before[::-1],
        )
