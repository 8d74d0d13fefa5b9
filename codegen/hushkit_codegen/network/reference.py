"""Execute a model in integers, operator by operator: the arithmetic that every target must reproduce bit for bit.

Two roundings are offered. ``tflite`` equals tflite-runtime 2.14 without delegates; ``tflm`` equals its reference
kernels, which are those of TensorFlow Lite for Microcontrollers. They differ in CONV_2D and FULLY_CONNECTED alone, by
one code at ties below the zero point; behind a RELU they are equal. Per operator:

====================  ================================================================================================
CONV_2D,              int32 accumulator, double rounding per output channel (:func:`rounding.multiply`); the second
FULLY_CONNECTED       step rounds half away from zero in ``tflm`` and half up in ``tflite``
DEPTHWISE_CONV_2D     the same, always half away from zero
ADD                   both inputs scaled by 2^20, double rounding each, then of the sum
MUL                   product of the codes without zero points, double rounding
AVERAGE_POOL_2D       sum over the pixels inside, divided rounding half away from zero
MEAN                  double rounding with 1/count in the multiplier
SOFTMAX               exponentials in float32 from a table of 256, quotient rounded half away from zero
SUB                   as ADD, with the second input scaled before it is taken away
LOGISTIC, TANH,       a table of 256 codes (tables.py)
RELU..., QUANTIZE
MAX_POOL_2D, PAD, CONCATENATION, slices and shapes     exact
====================  ================================================================================================
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from hushkit_codegen.network.errors import NetworkError
from hushkit_codegen.network.graph import Model, Operator, Tensor
from hushkit_codegen.network.rounding import Multiplier, multiply, quantise_multiplier
from hushkit_codegen.network.shapes import SLICES, constant, pad_amounts, pad_code, slice_of, sliced
from hushkit_codegen.network.tables import TABLE_OPERATORS, activation_range, code_table

Codes = NDArray[np.int64]
Rounding = Literal["tflite", "tflm"]
_SAME: Final = 0
_ADD_SHIFT: Final = 20
_BLOCK: Final = 50


def convolution_multipliers(x: Tensor, w: Tensor, out: Tensor, n: int) -> list[Multiplier]:
    """One factor per output channel: input scale times weight scale over output scale, in double precision."""
    scales = w.scales if len(w.scales) == n else w.scales * n
    return [quantise_multiplier(x.scale * s / out.scale) for s in scales]


@dataclass(frozen=True, slots=True)
class Window:
    """Geometry of a sliding window over height and width."""

    kernel: tuple[int, int]
    stride: tuple[int, int]
    dilation: tuple[int, int]
    before: tuple[int, int]
    out: tuple[int, int]


def _check_window(operator: Operator, x: Tensor, kernel: tuple[int, int], out: Tensor) -> None:
    if x.shape[0] != 1:
        raise NetworkError(f"{operator}: found batch {x.shape[0]}, expected 1; export with batch 1")
    found, expected = out.shape[1:3], []
    for axis, name in ((0, "H"), (1, "W")):
        stride = int(operator.options[f"Stride{name}"])
        span = (kernel[axis] - 1) * int(operator.options.get(f"Dilation{name}Factor", 1)) + 1
        inside = x.shape[1 + axis] if operator.options["Padding"] == _SAME else x.shape[1 + axis] - span + 1
        expected.append(-(-inside // stride))
    if found != tuple(expected) or len(x.shape) != 4 or len(out.shape) != 4:
        raise NetworkError(
            f"{operator}: output {out.index} ({out.name}) has shape {out.shape}, expected {tuple(expected)} for height "
            "and width; export the model again"
        )


def window(operator: Operator, x: Tensor, kernel: tuple[int, int], out: Tensor) -> Window:
    """Window of a convolution or pool, with TensorFlow's padding in front.

    Raises:
        NetworkError: The output's size is not what padding, stride and dilation make.
    """
    stride = int(operator.options["StrideH"]), int(operator.options["StrideW"])
    dilation = int(operator.options.get("DilationHFactor", 1)), int(operator.options.get("DilationWFactor", 1))
    size = x.shape[1:3]
    n_out = out.shape[1:3]
    _check_window(operator, x, kernel, out)
    before = (0, 0)
    if operator.options["Padding"] == _SAME:
        need = [(n_out[i] - 1) * stride[i] + (kernel[i] - 1) * dilation[i] + 1 - size[i] for i in range(2)]
        before = max(need[0], 0) // 2, max(need[1], 0) // 2
    return Window(kernel, stride, dilation, before, (n_out[0], n_out[1]))


def patches(x: Codes, geometry: Window, fill: int) -> Codes:
    """Windows of ``x`` (batch, height, width, channels) as (batch, out h, out w, kernel h, kernel w, channels)."""
    (kh, kw), (sh, sw), (dh, dw) = geometry.kernel, geometry.stride, geometry.dilation
    n_h, n_w = geometry.out
    top, left = geometry.before
    need_h = (n_h - 1) * sh + (kh - 1) * dh + 1
    need_w = (n_w - 1) * sw + (kw - 1) * dw + 1
    padded = np.full((x.shape[0], max(need_h, top + x.shape[1]), max(need_w, left + x.shape[2]), x.shape[3]), fill)
    padded[:, top : top + x.shape[1], left : left + x.shape[2]] = x
    rows = (np.arange(n_h) * sh)[:, None] + np.arange(kh) * dh
    columns = (np.arange(n_w) * sw)[:, None] + np.arange(kw) * dw
    return padded[:, rows[:, None, :, None], columns[None, :, None, :], :]


def run_reference(
    model: Model, x: NDArray[np.int8], *, rounding: Rounding = "tflite", keep: bool = False
) -> dict[int, Codes]:
    """Run a batch.

    Args:
        model: Its QUANTIZE from and DEQUANTIZE to floating point are skipped: inputs and outputs are codes.
        x: Codes, shape (n, ...); several inputs lie one after another, and a uint8 input counts as int8 shifted by 128.
        rounding: Whose, see above.
        keep: Return every tensor, not only the outputs.

    Returns:
        Codes by tensor index, shape (n, *shape[1:]).

    Raises:
        NetworkError: An operator with options that are not supported.
    """
    parts = [_run_block(model, x[k : k + _BLOCK], rounding, keep) for k in range(0, len(x), _BLOCK)]
    return {index: np.concatenate([part[index] for part in parts]) for index in parts[0]}


def _run_block(model: Model, x: NDArray[np.int8], rounding: Rounding, keep: bool) -> dict[int, Codes]:
    values: dict[int, Codes] = {}
    flat, at = x.astype(np.int64).reshape(len(x), -1), 0
    for index in model.inputs:
        tensor = model.tensors[index]
        values[index] = _batched(flat[:, at : at + tensor.size], tensor, len(x))
        at += tensor.size
    for operator in model.operators:
        found = _EXECUTORS[operator.kind](model, operator, _Inputs(model, operator, values, len(x), rounding))
        for index, y in zip(operator.outputs, found if isinstance(found, tuple) else (found,), strict=True):
            values[index] = _batched(y, model.tensors[index], len(x))
    return values if keep else {index: values[index] for index in model.outputs}


def _batched(codes: Codes, tensor: Tensor, batch: int) -> Codes:
    """The inputs' axis in front of the tensor's own, with its batch axis merged into it."""
    return codes.reshape(batch * (tensor.shape[0] if tensor.shape else 1), *tensor.shape[1:])


class _Inputs:
    """Inputs of one operator: activations by batch, constants repeated over it."""

    def __init__(
        self, model: Model, operator: Operator, values: Mapping[int, Codes], batch: int, rounding: Rounding
    ) -> None:
        self._model, self._operator, self._values, self.batch = model, operator, values, batch
        self.rounding = rounding

    def tensor(self, position: int) -> Tensor:
        """The tensor at a position."""
        return self._model.tensors[self._operator.inputs[position]]

    def __getitem__(self, position: int) -> Codes:
        tensor = self.tensor(position)
        if tensor.index in self._values:
            return self._values[tensor.index]
        data = constant(tensor, str(self._operator))
        return np.broadcast_to(data, (self.batch, *data.shape[1:])) if data.ndim and data.shape[0] == 1 else data

    def spread(self, position: int) -> Codes:
        """An operand of arithmetic, with as many axes as the result: missing ones are in front."""
        codes, rank = self[position], len(_out(self._model, self._operator).shape)
        if self.tensor(position).index in self._values:
            return codes.reshape(codes.shape[0], *(1,) * (rank - codes.ndim), *codes.shape[1:])
        return codes


def _out(model: Model, operator: Operator) -> Tensor:
    return model.tensors[operator.outputs[0]]


def requantise(
    acc: Codes, factors: list[Multiplier], zero_point: int, limits: tuple[int, int], *, half_up: bool
) -> Codes:
    """Accumulators, last axis by channel, to codes; ``half_up`` is the second step's rounding."""
    values = np.array([f.value for f in factors], np.int64)
    shifts = np.array([f.shift for f in factors], np.int64)
    return np.clip(multiply(acc, values, shifts, half_up=half_up) + zero_point, *limits)


