"""What a model may hold: known operators, INT8 activations, floats and uint8 at the ends alone."""

from collections.abc import Collection
from typing import Final

from hushkit_codegen.network.errors import NetworkError
from hushkit_codegen.network.graph import Model, Operator, Tensor

_SHAPES: Final = {"int32", "int64"}
_WHAT_TO_DO: Final = {
    "float32": "quantise weights and activations to INT8",
    "float16": "quantise weights and activations to INT8",
    "int16": "activations of 16 bits are not supported; quantise them to INT8",
    "uint8": "only a QUANTIZE at the ends may have it; convert the model with the INT8 quantiser",
}


def check(model: Model, supported: Collection[str]) -> None:
    """Check a model whose shape arithmetic has been taken out.

    Raises:
        NetworkError: An operator we do not know, or a tensor of a type that it cannot have.
    """
    for operator in model.operators:
        if operator.kind not in supported:
            outputs = ", ".join(model.tensors[t].name for t in operator.outputs)
            raise NetworkError(
                f"{model.name}: operator {operator.index} is {operator.kind} (output {outputs}), which is not "
                f"supported; expected one of {', '.join(sorted(supported))}; replace it before export"
            )
        for position, at in enumerate(operator.inputs + operator.outputs):
            if at >= 0:
                _check_tensor(model, operator, model.tensors[at], is_output=position >= len(operator.inputs))


def _check_tensor(model: Model, operator: Operator, tensor: Tensor, *, is_output: bool) -> None:
    where = f"{model.name}: {operator} has tensor {tensor.index} ({tensor.name})"
    at_border = (operator.kind == "QUANTIZE" and not is_output and tensor.index in model.inputs) or (
        operator.kind == "DEQUANTIZE" and is_output and tensor.index in model.outputs
    )
    is_uint8_end = (
        tensor.dtype == "uint8"
        and operator.kind == "QUANTIZE"
        and (tensor.index in (model.outputs if is_output else model.inputs))
    )
    allowed = (
        tensor.dtype == "int8"
        or (tensor.data is not None and tensor.dtype in _SHAPES)
        or (tensor.dtype in _SHAPES and not is_output)
        or (tensor.dtype == "float32" and at_border)
        or is_uint8_end
    )
    if not allowed:
        advice = _WHAT_TO_DO.get(tensor.dtype, "quantise the model to INT8")
        raise NetworkError(f"{where} in {tensor.dtype.upper()}, expected INT8; {advice}")
    if tensor.dtype == "int8" and not tensor.scales and tensor.data is None:
        raise NetworkError(f"{where} without a scale; quantise it again")
