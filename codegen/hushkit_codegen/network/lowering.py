"""State of a lowering: which tensors lie where in planes, and what is common to every operator."""

from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from hushkit_codegen.network import reference, streams
from hushkit_codegen.network.errors import NetworkError
from hushkit_codegen.network.graph import Model, Operator, Tensor
from hushkit_codegen.network.ranges import Bounds, find_bounds, find_dropped, full_bounds
from hushkit_codegen.network.rounding import Multiplier
from hushkit_codegen.network.shapes import constant, folded
from hushkit_codegen.network.steps import Flag, Kind, Step, Value
from hushkit_codegen.network.tables import activation_range

_MAX_SIZE: Final = 65535


@dataclass(frozen=True, slots=True)
class Held:
    """A tensor in the arena.

    Attributes:
        value: The planes; left-out channels are not among them.
        kept: Channels of the tensor that are there.
        pad: Rows and columns that a PAD put in front and behind, not in memory: (top, bottom, left, right).
    """

    value: Value
    kept: NDArray[np.int64]
    pad: tuple[int, int, int, int] = (0, 0, 0, 0)


def planes(shape: tuple[int, ...], label: str) -> tuple[int, int, int]:
    """Channels, height and width of a tensor's shape; axes in front of the last three count as rows.

    Raises:
        NetworkError: Larger than the runtime takes.
    """
    height, width, channels = folded(shape)
    if max(height, width, channels) > _MAX_SIZE:
        raise NetworkError(f"{label}: found shape {shape}, expected at most {_MAX_SIZE} along an axis; make it smaller")
    return channels, height, width


def value_name(tensor: Tensor) -> str:
    """Unique name of a tensor's value."""
    return f"{tensor.index} {tensor.name}"  # names in a file need not differ


def alias(before: Value, after: Value) -> Step:
    """Another name for the same bytes; it makes no operator in the blob."""
    return Step(Kind.COPY, "", before, after, in_place=True)


