"""Work of a network in instructions, roughly: how firmware's hk_net_step measures its slices."""

from typing import Final

from hushkit_codegen.network.blob import VECTOR_CORES
from hushkit_codegen.network.graph import Model
from hushkit_codegen.network.lower import lower
from hushkit_codegen.network.steps import Kind, Step

_GROUP: Final = 4
_PER_OUTPUT: Final = 14
_PER_SUM: Final = 80
_PER_WINDOW_TAP: Final = 10
_OF_WINDOW: Final = 200
_PER_TAP: Final = 3
_PER_VECTOR: Final = 16


def work_of(model: Model, core: str) -> int:
    """Work of one inference on a core.

    Raises:
        NetworkError: The model cannot be compiled.
    """
    return sum(_step_work(step) for step in lower(model, "tflite", pixels=core in VECTOR_CORES)[0] if step.source)


def _step_work(step: Step) -> int:
    first, out = step.first, step.out
    pixels = out.height * out.width
    if step.kind in {Kind.POINT, Kind.CONV}:
        pairs = (first.channels * step.kernel[0] * step.kernel[1] + 1) // 2
        windows = 4 * pairs * _PER_WINDOW_TAP + 2 * _OF_WINDOW
        widen = windows if step.kind is Kind.CONV else 4 * pairs * _PER_TAP
        groups = -(-out.channels // _GROUP)
        return (pixels + 1) // 2 * (widen + groups * (4 * _GROUP * pairs + 2 * _GROUP * _PER_OUTPUT))
    if step.kind in {Kind.VECTOR_POINT, Kind.VECTOR_CONV}:
        vectors = (first.channels * step.kernel[0] * step.kernel[1] + 15) // 16 * _PER_VECTOR
        widen = vectors if step.kind is Kind.VECTOR_CONV else 0
        return (pixels + 3) // 4 * (widen + (out.channels + 1) // 2 * (vectors + 8 * _PER_OUTPUT))
    if step.kind in {Kind.DEPTHWISE, Kind.VECTOR_DEPTHWISE}:
        plane = 2 * first.height * first.width
        return out.channels * (plane + pixels * (_PER_OUTPUT + step.kernel[0] * step.kernel[1]))
    if step.kind in {Kind.ADD, Kind.SUB, Kind.MUL}:
        return first.channels * first.height * first.width * _PER_SUM
    return (first.channels * first.height * first.width + out.channels * pixels) * _PER_OUTPUT // 2
