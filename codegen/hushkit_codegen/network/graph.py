"""A model's tensors and operators, as the compiler sees them."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Tensor:
    """One tensor.

    Attributes:
        index: In the file.
        name: In the file.
        shape: All known; batch is 1.
        dtype: NumPy's name, e.g. ``"int8"``; the schema's where NumPy has none.
        scales: Real value of one step, one or one per channel along ``axis``; empty without quantisation.
        zero_points: As ``scales``.
        axis: Channel axis of ``scales``.
        data: Contents of a constant, else None.
    """

    index: int
    name: str
    shape: tuple[int, ...]
    dtype: str
    scales: tuple[float, ...]
    zero_points: tuple[int, ...]
    axis: int
    data: NDArray[Any] | None

    @property
    def scale(self) -> float:
        """The only scale."""
        return self.scales[0]

    @property
    def zero_point(self) -> int:
        """The only zero point."""
        return self.zero_points[0]

    @property
    def size(self) -> int:
        """Elements."""
        return math.prod(self.shape)


@dataclass(frozen=True, slots=True)
class Operator:
    """One operator; ``inputs`` holds -1 where an optional input is left out."""

    index: int
    kind: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    options: Mapping[str, float]

    def __str__(self) -> str:
        return f"operator {self.index} ({self.kind})"


@dataclass(frozen=True, slots=True)
class Model:
    """One model with one subgraph; ``digest`` is the SHA-256 of its file."""

    name: str
    digest: bytes
    tensors: tuple[Tensor, ...]
    operators: tuple[Operator, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
