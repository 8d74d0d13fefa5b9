"""What every core model offers: the time of a run of instructions, at zero wait states.

A model is a pure function from a sequence of steps to the cycle at which the next instruction could issue. Costs of a
block are differences of two such times, with and without the block, behind the same instructions in front of it: that
carries load pipelining, dual issue and result latencies across block borders.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from hushkit_hil.instruments.cycles.disassembly import Instruction
from hushkit_hil.instruments.cycles.operands import Effects, effects_of


@dataclass(frozen=True, slots=True)
class Step:
    """One executed instruction: whether it left the straight line, and the instruction it went to."""

    instruction: Instruction
    taken: bool = False
    target: Instruction | None = None

    @property
    def effects(self) -> Effects:
        """Kind and registers of the instruction."""
        return effects_of(self.instruction)


class CoreModel(Protocol):
    """Timing of one core type."""

    name: str
    interrupt_entry: int
    """Cycles from exception to the handler's first instruction, stacking included."""
    interrupt_exit: int

    def time(self, steps: Sequence[Step]) -> int:
        """Cycles from the first instruction's issue to the moment the next one could issue."""
        ...

    def misprediction(self, block: Sequence[Step]) -> int:
        """Extra cycles when the branch that ends ``block`` goes the direction it rarely goes; 0 without a predictor."""
        ...
