"""Published cycle counts, reproduced by the cycle model, with the error of every row.

Three kinds of rows, never mixed in a count: *manual* (Arm's timing tables), *silicon* (measured by others on a part)
and *trial* (an earlier model of this project). What the model misses stays in the table.
"""

import subprocess
import tempfile
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hushkit_hil.instruments.cycles.account import core_model
from hushkit_hil.instruments.cycles.disassembly import CycleModelError, disassemble
from hushkit_hil.instruments.cycles.pipeline import Step

#: Largest error for a row to count as reproduced, per core, as a share of the published figure.
TOLERANCE = {"cortex-m4": 0.05, "cortex-m7": 0.15, "cortex-m33": 0.15, "cortex-m55": 0.15}
_FEW, _MANY = 4, 14
_ROWS = Path(__file__).with_name("rows.toml")
_CPU = {
    "cortex-m4": ("-mcpu=cortex-m4", "-mfpu=fpv4-sp-d16"),
    "cortex-m7": ("-mcpu=cortex-m7", "-mfpu=fpv5-sp-d16"),
    "cortex-m33": ("-mcpu=cortex-m33", "-mfpu=fpv5-sp-d16"),
}


@dataclass(frozen=True, slots=True)
class ValidationRow:
    """One published figure: what it is, where from, what was published and what the model says."""

    core: str
    name: str
    source: str
    kind: str
    published: float
    modelled: float

    @property
    def error(self) -> float:
        """Modelled over published, minus one."""
        return self.modelled / self.published - 1.0

    @property
    def within(self) -> bool:
        """Whether the error is inside the core's tolerance."""
        return abs(self.error) <= TOLERANCE[self.core]

    def document(self) -> dict[str, Any]:
        """Machine form."""
        return {
            "core": self.core,
            "name": self.name,
            "source": self.source,
            "kind": self.kind,
            "published_cycles": self.published,
            "modelled_cycles": round(self.modelled, 2),
            "error": round(self.error, 4),
            "within": self.within,
        }


def sequence_rows() -> tuple[ValidationRow, ...]:
    """Every instruction sequence of ``rows.toml``; needs the cross assembler, no emulator.

    Raises:
        CycleModelError: The assembler is missing or refuses a row.
    """
    table = tomllib.loads(_ROWS.read_text())
    rows = []
    for entry in table["row"]:
        modelled = steady_cycles(entry["core"], entry["code"])
        title = table["source"][entry["source"]]["title"]
        rows.append(ValidationRow(entry["core"], entry["name"], title, entry["kind"], float(entry["cycles"]), modelled))
    return tuple(rows)


def published_calls() -> tuple[dict[str, Any], ...]:
    """Library calls of ``rows.toml``: case, function and cycles per sample by core."""
    return tuple(tomllib.loads(_ROWS.read_text())["call"])


def trial_source() -> str:
    """Where the figures of ``published_calls`` come from."""
    return str(tomllib.loads(_ROWS.read_text())["source"]["trial"]["title"])


def steady_cycles(core: str, code: Sequence[str]) -> float:
    """Cycles of one more copy of a straight sequence in a steady run.

    Raises:
        CycleModelError: The assembler is missing or refuses the code.
    """
    copies = {count: _steps(core, list(code) * count) for count in (_FEW, _MANY)}
    model = core_model(core)
    return (model.time(copies[_MANY]) - model.time(copies[_FEW])) / (_MANY - _FEW)


def _steps(core: str, code: Sequence[str]) -> list[Step]:
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder, "row.s"), Path(folder, "row.o")
        text = [".syntax unified", ".thumb", ".text", ".p2align 3", "row:", *code]
        source.write_text("\n".join(text) + "\n")
        command = [
            "arm-none-eabi-gcc",
            *_CPU[core],
            "-mthumb",
            "-mfloat-abi=hard",
            "-c",
            str(source),
            "-o",
            str(target),
        ]
        try:
            result = subprocess.run(command, capture_output=True, text=True, check=False)
        except FileNotFoundError as err:
            raise CycleModelError("arm-none-eabi-gcc is not on PATH; install gcc-arm-none-eabi") from err
        if result.returncode != 0:
            raise CycleModelError(f"a validation row does not assemble for {core}: {result.stderr.strip()}")
        program = disassemble(target)
    return [Step(program.instructions[address]) for address in sorted(program.instructions)]


def validation_table(rows: Sequence[ValidationRow]) -> str:
    """The rows as text: error per row, then reproduced rows per core and kind, then the list of misses."""
    lines = [f"{'core':<11} {'kind':<8} {'published':>9} {'modelled':>9} {'error':>7}  row"]
    for row in rows:
        mark = "" if row.within else "   MISSED"
        figures = f"{row.published:>9.1f} {row.modelled:>9.1f} {row.error:>+7.1%}"
        lines.append(f"{row.core:<11} {row.kind:<8} {figures}  {row.name}{mark}")
    for core, tolerance in TOLERANCE.items():
        for kind in ("manual", "silicon", "trial"):
            own = [row for row in rows if row.core == core and row.kind == kind]
            if own:
                hits = sum(row.within for row in own)
                lines.append(f"{core}: {hits} of {len(own)} {kind} rows within {tolerance:.0%}")
    lines.append("Sources:")
    lines += sorted({f"  {row.kind}: {row.source}" for row in rows})
    return "\n".join(lines)
