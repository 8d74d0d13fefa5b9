"""Take out the arithmetic on shapes that a model with a dynamic batch carries: SHAPE, STRIDED_SLICE, PACK and the like.

A converter writes it in front of RESHAPE even where every size is known; the sizes are in the tensors too.
"""

from dataclasses import replace

from hushkit_codegen.network.graph import Model

_INTEGERS = {"int32", "int64"}


def without_shape_arithmetic(model: Model) -> Model:
    """The model without operators that only compute integers which are not its outputs."""
    kept = tuple(
        operator
        for operator in model.operators
        if not operator.outputs
        or any(model.tensors[t].dtype not in _INTEGERS or t in model.outputs for t in operator.outputs)
    )
    return replace(model, operators=kept)
