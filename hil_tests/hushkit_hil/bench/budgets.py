"""Judge a result: the spec's limits, the bench's limits, and the ratchet against accepted runs of the same evidence."""

import json
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hushkit.spec import HeadsetSpec

from hushkit_hil.bench.result import Result
from hushkit_hil.errors import BenchError

_ROOM = Path(__file__).resolve().parents[2]
BUDGETS = _ROOM / "budgets.toml"
BASELINES = _ROOM / "baselines"


@dataclass(frozen=True, slots=True)
class Budget:
    """One figure's rule.

    Attributes:
        name: Table in budgets.toml.
        figure: Where the figure stands in the result, e.g. ``load.isr_instructions_per_sample_max``.
        evidence: Kind the figure must have; names the baseline file.
        ratchet: Fails when worse than the accepted figure by more than this share.
        limits: Largest allowed figure by spec, from a requirement.
    """

    name: str
    figure: str
    evidence: str
    ratchet: float
    limits: Mapping[str, float]


def load_budgets(path: Path = BUDGETS) -> tuple[Budget, ...]:
    """Read budgets.toml.

    Raises:
        BenchError: Not TOML, or a table without figure, evidence and ratchet.
    """
    try:
        tables = tomllib.loads(path.read_text())
        return tuple(
            Budget(name, t["figure"], t["evidence"], float(t["ratchet"]), t.get("limits", {}))
            for name, t in tables.items()
        )
    except (tomllib.TOMLDecodeError, KeyError, TypeError) as err:
        raise BenchError(f"{path}: {err!r}; every table needs figure, evidence and ratchet") from err


def figure_of(result: Result, budget: Budget) -> float | None:
    """The figure a budget is about; None where the run has none of that evidence."""
    value: Any = result
    for part in budget.figure.split("."):
        value = getattr(value, part)
    return None if value is None else float(value)


def spec_failures(spec: HeadsetSpec, result: Result) -> tuple[str, ...]:
    """What exceeds the spec's budgets, or is wrong in any run."""
    limits = (
        ("latency", result.latency.total_us, spec.budgets.latency_us, "us"),
        ("load", result.load.cpu_percent_max, spec.budgets.cpu_percent, "%"),
        ("flash", result.memory.flash_bytes, spec.budgets.flash_bytes, "bytes"),
        ("RAM", result.memory.ram_bytes, spec.budgets.ram_bytes, "bytes"),
    )
    failures = [
        f"{name} {found:.4g} {unit}, budget {limit:.4g}"
        for name, found, limit, unit in limits
        if found is not None and found > limit
    ]
    if result.bit_exact.host_vs_target is False:
        failures.append(f"host and {result.target} differ from sample {result.bit_exact.first_difference} on")
    return tuple(failures)


def limit_failures(result: Result, budgets: tuple[Budget, ...]) -> tuple[str, ...]:
    """What exceeds the bench's limits."""
    failures = []
    for budget in budgets:
        found, limit = figure_of(result, budget), budget.limits.get(result.spec)
        if found is not None and limit is not None and found > limit:
            failures.append(f"{budget.name} {found:.6g}, limit {limit:.6g}")
    return tuple(failures)


def ratchet_failures(result: Result, budgets: tuple[Budget, ...], folder: Path = BASELINES) -> tuple[str, ...]:
    """What is worse than the accepted run of the same scenario.

    A baseline binds only runs of its spec and toolchain: another compiler counts other instructions.
    """
    failures = []
    for budget in budgets:
        found, accepted = figure_of(result, budget), _accepted(result, budget, folder)
        if found is not None and accepted is not None and found > accepted * (1.0 + budget.ratchet):
            failures.append(
                f"{budget.name} {found:.6g}, accepted {accepted:.6g} ({budget.evidence}): more than "
                f"{100 * budget.ratchet:g} % worse; find the cause, or accept it with --accept-baselines"
            )
    return tuple(failures)


def accept(result: Result, budgets: tuple[Budget, ...], folder: Path = BASELINES) -> None:
    """Make a result's figures the baseline of its spec and toolchain."""
    folder.mkdir(exist_ok=True)
    for evidence in sorted({budget.evidence for budget in budgets}):
        path = folder / f"{evidence}.json"
        document: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {}
        entry = document.setdefault(result.spec, {"toolchain": result.toolchain, "figures": {}})
        if entry["toolchain"] != result.toolchain:
            entry.update(toolchain=result.toolchain, figures={})
        for budget in budgets:
            found = figure_of(result, budget)
            if budget.evidence == evidence and found is not None:
                entry["figures"][budget.name] = round(found, 6)
        path.write_text(json.dumps(document, indent=2, sort_keys=True) + "\n")


def _accepted(result: Result, budget: Budget, folder: Path) -> float | None:
    path = folder / f"{budget.evidence}.json"
    if not path.exists():
        return None
    entry = json.loads(path.read_text()).get(result.spec)
    if entry is None or entry["toolchain"] != result.toolchain:
        return None
    accepted = entry["figures"].get(budget.name)
    return None if accepted is None else float(accepted)