def bias_of(model: Model, operator: Operator, n: int) -> Codes:
    """The bias, or zeros where it is left out."""
    if len(operator.inputs) < 3 or operator.inputs[2] < 0:
        return np.zeros(n, np.int64)
    return constant(model.tensors[operator.inputs[2]], str(operator)).reshape(-1)


def _convolve(model: Model, operator: Operator, inputs: _Inputs) -> Codes:
    x, w, out = inputs.tensor(0), inputs.tensor(1), _out(model, operator)
    weights = constant(w, str(operator))
    n = weights.shape[0]
    windows = patches(inputs[0], window(operator, x, (w.shape[1], w.shape[2]), out), x.zero_point) - x.zero_point
    flat = windows.reshape(-1, math.prod(w.shape[1:])).astype(np.float64)
    acc = (flat @ weights.reshape(n, -1).T.astype(np.float64)).astype(np.int64) + bias_of(model, operator, n)
    limits = activation_range(int(operator.options["FusedActivationFunction"]), out, str(operator))
    factors = convolution_multipliers(x, w, out, n)
    return requantise(acc, factors, out.zero_point, limits, half_up=inputs.rounding == "tflite")


def _depthwise(model: Model, operator: Operator, inputs: _Inputs) -> Codes:
    x, w, out = inputs.tensor(0), inputs.tensor(1), _out(model, operator)
    weights = constant(w, str(operator))[0]
    n = weights.shape[2]
    windows = patches(inputs[0], window(operator, x, (w.shape[1], w.shape[2]), out), x.zero_point) - x.zero_point
    repeated = np.repeat(windows, n // x.shape[3], axis=-1)
    acc = (repeated * weights).sum(axis=(3, 4)) + bias_of(model, operator, n)
    limits = activation_range(int(operator.options["FusedActivationFunction"]), out, str(operator))
    return requantise(acc, convolution_multipliers(x, w, out, n), out.zero_point, limits, half_up=False)


def _fully_connected(model: Model, operator: Operator, inputs: _Inputs) -> Codes:
    x, w, out = inputs.tensor(0), inputs.tensor(1), _out(model, operator)
    weights = constant(w, str(operator)).astype(np.float64)
    n = weights.shape[0]
    flat = (inputs[0].reshape(inputs.batch, -1) - x.zero_point).astype(np.float64)
    acc = (flat.reshape(-1, weights.shape[1]) @ weights.T).astype(np.int64) + bias_of(model, operator, n)
    limits = activation_range(int(operator.options["FusedActivationFunction"]), out, str(operator))
    factors = convolution_multipliers(x, w, out, n)
    return requantise(acc, factors, out.zero_point, limits, half_up=inputs.rounding == "tflite")


def add_multipliers(a: Tensor, b: Tensor, out: Tensor) -> tuple[Multiplier, Multiplier, Multiplier]:
    """Factors of both inputs and of the sum."""
    twice = 2.0 * max(a.scale, b.scale)
    return (
        quantise_multiplier(a.scale / twice),
        quantise_multiplier(b.scale / twice),
        quantise_multiplier(twice / (2.0**_ADD_SHIFT * out.scale)),
    )


def _add(model: Model, operator: Operator, inputs: _Inputs) -> Codes:
    a, b, out = inputs.tensor(0), inputs.tensor(1), _out(model, operator)
    factors = add_multipliers(a, b, out)
    left, right = (
        multiply((codes - t.zero_point) << _ADD_SHIFT, f.value, f.shift)
        for codes, t, f in ((inputs.spread(0), a, factors[0]), (inputs.spread(1), b, factors[1]))
    )
    limits = activation_range(int(operator.options["FusedActivationFunction"]), out, str(operator))
    total = left - right if operator.kind == "SUB" else left + right
    return np.clip(multiply(total, factors[2].value, factors[2].shift) + out.zero_point, *limits)


def product_multiplier(a: Tensor, b: Tensor, out: Tensor) -> Multiplier:
    """Factor of MUL, in single precision as TFLite computes it."""
    return quantise_multiplier(float(np.float32(a.scale) * np.float32(b.scale) / np.float32(out.scale)))


def _mul(model: Model, operator: Operator, inputs: _Inputs) -> Codes:
    a, b, out = inputs.tensor(0), inputs.tensor(1), _out(model, operator)
    factor = product_multiplier(a, b, out)
    product = (inputs.spread(0) - a.zero_point) * (inputs.spread(1) - b.zero_point)
    limits = activation_range(int(operator.options["FusedActivationFunction"]), out, str(operator))
    return np.clip(multiply(product, factor.value, factor.shift) + out.zero_point, *limits)


def _pool(model: Model, operator: Operator, inputs: _Inputs) -> Codes:
    x, out = inputs.tensor(0), _out(model, operator)
    kernel = int(operator.options["FilterHeight"]), int(operator.options["FilterWidth"])
    outside = -(1 << 20)
    windows = patches(inputs[0], window(operator, x, kernel, out), outside)
    limits = activation_range(int(operator.options["FusedActivationFunction"]), out, str(operator))
    if operator.kind == "MAX_POOL_2D":
        largest: Codes = np.clip(windows.max(axis=(3, 4)), *limits)
        return largest
    inside = windows != outside
    total = np.where(inside, windows, 0).sum(axis=(3, 4))
    count = inside.sum(axis=(3, 4))
    magnitude = (np.abs(total) + count // 2) // count
    mean: Codes = np.clip(np.where(total > 0, magnitude, -magnitude), *limits)
    return mean


def mean_multiplier(x: Tensor, out: Tensor, count: int) -> Multiplier:
    """Factor of MEAN with 1/count in it."""
    factor = quantise_multiplier(x.scale / out.scale)
    shift = min(count.bit_length() - 1, 32, 31 + factor.shift)
    return Multiplier((factor.value << shift) // count, factor.shift - shift)


def mean_axes(operator: Operator, axes: Tensor, rank: int) -> tuple[int, ...]:
    """Axes that MEAN reduces, counted from the front."""
    return tuple(sorted({int(axis) % rank for axis in constant(axes, str(operator)).reshape(-1)}))


def _mean(model: Model, operator: Operator, inputs: _Inputs) -> Codes:
    x, out = inputs.tensor(0), _out(model, operator)
    axes = mean_axes(operator, inputs.tensor(1), len(x.shape))
    count = math.prod(x.shape[axis] for axis in axes)
    total = inputs[0].sum(axis=axes)
    factor = mean_multiplier(x, out, count)
    result: Codes = np.clip(
        multiply(total - x.zero_point * count, factor.value, factor.shift) + out.zero_point, -128, 127
    )
    return result


def softmax_table(x: Tensor, beta: float) -> NDArray[np.float32]:
    """``exp(-scale * beta * distance)`` for distances 0..255 from the largest code, in single precision."""
    steps = np.float32(-np.float32(x.scale) * np.float32(beta)) * np.arange(256, dtype=np.float32)
    return np.exp(steps.astype(np.float64)).astype(np.float32)


def _softmax(model: Model, operator: Operator, inputs: _Inputs) -> Codes:
    x, out = inputs.tensor(0), _out(model, operator)
    table = softmax_table(x, float(operator.options.get("Beta", 1.0)))
    codes = inputs[0].reshape(-1, x.shape[-1])
    powers = table[codes.max(axis=1, keepdims=True) - codes]
    total = np.zeros(len(codes), np.float32)
    for column in powers.T:
        total = total + column
    inverse = np.float32(1.0) / (total * np.float32(out.scale))
    scaled = powers * inverse[:, None]
    result: Codes = np.clip(np.floor(scaled.astype(np.float64) + 0.5).astype(np.int64) + out.zero_point, -128, 127)
    return result


def _by_table(model: Model, operator: Operator, inputs: _Inputs) -> Codes:
    if inputs.tensor(0).dtype == "float32":
        return inputs[0]  # codes come in already quantised
    return np.asarray(code_table(model, operator)[inputs[0] + 128], np.int64)


def _pad(model: Model, operator: Operator, inputs: _Inputs) -> Codes:
    amounts = pad_amounts(model, operator)
    return np.pad(inputs[0], [(0, 0), *amounts[1:]], constant_values=pad_code(model, operator))


def _concatenate(model: Model, operator: Operator, inputs: _Inputs) -> Codes:
    axis = int(operator.options["Axis"]) % len(_out(model, operator).shape)
    return np.concatenate([inputs[k] for k in range(len(operator.inputs))], axis=axis)


def _slice(model: Model, operator: Operator, inputs: _Inputs) -> tuple[Codes, ...]:
    x = inputs[sliced(operator)]
    return tuple(
        x[(slice(None), *(slice(a, a + n) for a, n in slice_of(model, operator, k)[1:]))]
        for k in range(len(operator.outputs))
    )


def _same(model: Model, operator: Operator, inputs: _Inputs) -> Codes:
    return inputs[0]


_EXECUTORS: Final[Mapping[str, Callable[[Model, Operator, _Inputs], Any]]] = {
    "CONV_2D": _convolve,
    "DEPTHWISE_CONV_2D": _depthwise,
    "FULLY_CONNECTED": _fully_connected,
    "ADD": _add,
    "SUB": _add,
    "MUL": _mul,
    "AVERAGE_POOL_2D": _pool,
    "MAX_POOL_2D": _pool,
    "MEAN": _mean,
    "SOFTMAX": _softmax,
    "PAD": _pad,
    "PADV2": _pad,
    "CONCATENATION": _concatenate,
    **dict.fromkeys(SLICES, _slice),
    **dict.fromkeys(TABLE_OPERATORS, _by_table),
    **dict.fromkeys(("RESHAPE", "SQUEEZE", "EXPAND_DIMS", "TRANSPOSE", "DEQUANTIZE"), _same),
}
