"""Lower a model to steps: reshapes vanish, pads and activations fuse, constant channels are left out."""

from collections.abc import Callable, Mapping
from typing import Final

from hushkit_codegen.network import reference
from hushkit_codegen.network.graph import Model, Operator
from hushkit_codegen.network.lower_convolutions import lower_conv, lower_depthwise, lower_fully_connected
from hushkit_codegen.network.lower_elements import (
    lower_arithmetic,
    lower_mean,
    lower_pool,
    lower_softmax,
    lower_table,
)
from hushkit_codegen.network.lower_shapes import (
    lower_border,
    lower_concatenation,
    lower_pad,
    lower_shape,
    lower_slice,
)
from hushkit_codegen.network.lowering import Lowering
from hushkit_codegen.network.shapes import SLICES
from hushkit_codegen.network.steps import Kind, Step, Value
from hushkit_codegen.network.tables import TABLE_OPERATORS

_LOWER: Final[Mapping[str, Callable[[Lowering, Operator], None]]] = {
    "CONV_2D": lower_conv,
    "DEPTHWISE_CONV_2D": lower_depthwise,
    "FULLY_CONNECTED": lower_fully_connected,
    "MEAN": lower_mean,
    "SOFTMAX": lower_softmax,
    "CONCATENATION": lower_concatenation,
    "DEQUANTIZE": lower_border,
    **dict.fromkeys(("ADD", "SUB", "MUL"), lower_arithmetic),
    **dict.fromkeys(("AVERAGE_POOL_2D", "MAX_POOL_2D"), lower_pool),
    **dict.fromkeys(("PAD", "PADV2"), lower_pad),
    **dict.fromkeys(("RESHAPE", "SQUEEZE", "EXPAND_DIMS", "TRANSPOSE"), lower_shape),
    **dict.fromkeys(SLICES, lower_slice),
    **dict.fromkeys(TABLE_OPERATORS, lower_table),
}


def lower(model: Model, rounding: reference.Rounding, *, pixels: bool = False) -> tuple[tuple[Step, ...], Value, Value]:
    """Lower a model.

    Args:
        model: The model.
        rounding: Whose.
        pixels: For a vector unit: activations lie pixel by pixel, and convolutions run in vectors of 16.

    Returns:
        The steps, and the values of input and output, in TFLite's order; several inputs, or outputs, lie one after
        another in one value.

    Raises:
        NetworkError: An operator with options that are not supported.
    """
    low = Lowering(model, rounding, pixels=pixels)
    first = _take_inputs(low)
    for operator in model.operators:
        _LOWER[operator.kind](low, operator)
    last = _give_outputs(low)
    return tuple(low.steps), first, last


def _take_inputs(low: Lowering) -> Value:
    held = [low.new(low.tensor(index)) for index in low.model.inputs]
    first = held[0].value
    if len(held) > 1:
        first = Value("all inputs", 1, 1, sum(h.value.bytes for h in held))
        at = 0
        for h in held:
            n = h.value.bytes
            low.steps.append(Step(Kind.SLICE, "INPUT", first, h.value, first_offset=at, extra=(n, n)))
            at += n
    for index, h in zip(low.model.inputs, held, strict=True):
        low.held[index] = low.reordered(h, to_planes=True)
    return first


def _give_outputs(low: Lowering) -> Value:
    held = [low.padded(low.produced(index), low.tensor(index)) for index in low.model.outputs]
    values = [low.reordered(h, to_planes=False).value for h in held]
    if len(values) == 1:
        return values[0]
    last = Value("all outputs", 1, 1, sum(v.bytes for v in values))
    at = 0
    for value in values:
        low.steps.append(Step(Kind.COPY, "OUTPUT", value, last, offset=at, extra=(value.bytes, value.bytes)))
        at += value.bytes
    return last
