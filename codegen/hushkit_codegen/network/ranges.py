"""What codes each channel can take: exact bounds through the whole network, and which channels may be left out.

Requantisation grows with its accumulator, so the bounds of a sum give exact bounds of a code; a channel whose bounds
meet is constant whatever the input. A constant channel is left out where every consumer can take it into its bias:
always behind a window without padding, and with padding where the constant is real zero, as the padding is.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from hushkit_codegen.network.graph import Model, Operator, Tensor
from hushkit_codegen.network.reference import (
    Codes,
    Rounding,
    bias_of,
    convolution_multipliers,
    requantise,
    window,
)
from hushkit_codegen.network.shapes import constant
from hushkit_codegen.network.tables import activation_range


@dataclass(frozen=True, slots=True)
class Bounds:
    """Smallest and largest code per channel (last axis of the tensor)."""

    low: Codes
    high: Codes

    @property
    def is_constant(self) -> NDArray[np.bool_]:
        """Channels with one code."""
        constant_channels: NDArray[np.bool_] = self.low == self.high
        return constant_channels


def full_bounds(tensor: Tensor) -> Bounds:
    """Any code."""
    n = tensor.shape[-1] if tensor.shape else 1
    return Bounds(np.full(n, -128), np.full(n, 127))


def is_padded(model: Model, operator: Operator) -> bool:
    """Whether a window reaches over the edge."""
    x, out = model.tensors[operator.inputs[0]], model.tensors[operator.outputs[0]]
    if operator.kind in {"CONV_2D", "DEPTHWISE_CONV_2D"}:
        kernel = model.tensors[operator.inputs[1]].shape[1:3]
    else:
        kernel = (int(operator.options["FilterHeight"]), int(operator.options["FilterWidth"]))
    geometry = window(operator, x, (kernel[0], kernel[1]), out)
    return any(
        geometry.before[i] > 0
        or (geometry.out[i] - 1) * geometry.stride[i] + (kernel[i] - 1) * geometry.dilation[i] + 1 > x.shape[1 + i]
        for i in range(2)
    )


def find_bounds(model: Model, rounding: Rounding) -> dict[int, Bounds]:
    """Bounds of every activation, by tensor."""
    found: dict[int, Bounds] = {}
    for operator in model.operators:
        out = model.tensors[operator.outputs[0]]
        follow = _FOLLOW.get(operator.kind)
        source = model.tensors[operator.inputs[0]]
        before = found.get(source.index, full_bounds(source))
        found[out.index] = follow(model, operator, before, rounding) if follow else full_bounds(out)
    return found


def _matrix(model: Model, operator: Operator, before: Bounds, rounding: Rounding) -> Bounds:
    w = model.tensors[operator.inputs[1]]
    weights = constant(w, str(operator))
    n = weights.shape[0]
    flat = weights.reshape(n, -1, weights.shape[-1])
    if flat.shape[2] != len(before.low):  # flattened planes: any code
        before = Bounds(np.full(flat.shape[2], -128), np.full(flat.shape[2], 127))
    padded = operator.kind == "CONV_2D" and is_padded(model, operator)
    return _requantised(model, operator, before, flat, padded, half_up=rounding == "tflite")


def _depthwise(model: Model, operator: Operator, before: Bounds, rounding: Rounding) -> Bounds:
    weights = constant(model.tensors[operator.inputs[1]], str(operator))
    n = weights.shape[3]
    repeat = n // len(before.low)
    before = Bounds(np.repeat(before.low, repeat), np.repeat(before.high, repeat))
    flat = weights[0].reshape(-1, n).T[:, :, None]
    x = model.tensors[operator.inputs[0]]
    low, high = _spread(before, x.zero_point, padded=is_padded(model, operator))
    return _from_products(model, operator, flat, low[:, None, None], high[:, None, None], half_up=False)


def _spread(before: Bounds, zero_point: int, *, padded: bool) -> tuple[Codes, Codes]:
    low, high = before.low - zero_point, before.high - zero_point
    return (np.minimum(low, 0), np.maximum(high, 0)) if padded else (low, high)


def _requantised(
    model: Model, operator: Operator, before: Bounds, weights: Codes, padded: bool, *, half_up: bool
) -> Bounds:
    low, high = _spread(before, model.tensors[operator.inputs[0]].zero_point, padded=padded)
    return _from_products(model, operator, weights, low, high, half_up=half_up)


def _from_products(
    model: Model, operator: Operator, weights: Codes, low: Codes, high: Codes, *, half_up: bool
) -> Bounds:
    out = model.tensors[operator.outputs[0]]
    n = len(weights)
    bias = bias_of(model, operator, n)
    a, b = weights * low, weights * high
    x, w = (model.tensors[t] for t in operator.inputs[:2])
    factors = convolution_multipliers(x, w, out, n)
    limits = activation_range(int(operator.options["FusedActivationFunction"]), out, str(operator))
    ends = [
        requantise(bias + sums.sum(axis=(1, 2)), factors, out.zero_point, limits, half_up=half_up)
        for sums in (np.minimum(a, b), np.maximum(a, b))
    ]
    return Bounds(ends[0], ends[1])


def _pool(model: Model, operator: Operator, before: Bounds, rounding: Rounding) -> Bounds:
    limits = activation_range(
        int(operator.options["FusedActivationFunction"]), model.tensors[operator.outputs[0]], str(operator)
    )
    return Bounds(np.clip(before.low, *limits), np.clip(before.high, *limits))


_Follow = Callable[[Model, Operator, Bounds, Rounding], Bounds]
_FOLLOW: Final[Mapping[str, _Follow]] = {
    "CONV_2D": _matrix,
    "FULLY_CONNECTED": _matrix,
    "DEPTHWISE_CONV_2D": _depthwise,
    "AVERAGE_POOL_2D": _pool,
    "MAX_POOL_2D": _pool,
}


def find_dropped(model: Model, bounds: Mapping[int, Bounds]) -> dict[int, NDArray[np.bool_]]:
    """Channels that are left out, by tensor; the last operator's are never."""
    consumers: dict[int, list[Operator]] = {}
    for operator in model.operators:
        for index in operator.inputs:
            consumers.setdefault(index, []).append(operator)
    dropped: dict[int, NDArray[np.bool_]] = {}
    for operator in reversed(model.operators):
        out = model.tensors[operator.outputs[0]]
        keeps_all = out.index in model.outputs or operator.kind not in _FOLLOW or out.index not in consumers
        allowed = np.zeros(out.shape[-1], bool) if keeps_all else bounds[out.index].is_constant.copy()
        for consumer in consumers.get(out.index, []):
            allowed &= _takes(model, consumer, out, bounds[out.index], dropped)
        if not bool(allowed.all()):  # a network that is constant everywhere keeps its shape
            dropped[out.index] = allowed
    return dropped


def _takes(
    model: Model, consumer: Operator, tensor: Tensor, bounds: Bounds, dropped: Mapping[int, NDArray[np.bool_]]
) -> NDArray[np.bool_]:
    """Which constant channels the consumer can do without."""
    n = tensor.shape[-1]
    after = dropped.get(consumer.outputs[0], np.zeros(model.tensors[consumer.outputs[0]].shape[-1], bool))
    if consumer.kind == "CONV_2D":
        at_zero: NDArray[np.bool_] = bounds.low == tensor.zero_point
        return at_zero if is_padded(model, consumer) else np.ones(n, bool)
    if consumer.kind == "FULLY_CONNECTED" and tensor.size == n and consumer.inputs[0] == tensor.index:
        return np.ones(n, bool)
    if consumer.kind in {"DEPTHWISE_CONV_2D", "AVERAGE_POOL_2D", "MAX_POOL_2D"} and len(after) == n:
        return after
    return np.zeros(n, bool)
