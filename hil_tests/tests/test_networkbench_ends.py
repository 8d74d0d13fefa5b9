"""Models whose ends are not one int8 tensor each, held against tflite-runtime on this machine."""

from collections.abc import Callable

import numpy as np
import pytest
from hushkit_codegen.network.blob import compile_model
from hushkit_codegen.network.builder import Builder
from hushkit_codegen.network.model import parse_model
from hushkit_codegen.network.reference import run_reference
from hushkit_hil.networkbench.program import network_inputs, output_hash, run_networks
from hushkit_hil.networkbench.rows import golden_outputs
from hushkit_models.classifier.tflite_writer import Operator, Quantisation, Tensor

_INPUTS = 17


def _uint8_ends() -> bytes:
    b = Builder((1, 6, 5, 3), 1)
    q = b.quantisation()
    raw = b.graph.tensor(Tensor("raw", b.shape(), "uint8", Quantisation(q.scale, q.zero_point + 128)))
    b.graph.inputs[:] = [raw]
    b.graph.operator(Operator("QUANTIZE", (raw,), (b.at,), "QuantizeOptions"))
    b.conv(4, (3, 3))
    q = b.quantisation()
    out = b.graph.tensor(Tensor("bytes", b.shape(), "uint8", Quantisation(q.scale, q.zero_point + 128)))
    b.at = b.graph.operator(Operator("QUANTIZE", (b.at,), (out,), "QuantizeOptions", version=2))
    return b.finish()


def _float_ends() -> bytes:
    b = Builder((1, 6, 5, 3), 2)
    raw = b.graph.tensor(Tensor("raw", b.shape(), "float32"))
    b.graph.inputs[:] = [raw]
    b.graph.operator(Operator("QUANTIZE", (raw,), (b.at,), "QuantizeOptions"))
    b.depthwise((3, 3))
    out = b.graph.tensor(Tensor("real", b.shape(), "float32"))
    b.at = b.graph.operator(Operator("DEQUANTIZE", (b.at,), (out,), "DequantizeOptions", version=2))
    return b.finish()


def _two_inputs_and_outputs() -> bytes:
    b = Builder((1, 4, 4, 5), 3)
    second = b.graph.tensor(Tensor("second", (1, 1, 1, 5), "int8", b.codes()))
    b.graph.inputs.append(second)
    first = b.at
    fields = (("FusedActivationFunction", 0),)
    b.apply("ADD", (first, second), b.shape(), "AddOptions", fields, quantisation=b.codes(0.1))
    b.graph.outputs.append(b.at)
    b.mean()
    b.dense(3)
    return b.finish()


def _computed_shape() -> bytes:
    """As Keras exports a flatten with a dynamic batch: SHAPE, STRIDED_SLICE and PACK in front of RESHAPE."""
    b = Builder((1, 4, 3, 5), 4)
    b.conv(6, (2, 2))
    sizes = b.graph.tensor(Tensor("sizes", (4,), "int32"))
    b.graph.operator(Operator("SHAPE", (b.at,), (sizes,), "ShapeOptions", (("OutType", 2),)))
    bounds = tuple(b.constant(f"b{k}", np.array([v], np.int32)) for k, v in enumerate((0, 1, 1)))
    batch = b.graph.tensor(Tensor("batch", (), "int32"))
    masks = (("BeginMask", 0), ("EndMask", 0), ("EllipsisMask", 0), ("NewAxisMask", 0), ("ShrinkAxisMask", 1))
    b.graph.operator(Operator("STRIDED_SLICE", (sizes, *bounds), (batch,), "StridedSliceOptions", masks))
    rest = b.constant("rest", np.array(-1, np.int32))
    target = b.graph.tensor(Tensor("target", (2,), "int32"))
    b.graph.operator(Operator("PACK", (batch, rest), (target,), "PackOptions", (("ValuesCount", 2), ("Axis", 0))))
    q = b.quantisation()
    b.apply("RESHAPE", (b.at, target), (1, 72), version=1, quantisation=q)
    b.dense(4)
    return b.finish()


def _view_beside_its_source() -> bytes:
    """A reshape whose source is needed once more: neither may be worked on in place while the other lives."""
    b = Builder((1, 4, 3, 6), 5)
    b.conv(6, (1, 1))
    source, q = b.at, b.quantisation()
    b.reshape((1, 72))
    b.same("RELU", quantisation=q)
    b.reshape((1, 4, 3, 6))
    fields = (("FusedActivationFunction", 0),)
    b.apply("ADD", (source, b.at), b.shape(), "AddOptions", fields, quantisation=b.codes(0.3))
    return b.finish()


@pytest.mark.parametrize("core", ["cortex-m4", "cortex-m55"])
@pytest.mark.parametrize(
    "make", [_uint8_ends, _float_ends, _two_inputs_and_outputs, _computed_shape, _view_beside_its_source]
)
def test_ends_of_any_type_equal_tflite_runtime(make: Callable[[], bytes], core: str) -> None:
    content = make()
    model = parse_model(content, make.__name__)
    x = network_inputs(_INPUTS, sum(model.tensors[t].size for t in model.inputs))

    expected = np.stack(list(golden_outputs(content, model, x)))
    reference = run_reference(model, x)
    (run,) = run_networks([compile_model(model, core)], "host", inputs=_INPUTS)

    joined = np.concatenate([reference[t].reshape(_INPUTS, -1) for t in model.outputs], axis=1)
    np.testing.assert_array_equal(joined, expected)
    assert run == tuple(output_hash(row) for row in expected)
