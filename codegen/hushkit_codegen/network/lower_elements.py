"""Lower what works code by code or over a window without weights."""

import math
from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from hushkit_codegen.network import reference
from hushkit_codegen.network.errors import NetworkError
from hushkit_codegen.network.graph import Operator
from hushkit_codegen.network.lowering import Held, Lowering, planes, value_name
from hushkit_codegen.network.rounding import Multiplier
from hushkit_codegen.network.shapes import constant
from hushkit_codegen.network.steps import Flag, Kind, Step, Value
from hushkit_codegen.network.tables import code_table

_MOST_SHIFT: Final = 15  # of a factor, to the left; the loader refuses more


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
    codes = constant(tensor, low.label(operator)).reshape(height, width, channels)
    is_full = (channels, height, width) == sizes
    if not is_full:
        codes = np.broadcast_to(codes, (1, 1, sizes[0]))
    filled = (codes if low.order else codes.transpose(2, 0, 1)).astype(np.int8)
    return np.ascontiguousarray(filled).reshape(-1), Flag.CONSTANT | (Flag.NONE if is_full else Flag.PER_CHANNEL)


def lower_arithmetic(low: Lowering, operator: Operator) -> None:
    """ADD, SUB and MUL."""
    order = (0, 1)
    a, b = (low.tensor(index) for index in operator.inputs[:2])
    if a.data is not None or (a.size < b.size and b.data is None):
        order, a, b = (1, 0), b, a
    first = low.source(operator, order[0])
    out_tensor = low.out(operator)
    second, flags = _second(low, operator, first, order[1])
    out = low.new(out_tensor)
    limits = low.limits(operator)
    if operator.kind != "MUL":
        factors: tuple[Multiplier, ...] = reference.add_multipliers(a, b, out_tensor)
    else:
        factors = (reference.product_multiplier(a, b, out_tensor),)
    if any(f.shift > 0 for f in factors[:2] if operator.kind != "MUL") or factors[-1].shift > _MOST_SHIFT:
        raise NetworkError(f"{low.label(operator)}: scales of inputs and output are too far apart; quantise again")
    data = np.array([(f.value, f.shift) for f in factors], np.int32).tobytes()
    zeros = a.zero_point, b.zero_point, out_tensor.zero_point
    kind = {"ADD": Kind.ADD, "SUB": Kind.SUB, "MUL": Kind.MUL}[operator.kind]
    if order == (1, 0):
        flags |= Flag.REVERSED
    low.steps.append(
        Step(
            kind, operator.kind, first.value, out.value, second, flags | low.order, limits, zero_points=zeros,
            data=data, in_place=True,
        )
    )  # fmt: skip


def lower_pool(low: Lowering, operator: Operator) -> None:
    """AVERAGE_POOL_2D and MAX_POOL_2D."""
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


def lower_mean(low: Lowering, operator: Operator) -> None:
    """MEAN over height and width."""
    held, x, out_tensor = low.source(operator), low.tensor(operator.inputs[0]), low.out(operator)
    axes = reference.mean_axes(operator, low.tensor(operator.inputs[1]), len(x.shape))
    spatial = [axis for axis in range(1, len(x.shape) - 1) if x.shape[axis] > 1]
    if len(x.shape) - 1 in axes or not set(spatial) <= set(axes):
        raise NetworkError(f"{low.label(operator)}: found axes {axes}, expected height and width; reshape before it")
    count = math.prod(x.shape[axis] for axis in axes)
    factor = reference.mean_multiplier(x, out_tensor, count)
    if factor.shift > _MOST_SHIFT:
        raise NetworkError(f"{low.label(operator)}: scales of input and output are too far apart; quantise again")
    out = low.like(out_tensor, held)
    out = Held(replace(out.value, height=1, width=1), held.kept)
    low.held[out_tensor.index] = out
    data = np.array([factor.value, factor.shift], np.int32).tobytes()
    zeros = x.zero_point, 0, out_tensor.zero_point
    low.steps.append(
        Step(Kind.MEAN, operator.kind, held.value, out.value, flags=low.order, zero_points=zeros, data=data)
    )


def lower_softmax(low: Lowering, operator: Operator) -> None:
    """SOFTMAX of every row."""
    x, out_tensor = low.tensor(operator.inputs[0]), low.out(operator)
    if out_tensor.scale != 1.0 / 256.0 or out_tensor.zero_point != -128:
        raise NetworkError(
            f"{low.label(operator)}: found output scale {out_tensor.scale} and zero point {out_tensor.zero_point}, "
            "expected 1/256 and -128; export the model without it"
        )
    held = low.reordered(low.source(operator), to_planes=False)
    value = replace(held.value, name=value_name(out_tensor))
    table = reference.softmax_table(x, float(operator.options.get("Beta", 1.0))).tobytes()
    low.steps.append(Step(Kind.SOFTMAX, operator.kind, held.value, value, data=table, in_place=True))
    low.held[out_tensor.index] = low.reordered(Held(value, held.kept), to_planes=True)


def lower_table(low: Lowering, operator: Operator) -> None:
    """An operator from code to code."""
    tensor = low.tensor(operator.inputs[0])
    if tensor.dtype == "float32":  # the caller gives codes
        low.held[operator.outputs[0]] = replace(low.operand(operator))
        return
    held = low.source(operator)
    out = low.new(low.out(operator))
    codes = code_table(low.model, operator).tobytes()
    low.steps.append(Step(Kind.TABLE, operator.kind, held.value, out.value, data=codes, in_place=True))
