"""Lower CONV_2D, DEPTHWISE_CONV_2D and FULLY_CONNECTED, for planes and for vector units."""

import math
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from hushkit_codegen.network import reference, streams, vectors
from hushkit_codegen.network.errors import NetworkError
from hushkit_codegen.network.graph import Operator, Tensor
from hushkit_codegen.network.lowering import Lowering
from hushkit_codegen.network.steps import Flag, Kind, Step


def _codes_of_dropped(low: Lowering, x: Tensor, kept: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    bounds = low.bounds_of(x)
    gone = np.setdiff1d(np.arange(len(bounds.low)), kept)
    return gone, bounds.low[gone] - x.zero_point


def lower_conv(low: Lowering, operator: Operator) -> None:
    """CONV_2D."""
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


def lower_depthwise(low: Lowering, operator: Operator) -> None:
    """DEPTHWISE_CONV_2D."""
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


def lower_fully_connected(low: Lowering, operator: Operator) -> None:
    """FULLY_CONNECTED, one matrix for every row of its input."""
    held = low.source(operator)
    x, out_tensor = low.tensor(operator.inputs[0]), low.out(operator)
    weights = low.weights(operator)
    n, size = weights.shape
    if x.size % size or out_tensor.size * size != x.size * n or int(operator.options.get("WeightsFormat", 0)) != 0:
        raise NetworkError(
            f"{low.label(operator)}: found {x.size} inputs and {out_tensor.size} outputs for weights {weights.shape}, "
            "expected whole rows; export the model again"
        )
    if x.size != size:
        held = low.in_rows(held, size)
    out = low.new(out_tensor)
    bias = reference.bias_of(low.model, operator, n)
    pixels = x.size // size
    flat = replace(held.value, channels=held.value.bytes // pixels, height=pixels, width=1)
    chosen = weights
    if len(held.kept) != size and held.value.pixels == 1:
        gone, offsets = _codes_of_dropped(low, x, held.kept)
        bias = bias + weights[:, gone] @ offsets
        chosen = weights[:, held.kept]
    elif pixels == 1 and held.value.pixels > 1 and not low.order:
        # weights follow the planes instead of the planes being reordered
        channels, height, width = held.value.channels, held.value.height, held.value.width
        chosen = weights.reshape(n, height, width, channels).transpose(0, 3, 1, 2).reshape(n, -1)
    chosen = chosen[out.kept]
    prepared = low.requantisation(operator, bias, chosen, out.kept, away=low.rounding == "tflm")
    step = Step(
        Kind.POINT, operator.kind, flat, replace(out.value, channels=out.value.bytes // pixels, height=pixels, width=1),
        limits=low.limits(operator), zero_points=(x.zero_point, 0, out_tensor.zero_point), in_place=True,
        macs=weights.size * pixels,
    )  # fmt: skip
    low.steps.append(_with_matrix(low, operator, step, chosen, prepared))
