"""Compare every controller: acoustics on the development scenarios, cost on a core, speed beside peers.

Rows of the target run the firmware built for this machine, which has the same bits as on every core; costs come from
QEMU. Without recordings in --data the built-in paths and scenes of the same kind take their place.

example:
  python -m hushkit_hil.controllerbench --json build/bench/controllers.json --markdown docs/controllers-table.md
  python -m hushkit_hil.controllerbench --seconds 5 --case hybrid --case fdaf-512 --reference none
"""

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from hushkit.errors import InputError
from hushkit.project import project_root
from hushkit_models.reference import ALGORITHMS

from hushkit_hil.controllerbench.cases import CASES, CORES, Case
from hushkit_hil.controllerbench.rows import Cost, Row, Stage, cost, reference_headset
from hushkit_hil.controllerbench.scenarios import development_scenarios, label
from hushkit_hil.controllerbench.table import markdown
from hushkit_hil.errors import BenchError

_COST_SECONDS = 2.0


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the comparison: 0 when every run ended."""
    options = _parser().parse_args(arguments)
    try:
        document = compare(options)
    except (BenchError, InputError) as err:
        print(f"controllerbench: {err}", file=sys.stderr)
        return 2
    if options.json:
        _write(options.json, json.dumps(document, indent=1) + "\n")
    rows = [Row(**row) for row in document["rows"]]
    text = markdown(rows, [Cost(**item) for item in document["costs"]], document["peers"], document["made_with"])
    if options.markdown:
        _write(options.markdown, text)
    else:
        print(text)
    return 0


def compare(options: argparse.Namespace) -> dict[str, Any]:
    """Everything the options ask for, as JSON."""
    cases = [case for case in CASES if not options.case or case.name in options.case]
    references = _references(options.reference)
    costs = [
        cost(case, core, seconds=_COST_SECONDS, say=_say) for case in cases for core in CORES if not options.no_cost
    ]
    rows = _earlier(options.rows) if options.rows else _rows(options, cases, references)
    compilers = sorted({item.toolchain for item in costs if item.toolchain})
    return {
        "made_with": f"Commit {_commit()}; {', '.join(compilers) or 'no cross compiler'}.",
        "rows": [asdict(row) for row in rows],
        "costs": [asdict(item) for item in costs],
        "peers": _peers() if options.peers else [],
    }


def _earlier(file: Path) -> list[Row]:
    try:
        return [Row(**row) for row in json.loads(file.read_text())["rows"]]
    except (OSError, ValueError, KeyError, TypeError) as err:
        raise BenchError(f"{file}: no rows in it ({err}); give what --json wrote") from err


def _rows(options: argparse.Namespace, cases: Sequence[Case], references: Sequence[str]) -> list[Row]:
    spec = reference_headset()
    rows = []
    for scenario in development_scenarios(options.data, options.seconds):
        if options.only and options.only not in label(scenario):
            continue
        stage = Stage(scenario, rate_hz=spec.audio.rate_hz, full_scale_db_spl=spec.converters.full_scale_db_spl)
        for row in _on(stage, cases, references):
            rows.append(row)
            _say(f"{label(scenario)}: {row.algorithm} {row.attenuation_db:.1f} dB of {row.bound_db:.1f}")
    return rows


def _on(stage: Stage, cases: Sequence[Case], references: Sequence[str]) -> Iterator[Row]:
    yield from (stage.on_target(case) for case in cases)
    yield from (stage.in_reference(name) for name in references)


def _references(wanted: str) -> list[str]:
    if wanted in {"all", "none"}:
        return list(ALGORITHMS) if wanted == "all" else []
    names = wanted.split(",")
    unknown = [name for name in names if name not in ALGORITHMS]
    if unknown:
        raise BenchError(f"--reference {', '.join(unknown)}: expected all, none or any of {', '.join(ALGORITHMS)}")
    return names


def _peers() -> list[dict[str, Any]]:
    script = project_root() / "models" / "benchmarks" / "reference_speed.py"
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "speed.json"
        result = subprocess.run([sys.executable, str(script), "--json", str(file)], check=False, capture_output=True)
        if result.returncode != 0:
            raise BenchError(f"{script.name} failed: {result.stderr.decode().strip().splitlines()[-1]}")
        rows: list[dict[str, Any]] = json.loads(file.read_text())
        return rows


def _commit() -> str:
    found = subprocess.run(
        ["git", "describe", "--always", "--dirty"], cwd=project_root(), capture_output=True, text=True, check=False
    )
    return found.stdout.strip() or "unknown"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m hushkit_hil.controllerbench",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--seconds", type=float, default=30.0, help="length of each run (default 30)")
    data = project_root().parent / "shared" / "data"
    parser.add_argument("--data", type=Path, default=data, help=f"folder of recordings and paths (default {data})")
    parser.add_argument("--case", action="append", default=[], help="only these controllers of the target; repeatable")
    parser.add_argument("--reference", default="all", help="reference algorithms: all, none, or names joined by commas")
    parser.add_argument("--only", help="only scenarios whose name contains this, e.g. inear_a or pink")
    parser.add_argument("--rows", type=Path, metavar="FILE", help="take the acoustics from an earlier --json")
    parser.add_argument("--no-cost", action="store_true", help="leave QEMU out")
    parser.add_argument("--peers", action="store_true", help="time the peers too")
    parser.add_argument("--json", type=Path, help="write every figure as JSON")
    parser.add_argument("--markdown", type=Path, help="write the tables there; standard output when left out")
    return parser


def _write(path: Path, text: str) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    except OSError as err:
        raise BenchError(f"{path}: cannot be written: {err.strerror}; choose a writable place") from err


def _say(line: str) -> None:
    print(line, file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
