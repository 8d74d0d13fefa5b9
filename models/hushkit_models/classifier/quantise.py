"""Post-training quantisation: a float network and calibration windows in, an INT8 ``.tflite`` out.

Weights are symmetric, per output channel for convolutions and per tensor for the head; activations are asymmetric with
the true minimum and maximum over the calibration windows. After a ReLU zero is the lowest code.
"""

from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from hushkit_models.classifier import frontend
from hushkit_models.classifier.network import N_OUTPUTS, Network, Step
from hushkit_models.classifier.tflite_writer import Graph, Operator, Quantisation, Tensor, write_tflite

Ranges = dict[str, tuple[float, float]]

_RELU: Final = 1
_SAME: Final = 0
_VALID: Final = 1


def quantise(network: Network, calibration: NDArray[np.int8], *, description: str) -> bytes:
    """Quantise a trained network.

    Args:
        network: In evaluation mode.
        calibration: Training windows, shape (n, 96, 40); a few thousand suffice.
        description: Stored in the file.

    Returns:
        The ``.tflite`` file: input int8 (1, 96, 40, 1) as the front end gives it, output int8 (1, 63).
    """
    ranges = _calibrate(network, calibration)
    graph = Graph()
    scale = Quantisation((network.SCALE,))
    current = graph.tensor(Tensor("features", (1, frontend.N_FRAMES, frontend.N_MELS, 1), "int8", scale))
    graph.inputs.append(current)
    for number, block in enumerate(network.chain()):
        entry = current
        for part, step in enumerate(block.chain()):
            current = _convolution(graph, current, f"block{number}_{part}", step, ranges)
        if block.residual:
            current = _add(graph, entry, current, f"block{number}_sum", ranges)
    shape = graph.tensors[current].shape
    axes = graph.tensor(Tensor("time", (2,), "int32", data=np.array([1, 2], np.int32)))
    mean = graph.tensor(Tensor("mean", (1, shape[3]), "int8", _asymmetric(*ranges["mean"])))
    current = graph.operator(Operator("MEAN", (current, axes), (mean,), "ReducerOptions", version=2))
    current = _head(graph, current, network, ranges)
    graph.outputs.append(current)
    return write_tflite(graph, description=description)


def _calibrate(network: Network, windows: NDArray[np.int8]) -> Ranges:
    ranges: Ranges = {}

    def see(name: str, x: torch.Tensor) -> None:
        low, high = ranges.get(name, (0.0, 0.0))
        ranges[name] = (min(low, float(x.min())), max(high, float(x.max())))

    with torch.no_grad():
        for part in torch.tensor(windows).split(512):  # type: ignore[no-untyped-call]
            x = (part.float() * network.SCALE)[:, None]
            for number, block in enumerate(network.chain()):
                y = x
                for index, step in enumerate(block.chain()):
                    y = step(y)
                    see(f"block{number}_{index}", y)
                x = x + y if block.residual else y
                if block.residual:
                    see(f"block{number}_sum", x)
            mean = x.mean(dim=(2, 3))
            see("mean", mean)
            see("logits", functional.linear(mean, network.head.weight, network.head.bias))
    return ranges


def _asymmetric(low: float, high: float) -> Quantisation:
    low, high = min(low, 0.0), max(high, 1e-6)
    scale = float(np.float32((high - low) / 255.0))
    return Quantisation((scale,), int(np.clip(round(-128.0 - low / scale), -128, 127)))


def _symmetric(weights: NDArray[np.float64], *, axis: int | None) -> tuple[NDArray[np.int8], Quantisation]:
    if axis is None:
        peak = np.array([np.abs(weights).max()])
        shape: tuple[int, ...] = (1,)
    else:
        peak = np.abs(weights).max(axis=tuple(i for i in range(weights.ndim) if i != axis))
        shape = tuple(len(peak) if i == axis else 1 for i in range(weights.ndim))
    scale = np.maximum(peak / 127.0, 1e-9).astype(np.float32)
    codes = np.clip(np.round(weights / scale.reshape(shape)), -127, 127).astype(np.int8)
    return codes, Quantisation(tuple(float(s) for s in scale), axis=axis or 0)


def _bias(graph: Graph, name: str, bias: NDArray[np.float64], inputs: Quantisation, weights: Quantisation) -> int:
    """Bias in units of the product of its operator's scales; leaving out its own saves 12 B a channel."""
    scale = np.float64(inputs.scale[0]) * np.array(weights.scale, np.float64)
    codes = np.clip(np.round(bias / scale), -(2**31), 2**31 - 1).astype(np.int32)
    return graph.tensor(Tensor(name, (len(bias),), "int32", data=codes))


def _convolution(graph: Graph, source: int, name: str, step: Step, ranges: Ranges) -> int:
    weight, bias = step.folded()
    w = weight.double().numpy()  # (outputs, inputs per group, time, bands)
    if step.depthwise:
        codes, scale = _symmetric(w[:, 0].transpose(1, 2, 0)[None], axis=3)
    else:
        codes, scale = _symmetric(w.transpose(0, 2, 3, 1), axis=0)
    before = graph.tensors[source]
    assert before.quantisation is not None
    constants = (
        graph.tensor(Tensor(f"{name}_weights", codes.shape, "int8", scale, codes)),
        _bias(graph, f"{name}_bias", bias.double().numpy(), before.quantisation, scale),
    )
    time, bands = (
        -(-(n if step.padded else n - kernel + 1) // stride)
        for n, kernel, stride in zip(before.shape[1:3], step.kernel, step.stride, strict=True)
    )
    out = graph.tensor(Tensor(name, (1, time, bands, w.shape[0]), "int8", _asymmetric(*ranges[name])))
    padding = ("Padding", _SAME if step.padded else _VALID)
    common = (padding, ("StrideW", step.stride[1]), ("StrideH", step.stride[0]))
    tail = (("FusedActivationFunction", _RELU), ("DilationWFactor", 1), ("DilationHFactor", 1))
    if step.depthwise:
        fields = (*common, ("DepthMultiplier", 1), *tail)
        operator = Operator("DEPTHWISE_CONV_2D", (source, *constants), (out,), "DepthwiseConv2DOptions", fields, 3)
    else:
        operator = Operator("CONV_2D", (source, *constants), (out,), "Conv2DOptions", (*common, *tail), 3)
    return graph.operator(operator)


def _add(graph: Graph, a: int, b: int, name: str, ranges: Ranges) -> int:
    out = graph.tensor(Tensor(name, graph.tensors[b].shape, "int8", _asymmetric(*ranges[name])))
    return graph.operator(Operator("ADD", (a, b), (out,), "AddOptions", (("FusedActivationFunction", 0),), 2))


def _head(graph: Graph, source: int, network: Network, ranges: Ranges) -> int:
    codes, scale = _symmetric(network.head.weight.detach().double().numpy(), axis=None)
    before = graph.tensors[source].quantisation
    assert before is not None
    constants = (
        graph.tensor(Tensor("head_weights", codes.shape, "int8", scale, codes)),
        _bias(graph, "head_bias", network.head.bias.detach().double().numpy(), before, scale),
    )
    out = graph.tensor(Tensor("logits", (1, N_OUTPUTS), "int8", _asymmetric(*ranges["logits"])))
    fields = (("FusedActivationFunction", 0), ("WeightsFormat", 0), ("KeepNumDims", False))
    return graph.operator(Operator("FULLY_CONNECTED", (source, *constants), (out,), "FullyConnectedOptions", fields, 4))
