"""Lower a model to steps: reshapes vanish, pads and activations fuse, constant channels are left out."""

import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from hushkit_codegen.network import reference, streams, vectors
from hushkit_codegen.network.errors import NetworkError
from hushkit_codegen.network.lowering import Held, Lowering, planes, value_name
from hushkit_codegen.network.model import Model, Operator, Tensor
from hushkit_codegen.network.rounding import Multiplier
from hushkit_codegen.network.steps import Flag, Kind, Step, Value


def _codes_of_dropped(low: Lowering, x: Tensor, kept: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    bounds = low.bounds_of(x)
    gone = np.setdiff1d(np.arange(len(bounds.low)), kept)
    return gone, bounds.low[gone] - x.zero_point


def _conv(low: Lowering, operator: Operator) -> None:
    held = low.operand(operator)
    x, w, out_tensor = low.tensor(operator.inputs[0]), low.tensor(operator.inputs[1]), low.out(operator)
    weights = low.weights(operator)
    if weights.shape[3] != x.shape[3]:
        raise NetworkError(f"{low.label(operator)}: grouped convolution is not supported; split it before export")
    geometry = reference.window(operator, x, (w.shape[1], w.shape[2]), out_tensor)
    out = low.new(out_tensor)
    gone, offsets = _codes_of_dropped(low, x, held.kept)
    bias = reference.bias_of(low.model, operator, len(weights))
    bias = bias + (weights[:, :, :, gone].sum(axis=(1, 2)) * offsets).sum(axis=1)
    chosen = weights[out.kept][:, :, :, held.kept]
    if not low.order:
        chosen = chosen.transpose(0, 3, 1, 2)  # taps in the order of planes
    before = geometry.before[0] + held.pad[0], geometry.before[1] + held.pad[2]
    is_point = geometry.kernel == (1, 1) and geometry.stride == (1, 1) and held.pad == (0, 0, 0, 0)
    prepared = low.requantisation(operator, bias, chosen, out.kept, away=low.rounding == "tflm")
    step = Step(
        Kind.POINT if is_point else Kind.CONV, operator.kind, held.value, out.value, limits=low.limits(operator),
        kernel=geometry.kernel, stride=geometry.stride, dilation=geometry.dilation, before=before,
        zero_points=(x.zero_point, 0, out_tensor.zero_point), in_place=is_point,
        macs=math.prod(w.shape[1:]) * math.prod(out_tensor.shape),
    )  # fmt: skip
    step = _with_matrix(low, operator, step, chosen.reshape(len(chosen), -1), prepared)
    low.steps.append(step if is_point or low.order else step.swapped())


def _with_matrix(
    low: Lowering, operator: Operator, step: Step, weights: NDArray[np.int64], prepared: streams.Requantisation
) -> Step:
    """A POINT or CONV step with its stream, for the core's kernels; weights have shape (outputs, taps)."""
    if low.order:
        kind = Kind.VECTOR_POINT if step.kind is Kind.POINT else Kind.VECTOR_CONV
        scratch = vectors.LANES * -(-weights.shape[1] // vectors.VECTOR) * vectors.VECTOR
        data = vectors.pair_stream(weights, prepared)
        return replace(step, kind=kind, flags=prepared.flags | low.order, data=data, scratch=scratch)
    data, segment = streams.matrix_stream(weights, prepared.rows, low.label(operator))
    return replace(step, flags=prepared.flags, data=data, segment=segment)


def _depthwise(low: Lowering, operator: Operator) -> None:
    held = low.operand(operator)
    x, w, out_tensor = low.tensor(operator.inputs[0]), low.tensor(operator.inputs[1]), low.out(operator)
    weights = low.weights(operator)[0].transpose(2, 0, 1)
    repeat = len(weights) // x.shape[3]
    out = low.like(out_tensor, held, repeat)
    geometry = reference.window(operator, x, (w.shape[1], w.shape[2]), out_tensor)
    chosen = weights[out.kept]
    if (
        not low.order and held.value.width == 1 and out.value.width == 1 and geometry.kernel[1] == 1
    ):  # columns become rows, see swapped
        chosen = chosen.transpose(0, 2, 1)
    bias = reference.bias_of(low.model, operator, len(weights))
    prepared = low.requantisation(operator, bias, chosen, out.kept, away=True)
    step = Step(
        Kind.DEPTHWISE, operator.kind, held.value, out.value, flags=prepared.flags, limits=low.limits(operator),
        kernel=geometry.kernel, stride=geometry.stride, dilation=geometry.dilation,
        before=(geometry.before[0] + held.pad[0], geometry.before[1] + held.pad[2]),
        zero_points=(x.zero_point, 0, out_tensor.zero_point),
        in_place=repeat == 1 and out.value.pixels <= held.value.pixels,
        macs=geometry.kernel[0] * geometry.kernel[1] * math.prod(out_tensor.shape),
    )  # fmt: skip
    if not low.order:
        low.steps.append(replace(step, data=streams.depthwise_stream(chosen, prepared.rows)).swapped())
        return
    frame = vectors.choose_frame(
        step.kernel, step.stride, step.dilation,
        shape=(held.value.channels, held.value.height, held.value.width),
        out=(out.value.height, out.value.width), label=low.label(operator),
    )  # fmt: skip
    data = vectors.window_stream(chosen, prepared, step.dilation, frame)
    flags = step.flags | low.order | (Flag.ACROSS if frame.across else Flag.NONE)
    kind = Kind.VECTOR_DEPTHWISE
    low.steps.append(
        replace(step, kind=kind, flags=flags, data=data, extra=(frame.rows, 0), scratch=frame.scratch_bytes)
    )


def _fully_connected(low: Lowering, operator: Operator) -> None:
    held = low.source(operator)
    x, out_tensor = low.tensor(operator.inputs[0]), low.out(operator)
    weights = low.weights(operator)
    n, size = weights.shape
    if x.size != size or int(operator.options.get("WeightsFormat", 0)) != 0:
        raise NetworkError(
            f"{low.label(operator)}: found {x.size} inputs for {size} weights each, expected one row; unroll the batch"
        )
    out = low.new(out_tensor)
    flat = replace(held.value, channels=held.value.bytes, height=1, width=1)
    bias = reference.bias_of(low.model, operator, n)
    if held.value.pixels == 1:
        gone, offsets = _codes_of_dropped(low, x, held.kept)
        bias = bias + weights[:, gone] @ offsets
        chosen = weights[:, held.kept]
    elif low.order:
        chosen = weights
    else:  # weights follow the planes instead of the planes being reordered
        channels, height, width = held.value.channels, held.value.height, held.value.width
        chosen = weights.reshape(n, height, width, channels).transpose(0, 3, 1, 2).reshape(n, -1)
    chosen = chosen[out.kept]
    prepared = low.requantisation(operator, bias, chosen, out.kept, away=low.rounding == "tflm")
    step = Step(
        Kind.POINT, operator.kind, flat, replace(out.value, channels=out.value.bytes, height=1, width=1),
        limits=low.limits(operator), zero_points=(x.zero_point, 0, out_tensor.zero_point), in_place=True, macs=n * size,
    )  # fmt: skip
    low.steps.append(_with_matrix(low, operator, step, chosen, prepared))


def _second(low: Lowering, operator: Operator, first: Held, position: int) -> tuple[Value | NDArray[np.int8], Flag]:
    index = operator.inputs[position]
    tensor = low.tensor(index)
    channels, height, width = planes(tensor.shape, low.label(operator))
    sizes = (first.value.channels, first.value.height, first.value.width)
    if (channels, height, width) not in {sizes, (sizes[0], 1, 1), (1, 1, 1)}:
        raise NetworkError(
            f"{low.label(operator)}: operand {index} ({tensor.name}) has shape {tensor.shape}, expected that of the "
            "other operand, or one code per channel, or one; broadcast it before export"
        )
    if tensor.data is None:
        if channels != sizes[0]:
            raise NetworkError(f"{low.label(operator)}: tensor {index} ({tensor.name}) is broadcast; expand it first")
        flag = Flag.PER_CHANNEL if (height, width) != sizes[1:] else Flag.NONE
        return low.source(operator, position).value, flag
    codes = reference.constant(tensor, low.label(operator)).reshape(height, width, channels)
    is_full = (channels, height, width) == sizes
    if not is_full:
        codes = np.broadcast_to(codes, (1, 1, sizes[0]))
    filled = (codes if low.order else codes.transpose(2, 0, 1)).astype(np.int8)
    return np.ascontiguousarray(filled).reshape(-1), Flag.CONSTANT | (Flag.NONE if is_full else Flag.PER_CHANNEL)


def _arithmetic(low: Lowering, operator: Operator) -> None:
    order = (0, 1)
    a, b = (low.tensor(index) for index in operator.inputs[:2])
    if a.data is not None or (a.size < b.size and b.data is None):
        order, a, b = (1, 0), b, a
    first = low.source(operator, order[0])
    out_tensor = low.out(operator)
    second, flags = _second(low, operator, first, order[1])
    out = low.new(out_tensor)
    limits = low.limits(operator)
    if operator.kind == "ADD":
        factors: tuple[Multiplier, ...] = reference.add_multipliers(a, b, out_tensor)
    else:
        factors = (reference.product_multiplier(a, b, out_tensor),)
    if any(f.shift > 0 for f in factors[:2] if operator.kind == "ADD") or factors[-1].shift > 15:
        raise NetworkError(f"{low.label(operator)}: scales of inputs and output are too far apart; quantise again")
    data = np.array([(f.value, f.shift) for f in factors], np.int32).tobytes()
    zeros = a.zero_point, b.zero_point, out_tensor.zero_point
    kind = Kind.ADD if operator.kind == "ADD" else Kind.MUL
    low.steps.append(
        Step(
            kind, operator.kind, first.value, out.value, second, flags | low.order, limits, zero_points=zeros,
            data=data, in_place=True,
        )
    )  # fmt: skip


def _pool(low: Lowering, operator: Operator) -> None:
    held, x, out_tensor = low.source(operator), low.tensor(operator.inputs[0]), low.out(operator)
    if x.scale != out_tensor.scale or x.zero_point != out_tensor.zero_point:
        raise NetworkError(f"{low.label(operator)}: input and output scales differ, expected equal; quantise again")
    kernel = int(operator.options["FilterHeight"]), int(operator.options["FilterWidth"])
    geometry = reference.window(operator, x, kernel, out_tensor)
    out = low.like(out_tensor, held)
    kind = Kind.AVERAGE if operator.kind == "AVERAGE_POOL_2D" else Kind.MAX
    step = Step(
        kind, operator.kind, held.value, out.value, flags=low.order, limits=low.limits(operator), kernel=kernel,
        stride=geometry.stride, before=geometry.before, zero_points=(x.zero_point, 0, x.zero_point),
    )  # fmt: skip
    low.steps.append(step if low.order else step.swapped())


def _mean(low: Lowering, operator: Operator) -> None:
    held, x, out_tensor = low.source(operator), low.tensor(operator.inputs[0]), low.out(operator)
    axes = reference.mean_axes(operator, low.tensor(operator.inputs[1]), len(x.shape))
    spatial = [axis for axis in range(1, len(x.shape) - 1) if x.shape[axis] > 1]
    if len(x.shape) - 1 in axes or not set(spatial) <= set(axes):
        raise NetworkError(f"{low.label(operator)}: found axes {axes}, expected height and width; reshape before it")
    count = math.prod(x.shape[axis] for axis in axes)
    factor = reference.mean_multiplier(x, out_tensor, count)
    out = low.like(out_tensor, held)
    out = Held(replace(out.value, height=1, width=1), held.kept)
    low.held[out_tensor.index] = out
    data = np.array([factor.value, factor.shift], np.int32).tobytes()
    zeros = x.zero_point, 0, out_tensor.zero_point
    low.steps.append(
        Step(Kind.MEAN, operator.kind, held.value, out.value, flags=low.order, zero_points=zeros, data=data)
    )


def _softmax(low: Lowering, operator: Operator) -> None:
    held, x, out_tensor = low.source(operator), low.tensor(operator.inputs[0]), low.out(operator)
    if held.value.pixels != 1 or out_tensor.scale != 1.0 / 256.0 or out_tensor.zero_point != -128:
        raise NetworkError(
            f"{low.label(operator)}: found {held.value.pixels} rows and output scale {out_tensor.scale}, expected one "
            "row and scale 1/256 with zero point -128; export the model without it"
        )
    out = low.new(out_tensor)
    table = reference.softmax_table(x, float(operator.options.get("Beta", 1.0))).tobytes()
    low.steps.append(Step(Kind.SOFTMAX, operator.kind, held.value, out.value, data=table, in_place=True))


def _table(low: Lowering, operator: Operator) -> None:
    tensor = low.tensor(operator.inputs[0])
    if tensor.dtype == "float32":  # the caller gives codes
        low.held[operator.outputs[0]] = replace(low.operand(operator))
        return
    held = low.source(operator)
    out = low.new(low.out(operator))
    codes = reference.code_table(low.model, operator).tobytes()
    low.steps.append(Step(Kind.TABLE, operator.kind, held.value, out.value, data=codes, in_place=True))


def _pad(low: Lowering, operator: Operator) -> None:
    held = low.source(operator)
    x, out_tensor = low.tensor(operator.inputs[0]), low.out(operator)
    amounts = reference.pad_amounts(operator, low.tensor(operator.inputs[1]))
    if len(amounts) != 4 or amounts[0] != (0, 0) or amounts[3] != (0, 0) or x.zero_point != out_tensor.zero_point:
        raise NetworkError(f"{low.label(operator)}: found padding {amounts}, expected height and width only; change it")
    low.held[out_tensor.index] = Held(held.value, held.kept, (*amounts[1], *amounts[2]))


def _concatenate(low: Lowering, operator: Operator) -> None:
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
    shape = (out.value.height, out.value.width, out.value.channels)
    plane_axis = axis - rank + 3  # 0: height, 1: width, 2: channels

    def run_of(height: int, width: int, channels: int) -> int:
        if low.order:
            return math.prod((height, width, channels)[plane_axis:])
        return {0: height * width, 1: width, 2: height * width * channels}[plane_axis]

    distance, offset = run_of(*shape), 0
    for part in parts:
        value = part.value
        run = run_of(value.height, value.width, value.channels)
        low.steps.append(Step(Kind.COPY, operator.kind, value, out.value, offset=offset, extra=(run, distance)))
        offset += run


def _reshape(low: Lowering, operator: Operator) -> None:
    held, out_tensor = low.source(operator), low.out(operator)
    if operator.kind == "TRANSPOSE":
        order = [int(k) for k in reference.constant(low.tensor(operator.inputs[1]), low.label(operator)).reshape(-1)]
        shape = low.tensor(operator.inputs[0]).shape
        moved = [axis for axis in order if shape[axis] > 1]
        if moved != sorted(moved):
            raise NetworkError(f"{low.label(operator)}: found order {order}, which moves data; change the layout first")
    channels, height, width = planes(out_tensor.shape, low.label(operator))
    before = held.value
    if (channels, height * width) == (before.channels, before.pixels) or before.bytes != channels * height * width:
        channels = before.channels  # only names of axes change; left-out channels stay out
        low.held[out_tensor.index] = Held(Value(value_name(out_tensor), channels, height, width), held.kept)
        low.steps.append(_alias(before, low.held[out_tensor.index].value))
        return
    if low.order:  # any shape is a view
        low.held[out_tensor.index] = Held(Value(value_name(out_tensor), channels, height, width), np.arange(channels))
        low.steps.append(_alias(before, low.held[out_tensor.index].value))
        return
    only_dense = (
        all(user.kind == "FULLY_CONNECTED" for user in low.model.operators if out_tensor.index in user.inputs)
        and out_tensor.index not in low.model.outputs
    )
    if only_dense and before.pixels > 1:
        low.held[out_tensor.index] = held
        return
    rows = low.reordered(held, to_planes=False)
    flat = Value(value_name(out_tensor), channels, height, width)
    low.steps.append(_alias(rows.value, flat))
    low.held[out_tensor.index] = low.reordered(Held(flat, np.arange(channels)), to_planes=True)


def _alias(before: Value, after: Value) -> Step:
    """Another name for the same bytes; it makes no operator in the blob."""
    return Step(Kind.COPY, "", before, after, in_place=True)


def _border(low: Lowering, operator: Operator) -> None:
    low.held[operator.outputs[0]] = low.source(operator)


_LOWER: Final[Mapping[str, Callable[[Lowering, Operator], None]]] = {
    "CONV_2D": _conv,
    "DEPTHWISE_CONV_2D": _depthwise,
    "FULLY_CONNECTED": _fully_connected,
    "ADD": _arithmetic,
    "MUL": _arithmetic,
    "AVERAGE_POOL_2D": _pool,
    "MAX_POOL_2D": _pool,
    "MEAN": _mean,
    "SOFTMAX": _softmax,
    "LOGISTIC": _table,
    "RELU": _table,
    "RELU6": _table,
    "QUANTIZE": _table,
    "DEQUANTIZE": _border,
    "PAD": _pad,
    "CONCATENATION": _concatenate,
    "RESHAPE": _reshape,
    "TRANSPOSE": _reshape,
}


def lower(model: Model, rounding: reference.Rounding, *, pixels: bool = False) -> tuple[tuple[Step, ...], Value, Value]:
    """Lower a model.

    Args:
        model: The model.
        rounding: Whose.
        pixels: For a vector unit: activations lie pixel by pixel, and convolutions run in vectors of 16.

    Returns:
        The steps, and the values of input and output, in TFLite's order.

    Raises:
        NetworkError: More than one input or output, or an operator with options that are not supported.
    """
    if len(model.inputs) != 1 or len(model.outputs) != 1:
        raise NetworkError(
            f"{model.name}: found {len(model.inputs)} inputs and {len(model.outputs)} outputs, expected "
            "one each; split it"
        )
    low = Lowering(model, rounding, pixels=pixels)
    first = low.new(low.tensor(model.inputs[0]))
    low.held[model.inputs[0]] = low.reordered(first, to_planes=True)
    for operator in model.operators:
        _LOWER[operator.kind](low, operator)
    last = low.padded(low.held[model.outputs[0]], low.tensor(model.outputs[0]))
    last = low.reordered(last, to_planes=False)
    return tuple(low.steps), first.value, last.value
