"""Operators that only move codes: which amounts, slices and axes they name."""

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray

from hushkit_codegen.network.errors import NetworkError
from hushkit_codegen.network.graph import Model, Operator, Tensor

SLICES: Final = ("SLICE", "STRIDED_SLICE", "SPLIT")
_NO_MASKS: Final = ("EllipsisMask", "NewAxisMask")


def constant(tensor: Tensor, label: str) -> NDArray[np.int64]:
    """Contents of a constant.

    Raises:
        NetworkError: It is not constant.
    """
    if tensor.data is None:
        raise NetworkError(f"{label}: tensor {tensor.index} ({tensor.name}) must be constant; fold it before export")
    return tensor.data.astype(np.int64)


def sliced(operator: Operator) -> int:
    """Position of the operand that a slicing operator slices."""
    return 1 if operator.kind == "SPLIT" else 0


def pad_amounts(model: Model, operator: Operator) -> list[tuple[int, int]]:
    """Codes in front of and behind each axis."""
    pads = constant(model.tensors[operator.inputs[1]], str(operator))
    return [(int(a), int(b)) for a, b in pads.reshape(-1, 2)]


def pad_code(model: Model, operator: Operator) -> int:
    """The code that PAD or PADV2 pads with.

    Raises:
        NetworkError: A value that is not one constant on the output's scale.
    """
    out = model.tensors[operator.outputs[0]]
    if operator.kind == "PAD":
        return out.zero_point
    value = model.tensors[operator.inputs[2]]
    codes = constant(value, str(operator)).reshape(-1)
    if len(codes) != 1 or (value.scales, value.zero_points) != (out.scales, out.zero_points):
        raise NetworkError(f"{operator}: found another scale of its value, expected the output's; quantise them alike")
    return int(codes[0])


def slice_of(model: Model, operator: Operator, output: int) -> list[tuple[int, int]]:
    """First index and size along each axis of what the ``output``-th output holds.

    Raises:
        NetworkError: Steps other than 1, or new axes.
    """
    label = str(operator)
    shape = model.tensors[operator.inputs[sliced(operator)]].shape
    if operator.kind == "SPLIT":
        axis = int(constant(model.tensors[operator.inputs[0]], label).reshape(-1)[0]) % len(shape)
        size = shape[axis] // len(operator.outputs)
        return [(output * size, size) if k == axis else (0, n) for k, n in enumerate(shape)]
    first, second = (constant(model.tensors[t], label).reshape(-1).tolist() for t in operator.inputs[1:3])
    if operator.kind == "SLICE":
        return [(int(b), n - int(b) if s == -1 else int(s)) for b, s, n in zip(first, second, shape, strict=True)]
    strides = constant(model.tensors[operator.inputs[3]], label).reshape(-1)
    masks = {name: int(value) for name, value in operator.options.items()}
    if any(strides != 1) or any(masks.get(name, 0) for name in _NO_MASKS) or len(first) != len(shape):
        raise NetworkError(f"{label}: found steps {strides.tolist()}, expected 1 on every axis; slice before export")
    found = []
    for axis, n in enumerate(shape):
        bit = 1 << axis
        begin = 0 if masks.get("BeginMask", 0) & bit else _within(first[axis], n)
        end = n if masks.get("EndMask", 0) & bit else _within(second[axis], n)
        found.append((begin, 1 if masks.get("ShrinkAxisMask", 0) & bit else end - begin))
    return found


def _within(index: int, n: int) -> int:
    return min(max(index + n if index < 0 else index, 0), n)


def transposition(model: Model, operator: Operator) -> list[int]:
    """Order of axes of a TRANSPOSE that moves no data.

    Raises:
        NetworkError: It moves data.
    """
    order = [int(k) for k in constant(model.tensors[operator.inputs[1]], str(operator)).reshape(-1)]
    shape = model.tensors[operator.inputs[0]].shape
    moved = [axis for axis in order if shape[axis] > 1]
    if moved != sorted(moved):
        raise NetworkError(f"{operator}: found order {order}, which moves data; change the layout first")
    return order


def folded(shape: tuple[int, ...]) -> tuple[int, int, int]:
    """Height, width and channels of a shape; axes in front of the last three count as rows."""
    inner = shape[1:] if len(shape) > 1 and shape[0] == 1 else shape
    padded = (1,) * (3 - len(inner)) + inner
    return math.prod(padded[:-2]), padded[-2], padded[-1]