class Lowering:
    """State of one lowering."""

    def __init__(self, model: Model, rounding: reference.Rounding, *, pixels: bool) -> None:
        self.model = model
        self.order = Flag.PIXELS if pixels else Flag.NONE
        self.rounding = rounding
        self.bounds = find_bounds(model, rounding)
        self.dropped = find_dropped(model, self.bounds)
        self.steps: list[Step] = []
        self.held: dict[int, Held] = {}

    def tensor(self, index: int) -> Tensor:
        """A tensor of the model."""
        return self.model.tensors[index]

    def label(self, operator: Operator) -> str:
        """For errors."""
        return f"{self.model.name}: {operator}"

    def new(self, tensor: Tensor) -> Held:
        """Room for a tensor without the channels that are left out."""
        channels, height, width = planes(tensor.shape, f"{self.model.name}: tensor {tensor.index} ({tensor.name})")
        kept = np.arange(channels)
        if tensor.index in self.dropped:
            kept = kept[~self.dropped[tensor.index]]
        held = Held(Value(value_name(tensor), len(kept), height, width), kept)
        self.held[tensor.index] = held
        return held

    def like(self, tensor: Tensor, held: Held, repeat: int = 1) -> Held:
        """Room for a tensor with the channels of another, each ``repeat`` times."""
        _, height, width = planes(tensor.shape, f"{self.model.name}: tensor {tensor.index} ({tensor.name})")
        kept = held.kept if repeat == 1 else np.arange(len(held.kept) * repeat)
        made = Held(Value(value_name(tensor), len(kept), height, width), kept)
        self.held[tensor.index] = made
        return made

    def source(self, operator: Operator, position: int = 0) -> Held:
        """An operand in memory; a pending PAD is carried out."""
        return self.padded(self.operand(operator, position), self.tensor(operator.inputs[position]))

    def padded(self, held: Held, tensor: Tensor) -> Held:
        """The same with its padding in memory."""
        if held.pad == (0, 0, 0, 0):
            return held
        top, bottom, left, right = held.pad
        out = replace(held.value, name=f"{value_name(tensor)} padded", height=held.value.height + top + bottom)
        out = replace(out, width=held.value.width + left + right)
        zero = tensor.zero_point
        self.steps.append(
            Step(Kind.PAD, "PAD", held.value, out, flags=self.order, before=(top, left), zero_points=(zero, 0, zero))
        )
        done = Held(out, held.kept)
        self.held[tensor.index] = done
        return done

    def operand(self, operator: Operator, position: int = 0) -> Held:
        """An operand, its padding perhaps pending."""
        return self.produced(operator.inputs[position], self.label(operator))

    def produced(self, index: int, label: str = "output") -> Held:
        """A tensor that an operator has written."""
        if index not in self.held:
            tensor = self.tensor(index)
            what = "is constant where it must not be" if tensor.data is not None else "is read before it is written"
            raise NetworkError(f"{label}: tensor {index} ({tensor.name}) {what}; export the model again")
        return self.held[index]

    def reshaped(
        self, value: Value, tensor: Tensor, sizes: tuple[int, int, int], kept: NDArray[np.int64] | None = None
    ) -> None:
        """Let a tensor hold the same codes with other sizes."""
        channels, height, width = sizes
        rows = Held(value, np.arange(value.channels) if kept is None else kept)
        is_same = (channels, height * width) == (value.channels, value.pixels)
        if is_same or value.bytes != channels * height * width:  # left-out channels stay out
            made = Held(Value(value_name(tensor), value.channels, height, width), rows.kept)
            self.steps.append(alias(value, made.value))
            self.held[tensor.index] = made
            return
        rows = self.reordered(rows, to_planes=False)
        flat = Value(value_name(tensor), channels, height, width)
        self.steps.append(alias(rows.value, flat))
        self.held[tensor.index] = self.reordered(Held(flat, np.arange(channels)), to_planes=True)

    def in_rows(self, held: Held, size: int) -> Held:
        """The same codes as rows of `size` in TFLite's order, each a pixel."""
        if held.value.channels == size:
            return held
        rows = self.reordered(held, to_planes=False)
        flat = Value(f"{held.value.name} in rows of {size}", size, held.value.bytes // size, 1)
        self.steps.append(alias(rows.value, flat))
        return self.reordered(Held(flat, np.arange(size)), to_planes=True)

    def bounds_of(self, tensor: Tensor) -> Bounds:
        """What codes it can take."""
        return self.bounds.get(tensor.index, full_bounds(tensor))

    def reordered(self, held: Held, *, to_planes: bool) -> Held:
        """Between TFLite's order (channels last) and planes, where they differ."""
        value = held.value
        if self.order or value.channels == 1 or value.pixels == 1:
            return held
        rows, columns = (value.pixels, value.channels) if to_planes else (value.channels, value.pixels)
        out = replace(value, name=f"{value.name} in {'planes' if to_planes else 'rows'}")
        self.steps.append(Step(Kind.TRANSPOSE, "TRANSPOSE", value, out, extra=(rows, columns)))
        return Held(out, held.kept)

    def out(self, operator: Operator) -> Tensor:
        """The operator's output."""
        return self.tensor(operator.outputs[0])

    def limits(self, operator: Operator) -> tuple[int, int]:
        """Codes its fused activation leaves."""
        code = int(operator.options.get("FusedActivationFunction", 0))
        return activation_range(code, self.out(operator), self.label(operator))

    def weights(self, operator: Operator) -> NDArray[np.int64]:
        """Its weights, checked to be symmetric INT8."""
        tensor = self.tensor(operator.inputs[1])
        if tensor.dtype != "int8" or any(tensor.zero_points):
            raise NetworkError(
                f"{self.label(operator)}: weights {tensor.index} ({tensor.name}) are {tensor.dtype} with zero points "
                f"{sorted(set(tensor.zero_points))}, expected int8 with zero point 0; quantise symmetrically"
            )
        return constant(tensor, self.label(operator))

    def requantisation(
        self, operator: Operator, bias: NDArray[np.int64], weights: NDArray[np.int64], kept: NDArray[np.int64], *,
        away: bool,
    ) -> streams.Requantisation:  # fmt: skip
        """Constants of the kept outputs; weights have one row per kept output."""
        x, w, out = self.tensor(operator.inputs[0]), self.tensor(operator.inputs[1]), self.out(operator)
        n = len(bias)
        factors = reference.convolution_multipliers(x, w, out, n)
        chosen: list[Multiplier] = [factors[k] for k in kept]
        rows = weights.reshape(len(kept), -1)
        folded = bias[kept] - x.zero_point * rows.sum(axis=1)
        return streams.requantisation(
            folded, np.abs(rows).sum(axis=1) * 128, chosen, out.zero_point, self.limits(operator), away=away,
            label=self.label(operator),
        )  # fmt: skip
