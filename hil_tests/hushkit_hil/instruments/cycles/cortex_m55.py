"""Cortex-M55: in-order scalar core with a two-beat Helium unit. An approximation.

Rules: scalar code as in the Cortex-M33 model. A 128-bit Helium instruction keeps its unit (memory; multiply; other
arithmetic) for two cycles; a following one for another unit starts one cycle later (beat overlap, Armv8-M Architecture
Reference Manual, section B5). Results reach the next vector instruction after two cycles, scalar results of
reductions after three. Low-overhead loop ends cost nothing after the first iteration.

Known limits:
    Not validated against published figures beyond Arm's statement of one 128-bit operation per two cycles (Cortex-M55
    TRM, Arm 101051, section 1.1): use its ratios between kernels, not its absolute figures.
    Instructions that objdump does not know (long scalar shifts) count one cycle.
"""

from collections.abc import Sequence

from hushkit_hil.instruments.cycles.cortex_m33 import CortexM33
from hushkit_hil.instruments.cycles.operands import Kind
from hushkit_hil.instruments.cycles.pipeline import Step

_UNIT = {
    Kind.VECTOR_LOAD: "memory",
    Kind.VECTOR_STORE: "memory",
    Kind.VECTOR_MAC: "multiply",
    Kind.VECTOR_ALU: "arithmetic",
}


class CortexM55:
    """Timing of a Cortex-M55 with Helium; approximate."""

    name = "cortex-m55"
    interrupt_entry = 12
    interrupt_exit = 12

    def __init__(self) -> None:
        self._scalar = CortexM33()

    def time(self, steps: Sequence[Step]) -> int:
        """Scalar runs by the Cortex-M33 rules, vector runs by unit occupancy."""
        total = 0
        scalar: list[Step] = []
        vector: list[Step] = []
        for step in steps:
            if step.effects.kind in _UNIT:
                total += self._scalar.time(scalar)
                scalar = []
                vector.append(step)
            elif step.effects.kind is not Kind.LOOP:
                total += _vector_time(vector)
                vector = []
                scalar.append(step)
        return total + self._scalar.time(scalar) + _vector_time(vector)

    def misprediction(self, block: Sequence[Step]) -> int:
        """Charged as a pipeline refill of 3 cycles."""
        return 3


def _vector_time(steps: Sequence[Step]) -> int:
    now = 0
    free: dict[str, int] = {}
    ready: dict[str, int] = {}
    for step in steps:
        effects = step.effects
        unit = _UNIT[effects.kind]
        wanted = [ready.get(name, 0) for name in effects.reads | effects.accumulators | effects.data | effects.early]
        start = max([now, free.get(unit, 0), *wanted])
        free[unit] = start + 2
        for name in effects.writes:
            ready[name] = start + (1 if name.startswith("q") else 3)
        if effects.base_update:
            ready[effects.base_update] = start + 1
        now = start + 1
    return max([now, *free.values()]) if steps else 0
