"""Read an INT8 ``.tflite`` file: tensors with their quantisation, operators with their options, all of it checked.

Source: the TensorFlow Lite schema, version 3, through the generated readers of the package ``tflite``.
"""

import hashlib
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
import tflite

from hushkit_codegen.network.checks import check
from hushkit_codegen.network.errors import NetworkError
from hushkit_codegen.network.folding import without_shape_arithmetic
from hushkit_codegen.network.graph import Model, Operator, Tensor

SCHEMA_VERSION: Final = 3

_DTYPES: Final[dict[int, Any]] = {
    tflite.TensorType.INT8: np.int8,
    tflite.TensorType.UINT8: np.uint8,
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
    "SUB": ("SubOptions", ("FusedActivationFunction",)),
    "MUL": ("MulOptions", ("FusedActivationFunction",)),
    "AVERAGE_POOL_2D": ("Pool2DOptions", _POOL),
    "MAX_POOL_2D": ("Pool2DOptions", _POOL),
    "MEAN": ("ReducerOptions", ("KeepDims",)),
    "CONCATENATION": ("ConcatenationOptions", ("Axis", "FusedActivationFunction")),
    "SOFTMAX": ("SoftmaxOptions", ("Beta",)),
    "LEAKY_RELU": ("LeakyReluOptions", ("Alpha",)),
    "SPLIT": ("SplitOptions", ("NumSplits",)),
    "STRIDED_SLICE": (
        "StridedSliceOptions", ("BeginMask", "EndMask", "EllipsisMask", "NewAxisMask", "ShrinkAxisMask"),
    ),
    **dict.fromkeys(
        (
            "RESHAPE", "SQUEEZE", "EXPAND_DIMS", "PAD", "PADV2", "LOGISTIC", "TANH", "RELU", "RELU6", "RELU_N1_TO_1",
            "QUANTIZE", "DEQUANTIZE", "TRANSPOSE", "SLICE",
        ),
        ("", ()),
    ),
}  # fmt: skip
"""Operators the compiler knows: the schema's options table and the fields read from it."""


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
    operators = tuple(_operator(root, graph, index) for index in range(graph.OperatorsLength()))
    inputs, outputs = (tuple(int(t) for t in ends) for ends in (graph.InputsAsNumpy(), graph.OutputsAsNumpy()))
    model = without_shape_arithmetic(Model(name, hashlib.sha256(content).digest(), tensors, operators, inputs, outputs))
    check(model, OPTIONS)
    return model


def _ints(value: Any) -> tuple[int, ...]:
    return () if isinstance(value, int) else tuple(int(v) for v in value)


def _tensor(root: Any, graph: Any, index: int, name: str) -> Tensor:
    raw = graph.Tensors(index)
    label = (raw.Name() or b"").decode()
    shape, signature = _ints(raw.ShapeAsNumpy()), _ints(raw.ShapeSignatureAsNumpy())
    kind = _TYPE_NAMES.get(raw.Type(), str(raw.Type()))
    dtype = np.dtype(_DTYPES[raw.Type()]) if raw.Type() in _DTYPES else None
    is_activation = dtype is None or dtype.name not in {"int32", "int64"}
    if is_activation and (any(n < 1 for n in shape) or any(n < 0 for n in signature[1:])):
        raise NetworkError(
            f"{name}: tensor {index} ({label}) has shape {signature or shape}, expected fixed sizes; "
            "export with a fixed input shape and batch 1"
        )
    q = raw.Quantization()
    scales = tuple(float(s) for s in q.ScaleAsNumpy()) if q is not None and q.ScaleLength() else ()
    zeros = tuple(int(z) for z in q.ZeroPointAsNumpy()) if scales else ()
    bytes_ = root.Buffers(raw.Buffer()).DataAsNumpy()
    data = None
    if dtype is not None and not isinstance(bytes_, int) and len(bytes_):
        if len(bytes_) != math.prod(shape) * dtype.itemsize:
            raise NetworkError(
                f"{name}: tensor {index} ({label}) holds {len(bytes_)} bytes, expected "
                f"{math.prod(shape) * dtype.itemsize} for {dtype} {shape}; export the model again"
            )
        data = np.frombuffer(bytes_.tobytes(), dtype).reshape(shape)
    if any(not s > 0.0 or not math.isfinite(s) for s in scales):
        raise NetworkError(f"{name}: tensor {index} ({label}) has a scale that is not positive; quantise it again")
    axis = int(q.QuantizedDimension()) if scales else 0
    return Tensor(index, label, shape, dtype.name if dtype else kind, scales, zeros, axis, data)


def _operator(root: Any, graph: Any, index: int) -> Operator:
    raw = graph.Operators(index)
    code = root.OperatorCodes(raw.OpcodeIndex())
    number = max(int(code.BuiltinCode()), int(code.DeprecatedBuiltinCode()))
    kind = _OPERATOR_NAMES.get(number, f"builtin {number}")
    table, fields = OPTIONS.get(kind, ("", ()))
    options: dict[str, float] = {}
    if table and raw.BuiltinOptions() is not None:
        union = getattr(tflite, table)()
        union.Init(raw.BuiltinOptions().Bytes, raw.BuiltinOptions().Pos)
        options = {field: getattr(union, field)() for field in fields}
    return Operator(index, kind, _ints(raw.InputsAsNumpy()), _ints(raw.OutputsAsNumpy()), options)
