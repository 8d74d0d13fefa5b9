"""Offline cycle models: recorded execution counts and edges over the disassembly become modelled cycles.

``model_cycles(core, elf, trace, profile)`` is the interface for a bench, ``worst_path``
bounds one function by the flow that was seen. All figures are at zero wait states and
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
from hushkit_hil.instruments.cycles.paths import WorstPath, worst_path, worst_paths

__all__ = [
    "CORES",
    "EVIDENCE",
    "BlockCycles",
    "CycleModelError",
    "CycleReport",
    "FunctionCycles",
    "WorstPath",
    "core_model",
    "model_cycles",
    "worst_path",
    "worst_paths",
]
