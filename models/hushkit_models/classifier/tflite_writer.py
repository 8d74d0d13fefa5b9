"""Write INT8 ``.tflite`` files: tensors and operators in, a flatbuffer out, the same bytes each time."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import flatbuffers
import numpy as np
import tflite
from numpy.typing import NDArray

SCHEMA_VERSION: Final = 3


@dataclass(frozen=True, slots=True)
class Quantisation:
    """real = scale * (stored - zero_point); per channel along ``axis`` when there is more than one scale."""

    scale: tuple[float, ...]
    zero_point: int = 0
    axis: int = 0


@dataclass(frozen=True, slots=True)
class Tensor:
    """One tensor; ``data`` makes it a constant."""

    name: str
    shape: tuple[int, ...]
    dtype: str
    quantisation: Quantisation | None = None
    data: NDArray[Any] | None = None


@dataclass(frozen=True, slots=True)
class Operator:
    """One operator: its name in the schema, tensor indices, options as the schema's builder functions take them."""

    name: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    options: str = ""
    fields: tuple[tuple[str, int | bool], ...] = ()
    version: int = 1


@dataclass(slots=True)
class Graph:
    """Tensors and operators in order; built up by :meth:`tensor` and :meth:`operator`."""

    tensors: list[Tensor] = field(default_factory=list)
    operators: list[Operator] = field(default_factory=list)
    inputs: list[int] = field(default_factory=list)
    outputs: list[int] = field(default_factory=list)

    def tensor(self, tensor: Tensor) -> int:
        """Add a tensor; returns its index."""
        self.tensors.append(tensor)
        return len(self.tensors) - 1

    def operator(self, operator: Operator) -> int:
        """Add an operator; returns the index of its first output."""
        self.operators.append(operator)
        return operator.outputs[0]


_TYPES: Final = {
    "int8": tflite.TensorType.INT8,
    "uint8": tflite.TensorType.UINT8,
    "int32": tflite.TensorType.INT32,
    "float32": tflite.TensorType.FLOAT32,
}


def write_tflite(graph: Graph, *, description: str) -> bytes:
    """Serialise a graph.

    Args:
        graph: Constants and activations, operators in order of execution.
        description: Stored in the model.

    Returns:
        The file's bytes, with the identifier ``TFL3``.
    """
    b = flatbuffers.Builder(1 << 16)
    codes = sorted({(operator.name, operator.version) for operator in graph.operators})
    buffers = [_buffer(b, None)]
    tensors = []
    for tensor in graph.tensors:
        index = 0
        if tensor.data is not None:
            buffers.append(_buffer(b, np.ascontiguousarray(tensor.data)))
            index = len(buffers) - 1
        tensors.append(_tensor(b, tensor, index))
    operators = [_operator(b, operator, codes.index((operator.name, operator.version))) for operator in graph.operators]
    subgraph = _subgraph(b, graph, tensors, operators)
    operator_codes = [_code(b, name, version) for name, version in codes]
    text = b.CreateString(description)
    vectors = {
        "OperatorCodes": _offsets(b, tflite.ModelStartOperatorCodesVector, operator_codes),
        "Subgraphs": _offsets(b, tflite.ModelStartSubgraphsVector, [subgraph]),
        "Buffers": _offsets(b, tflite.ModelStartBuffersVector, buffers),
    }
    tflite.ModelStart(b)
    tflite.ModelAddVersion(b, SCHEMA_VERSION)
    tflite.ModelAddOperatorCodes(b, vectors["OperatorCodes"])
    tflite.ModelAddSubgraphs(b, vectors["Subgraphs"])
    tflite.ModelAddDescription(b, text)
    tflite.ModelAddBuffers(b, vectors["Buffers"])
    b.Finish(tflite.ModelEnd(b), file_identifier=b"TFL3")
    return bytes(b.Output())


def _offsets(b: flatbuffers.Builder, start: Callable[..., Any], offsets: Sequence[int]) -> int:
    start(b, len(offsets))
    for offset in reversed(offsets):
        b.PrependUOffsetTRelative(offset)
    return int(b.EndVector())


