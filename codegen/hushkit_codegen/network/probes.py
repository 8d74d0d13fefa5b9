"""Small models, one per operator and shape, with random weights, to hold the compiler against the interpreter."""

from collections.abc import Callable, Mapping
from typing import Any, Final

import numpy as np
from hushkit_models.classifier.tflite_writer import Graph, Operator, Quantisation, Tensor, write_tflite
from numpy.typing import NDArray

_NONE, _RELU, _RELU6 = 0, 1, 3
_SAME, _VALID = 0, 1


class _Builder:
    """A chain of operators; ``at`` is the newest tensor."""

    def __init__(self, shape: tuple[int, ...], seed: int) -> None:
        self.graph = Graph()
        self.rng = np.random.default_rng(seed)
        self.at = self.graph.tensor(Tensor("input", shape, "int8", self.codes()))
        self.graph.inputs.append(self.at)

    def codes(self, scale: float = 0.0) -> Quantisation:
        """A random quantisation of activations."""
        chosen = scale or float(self.rng.uniform(0.02, 0.1))
        return Quantisation((float(np.float32(chosen)),), int(self.rng.integers(-128, 128)))

    def shape(self) -> tuple[int, ...]:
        """Of the newest tensor."""
        return self.graph.tensors[self.at].shape

    def quantisation(self) -> Quantisation:
        """Of the newest tensor."""
        found = self.graph.tensors[self.at].quantisation
        assert found is not None
        return found

    def constant(self, name: str, data: NDArray[Any], quantisation: Quantisation | None = None) -> int:
        """Add a constant tensor."""
        return self.graph.tensor(Tensor(name, data.shape, str(data.dtype), quantisation, data))

    def apply(
        self,
        kind: str,
        inputs: tuple[int, ...],
        shape: tuple[int, ...],
        table: str = "",
        fields: tuple[tuple[str, Any], ...] = (),
        *,
        version: int = 2,
        quantisation: Quantisation | None = None,
    ) -> int:
        """Add an operator and its output tensor."""
        out = self.graph.tensor(Tensor(f"{kind.lower()}_{len(self.graph.operators)}", shape, "int8", quantisation))
        self.at = self.graph.operator(Operator(kind, inputs, (out,), table, fields, version))
        return self.at

    def finish(self) -> bytes:
        """The file."""
        self.graph.outputs.append(self.at)
        return write_tflite(self.graph, description="probe")

    def weights(self, shape: tuple[int, ...], axis: int) -> tuple[int, int, float]:
        """Weights and bias; the scale that makes outputs span the codes."""
        n = shape[axis]
        q = self.quantisation()
        data = self.rng.integers(-127, 128, shape).astype(np.int8)
        scales = tuple(float(np.float32(s)) for s in self.rng.uniform(0.002, 0.004, n))
        fan_in = int(np.prod(shape)) // n
        bias = self.rng.integers(-2000, 2000, n).astype(np.int32)
        w = self.constant("weights", data, Quantisation(scales, 0, axis))
        b = self.constant("bias", bias, Quantisation(tuple(q.scale[0] * s for s in scales)))
        return w, b, q.scale[0] * 0.003 * 74.0 * 74.0 * float(np.sqrt(fan_in)) * 4.0 / 255.0

    def conv(
        self, n: int, kernel: tuple[int, int], stride: tuple[int, int] = (1, 1), *, padding: int = _SAME,
        act: int = _NONE, dilation: tuple[int, int] = (1, 1),
    ) -> int:  # fmt: skip
        """CONV_2D."""
        shape = self.shape()
        w, b, scale = self.weights((n, *kernel, shape[3]), 0)
        out = _window(shape, kernel, stride, dilation, padding, n)
        fields = (*_geometry(padding, stride, act), ("DilationWFactor", dilation[1]), ("DilationHFactor", dilation[0]))
        return self.apply(
            "CONV_2D", (self.at, w, b), out, "Conv2DOptions", fields, version=3, quantisation=self.codes(scale)
        )

    def depthwise(
        self, kernel: tuple[int, int], stride: tuple[int, int] = (1, 1), *, padding: int = _SAME, act: int = _NONE,
        multiplier: int = 1, dilation: tuple[int, int] = (1, 1),
    ) -> int:  # fmt: skip
        """DEPTHWISE_CONV_2D."""
        shape = self.shape()
        n = shape[3] * multiplier
        w, b, scale = self.weights((1, *kernel, n), 3)
        out = _window(shape, kernel, stride, dilation, padding, n)
        fields = (
            *_geometry(padding, stride, act), ("DepthMultiplier", multiplier),
            ("DilationWFactor", dilation[1]), ("DilationHFactor", dilation[0]),
        )  # fmt: skip
        return self.apply(
            "DEPTHWISE_CONV_2D", (self.at, w, b), out, "DepthwiseConv2DOptions", fields, version=3,
            quantisation=self.codes(scale),
        )  # fmt: skip

    def dense(self, n: int, act: int = _NONE) -> int:
        """FULLY_CONNECTED with one weight scale."""
        size = int(np.prod(self.shape()[1:]))
        q = self.quantisation()
        w_scale = float(np.float32(0.003))
        w = self.constant("weights", self.rng.integers(-127, 128, (n, size)).astype(np.int8), Quantisation((w_scale,)))
        b = self.constant(
            "bias", self.rng.integers(-2000, 2000, n).astype(np.int32), Quantisation((q.scale[0] * w_scale,))
        )
        scale = q.scale[0] * w_scale * 74.0 * 74.0 * float(np.sqrt(size)) * 4.0 / 255.0
        fields = (("FusedActivationFunction", act), ("WeightsFormat", 0), ("KeepNumDims", False))
        return self.apply(
            "FULLY_CONNECTED", (self.at, w, b), (1, n), "FullyConnectedOptions", fields, version=4,
            quantisation=self.codes(scale),
        )  # fmt: skip

    def same(self, kind: str, table: str = "", fields: tuple[tuple[str, Any], ...] = (), **changes: Any) -> int:
        """An operator that keeps shape."""
        q = changes.pop("quantisation", None) or self.codes(0.05)
        return self.apply(kind, (self.at,), self.shape(), table, fields, quantisation=q, **changes)

    def pool(self, kind: str, kernel: tuple[int, int], stride: tuple[int, int], padding: int, act: int = _NONE) -> int:
        """AVERAGE_POOL_2D or MAX_POOL_2D."""
        shape = self.shape()
        fields = (*_geometry(padding, stride, act), ("FilterWidth", kernel[1]), ("FilterHeight", kernel[0]))
        out = _window(shape, kernel, stride, (1, 1), padding, shape[3])
        return self.apply(
            kind, (self.at,), out, "Pool2DOptions", fields, quantisation=self.graph.tensors[self.at].quantisation
        )

    def reshape(self, shape: tuple[int, ...]) -> int:
        """RESHAPE."""
        target = self.constant("shape", np.array(shape, np.int32))
        q = self.graph.tensors[self.at].quantisation
        return self.apply("RESHAPE", (self.at, target), shape, version=1, quantisation=q)

    def mean(self, *, equal: bool = False) -> int:
        """MEAN over height and width."""
        axes = self.constant("axes", np.array([1, 2], np.int32))
        q = self.graph.tensors[self.at].quantisation if equal else self.codes(0.03)
        shape = (1, self.shape()[3])
        return self.apply("MEAN", (self.at, axes), shape, "ReducerOptions", (("KeepDims", False),), quantisation=q)


