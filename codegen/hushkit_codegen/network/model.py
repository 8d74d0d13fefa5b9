"""Read an INT8 ``.tflite`` file: tensors with their quantisation, operators with their options, all of it checked.

Source: the TensorFlow Lite schema, version 3, through the generated readers of the package ``tflite``.
"""

import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import tflite
from numpy.typing import NDArray

from hushkit_codegen.network.errors import NetworkError

SCHEMA_VERSION: Final = 3

_DTYPES: Final[dict[int, Any]] = {
    tflite.TensorType.INT8: np.int8,
    tflite.TensorType.INT16: np.int16,
    tflite.TensorType.INT32: np.int32,
    tflite.TensorType.INT64: np.int64,
    tflite.TensorType.FLOAT32: np.float32,
}
_TYPE_NAMES: Final = {value: name for name, value in vars(tflite.TensorType).items() if isinstance(value, int)}
_OPERATOR_NAMES: Final = {value: name for name, value in vars(tflite.BuiltinOperator).items() if isinstance(value, int)}

_CONVOLUTION: Final = ("Padding", "StrideW", "StrideH", "DilationWFactor", "DilationHFactor", "FusedActivationFunction")
_POOL: Final = ("Padding", "StrideW", "StrideH", "FilterWidth", "FilterHeight", "FusedActivationFunction")

OPTIONS: Final[Mapping[str, tuple[str, tuple[str, ...]]]] = {
    "CONV_2D": ("Conv2DOptions", _CONVOLUTION),
    "DEPTHWISE_CONV_2D": ("DepthwiseConv2DOptions", (*_CONVOLUTION, "DepthMultiplier")),
    "FULLY_CONNECTED": ("FullyConnectedOptions", ("FusedActivationFunction", "WeightsFormat")),
    "ADD": ("AddOptions", ("FusedActivationFunction",)),
    "MUL": ("MulOptions", ("FusedActivationFunction",)),
    "AVERAGE_POOL_2D": ("Pool2DOptions", _POOL),
    "MAX_POOL_2D": ("Pool2DOptions", _POOL),
    "MEAN": ("ReducerOptions", ("KeepDims",)),
    "CONCATENATION": ("ConcatenationOptions", ("Axis", "FusedActivationFunction")),
    "SOFTMAX": ("SoftmaxOptions", ("Beta",)),
    "RESHAPE": ("", ()),
    "PAD": ("", ()),
    "LOGISTIC": ("", ()),
    "RELU": ("", ()),
    "RELU6": ("", ()),
    "QUANTIZE": ("", ()),
    "DEQUANTIZE": ("", ()),
    "TRANSPOSE": ("", ()),
}
"""Operators the compiler knows: the schema's options table and the fields read from it."""


@dataclass(frozen=True, slots=True)
class Tensor:
    """One tensor.

    Attributes:
        index: In the file.
        name: In the file.
        shape: All known; batch is 1.
        dtype: NumPy's name: ``"int8"``, ``"int16"``, ``"int32"``, ``"float32"``.
        scales: Real value of one step, one or one per channel along ``axis``; empty without quantisation.
        zero_points: As ``scales``.
        axis: Channel axis of ``scales``.
        data: Contents of a constant, else None.
    """

    index: int
    name: str
    shape: tuple[int, ...]
    dtype: str
    scales: tuple[float, ...]
    zero_points: tuple[int, ...]
    axis: int
    data: NDArray[Any] | None

    @property
    def scale(self) -> float:
        """The only scale."""
        return self.scales[0]

    @property
    def zero_point(self) -> int:
        """The only zero point."""
        return self.zero_points[0]

    @property
    def size(self) -> int:
        """Elements."""
        return math.prod(self.shape)


@dataclass(frozen=True, slots=True)
class Operator:
    """One operator; ``inputs`` holds -1 where an optional input is left out."""

    index: int
    kind: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    options: Mapping[str, float]

    def __str__(self) -> str:
        return f"operator {self.index} ({self.kind})"


@dataclass(frozen=True, slots=True)
class Model:
    """One model with one subgraph; ``digest`` is the SHA-256 of its file."""

    name: str
    digest: bytes
    tensors: tuple[Tensor, ...]
    operators: tuple[Operator, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]


def read_model(path: Path) -> Model:
    """Read and check a model.

    Raises:
        NetworkError: No such file, not TFLite, another schema, more than one subgraph, an operator we do not know, a
            shape that is not fixed, or a tensor in floating point where integers are expected.
    """
    try:
        content = path.read_bytes()
    except OSError as err:
        raise NetworkError(f"{path}: cannot read ({err.strerror}); name an INT8 .tflite file") from err
    return parse_model(content, path.name)


def parse_model(content: bytes, name: str) -> Model:
    """As :func:`read_model`, from the file's bytes."""
    if len(content) < 8 or content[4:8] != b"TFL3":
        found = content[4:8] if len(content) >= 8 else content
        raise NetworkError(f"{name}: found identifier {found!r}, expected b'TFL3'; name a .tflite file")
    try:
        return _parse(content, name)
    except (IndexError, ValueError, TypeError, OverflowError, UnicodeDecodeError) as err:
        raise NetworkError(f"{name}: the file is damaged ({err}); export the model again") from err
    except Exception as err:
        if type(err).__module__ != "struct":
            raise
        raise NetworkError(f"{name}: the file is cut short ({err}); export the model again") from err