def _buffer(b: flatbuffers.Builder, data: NDArray[Any] | None) -> int:
    if data is None:
        tflite.BufferStart(b)
        return int(tflite.BufferEnd(b))
    raw = data.tobytes()
    b.StartVector(1, len(raw), 16)
    b.head -= len(raw)
    b.Bytes[b.head : b.head + len(raw)] = raw
    vector = b.EndVector()
    tflite.BufferStart(b)
    tflite.BufferAddData(b, vector)
    return int(tflite.BufferEnd(b))


def _tensor(b: flatbuffers.Builder, tensor: Tensor, buffer: int) -> int:
    name = b.CreateString(tensor.name)
    shape = b.CreateNumpyVector(np.array(tensor.shape, np.int32))
    quantisation = None
    if tensor.quantisation is not None:
        q = tensor.quantisation
        scale = b.CreateNumpyVector(np.array(q.scale, np.float32))
        zero = b.CreateNumpyVector(np.full(len(q.scale), q.zero_point, np.int64))
        tflite.QuantizationParametersStart(b)
        tflite.QuantizationParametersAddScale(b, scale)
        tflite.QuantizationParametersAddZeroPoint(b, zero)
        tflite.QuantizationParametersAddQuantizedDimension(b, q.axis)
        quantisation = tflite.QuantizationParametersEnd(b)
    tflite.TensorStart(b)
    tflite.TensorAddShape(b, shape)
    tflite.TensorAddType(b, _TYPES[tensor.dtype])
    tflite.TensorAddBuffer(b, buffer)
    tflite.TensorAddName(b, name)
    if quantisation is not None:
        tflite.TensorAddQuantization(b, quantisation)
    return int(tflite.TensorEnd(b))


def _operator(b: flatbuffers.Builder, operator: Operator, code: int) -> int:
    inputs = b.CreateNumpyVector(np.array(operator.inputs, np.int32))
    outputs = b.CreateNumpyVector(np.array(operator.outputs, np.int32))
    options = None
    if operator.options:
        getattr(tflite, f"{operator.options}Start")(b)
        for name, value in operator.fields:
            getattr(tflite, f"{operator.options}Add{name}")(b, value)
        options = getattr(tflite, f"{operator.options}End")(b)
    tflite.OperatorStart(b)
    tflite.OperatorAddOpcodeIndex(b, code)
    tflite.OperatorAddInputs(b, inputs)
    tflite.OperatorAddOutputs(b, outputs)
    if options is not None:
        tflite.OperatorAddBuiltinOptionsType(b, getattr(tflite.BuiltinOptions, operator.options))
        tflite.OperatorAddBuiltinOptions(b, options)
    return int(tflite.OperatorEnd(b))


def _code(b: flatbuffers.Builder, name: str, version: int) -> int:
    number = getattr(tflite.BuiltinOperator, name)
    tflite.OperatorCodeStart(b)
    tflite.OperatorCodeAddDeprecatedBuiltinCode(b, min(number, 127))
    tflite.OperatorCodeAddVersion(b, version)
    tflite.OperatorCodeAddBuiltinCode(b, number)
    return int(tflite.OperatorCodeEnd(b))


def _subgraph(b: flatbuffers.Builder, graph: Graph, tensors: Sequence[int], operators: Sequence[int]) -> int:
    name = b.CreateString("main")
    tensor_vector = _offsets(b, tflite.SubGraphStartTensorsVector, tensors)
    operator_vector = _offsets(b, tflite.SubGraphStartOperatorsVector, operators)
    inputs = b.CreateNumpyVector(np.array(graph.inputs, np.int32))
    outputs = b.CreateNumpyVector(np.array(graph.outputs, np.int32))
    tflite.SubGraphStart(b)
    tflite.SubGraphAddTensors(b, tensor_vector)
    tflite.SubGraphAddInputs(b, inputs)
    tflite.SubGraphAddOutputs(b, outputs)
    tflite.SubGraphAddOperators(b, operator_vector)
    tflite.SubGraphAddName(b, name)
    return int(tflite.SubGraphEnd(b))
