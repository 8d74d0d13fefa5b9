"""Build small models with random weights, operator by operator, for holding the compiler against the interpreter."""

from typing import Any, Final

import numpy as np
from hushkit_models.classifier.tflite_writer import Graph, Operator, Quantisation, Tensor, write_tflite
from numpy.typing import NDArray

NONE: Final = 0
RELU: Final = 1
RELU6: Final = 3
SAME: Final = 0
VALID: Final = 1


class Builder:
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

    def weights(self, shape: tuple[int, ...], axis: int, *, per_tensor: bool = False) -> tuple[int, int, float]:
        """Weights and bias; the scale that makes outputs span the codes."""
        n = shape[axis]
        q = self.quantisation()
        data = self.rng.integers(-127, 128, shape).astype(np.int8)
        scales = tuple(float(np.float32(s)) for s in self.rng.uniform(0.002, 0.004, 1 if per_tensor else n))
        fan_in = int(np.prod(shape)) // n
        bias = self.rng.integers(-2000, 2000, n).astype(np.int32)
        w = self.constant("weights", data, Quantisation(scales, 0, axis))
        b = self.constant("bias", bias, Quantisation(tuple(q.scale[0] * s for s in scales)))
        return w, b, q.scale[0] * 0.003 * 74.0 * 74.0 * float(np.sqrt(fan_in)) * 4.0 / 255.0

    def conv(
        self, n: int, kernel: tuple[int, int], stride: tuple[int, int] = (1, 1), *, padding: int = SAME,
        act: int = NONE, dilation: tuple[int, int] = (1, 1), per_tensor: bool = False,
    ) -> int:  # fmt: skip
        """CONV_2D."""
        shape = self.shape()
        w, b, scale = self.weights((n, *kernel, shape[3]), 0, per_tensor=per_tensor)
        out = _window(shape, kernel, stride, dilation, padding, n)
        fields = (*_geometry(padding, stride, act), ("DilationWFactor", dilation[1]), ("DilationHFactor", dilation[0]))
        return self.apply(
            "CONV_2D", (self.at, w, b), out, "Conv2DOptions", fields, version=3, quantisation=self.codes(scale)
        )

    def depthwise(
        self, kernel: tuple[int, int], stride: tuple[int, int] = (1, 1), *, padding: int = SAME, act: int = NONE,
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

    def dense(self, n: int, act: int = NONE, *, rows: bool = False, bias: bool = True) -> int:
        """FULLY_CONNECTED with one weight scale, over everything or over every row of the last axis."""
        shape = self.shape()
        size = shape[-1] if rows else int(np.prod(shape[1:]))
        q = self.quantisation()
        w_scale = float(np.float32(0.003))
        w = self.constant("weights", self.rng.integers(-127, 128, (n, size)).astype(np.int8), Quantisation((w_scale,)))
        b = self.constant(
            "bias", self.rng.integers(-2000, 2000, n).astype(np.int32), Quantisation((q.scale[0] * w_scale,))
        )
        scale = q.scale[0] * w_scale * 74.0 * 74.0 * float(np.sqrt(size)) * 4.0 / 255.0
        fields = (("FusedActivationFunction", act), ("WeightsFormat", 0), ("KeepNumDims", rows))
        return self.apply(
            "FULLY_CONNECTED", (self.at, w, b if bias else -1), (*shape[:-1], n) if rows else (1, n),
            "FullyConnectedOptions", fields, version=4,
            quantisation=self.codes(scale),
        )  # fmt: skip

    def same(self, kind: str, table: str = "", fields: tuple[tuple[str, Any], ...] = (), **changes: Any) -> int:
        """An operator that keeps shape."""
        q = changes.pop("quantisation", None) or self.codes(0.05)
        return self.apply(kind, (self.at,), self.shape(), table, fields, quantisation=q, **changes)

    def pool(self, kind: str, kernel: tuple[int, int], stride: tuple[int, int], padding: int, act: int = NONE) -> int:
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
        if padding == SAME
        else (shape[1 + i] - (kernel[i] - 1) * dilation[i] - 1) // stride[i] + 1
        for i in range(2)
    ]
    return (1, sizes[0], sizes[1], n)
