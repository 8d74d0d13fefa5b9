"""Generated kernels against CMSIS-DSP, on bare emulated cores.

    hushkit kernels bench --core cortex-m4

generates every kernel shape for the core, builds it next to the CMSIS-DSP calls that do the same job, and runs both:
first on six test signals, where each output must equal the reference bit for bit and the host's portable C; then under
the QEMU plugin, whose counts the cycle model turns into cycles. Without --core all four cores run.

    hushkit kernels validate

reproduces published cycle counts with the same cycle model and prints the error of every row.

With --html the rows become a page with the model's errors and limits. With --board CORE=CONSOLE the cycles that a board
counted itself stand beside them: run build/kernelbench/CORE-*/bench.elf on it under a debugger with semihosting, and
give the file of what it printed.

Cycles are modelled, at zero wait states; instruction counts are emulated and exact. Neither changes from run to run.
Exit status 1: a kernel is not exact, or a promised ratio is missed.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hushkit.errors import InputError
from hushkit.json_output import write_json

from hushkit_hil.errors import BenchError
from hushkit_hil.instruments.cycles import CORES, CycleModelError
from hushkit_hil.instruments.cycles.validation import TOLERANCE, ValidationRow, validation_table
from hushkit_hil.kernelbench.cases import SIGNALS, all_cases
from hushkit_hil.kernelbench.measured import Reading, read_console_file
from hushkit_hil.kernelbench.page import write_page
from hushkit_hil.kernelbench.rows import Row, bench_rows, table
from hushkit_hil.kernelbench.validate import validate, validate_with

HELP = "benchmark generated kernels against CMSIS-DSP; validate the cycle model"
ERRORS: tuple[type[Exception], ...] = (BenchError, CycleModelError, InputError)

_SAMPLES = 4096


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    bench = actions.add_parser("bench", help="generated kernels against CMSIS-DSP, one run")
    bench.add_argument("--core", choices=CORES, action="append", help="one core, repeatable; default: all four")
    bench.add_argument(
        "--samples", type=int, default=_SAMPLES, help=f"samples compared per kernel and signal (default {_SAMPLES})"
    )
    bench.add_argument(
        "--signals",
        type=_signals,
        default=SIGNALS,
        metavar="A,B",
        help=f"compare on these only, out of {','.join(SIGNALS)}; default: all",
    )
    bench.add_argument("--only", default="", metavar="TEXT", help="only kernels whose name contains TEXT")
    bench.add_argument("--json", metavar="FILE", help="write the machine form; - for standard output")
    bench.add_argument("--html", metavar="FILE", help="write a self-contained page")
    bench.add_argument(
        "--board",
        action="append",
        default=[],
        metavar="CORE=CONSOLE",
        help="what a board printed that ran the bench's program (a file or device): adds measured cycles; repeatable",
    )
    check = actions.add_parser("validate", help="published cycle counts against the cycle model")
    check.add_argument("--json", metavar="FILE", help="write the machine form; - for standard output")


def run(options: argparse.Namespace) -> int:
    """Run the bench or the validation."""
    if options.action == "validate":
        rows = validate(progress=_say)
        _write(options.json, [row.document() for row in rows], validation_table(rows))
        return 0 if _validated(rows) else 1
    if options.samples < 64 or options.samples > 2**31:
        raise InputError(f"--samples {options.samples}: expected 64 to 2^31; ask for at least one ring of samples")
    readings = tuple(reading for text in options.board for reading in _readings(text))
    found = bench_rows(
        options.core or CORES, samples=options.samples, progress=_say, only=options.only, signals=options.signals
    )
    if not found:
        raise InputError(f"--only {options.only!r} matches no kernel; run without it to see their names")
    _write(options.json, _documents(found, readings), table(found, readings))
    if options.html:
        write_page(Path(options.html), found, validate_with(found), readings)
    return 0 if all(row.passed for row in found) else 1


def _signals(text: str) -> tuple[str, ...]:
    names = tuple(text.split(","))
    unknown = [name for name in names if name not in SIGNALS]
    if unknown:
        raise argparse.ArgumentTypeError(f"{unknown[0]!r}: expected names out of {', '.join(SIGNALS)}")
    return names


def _readings(board: str) -> tuple[Reading, ...]:
    core, _, console = board.partition("=")
    if core not in CORES or not console:
        raise InputError(f"--board {board}: expected CORE=CONSOLE with a core out of {', '.join(CORES)}")
    return read_console_file(core, Path(console), all_cases(core))


def _documents(rows: Sequence[Row], readings: Sequence[Reading]) -> list[dict[str, Any]]:
    documents = []
    for row in rows:
        own = [reading for reading in readings if (reading.core, reading.case) == (row.core, row.case.name)]
        documents.append({**row.document(), "measured": [reading.document() for reading in own]})
    return documents


def _validated(rows: Sequence[ValidationRow]) -> bool:
    """Whether enough published rows are reproduced: eight for the Cortex-M4, five for the Cortex-M7."""
    published = [row for row in rows if row.kind != "trial"]
    hits = {core: sum(row.within for row in published if row.core == core) for core in TOLERANCE}
    return hits["cortex-m4"] >= 8 and hits["cortex-m7"] >= 5


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _write(target: str | None, document: list[dict[str, Any]], text: str) -> None:
    write_json(target, document)
    if target != "-":
        print(text)