def _geometry(padding: int, stride: tuple[int, int], act: int) -> tuple[tuple[str, Any], ...]:
    return (
        ("Padding", padding),
        ("StrideW", stride[1]),
        ("StrideH", stride[0]),
        ("FusedActivationFunction", act),
    )


def _window(  # noqa: PLR0917 (geometry in TFLite's order)
    shape: tuple[int, ...], kernel: tuple[int, int], stride: tuple[int, int], dilation: tuple[int, int], padding: int,
    n: int,
) -> tuple[int, ...]:  # fmt: skip
    sizes = [
        -(-shape[1 + i] // stride[i])
        if padding == _SAME
        else (shape[1 + i] - (kernel[i] - 1) * dilation[i] - 1) // stride[i] + 1
        for i in range(2)
    ]
    return (1, sizes[0], sizes[1], n)


def _add_or_mul(b: _Builder, kind: str, act: int, *, per_channel: bool = False, constant: bool = False) -> None:
    shape = b.shape()
    left = b.at
    if constant:
        data = b.rng.integers(-128, 128, (1, 1, 1, shape[3])).astype(np.int8)
        right = b.constant("factor", data, b.codes())
    else:
        right = b.depthwise((3, 3))
        if per_channel:
            right = b.pool("AVERAGE_POOL_2D", (shape[1], shape[2]), (1, 1), _VALID)
    scale = 0.12 if kind == "ADD" else 0.15
    table = "AddOptions" if kind == "ADD" else "MulOptions"
    fields = (("FusedActivationFunction", act),)
    b.apply(kind, (left, right), shape, table, fields, quantisation=b.codes(scale))


def _pad(b: _Builder) -> None:
    pads = b.constant("pads", np.array([[0, 0], [1, 2], [0, 1], [0, 0]], np.int32))
    h, w, c = b.shape()[1:]
    q = b.graph.tensors[b.at].quantisation
    b.apply("PAD", (b.at, pads), (1, h + 3, w + 1, c), version=1, quantisation=q)


def _concatenate(b: _Builder, axis: int) -> None:
    left = b.at
    q = b.graph.tensors[left].quantisation
    right = b.pool("MAX_POOL_2D", (2, 2), (1, 1), _SAME)
    shape = tuple(2 * n if i == axis else n for i, n in enumerate(b.shape()))
    fields = (("Axis", axis), ("FusedActivationFunction", 0))
    b.apply("CONCATENATION", (left, right), shape, "ConcatenationOptions", fields, quantisation=q)


def _then(*steps: Callable[[_Builder], Any]) -> Callable[[_Builder], None]:
    def build(b: _Builder) -> None:
        for step in steps:
            step(b)

    return build


_PLANE = (1, 9, 7, 6)

PROBES: Final[Mapping[str, tuple[tuple[int, ...], Callable[[_Builder], Any]]]] = {
    "conv_1x1": (_PLANE, lambda b: b.conv(10, (1, 1))),
    "conv_1x1_relu": (_PLANE, lambda b: b.conv(7, (1, 1), act=_RELU)),
    "conv_3x3_same": (_PLANE, lambda b: b.conv(5, (3, 3), act=_RELU6)),
    "conv_3x2_stride_valid": (_PLANE, lambda b: b.conv(8, (3, 2), (2, 3), padding=_VALID)),
    "conv_dilated": (_PLANE, lambda b: b.conv(6, (3, 3), padding=_SAME, dilation=(2, 2))),
    "conv_1d": ((1, 20, 1, 12), lambda b: b.conv(9, (5, 1), (2, 1), act=_RELU)),
    "depthwise_3x3": (_PLANE, lambda b: b.depthwise((3, 3))),
    "depthwise_3x3_relu_even": ((1, 8, 8, 5), lambda b: b.depthwise((3, 3), act=_RELU)),
    "depthwise_3x3_stride2": ((1, 9, 8, 5), lambda b: b.depthwise((3, 3), (2, 2))),
    "depthwise_5x1": ((1, 21, 1, 7), lambda b: b.depthwise((5, 1))),
    "depthwise_5x1_stride2": ((1, 21, 1, 7), lambda b: b.depthwise((5, 1), (2, 1), act=_RELU)),
    "depthwise_3x1": ((1, 12, 1, 4), lambda b: b.depthwise((3, 1))),
    "depthwise_2x4_valid": (_PLANE, lambda b: b.depthwise((2, 4), padding=_VALID)),
    "depthwise_multiplier": (_PLANE, lambda b: b.depthwise((3, 3), multiplier=2)),
    "depthwise_dilated": (_PLANE, lambda b: b.depthwise((3, 3), dilation=(2, 2))),
    "separable": (_PLANE, _then(lambda b: b.depthwise((3, 3), act=_RELU), lambda b: b.conv(9, (1, 1), act=_RELU))),
    "dense": ((1, 50), lambda b: b.dense(11)),
    "dense_odd": ((1, 33), _then(lambda b: b.dense(6, _RELU), lambda b: b.dense(3))),
    "flatten_dense": (_PLANE, _then(lambda b: b.reshape((1, 378)), lambda b: b.dense(5))),
    "reshape": (_PLANE, _then(lambda b: b.reshape((1, 7, 6, 9)), lambda b: b.conv(4, (1, 1)))),
    "add": (_PLANE, lambda b: _add_or_mul(b, "ADD", _NONE)),
    "add_relu": (_PLANE, lambda b: _add_or_mul(b, "ADD", _RELU)),
    "add_constant": (_PLANE, lambda b: _add_or_mul(b, "ADD", _NONE, constant=True)),
    "mul": (_PLANE, lambda b: _add_or_mul(b, "MUL", _NONE)),
    "mul_per_channel": (_PLANE, lambda b: _add_or_mul(b, "MUL", _RELU6, per_channel=True)),
    "average_pool": (_PLANE, lambda b: b.pool("AVERAGE_POOL_2D", (3, 2), (2, 2), _SAME)),
    "max_pool": (_PLANE, lambda b: b.pool("MAX_POOL_2D", (3, 3), (2, 1), _SAME, _RELU)),
    "mean": (_PLANE, lambda b: b.mean()),
    "mean_equal": (_PLANE, lambda b: b.mean(equal=True)),
    "softmax": (
        (1, 12),
        lambda b: b.same(
            "SOFTMAX", "SoftmaxOptions", (("Beta", 1.0),), quantisation=Quantisation((1.0 / 256.0,), -128)
        ),
    ),
    "logistic": (_PLANE, lambda b: b.same("LOGISTIC", quantisation=Quantisation((1.0 / 256.0,), -128))),
    "relu": (_PLANE, lambda b: b.same("RELU")),
    "relu6": (_PLANE, lambda b: b.same("RELU6")),
    "quantize": (_PLANE, lambda b: b.same("QUANTIZE", "QuantizeOptions")),
    "pad": (_PLANE, _pad),
    "pad_conv": (_PLANE, _then(_pad, lambda b: b.conv(5, (3, 3), padding=_VALID))),
    "concatenation": (_PLANE, _then(lambda b: _concatenate(b, 3))),
    "concatenation_rows": (_PLANE, _then(lambda b: _concatenate(b, 1), lambda b: b.conv(4, (1, 1)))),
}
"""Input shape and what to build, by name."""


def probe(name: str, seed: int = 1) -> bytes:
    """The ``.tflite`` bytes of one of :data:`PROBES`."""
    shape, build = PROBES[name]
    builder = _Builder(shape, seed)
    build(builder)
    return builder.finish()
