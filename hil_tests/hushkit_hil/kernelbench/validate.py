"""The whole validation of the cycle model: instruction sequences, and library calls as the kernel bench runs them."""

from collections.abc import Callable, Mapping, Sequence

from hushkit_hil.instruments.cycles.validation import ValidationRow, published_calls, sequence_rows, trial_source
from hushkit_hil.kernelbench.rows import Cost, Row, library_costs

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
        rows += call_rows(core, library_costs(core, {call["case"] for call in published_calls()}))
    return tuple(rows)


def validate_with(rows: Sequence[Row]) -> tuple[ValidationRow, ...]:
    """Every row for the cores of a bench that has run already; library calls only where it timed them.

    Raises:
        CycleModelError: The cross assembler is missing.
    """
    cores = {row.core for row in rows}
    found = [row for row in sequence_rows() if row.core in cores]
    for core in _CORES:
        peers = {(row.case.name, name): cost for row in rows if row.core == core for name, cost in row.peers}
        found += call_rows(core, peers)
    return tuple(found)


def call_rows(core: str, costs: Mapping[tuple[str, str], Cost]) -> list[ValidationRow]:
    """Library calls whose cycles an earlier model counted, as far as ``costs`` (by case and function) has them."""
    return [
        ValidationRow(
            core,
            f"{call['function']}, {call['case']}, cycles per sample",
            trial_source(),
            "trial",
            float(call[core]),
            costs[call["case"], call["function"]].cycles,
        )
        for call in published_calls()
        if (call["case"], call["function"]) in costs
    ]
