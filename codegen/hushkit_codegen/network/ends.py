"""A model's inputs and outputs as the runtime has them: int8 codes, several ends one after another.

A float end stands for the codes behind its QUANTIZE, or in front of its DEQUANTIZE; a uint8 end counts as int8 shifted
by 128.
"""

import numpy as np
from numpy.typing import NDArray

from hushkit_codegen.network.graph import Model, Tensor

_UINT8_OFFSET = 128


def end_scale(model: Model, index: int) -> tuple[float, int]:
    """Scale and zero point of an end's int8 codes."""
    tensor = model.tensors[index]
    if tensor.dtype == "float32":
        tensor = model.tensors[_neighbour(model, index)]
    return tensor.scale, tensor.zero_point - (_UINT8_OFFSET if tensor.dtype == "uint8" else 0)


def _neighbour(model: Model, index: int) -> int:
    for operator in model.operators:
        if index in operator.inputs:
            return operator.outputs[0]
        if index in operator.outputs:
            return operator.inputs[0]
    raise AssertionError("an end that no operator reads or writes")


def input_tensors(model: Model, codes: NDArray[np.int8]) -> list[NDArray[np.generic]]:
    """One inference's codes as the interpreter takes them: one array per input, in its own type and shape."""
    found, at = [], 0
    for index in model.inputs:
        tensor = model.tensors[index]
        part = codes.reshape(-1)[at : at + tensor.size]
        at += tensor.size
        found.append(_from_codes(model, tensor, part).reshape(tensor.shape))
    return found


def _from_codes(model: Model, tensor: Tensor, codes: NDArray[np.int8]) -> NDArray[np.generic]:
    if tensor.dtype == "uint8":
        return (codes.astype(np.int16) + _UINT8_OFFSET).astype(np.uint8)
    if tensor.dtype == "float32":
        scale, zero = end_scale(model, tensor.index)
        return (codes.astype(np.float32) - np.float32(zero)) * np.float32(scale)
    return codes


def output_codes(model: Model, tensors: list[NDArray[np.generic]]) -> NDArray[np.int8]:
    """What the interpreter gives as the runtime's codes, one output behind the other."""
    parts = []
    for index, found in zip(model.outputs, tensors, strict=True):
        values = found.reshape(-1).astype(np.float64)
        if model.tensors[index].dtype == "float32":
            scale, zero = end_scale(model, index)
            values = np.rint(values / scale) + zero
        elif model.tensors[index].dtype == "uint8":
            values -= _UINT8_OFFSET
        parts.append(values.astype(np.int8))
    return np.concatenate(parts)
