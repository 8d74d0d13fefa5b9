"""Small models, one per operator and shape, with random weights, to hold the compiler against the interpreter."""

from collections.abc import Callable, Mapping
from typing import Any, Final

import numpy as np
from hushkit_models.classifier.tflite_writer import Quantisation

from hushkit_codegen.network.builder import NONE, RELU, RELU6, SAME, VALID, Builder


def _add_or_mul(b: Builder, kind: str, act: int, *, per_channel: bool = False, constant: bool = False) -> None:
    shape = b.shape()
    left = b.at
    if constant:
        data = b.rng.integers(-128, 128, (1, 1, 1, shape[3])).astype(np.int8)
        right = b.constant("factor", data, b.codes())
    else:
        right = b.depthwise((3, 3))
        if per_channel:
            right = b.pool("AVERAGE_POOL_2D", (shape[1], shape[2]), (1, 1), VALID)
    scale = 0.12 if kind == "ADD" else 0.15
    table = "AddOptions" if kind == "ADD" else "MulOptions"
    fields = (("FusedActivationFunction", act),)
    b.apply(kind, (left, right), shape, table, fields, quantisation=b.codes(scale))


def _pad(b: Builder) -> None:
    pads = b.constant("pads", np.array([[0, 0], [1, 2], [0, 1], [0, 0]], np.int32))
    h, w, c = b.shape()[1:]
    q = b.graph.tensors[b.at].quantisation
    b.apply("PAD", (b.at, pads), (1, h + 3, w + 1, c), version=1, quantisation=q)


def _concatenate(b: Builder, axis: int) -> None:
    left = b.at
    q = b.graph.tensors[left].quantisation
    right = b.pool("MAX_POOL_2D", (2, 2), (1, 1), SAME)
    shape = tuple(2 * n if i == axis else n for i, n in enumerate(b.shape()))
    fields = (("Axis", axis), ("FusedActivationFunction", 0))
    b.apply("CONCATENATION", (left, right), shape, "ConcatenationOptions", fields, quantisation=q)


def _then(*steps: Callable[[Builder], Any]) -> Callable[[Builder], None]:
    def build(b: Builder) -> None:
        for step in steps:
            step(b)

    return build


_PLANE = (1, 9, 7, 6)

PROBES: Final[Mapping[str, tuple[tuple[int, ...], Callable[[Builder], Any]]]] = {
    "conv_1x1": (_PLANE, lambda b: b.conv(10, (1, 1))),
    "conv_1x1_relu": (_PLANE, lambda b: b.conv(7, (1, 1), act=RELU)),
    "conv_3x3_same": (_PLANE, lambda b: b.conv(5, (3, 3), act=RELU6)),
    "conv_3x2_stride_valid": (_PLANE, lambda b: b.conv(8, (3, 2), (2, 3), padding=VALID)),
    "conv_dilated": (_PLANE, lambda b: b.conv(6, (3, 3), padding=SAME, dilation=(2, 2))),
    "conv_1d": ((1, 20, 1, 12), lambda b: b.conv(9, (5, 1), (2, 1), act=RELU)),
    "depthwise_3x3": (_PLANE, lambda b: b.depthwise((3, 3))),
    "depthwise_3x3_relu_even": ((1, 8, 8, 5), lambda b: b.depthwise((3, 3), act=RELU)),
    "depthwise_3x3_stride2": ((1, 9, 8, 5), lambda b: b.depthwise((3, 3), (2, 2))),
    "depthwise_5x1": ((1, 21, 1, 7), lambda b: b.depthwise((5, 1))),
    "depthwise_5x1_stride2": ((1, 21, 1, 7), lambda b: b.depthwise((5, 1), (2, 1), act=RELU)),
    "depthwise_3x1": ((1, 12, 1, 4), lambda b: b.depthwise((3, 1))),
    "depthwise_2x4_valid": (_PLANE, lambda b: b.depthwise((2, 4), padding=VALID)),
    "depthwise_multiplier": (_PLANE, lambda b: b.depthwise((3, 3), multiplier=2)),
    "depthwise_dilated": (_PLANE, lambda b: b.depthwise((3, 3), dilation=(2, 2))),
    "separable": (_PLANE, _then(lambda b: b.depthwise((3, 3), act=RELU), lambda b: b.conv(9, (1, 1), act=RELU))),
    "dense": ((1, 50), lambda b: b.dense(11)),
    "dense_odd": ((1, 33), _then(lambda b: b.dense(6, RELU), lambda b: b.dense(3))),
    "flatten_dense": (_PLANE, _then(lambda b: b.reshape((1, 378)), lambda b: b.dense(5))),
    "reshape": (_PLANE, _then(lambda b: b.reshape((1, 7, 6, 9)), lambda b: b.conv(4, (1, 1)))),
    "add": (_PLANE, lambda b: _add_or_mul(b, "ADD", NONE)),
    "add_relu": (_PLANE, lambda b: _add_or_mul(b, "ADD", RELU)),
    "add_constant": (_PLANE, lambda b: _add_or_mul(b, "ADD", NONE, constant=True)),
    "mul": (_PLANE, lambda b: _add_or_mul(b, "MUL", NONE)),
    "mul_per_channel": (_PLANE, lambda b: _add_or_mul(b, "MUL", RELU6, per_channel=True)),
    "average_pool": (_PLANE, lambda b: b.pool("AVERAGE_POOL_2D", (3, 2), (2, 2), SAME)),
    "max_pool": (_PLANE, lambda b: b.pool("MAX_POOL_2D", (3, 3), (2, 1), SAME, RELU)),
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
    "pad_conv": (_PLANE, _then(_pad, lambda b: b.conv(5, (3, 3), padding=VALID))),
    "concatenation": (_PLANE, _then(lambda b: _concatenate(b, 3))),
    "concatenation_rows": (_PLANE, _then(lambda b: _concatenate(b, 1), lambda b: b.conv(4, (1, 1)))),
}
"""Input shape and what to build, by name."""


def probe(name: str, seed: int = 1) -> bytes:
    """The ``.tflite`` bytes of one of :data:`PROBES`."""
    shape, build = PROBES[name]
    builder = Builder(shape, seed)
    build(builder)
    return builder.finish()
