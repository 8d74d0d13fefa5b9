"""Random small INT8 models: every operator with random options, one after another, from a seed."""

from collections.abc import Callable, Sequence
from typing import Any, Final

import numpy as np
from hushkit_models.classifier.tflite_writer import Operator, Quantisation, Tensor

from hushkit_codegen.network.builder import NONE, RELU, RELU6, SAME, VALID, Builder

_MOST_CODES: Final = 3000
_STARTS: Final = ((1, 9, 7, 3), (1, 8, 8, 1), (1, 5, 5, 16), (1, 21, 1, 6), (1, 1, 24, 5), (1, 6, 10, 20), (1, 30))


def random_graph(seed: int) -> bytes:
    """The ``.tflite`` bytes of one model, 1 to 6 operators."""
    rng = np.random.default_rng(seed)
    b = Builder(_pick(rng, _STARTS), seed)
    for _ in range(int(rng.integers(1, 7))):
        fitting = _FLAT if len(b.shape()) != 4 else _PLANES
        step = _pick(rng, fitting)
        if int(np.prod(b.shape())) * _GROWTH.get(step, 1) <= _MOST_CODES:
            step(b, rng)
    if not b.graph.operators:
        _relu(b, rng)
    return b.finish()


def _pick(rng: np.random.Generator, options: Sequence[Any]) -> Any:
    return options[int(rng.integers(len(options)))]


def _activation(rng: np.random.Generator) -> int:
    return int(_pick(rng, (NONE, NONE, RELU, RELU6)))


def _geometry(b: Builder, rng: np.random.Generator) -> dict[str, Any]:
    """A window that fits: with dilation no stride, as TensorFlow has it."""
    _, h, w, _ = b.shape()
    kernel = tuple(int(rng.integers(1, min(n, 5) + 1)) for n in (h, w))
    dilation = (1, 1)
    stride = (int(rng.integers(1, 4)), int(rng.integers(1, 4)))
    if rng.random() < 0.25:
        dilation, stride = (int(rng.integers(1, 3)), int(rng.integers(1, 3))), (1, 1)
    fits = all((k - 1) * d < n for k, d, n in zip(kernel, dilation, (h, w), strict=True))
    padding = VALID if fits and rng.random() < 0.5 else SAME
    return {"kernel": kernel, "stride": stride, "dilation": dilation, "padding": padding, "act": _activation(rng)}


def _conv(b: Builder, rng: np.random.Generator) -> None:
    b.conv(int(rng.integers(1, 20)), **_geometry(b, rng), per_tensor=bool(rng.random() < 0.3))


def _point(b: Builder, rng: np.random.Generator) -> None:
    b.conv(int(rng.integers(1, 40)), (1, 1), act=_activation(rng))


def _depthwise(b: Builder, rng: np.random.Generator) -> None:
    b.depthwise(**_geometry(b, rng), multiplier=int(_pick(rng, (1, 1, 1, 2, 3))))


def _pool(b: Builder, rng: np.random.Generator) -> None:
    geometry = _geometry(b, rng)
    kind = str(_pick(rng, ("AVERAGE_POOL_2D", "MAX_POOL_2D")))
    b.pool(kind, geometry["kernel"], geometry["stride"], geometry["padding"], _activation(rng))


def _mean(b: Builder, rng: np.random.Generator) -> None:
    b.mean(equal=bool(rng.random() < 0.5))


def _dense(b: Builder, rng: np.random.Generator) -> None:
    b.dense(int(rng.integers(1, 30)), _activation(rng), bias=bool(rng.random() < 0.7))


def _dense_rows(b: Builder, rng: np.random.Generator) -> None:
    b.dense(int(rng.integers(1, 20)), _activation(rng), rows=True, bias=bool(rng.random() < 0.7))


def _arithmetic(b: Builder, rng: np.random.Generator) -> None:
    kind = str(_pick(rng, ("ADD", "SUB", "MUL")))
    shape, left = b.shape(), b.at
    how = int(rng.integers(4))
    if how == 0:  # of two branches
        b.same("RELU", quantisation=b.codes(0.05))
        right = b.at
    else:
        sizes = {1: shape, 2: (1,) * (len(shape) - 1) + shape[-1:], 3: (1,) * len(shape)}[how]
        right = b.constant("operand", rng.integers(-128, 128, sizes).astype(np.int8), b.codes())
    inputs = (right, left) if rng.random() < 0.3 else (left, right)
    table = {"ADD": "AddOptions", "SUB": "SubOptions", "MUL": "MulOptions"}[kind]
    fields = (("FusedActivationFunction", _activation(rng)),)
    b.apply(kind, inputs, shape, table, fields, quantisation=b.codes(0.12))


def _relu(b: Builder, rng: np.random.Generator) -> None:
    b.same(str(_pick(rng, ("RELU", "RELU6"))))


def _squash(b: Builder, rng: np.random.Generator) -> None:
    if rng.random() < 0.5:
        b.same("LOGISTIC", quantisation=Quantisation((1.0 / 256.0,), -128))
    else:
        b.same("TANH", quantisation=Quantisation((1.0 / 128.0,), 0))


