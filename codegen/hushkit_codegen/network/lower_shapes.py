"""Lower what only moves codes, or only renames axes."""

import math

from hushkit_codegen.network.errors import NetworkError
from hushkit_codegen.network.graph import Operator
from hushkit_codegen.network.lowering import Held, Lowering, planes, value_name
from hushkit_codegen.network.shapes import pad_amounts, pad_code, slice_of, sliced, transposition
from hushkit_codegen.network.steps import Kind, Step, Value


def lower_pad(low: Lowering, operator: Operator) -> None:
    """PAD and PADV2; in front of a convolution a PAD with zeros costs nothing."""
    x, out_tensor = low.tensor(operator.inputs[0]), low.out(operator)
    amounts = pad_amounts(low.model, operator)
    if len(amounts) > 4 or (len(amounts) > 3 and amounts[0] != (0, 0)) or x.zero_point != out_tensor.zero_point:
        raise NetworkError(f"{low.label(operator)}: found padding {amounts}, expected no batch axis padded; change it")
    rows, columns, channels = ([(0, 0)] * 3 + amounts)[-3:]
    code = pad_code(low.model, operator)
    held = low.source(operator)
    if code == x.zero_point and channels == (0, 0):
        low.held[out_tensor.index] = Held(held.value, held.kept, (*rows, *columns))
        return
    out = low.new(out_tensor)
    low.steps.append(
        Step(Kind.PAD, operator.kind, held.value, out.value, flags=low.order, before=(rows[0], columns[0]),
             zero_points=(x.zero_point, 0, code), segment=channels[0])
    )  # fmt: skip


def lower_slice(low: Lowering, operator: Operator) -> None:
    """SLICE, STRIDED_SLICE and SPLIT: one axis after the other."""
    for k, index in enumerate(operator.outputs):
        out_tensor = low.tensor(index)
        value = low.source(operator, sliced(operator)).value
        ranges = slice_of(low.model, operator, k)
        for axis, (first, size) in enumerate(ranges):
            plane_axis = axis - len(ranges) + 3
            before = (value.height, value.width, value.channels)
            if plane_axis < 0 or size == before[plane_axis]:
                continue
            after = tuple(size if j == plane_axis else n for j, n in enumerate(before))
            cut = Value(f"{value_name(out_tensor)} axis {axis}", after[2], after[0], after[1])
            run, distance = _stretch(low, after, plane_axis), _stretch(low, before, plane_axis)
            low.steps.append(
                Step(Kind.SLICE, operator.kind, value, cut, first_offset=first * run // size, extra=(run, distance))
            )
            value = cut
        low.reshaped(value, out_tensor, planes(out_tensor.shape, low.label(operator)))


def _stretch(low: Lowering, sizes: tuple[int, ...], axis: int) -> int:
    """Codes that lie together from one axis (0 height, 1 width, 2 channels) inwards."""
    height, width, channels = sizes
    if low.order:
        return math.prod(sizes[axis:])
    return {0: height * width, 1: width, 2: height * width * channels}[axis]


def lower_concatenation(low: Lowering, operator: Operator) -> None:
    """CONCATENATION."""
    out_tensor = low.out(operator)
    rank = len(out_tensor.shape)
    axis = int(operator.options["Axis"]) % rank
    parts = [low.source(operator, k) for k in range(len(operator.inputs))]
    for index in operator.inputs:
        tensor = low.tensor(index)
        if tensor.scales != out_tensor.scales or tensor.zero_points != out_tensor.zero_points:
            raise NetworkError(
                f"{low.label(operator)}: input {index} has another scale; quantise inputs and output alike"
            )
    if int(operator.options["FusedActivationFunction"]) != 0:
        raise NetworkError(f"{low.label(operator)}: fused activation is not supported; unfuse it")
    out = low.new(out_tensor)
    plane_axis = axis - rank + 3  # 0: height, 1: width, 2: channels
    if plane_axis < 0:
        raise NetworkError(f"{low.label(operator)}: found axis {axis}, expected one of the last three; reshape first")
    distance, offset = _stretch(low, (out.value.height, out.value.width, out.value.channels), plane_axis), 0
    for part in parts:
        value = part.value
        run = _stretch(low, (value.height, value.width, value.channels), plane_axis)
        low.steps.append(Step(Kind.COPY, operator.kind, value, out.value, offset=offset, extra=(run, distance)))
        offset += run


def lower_shape(low: Lowering, operator: Operator) -> None:
    """RESHAPE, SQUEEZE, EXPAND_DIMS, and a TRANSPOSE that moves nothing."""
    held, out_tensor = low.source(operator), low.out(operator)
    if operator.kind == "TRANSPOSE":
        transposition(low.model, operator)
    if out_tensor.size != low.tensor(operator.inputs[0]).size:
        raise NetworkError(
            f"{low.label(operator)}: output {out_tensor.index} ({out_tensor.name}) has shape {out_tensor.shape}, not "
            "the size of the input; export with a fixed input shape and batch 1"
        )
    only_dense = (
        all(user.kind == "FULLY_CONNECTED" for user in low.model.operators if out_tensor.index in user.inputs)
        and out_tensor.index not in low.model.outputs
    )
    if only_dense and held.value.pixels > 1 and not low.order and out_tensor.size == out_tensor.shape[-1]:
        low.held[out_tensor.index] = held
        return
    low.reshaped(held.value, out_tensor, planes(out_tensor.shape, low.label(operator)), held.kept)


def lower_border(low: Lowering, operator: Operator) -> None:
    """DEQUANTIZE at the end: the caller takes codes."""
    low.held[operator.outputs[0]] = low.source(operator)
