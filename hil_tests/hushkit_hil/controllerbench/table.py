"""The comparison as Markdown."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from hushkit_hil.controllerbench.rows import INSTANTS_S, TARGET, Cost, Row


def markdown(rows: Sequence[Row], costs: Sequence[Cost], peers: Sequence[dict[str, Any]], made_with: str) -> str:
    """All tables of one run.

    Args:
        rows: Controllers on scenarios.
        costs: Controllers on cores.
        peers: Rows of models/benchmarks/reference_speed.py.
        made_with: Commit and compiler, one line.

    Returns:
        Text that ends with a line feed.
    """
    parts = [
        "# Controllers compared",
        "",
        "Written by `python -m hushkit_hil.controllerbench` (`make bench` runs it); do not edit.",
        made_with,
        "",
        "One ear, no fixed filter in front, 100 us from the reference microphone to the driver, secondary path as",
        "measured. `target` is the fixed-point firmware, built for this machine with the bits it has on every core;",
        "`reference` is double precision and not on the target. All acoustics are modelled.",
        "",
        *_summary(rows, costs),
        *_costs(costs),
        *_scenarios(rows),
        *_peers(peers),
    ]
    return "\n".join(parts) + "\n"


def _summary(rows: Sequence[Row], costs: Sequence[Cost]) -> list[str]:
    lines = [
        "## In one look",
        "",
        "Distance: what the causal bound (4096 taps) reaches more, in dB, over all scenarios.",
        "",
        "| algorithm | | distance, mean | worst | t3 reached | worst 100 ms against off | M4 | M7 |",
        "|---|---|---:|---:|---:|---:|---:|---:|",
    ]
    cost_of = {(item.algorithm, item.core): item for item in costs}
    for name, subject in dict.fromkeys((row.algorithm, row.subject) for row in rows):
        own = [row for row in rows if (row.algorithm, row.subject) == (name, subject)]
        distances = [row.distance_db for row in own]
        reached = sum(row.t3_s is not None for row in own)
        loads = [_load(cost_of.get((name, core))) if subject == TARGET else "" for core in ("cortex-m4", "cortex-m7")]
        lines.append(
            f"| {name} | {subject} | {sum(distances) / len(distances):.1f} | {max(distances):.1f} | "
            f"{reached} of {len(own)} | {max(row.worst_sustained_db for row in own):+.1f} | {loads[0]} | {loads[1]} |"
        )
    return [*lines, ""]


def _load(cost: Cost | None) -> str:
    if cost is None:
        return ""
    return f"{cost.cpu_percent:.0f} %" if cost.fits else "too long"


def _costs(costs: Sequence[Cost]) -> list[str]:
    lines = [
        "## What they cost",
        "",
        "The whole firmware of one ear: audio path, watch and controller. Cycles are modelled from the exact",
        "instructions of a run on QEMU, zero wait states. What is too long for a core has the spec check's estimate.",
        "",
        "| algorithm | core | clock / MHz | cycles per sample | busiest update block | evidence |",
        "|---|---|---:|---:|---:|---|",
    ]
    lines += [
        f"| {item.algorithm} | {item.core} | {item.clock_hz / 1e6:.0f} | {item.cycles_per_sample:.0f} | "
        f"{item.cpu_percent:.1f} % | {item.evidence}{'' if item.fits else ', does not fit'} |"
        for item in costs
    ]
    return [*lines, ""]


def _scenarios(rows: Sequence[Row]) -> list[str]:
    lines = ["## Scenario by scenario", ""]
    for scenario in _distinct(row.scenario for row in rows):
        own = [row for row in rows if row.scenario == scenario]
        words = f"{Path(scenario['paths']).stem}, {scenario['field']}, {Path(scenario['noise']).stem}"
        instants = " | ".join(f"{at} s" for at in INSTANTS_S)
        lines += [
            f"### {words}: bound {own[0].bound_db:.1f} dB",
            "",
            f"| algorithm | | {instants} | 10-30 s | distance | t3 / s | worst octave below 4 kHz |",
            "|---|---|" + "---:|" * (len(INSTANTS_S) + 4),
        ]
        for row in own:
            heard = " | ".join(_number(row.db_at[str(at)]) for at in INSTANTS_S)
            lines.append(
                f"| {row.algorithm} | {row.subject} | {heard} | {row.attenuation_db:.1f} | {row.distance_db:.1f} | "
                f"{_number(row.t3_s, places=2)} | {row.worst_octave_amplification_below_4khz_db:+.1f} |"
            )
        lines.append("")
    return lines


def _distinct(scenarios: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for scenario in scenarios:
        if scenario not in found:
            found.append(scenario)
    return found


def _number(value: float | None, *, places: int = 1) -> str:
    return "-" if value is None else f"{value:.{places}f}"


def _peers(peers: Sequence[dict[str, Any]]) -> list[str]:
    if not peers:
        return []
    lines = [
        "## Speed per sample, beside peers",
        "",
        "In this machine's double precision (measured; other work on it makes every row slower).",
        "",
        "| subject | samples per s | ns per sample | work |",
        "|---|---:|---:|---|",
    ]
    lines += [
        f"| {row['subject']} | {row['samples_per_s']:.0f} | {1e9 / row['samples_per_s']:.0f} | {row['work']} |"
        for row in peers
    ]
    return [*lines, ""]
