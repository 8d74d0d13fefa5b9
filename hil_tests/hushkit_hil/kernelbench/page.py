"""The HTML page of the kernel bench: one file, no script, nothing loaded from anywhere; in the look of the report."""

import importlib
import inspect
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import jinja2

from hushkit_hil.instruments.cycles import CORES
from hushkit_hil.instruments.cycles.validation import TOLERANCE, ValidationRow
from hushkit_hil.kernelbench.measured import Reading
from hushkit_hil.kernelbench.rows import Row

_NOTHING, _TIMES = "\N{EN DASH}", "\N{MULTIPLICATION SIGN}"
_KINDS = {"manual": "Arm's timing table", "silicon": "measured by others", "trial": "another model"}


@dataclass(frozen=True, slots=True)
class Tile:
    """One headline figure."""

    label: str
    value: str
    note: str
    evidence: str


@dataclass(frozen=True, slots=True)
class Line:
    """One kernel on one core as the page shows it.

    ``share`` is the generated kernel's part of the best library call's cycles, in percent; 100 without a peer.
    """

    row: Row
    share: float
    best: str
    library: float | None
    measured: float | None

    @property
    def ratio(self) -> str:
        """How many times the library takes longer."""
        return _NOTHING if math.isnan(self.row.ratio) else f"{self.row.ratio:.2f}{_TIMES}"


@dataclass(frozen=True, slots=True)
class Section:
    """One core: its lines, and what its cycle model cannot know."""

    core: str
    lines: tuple[Line, ...]
    validation: tuple[ValidationRow, ...]
    limits: str

    @property
    def reproduced(self) -> list[tuple[str, int, int]]:
        """Kind of published row, rows within the tolerance, rows."""
        found = []
        for kind, words in _KINDS.items():
            own = [row for row in self.validation if row.kind == kind]
            if own:
                found.append((words, sum(row.within for row in own), len(own)))
        return found


def write_page(
    path: Path, rows: Sequence[Row], validation: Sequence[ValidationRow], readings: Sequence[Reading] = ()
) -> None:
    """Write the page of one run."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(render_page(rows, validation, readings), encoding="utf-8")


def render_page(rows: Sequence[Row], validation: Sequence[ValidationRow], readings: Sequence[Reading] = ()) -> str:
    """The page as text.

    Args:
        rows: What the bench found.
        validation: Published figures against the cycle models; may be empty.
        readings: What boards measured; may be empty.
    """
    measured = {(reading.core, reading.case, reading.what): reading.cycles for reading in readings}
    cores = [core for core in CORES if any(row.core == core for row in rows)]
    sections = [
        Section(
            core,
            tuple(_line(row, measured) for row in rows if row.core == core),
            tuple(row for row in validation if row.core == core),
            model_limits(core),
        )
        for core in cores
    ]
    environment = jinja2.Environment(
        loader=jinja2.ChoiceLoader(
            [jinja2.PackageLoader("hushkit_hil.kernelbench"), jinja2.PackageLoader("hushkit_hil.report", ".")]
        ),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("page.html.j2").render(
        passed=all(row.passed for row in rows),
        failures=[
            f"{row.core}: {row.case.kernel}, {row.case.shape}: {_failure(row)}" for row in rows if not row.passed
        ],
        tiles=_tiles(rows, sections),
        sections=sections,
        tolerance=TOLERANCE,
        kinds=_KINDS,
        is_measured=bool(readings),
        sources=sorted({row.source for row in validation}),
    )


def model_limits(core: str) -> str:
    """The limits that a core's timing model states of itself."""
    module = importlib.import_module(f"hushkit_hil.instruments.cycles.{core.replace('-', '_')}")
    text = inspect.getdoc(module) or ""
    return " ".join(text.partition("Known limits:")[2].split())


def _line(row: Row, measured: dict[tuple[str, str, str], float]) -> Line:
    same = [(name, cost) for name, cost in row.peers if name not in row.case.unequal]
    share = 100.0 if math.isnan(row.ratio) else 100.0 / row.ratio
    return Line(
        row,
        share,
        same[0][0] if same else row.case.note or "no library call does this",
        same[0][1].cycles if same else None,
        measured.get((row.core, row.case.name, "generated")),
    )


def _failure(row: Row) -> str:
    what = "not bit-exact" if not row.exact else f"ratio {row.ratio:.2f}, promised {row.case.target:g}"
    return f"{row.core}: {row.case.kernel}, {row.case.shape}: {what}"


def _tiles(rows: Sequence[Row], sections: Sequence[Section]) -> list[Tile]:
    promised = [row for row in rows if row.case.target]
    kept = sum(row.passed for row in promised)
    samples = max(row.samples for row in rows)
    tiles = [
        Tile("Promises kept", f"{kept} of {len(promised)}", "ratios of cycles, library over generated", "modelled"),
        Tile(
            "Bit-exact",
            f"{sum(row.exact for row in rows)} of {len(rows)}",
            f"core against reference and host, {samples:,} samples of each of six signals",
            "emulated",
        ),
    ]
    for section in sections:
        ratios = [line.row.ratio for line in section.lines if not math.isnan(line.row.ratio)]
        if ratios:
            note = f"fewer cycles than the library, median of {len(ratios)}; least {min(ratios):.2f}{_TIMES}"
            tiles.append(Tile(section.core, f"{median(ratios):.1f}{_TIMES}", note, "modelled"))
    return tiles
