"""Offline cycle models: recorded execution counts and edges over the disassembly become modelled cycles.

``model_cycles(core, elf, trace, profile)`` is the whole interface for a bench. All figures are at zero wait states and
carry the evidence *modelled*; ``hushkit_hil.instruments.cycles.validation`` reproduces published figures and prints the
error per row.
"""

from hushkit_hil.instruments.cycles.account import (
    CORES,
    EVIDENCE,
    BlockCycles,
    CycleReport,
    FunctionCycles,
    core_model,
    model_cycles,
)
from hushkit_hil.instruments.cycles.disassembly import CycleModelError

__all__ = [
    "CORES",
    "EVIDENCE",
    "BlockCycles",
    "CycleModelError",
    "CycleReport",
    "FunctionCycles",
    "core_model",
    "model_cycles",
]