def _leaky(b: Builder, rng: np.random.Generator) -> None:
    b.same("LEAKY_RELU", "LeakyReluOptions", (("Alpha", float(np.float32(rng.uniform(0.01, 0.4)))),))


def _quantize(b: Builder, rng: np.random.Generator) -> None:
    b.same("QUANTIZE", "QuantizeOptions")


def _softmax(b: Builder, rng: np.random.Generator) -> None:
    b.same("SOFTMAX", "SoftmaxOptions", (("Beta", 1.0),), quantisation=Quantisation((1.0 / 256.0,), -128))


def _pad(b: Builder, rng: np.random.Generator) -> None:
    shape = b.shape()
    amounts = rng.integers(0, 3, (len(shape), 2)).astype(np.int32)
    amounts[0] = 0
    if rng.random() < 0.6:
        amounts[-1] = 0
    pads = b.constant("pads", amounts)
    after = tuple(int(n + a.sum()) for n, a in zip(shape, amounts, strict=True))
    q = b.quantisation()
    if rng.random() < 0.5:
        b.apply("PAD", (b.at, pads), after, version=1, quantisation=q)
        return
    value = b.constant("value", rng.integers(-128, 128, (1,)).astype(np.int8), q)
    b.apply("PADV2", (b.at, pads, value), after, "PadV2Options", version=2, quantisation=q)


def _concatenate(b: Builder, rng: np.random.Generator) -> None:
    shape, left, q = b.shape(), b.at, b.quantisation()
    b.same("RELU", quantisation=q)
    axis = int(rng.integers(1, len(shape)))
    after = tuple(2 * n if k == axis else n for k, n in enumerate(shape))
    fields = (("Axis", axis), ("FusedActivationFunction", 0))
    b.apply("CONCATENATION", (left, b.at), after, "ConcatenationOptions", fields, quantisation=q)


def _reshape(b: Builder, rng: np.random.Generator) -> None:
    shape = b.shape()
    size = int(np.prod(shape))
    factors = [n for n in range(1, size + 1) if size % n == 0]
    first = int(_pick(rng, factors))
    rest = size // first
    second = int(_pick(rng, [n for n in factors if rest % n == 0]))
    b.reshape(_pick(rng, ((1, first, second, rest // second), (1, size), (1, first, rest), shape)))


def _slice(b: Builder, rng: np.random.Generator) -> None:
    shape, q = b.shape(), b.quantisation()
    begin = [0] + [int(rng.integers(0, n)) for n in shape[1:]]
    size = [1] + [int(rng.integers(1, n - a + 1)) for n, a in zip(shape[1:], begin[1:], strict=True)]
    if rng.random() < 0.5:
        ends = (b.constant("begin", np.array(begin, np.int32)), b.constant("size", np.array(size, np.int32)))
        b.apply("SLICE", (b.at, *ends), tuple(size), "SliceOptions", quantisation=q)
        return
    bounds = (begin, [a + n for a, n in zip(begin, size, strict=True)], [1] * len(shape))
    ends3 = tuple(b.constant(f"bound{k}", np.array(v, np.int32)) for k, v in enumerate(bounds))
    fields = tuple((f"{name}Mask", 0) for name in ("Begin", "End", "Ellipsis", "NewAxis", "ShrinkAxis"))
    b.apply("STRIDED_SLICE", (b.at, *ends3), tuple(size), "StridedSliceOptions", fields, quantisation=q)


def _split(b: Builder, rng: np.random.Generator) -> None:
    shape, q = b.shape(), b.quantisation()
    axes = [k for k in range(1, len(shape)) if shape[k] % 2 == 0]
    if not axes:
        return
    axis = int(_pick(rng, axes))
    half = tuple(n // 2 if k == axis else n for k, n in enumerate(shape))
    at = b.constant("axis", np.array(axis, np.int32))
    outs = tuple(b.graph.tensor(Tensor(f"half{k}_{len(b.graph.tensors)}", half, "int8", q)) for k in range(2))
    b.graph.operator(Operator("SPLIT", (at, b.at), outs, "SplitOptions", (("NumSplits", 2),), 2))
    b.at = outs[1]
    b.apply("ADD", outs, half, "AddOptions", (("FusedActivationFunction", NONE),), quantisation=b.codes(0.1))


_Step = Callable[[Builder, np.random.Generator], None]
_ANY: Final[tuple[_Step, ...]] = (
    _dense_rows, _arithmetic, _relu, _squash, _leaky, _quantize, _softmax, _pad, _concatenate, _reshape, _slice, _split,
)  # fmt: skip
_PLANES: Final[tuple[_Step, ...]] = (*_ANY, _conv, _conv, _point, _depthwise, _depthwise, _pool, _mean, _dense)
_FLAT: Final[tuple[_Step, ...]] = (*_ANY, _dense)
_GROWTH: Final = {_conv: 20, _point: 20, _depthwise: 3, _pad: 4, _concatenate: 2, _dense_rows: 20}