def _parse(content: bytes, name: str) -> Model:
    root = tflite.Model.GetRootAsModel(content, 0)
    if root.Version() != SCHEMA_VERSION:
        raise NetworkError(f"{name}: found schema {root.Version()}, expected {SCHEMA_VERSION}; convert the model again")
    if root.SubgraphsLength() != 1:
        raise NetworkError(
            f"{name}: found {root.SubgraphsLength()} subgraphs, expected 1; export without control flow or signatures"
        )
    graph = root.Subgraphs(0)
    tensors = tuple(_tensor(root, graph, index, name) for index in range(graph.TensorsLength()))
    operators = tuple(_operator(root, graph, index, name) for index in range(graph.OperatorsLength()))
    inputs, outputs = (tuple(int(t) for t in ends) for ends in (graph.InputsAsNumpy(), graph.OutputsAsNumpy()))
    model = Model(name, hashlib.sha256(content).digest(), tensors, operators, inputs, outputs)
    _check_types(model)
    return model


def _ints(value: Any) -> tuple[int, ...]:
    return () if isinstance(value, int) else tuple(int(v) for v in value)


def _tensor(root: Any, graph: Any, index: int, name: str) -> Tensor:
    raw = graph.Tensors(index)
    label = (raw.Name() or b"").decode()
    shape, signature = _ints(raw.ShapeAsNumpy()), _ints(raw.ShapeSignatureAsNumpy())
    if any(n < 1 for n in shape) or any(n < 0 for n in signature[1:]):
        raise NetworkError(
            f"{name}: tensor {index} ({label}) has shape {signature or shape}, expected fixed sizes; "
            "export with a fixed input shape and batch 1"
        )
    if raw.Type() not in _DTYPES:
        kind = _TYPE_NAMES.get(raw.Type(), raw.Type())
        raise NetworkError(f"{name}: tensor {index} ({label}) is {kind}, expected INT8; quantise the model to INT8")
    dtype = np.dtype(_DTYPES[raw.Type()])
    q = raw.Quantization()
    scales = tuple(float(s) for s in q.ScaleAsNumpy()) if q is not None and q.ScaleLength() else ()
    zeros = tuple(int(z) for z in q.ZeroPointAsNumpy()) if scales else ()
    bytes_ = root.Buffers(raw.Buffer()).DataAsNumpy()
    data = None
    if not isinstance(bytes_, int) and len(bytes_):
        if len(bytes_) != math.prod(shape) * dtype.itemsize:
            raise NetworkError(
                f"{name}: tensor {index} ({label}) holds {len(bytes_)} bytes, expected "
                f"{math.prod(shape) * dtype.itemsize} for {dtype} {shape}; export the model again"
            )
        data = np.frombuffer(bytes_.tobytes(), dtype).reshape(shape)
    if any(not s > 0.0 or not math.isfinite(s) for s in scales):
        raise NetworkError(f"{name}: tensor {index} ({label}) has a scale that is not positive; quantise it again")
    axis = int(q.QuantizedDimension()) if scales else 0
    return Tensor(index, label, shape, dtype.name, scales, zeros, axis, data)


def _operator(root: Any, graph: Any, index: int, name: str) -> Operator:
    raw = graph.Operators(index)
    code = root.OperatorCodes(raw.OpcodeIndex())
    number = max(int(code.BuiltinCode()), int(code.DeprecatedBuiltinCode()))
    kind = _OPERATOR_NAMES.get(number, f"builtin {number}")
    if kind not in OPTIONS:
        outputs = ", ".join((graph.Tensors(int(t)).Name() or b"").decode() for t in raw.OutputsAsNumpy())
        raise NetworkError(
            f"{name}: operator {index} is {kind} (output {outputs}), which is not supported; "
            f"expected one of {', '.join(sorted(OPTIONS))}; replace it before export"
        )
    table, fields = OPTIONS[kind]
    options: dict[str, float] = {}
    if table and raw.BuiltinOptions() is not None:
        union = getattr(tflite, table)()
        union.Init(raw.BuiltinOptions().Bytes, raw.BuiltinOptions().Pos)
        options = {field: getattr(union, field)() for field in fields}
    return Operator(index, kind, _ints(raw.InputsAsNumpy()), _ints(raw.OutputsAsNumpy()), options)


def _check_types(model: Model) -> None:
    for operator in model.operators:
        for position, at in enumerate(operator.inputs + operator.outputs):
            if at < 0:
                continue
            tensor = model.tensors[at]
            is_output = position >= len(operator.inputs)
            floating = tensor.dtype == "float32"
            at_border = (operator.kind == "QUANTIZE" and not is_output) or (operator.kind == "DEQUANTIZE" and is_output)
            if floating and not at_border:
                raise NetworkError(
                    f"{model.name}: {operator} has tensor {at} ({tensor.name}) in FLOAT32, expected INT8; "
                    "quantise weights and activations to INT8"
                )
            if tensor.dtype == "int8" and not tensor.scales and tensor.data is None:
                raise NetworkError(
                    f"{model.name}: {operator} has tensor {at} ({tensor.name}) without a scale; quantise it again"
                )
