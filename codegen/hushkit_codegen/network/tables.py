"""Operators that take one code to one code: a table of 256, computed as TensorFlow Lite computes it."""

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray

from hushkit_codegen.network.errors import NetworkError
from hushkit_codegen.network.graph import Model, Operator, Tensor
from hushkit_codegen.network.rounding import multiply, quantise_multiplier

_RECTIFIERS: Final = {"RELU": 1, "RELU6": 3, "RELU_N1_TO_1": 2}
TABLE_OPERATORS: Final = (*_RECTIFIERS, "LEAKY_RELU", "LOGISTIC", "TANH", "QUANTIZE")
_UINT8_OFFSET: Final = 128  # uint8 ends are codes shifted by this, see code_table


def activation_range(code: int, out: Tensor, label: str) -> tuple[int, int]:
    """Smallest and largest code behind a fused activation (0 none, 1 RELU, 2 RELU_N1_TO_1, 3 RELU6)."""
    bounds = {0: (-math.inf, math.inf), 1: (0.0, math.inf), 2: (-1.0, 1.0), 3: (0.0, 6.0)}
    if code not in bounds:
        raise NetworkError(f"{label}: fused activation {code} is not supported, expected none, RELU, RELU6; unfuse it")
    low, high = (
        limit if math.isinf(real) else out.zero_point + _round_half_away_f32(real, out.scale)
        for real, limit in zip(bounds[code], (-128, 127), strict=True)
    )
    return int(max(low, -128)), int(min(high, 127))


def _round_half_away_f32(real: float, scale: float) -> int:
    x = float(np.float32(real) / np.float32(scale))
    return int(math.copysign(math.floor(abs(x) + 0.5), x))


def code_table(model: Model, operator: Operator) -> NDArray[np.int8]:
    """Result for each of the 256 codes, from -128 up.

    The runtime's ends are int8: a uint8 tensor, which only QUANTIZE may have, counts as int8 shifted by 128.
    """
    x, out = model.tensors[operator.inputs[0]], model.tensors[operator.outputs[0]]
    codes = np.arange(-128, 128, dtype=np.int64)
    if operator.kind in {"LOGISTIC", "TANH"}:
        return _from_real(operator.kind, codes, x, out)
    shifted = codes - _int8_zero(x)
    one = np.float32(1.0)  # TFLite divides scales in single precision here, in double for QUANTIZE
    if operator.kind == "LEAKY_RELU":
        slope = np.float32(operator.options["Alpha"])
        if slope < 0:
            raise NetworkError(f"{operator}: found slope {slope}, expected 0 or more; replace it before export")
        factors = [quantise_multiplier(float(np.float32(x.scale) * k / np.float32(out.scale))) for k in (one, slope)]
        same, leaking = (multiply(shifted, f.value, f.shift) for f in factors)
        result = np.where(shifted >= 0, same, leaking)
    elif operator.kind in _RECTIFIERS:
        factor = quantise_multiplier(float(np.float32(x.scale) / np.float32(out.scale)))
        result = multiply(shifted, factor.value, factor.shift)
    else:
        factor = quantise_multiplier(x.scale / out.scale)
        result = multiply(shifted, factor.value, factor.shift)
    fused = _RECTIFIERS.get(operator.kind, 0)
    limits = activation_range(fused, out, str(operator))
    table: NDArray[np.int8] = np.clip(result + _int8_zero(out), *limits).astype(np.int8)
    return table


def _int8_zero(tensor: Tensor) -> int:
    return tensor.zero_point - (_UINT8_OFFSET if tensor.dtype == "uint8" else 0)


def _from_real(kind: str, codes: NDArray[np.int64], x: Tensor, out: Tensor) -> NDArray[np.int8]:
    real = (codes - x.zero_point).astype(np.float32) * np.float32(x.scale)
    if kind == "LOGISTIC":
        with np.errstate(over="ignore"):  # infinity gives 0, as in C
            power = np.exp(-real.astype(np.float64)).astype(np.float32)  # rounded as the C library rounds its expf
        value = (np.float32(1.0) / (np.float32(1.0) + power)).astype(np.float32)
    else:
        value = np.tanh(real.astype(np.float64)).astype(np.float32)
    scaled = (value / np.float32(out.scale)).astype(np.float64)
    rounded = np.copysign(np.floor(np.abs(scaled) + 0.5), scaled)
    table: NDArray[np.int8] = np.clip(rounded + out.zero_point, -128, 127).astype(np.int8)
    return table
