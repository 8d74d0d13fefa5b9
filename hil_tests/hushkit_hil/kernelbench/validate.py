"""The whole validation of the cycle model: instruction sequences, and library calls as the kernel bench runs them."""

from collections.abc import Callable

from hushkit_hil.instruments.cycles.validation import ValidationRow, published_calls, sequence_rows, trial_source
from hushkit_hil.kernelbench.rows import library_costs

_CORES = ("cortex-m4", "cortex-m7")


def validate(*, progress: Callable[[str], None]) -> tuple[ValidationRow, ...]:
    """Every row, sequences first.

    Raises:
        BenchError: The kernel bench does not run.
        CycleModelError: The cross assembler is missing.
    """
    progress("assembling published sequences")
    rows = list(sequence_rows())
    for core in _CORES:
        progress(f"{core}: running library calls")
        costs = library_costs(core, {call["case"] for call in published_calls()})
        for call in published_calls():
            modelled = costs[call["case"], call["function"]].cycles
            name = f"{call['function']}, {call['case']}, cycles per sample"
            rows.append(ValidationRow(core, name, trial_source(), "trial", float(call[core]), modelled))
    return tuple(rows)
