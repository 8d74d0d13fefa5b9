"""Cortex-M33 with DSP extension: single issue, pairs of 16-bit instructions with a branch.

Arm publishes no timing table for this core. The rules are those measured on an RP2350 (Cortex-M33 r1p0), published in
github.com/jnk0le/random ("pipeline cycle test", cortex_m33.md); that left shifts of an operand are free and packing
takes two cycles is from the target `cortex_m33` of the open optimiser SLOTHY, measured on the same part.

Known limits:
    A taken branch behind a 32-bit instruction takes 2 cycles by the first source, 3 by the second; the model takes 2.
    Divisions count 11 cycles. Of the pairs that may issue together only the no-operation and branches are modelled.
    No published assembly figures were found against which whole loops could be checked.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from hushkit_hil.instruments.cycles.operands import FLAGS, Effects, Kind
from hushkit_hil.instruments.cycles.pipeline import Step

_ISSUE = {Kind.DIVIDE: 11, Kind.FP_DIVIDE: 14, Kind.SYSTEM: 2}
_LATENCY = {Kind.MAC: 2, Kind.LOAD: 2, Kind.LOAD_MANY: 2, Kind.FP_MAC: 3, Kind.FP_ADD: 2, Kind.FP_MUL: 2}


@dataclass(slots=True)
class Scoreboard:
    """One in-order issue slot: the next free cycle, and when each register's value exists."""

    now: int = 0
    ready: dict[str, int] = field(default_factory=dict)
    before: Step | None = None
    floating_free: int = 0

    def issue(self, step: Step, *, earliest: int = 0) -> None:
        """Issue one scalar instruction, not before ``earliest``."""
        effects = step.effects
        ready = self.ready
        start = max([self.now, earliest, *(ready.get(name, 0) for name in effects.reads | effects.early)])
        start = max([start, *(ready.get(name, 0) - 1 for name in effects.accumulators | effects.data)])
        if effects.kind in {Kind.FP_ADD, Kind.FP_MUL, Kind.FP_MAC, Kind.FP_DIVIDE}:
            start = max(start, self.floating_free)
            self.floating_free = start + (3 if effects.kind is Kind.FP_MAC else 1)
        length = _length(step, effects, self.before)
        latency = 2 if _takes_two(step, effects) else _LATENCY.get(effects.kind, 1)
        for name in effects.writes:
            ready[name] = start + max(length, 1) - 1 + (1 if name == FLAGS else latency)
        if effects.base_update:
            ready[effects.base_update] = start + 1
        self.now = start + length
        self.before = step


class CortexM33:
    """Timing of a Cortex-M33 with FPU and DSP extension."""

    name = "cortex-m33"
    interrupt_entry = 12
    interrupt_exit = 12

    def time(self, steps: Sequence[Step]) -> int:
        """In-order scoreboard with one issue slot."""
        board = Scoreboard()
        for step in steps:
            board.issue(step)
        return board.now

    def misprediction(self, block: Sequence[Step]) -> int:
        """No branch prediction: 0."""
        return 0


def _takes_two(step: Step, effects: Effects) -> bool:
    """Whether an arithmetic result comes late: behind a shift other than to the left, packing, 16-bit lanes."""
    mnemonic = step.instruction.mnemonic
    if effects.shifted_operand:
        return ", lsl " not in step.instruction.operands
    return effects.kind is Kind.BITS and (mnemonic.startswith("pkh") or mnemonic.endswith("16"))


def _length(step: Step, effects: Effects, before: Step | None) -> int:
    kind = effects.kind
    narrow = step.instruction.size == 2
    if kind in {Kind.LOAD_MANY, Kind.STORE_MANY}:
        return max(effects.count, 2) + (2 if "pc" in effects.writes else 0)
    if kind is Kind.LOAD and "pc" in effects.writes:
        return 4
    if kind in {Kind.BRANCH, Kind.BRANCH_REGISTER, Kind.TABLE_BRANCH}:
        paired = narrow and before is not None and before.instruction.size == 2
        if not step.taken:
            return 0 if paired else 1
        sets_flags = before is not None and FLAGS in before.effects.writes
        extra = {Kind.BRANCH: 0, Kind.BRANCH_REGISTER: 1, Kind.TABLE_BRANCH: 3}[kind]
        return (1 if paired and not sets_flags else 2) + extra
    if kind in {Kind.NOP, Kind.IT}:
        return 0 if before is not None and before.instruction.size == 2 else 1
    return _ISSUE.get(kind, 1)
