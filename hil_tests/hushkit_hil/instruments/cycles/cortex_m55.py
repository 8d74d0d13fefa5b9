"""Cortex-M55: single-issue scalar core with a Helium unit that works two cycles on a vector. An approximation.

One instruction issues per cycle. A 128-bit Helium instruction keeps its unit (memory; multiply; other arithmetic) for
two cycles; one for another unit, or a scalar one, may issue in the second (beat overlap, Armv8-M Architecture Reference
Manual, section B5). Vector loads and simple arithmetic give their result after one cycle, multiplies after two, sums
across lanes after three: the figures of the target `cortex_m55r1` of the open optimiser SLOTHY, whose authors call them
approximate. Scalar loads share the memory unit. Everything else is as in the Cortex-M33 model. Low-overhead loop ends
cost nothing.

Known limits:
    Not validated against published figures beyond Arm's statement of one 128-bit operation per two cycles (Cortex-M55
    TRM, Arm 101051, section 1.1): use its ratios between kernels, not its absolute figures.
    Vector loads that lie off a 64-bit boundary may take longer on silicon. Instructions that objdump does not know
    count one cycle.
"""

from collections.abc import Sequence

from hushkit_hil.instruments.cycles.cortex_m33 import Scoreboard
from hushkit_hil.instruments.cycles.operands import Effects, Kind
from hushkit_hil.instruments.cycles.pipeline import Step

_UNIT = {
    Kind.VECTOR_LOAD: "memory",
    Kind.VECTOR_STORE: "memory",
    Kind.VECTOR_MAC: "multiply",
    Kind.VECTOR_ALU: "arithmetic",
}
_TRANSFERS = {Kind.LOAD, Kind.STORE, Kind.LOAD_MANY, Kind.STORE_MANY}
_BUSY = 2  # cycles of one unit for one vector


class CortexM55:
    """Timing of a Cortex-M55 with Helium; approximate."""

    name = "cortex-m55"
    interrupt_entry = 12
    interrupt_exit = 12

    def time(self, steps: Sequence[Step]) -> int:
        """In-order scoreboard with one issue slot for scalar and vector instructions."""
        board = Scoreboard()
        free: dict[str, int] = {}
        for step in steps:
            kind = step.effects.kind
            if kind in _UNIT:
                _issue_vector(board, free, step)
            elif kind is not Kind.LOOP:
                board.issue(step, earliest=free.get("memory", 0) if kind in _TRANSFERS else 0)
        return board.now

    def misprediction(self, block: Sequence[Step]) -> int:
        """Charged as a pipeline refill of 3 cycles."""
        return 3


def _issue_vector(board: Scoreboard, free: dict[str, int], step: Step) -> None:
    effects = step.effects
    unit = _UNIT[effects.kind]
    wanted = effects.reads | effects.accumulators | effects.data | effects.early
    start = max([board.now, free.get(unit, 0), *(board.ready.get(name, 0) for name in wanted)])
    free[unit] = start + _BUSY
    for name in effects.writes:
        board.ready[name] = start + _latency(effects, name)
    if effects.base_update:
        board.ready[effects.base_update] = start + 1
    board.now = start + 1
    board.before = step


def _latency(effects: Effects, register: str) -> int:
    if effects.kind is not Kind.VECTOR_MAC:
        return 1
    return 2 if register.startswith("q") else 3
