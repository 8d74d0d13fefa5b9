import zlib

import numpy as np
import pytest
import tflite
from hushkit_codegen.network.arena import pack
from hushkit_codegen.network.blob import compile_model
from hushkit_codegen.network.errors import NetworkError
from hushkit_codegen.network.lower import lower
from hushkit_codegen.network.model import parse_model
from hushkit_codegen.network.probes import PROBES, probe
from hushkit_codegen.network.ranges import find_bounds, find_dropped
from hushkit_codegen.network.streams import matrix_stream
from hushkit_models.classifier.tflite_writer import Graph, Operator, Quantisation, Tensor, write_tflite


@pytest.mark.parametrize("name", PROBES)
def test_compile_is_pure_and_checked(name: str) -> None:
    model = parse_model(probe(name), name)

    compiled = compile_model(model, "cortex-m4")

    assert compiled == compile_model(model, "cortex-m4")
    assert int.from_bytes(compiled.blob[8:12], "little") == len(compiled.blob)
    assert int.from_bytes(compiled.blob[12:16], "little") == zlib.crc32(compiled.blob[16:])


def test_arena_works_in_place_through_a_separable_block() -> None:
    steps, first, last = lower(parse_model(probe("separable"), "separable"), "tflite")

    arena = pack(steps, first, last)

    depthwise = next(step for step in steps if step.source == "DEPTHWISE_CONV_2D")
    assert arena.values[depthwise.out.name] == arena.values[depthwise.first.name]


def test_reshape_in_front_of_fully_connected_costs_no_step() -> None:
    compiled = compile_model(parse_model(probe("flatten_dense"), "probe"), "cortex-m4")

    assert compiled.operators == ("TRANSPOSE", "FULLY_CONNECTED")  # the input's order, then the matrix


def test_dead_channel_is_folded_into_the_bias() -> None:
    model = parse_model(_network_with_dead_channel(), "dead")
    bounds = find_bounds(model, "tflite")

    dropped = find_dropped(model, bounds)
    steps, _, _ = lower(model, "tflite")

    assert dropped[model.operators[0].outputs[0]].tolist() == [False, True, False, False]
    assert [step.out.channels for step in steps if step.source == "CONV_2D"] == [3, 2]


def test_matrix_stream_takes_sums_apart_before_they_overflow() -> None:
    weights = np.full((4, 1200), 127, np.int64)

    _, segment = matrix_stream(weights, np.ones((4, 4), np.int32), "wide")

    assert segment * 2 * 127 * 128 < 1 << 23
    assert segment > 100


def test_weight_outside_the_specification_is_refused() -> None:
    weights = np.array([[-1, 0], [-128, 0]], np.int64)

    with pytest.raises(NetworkError, match="-128"):
        matrix_stream(weights, np.ones((2, 4), np.int32), "odd")


def test_unknown_core_is_refused() -> None:
    with pytest.raises(NetworkError, match="cortex-m0"):
        compile_model(parse_model(probe("dense"), "dense"), "cortex-m0")


def test_cut_file_is_refused() -> None:
    content = probe("separable")

    for end in (4, 7, 100, len(content) // 2):
        with pytest.raises(NetworkError):
            compile_model(parse_model(content[:end], "cut"), "cortex-m4")


def test_unsupported_operator_is_named() -> None:
    graph = Graph()
    q = Quantisation((0.05,), 0)
    at = graph.tensor(Tensor("input", (1, 4), "int8", q))
    out = graph.tensor(Tensor("squashed", (1, 4), "int8", q))
    graph.inputs.append(at)
    graph.operator(Operator("ELU", (at,), (out,)))
    graph.outputs.append(out)

    with pytest.raises(NetworkError, match=r"operator 0 is ELU \(output squashed\).*replace it"):
        parse_model(write_tflite(graph, description="elu"), "elu")


def test_dynamic_shape_is_named() -> None:
    graph = Graph()
    graph.inputs.append(graph.tensor(Tensor("input", (1, -1), "int8", Quantisation((0.05,), 0))))
    graph.outputs.append(0)

    with pytest.raises(NetworkError, match=r"tensor 0 \(input\).*fixed sizes"):
        parse_model(write_tflite(graph, description="dynamic"), "dynamic")


def test_float_tensor_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    content = probe("dense")
    stored = tflite.Tensor.Type
    float32 = tflite.TensorType.FLOAT32
    monkeypatch.setattr(tflite.Tensor, "Type", lambda self: float32 if self.Name() == b"input" else stored(self))

    with pytest.raises(NetworkError, match=r"FULLY_CONNECTED\) has tensor 0 \(input\) in FLOAT32.*quantise"):
        parse_model(content, "float")


def test_second_subgraph_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    content = probe("dense")
    monkeypatch.setattr(tflite.Model, "SubgraphsLength", lambda self: 2)

    with pytest.raises(NetworkError, match="2 subgraphs"):
        parse_model(content, "branches")


def test_damaged_file_is_refused_or_compiles() -> None:
    rng = np.random.default_rng(seed=5)
    content = probe("separable")
    refused = 0
    for _ in range(150):
        damaged = bytearray(content)
        damaged[int(rng.integers(8, len(content)))] = int(rng.integers(256))
        try:
            compile_model(parse_model(bytes(damaged), "damaged"), "cortex-m4")
        except NetworkError:
            refused += 1

    assert refused > 20


def _network_with_dead_channel() -> bytes:
    """1x1 convolution with RELU whose second output is zero for every input, then another 1x1 convolution."""
    graph = Graph()
    rng = np.random.default_rng(seed=3)
    q = Quantisation((0.05,), -128)
    at = graph.tensor(Tensor("input", (1, 3, 3, 2), "int8", q))
    graph.inputs.append(at)
    for index, n in enumerate((4, 2)):
        weights = rng.integers(-127, 128, (n, 1, 1, graph.tensors[at].shape[3])).astype(np.int8)
        if index == 0:
            weights[1] = 0
        bias = np.array([100, -5, 100, 100][:n], np.int32)
        scale = Quantisation((0.01,) * n, 0, 0)
        w = graph.tensor(Tensor(f"w{index}", weights.shape, "int8", scale, weights))
        b = graph.tensor(Tensor(f"b{index}", bias.shape, "int32", Quantisation((0.0005,) * n), bias))
        out = graph.tensor(Tensor(f"out{index}", (1, 3, 3, n), "int8", q))
        names = ("StrideW", "StrideH", "DilationWFactor", "DilationHFactor", "FusedActivationFunction")
        fields = (("Padding", 0), *((name, 1) for name in names))
        at = graph.operator(Operator("CONV_2D", (at, w, b), (out,), "Conv2DOptions", fields, 3))
    graph.outputs.append(at)
    return write_tflite(graph, description="dead channel")
