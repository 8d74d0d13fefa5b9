"""Cortex-M4: single issue, three stages, timings of the Technical Reference Manual.

Sources:
    Arm DDI 0439 (Cortex-M4 TRM r0p1), section 3.3: instruction table and load/store timings; floating point in
    section 7.2.3. Measurements on an STM32F407 published in github.com/jnk0le/random ("pipeline cycle test",
    cortex_m3m4.md) decide where the manual is silent: a no-operation behind a load is free, post-indexed loads on one
    base register do not pipeline.

Known limits:
    Divisions count 12 cycles, the manual's upper bound (2 to 12, data dependent). Pipeline refill P is 1 for immediate
    branches, 2 through a register, 3 for loads to the program counter, plus 1 when the target is a 32-bit instruction
    off a word boundary; silicon varies by one cycle with the speculation's luck. Contention between instruction fetch
    and literal loads on one bus is not modelled.
"""

from collections.abc import Sequence

from hushkit_hil.instruments.cycles.operands import Effects, Kind
from hushkit_hil.instruments.cycles.pipeline import Step

_ONE_CYCLE = {
    Kind.ALU, Kind.MOVE, Kind.BITS, Kind.MAC, Kind.FP_ADD, Kind.FP_MUL, Kind.FP_MOVE,
}  # fmt: skip
_DATA_PROCESSING = {Kind.ALU, Kind.MOVE, Kind.BITS, Kind.MAC}
_FP_ARITHMETIC = {Kind.FP_ADD, Kind.FP_MUL, Kind.FP_MAC, Kind.FP_DIVIDE}


class CortexM4:
    """Timing of a Cortex-M4 with FPU."""

    name = "cortex-m4"
    interrupt_entry = 12  # Arm DDI 0439, 3.9: 12 cycles with zero wait states, integer registers only
    interrupt_exit = 12

    def time(self, steps: Sequence[Step]) -> int:
        """Sum of the instructions' costs, each in the context of the one in front of it."""
        cycles = 0
        before: Effects | None = None
        before_size = 4
        for step in steps:
            effects = step.effects
            cycles += _cost(step, effects, before, before_size)
            before, before_size = effects, step.instruction.size
        return cycles

    def misprediction(self, block: Sequence[Step]) -> int:
        """No branch prediction: 0."""
        return 0


def _cost(step: Step, effects: Effects, before: Effects | None, before_size: int) -> int:  # noqa: PLR0911 - a table
    kind = effects.kind
    stall = _operand_stall(effects, before)
    if kind in _ONE_CYCLE:
        return 1 + stall + (effects.count - 1 if kind is Kind.FP_MOVE else 0)
    if kind in {Kind.LOAD, Kind.STORE}:
        return _single_transfer(step, effects, before) + stall
    if kind in {Kind.LOAD_MANY, Kind.STORE_MANY}:
        return 1 + effects.count + stall + (3 if "pc" in effects.writes else 0)
    if kind is Kind.NOP:
        return 0 if before and before.kind is Kind.LOAD else 1
    if kind is Kind.IT:
        return 0 if before_size == 2 else 1
    if kind in {Kind.BRANCH, Kind.BRANCH_REGISTER, Kind.TABLE_BRANCH}:
        return _branch(step, kind)
    fixed = {Kind.DIVIDE: 12, Kind.FP_MAC: 3, Kind.FP_DIVIDE: 14, Kind.SYSTEM: 2}
    return fixed.get(kind, 1) + stall


def _operand_stall(effects: Effects, before: Effects | None) -> int:
    if before is None:
        return 0
    if before.kind in _FP_ARITHMETIC and before.writes & (effects.reads | effects.accumulators | effects.data):
        return 1
    is_transfer = effects.kind in {Kind.LOAD, Kind.STORE, Kind.LOAD_MANY, Kind.STORE_MANY}
    if is_transfer and before.kind in _DATA_PROCESSING and before.writes & effects.early:
        return 1
    return 0


def _single_transfer(step: Step, effects: Effects, before: Effects | None) -> int:
    if effects.kind is Kind.STORE:
        floating = step.instruction.mnemonic.startswith("v")
        pipelined = before is not None and before.kind is Kind.LOAD
        return 2 if (effects.register_offset or floating) and not pipelined else 1
    if "pc" in effects.writes:
        return 5
    words = 2 if any(name.startswith("d") for name in effects.writes) else 1
    if before is not None and before.kind is Kind.LOAD and not before.writes & effects.early:
        same_base = before.base_update is not None and before.base_update == effects.base_update
        if not same_base:
            return words
    return 1 + words


def _branch(step: Step, kind: Kind) -> int:
    if not step.taken:
        return 1
    refill = {Kind.BRANCH: 1, Kind.BRANCH_REGISTER: 2, Kind.TABLE_BRANCH: 4}[kind]
    target = step.target
    if target is not None and target.size == 4 and target.address % 4:
        refill += 1
    return 1 + refill
