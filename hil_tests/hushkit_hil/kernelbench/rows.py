"""Rows of the kernel bench: one run per core, generated kernels beside the best library call."""

import math
from collections import defaultdict
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any

from hushkit_hil.instruments.cycles import EVIDENCE, model_cycles, worst_path
from hushkit_hil.kernelbench.case import Case
from hushkit_hil.kernelbench.cases import SIGNALS, all_cases
from hushkit_hil.kernelbench.measured import Reading
from hushkit_hil.kernelbench.runner import Region, Run, run_bench

_REGIONS = 8  # timed calls per implementation: one whole turn of a ring for block 8, and a mean over alignments
_EMPTY = "empty"


@dataclass(frozen=True, slots=True)
class Cost:
    """Cost of one implementation per sample.

    ``instructions`` are emulated; ``cycles`` (mean), ``cycles_max`` (dearest call seen) and ``cycles_bound`` (longest
    path through the flow that was seen) are modelled. ``stack_bytes`` is the deepest stack of one call.
    """

    instructions: float
    cycles: float
    cycles_max: float
    cycles_bound: float
    stack_bytes: int

    def document(self) -> dict[str, float]:
        """Machine form."""
        return {
            "instructions_per_sample": round(self.instructions, 2),
            "cycles_per_sample": round(self.cycles, 2),
            "cycles_per_sample_max": round(self.cycles_max, 2),
            "cycles_per_sample_bound": round(self.cycles_bound, 2),
            "stack_bytes": self.stack_bytes,
        }


@dataclass(frozen=True, slots=True)
class Row:
    """One kernel on one core.

    ``peers`` are library calls by name, cheapest first; ``exact`` says whether every compared block was equal to the
    reference on the core and every output to the host's; ``target`` is the promised ratio, 0 without one.
    """

    case: Case
    core: str
    generated: Cost
    peers: tuple[tuple[str, Cost], ...]
    exact: bool
    samples: int

    @property
    def ratio(self) -> float:
        """Cycles of the best library call that does the same job, over generated; NaN without a peer."""
        same = [cost.cycles for name, cost in self.peers if name not in self.case.unequal]
        return min(same) / self.generated.cycles if same else math.nan

    @property
    def passed(self) -> bool:
        """Whether the row is exact and reaches its target (judged at two decimals, as printed)."""
        return self.exact and (self.case.target == 0.0 or round(self.ratio, 2) >= self.case.target)

    def document(self) -> dict[str, Any]:
        """Machine form, one entry of ``hushkit kernels bench --json``."""
        same = [(name, cost) for name, cost in self.peers if name not in self.case.unequal]
        best = {"function": same[0][0], **same[0][1].document()} if same else None
        return {
            "kernel": self.case.kernel,
            "shape": self.case.shape,
            "core": self.core,
            "generated": self.generated.document(),
            "cmsis": best,
            "ratio_cycles": None if math.isnan(self.ratio) else round(self.ratio, 2),
            "bit_exact": self.exact,
            "evidence": EVIDENCE,
            "samples_compared": self.samples,
            "target_ratio": self.case.target or None,
            "passed": self.passed,
            "peers": [{"function": name, **cost.document()} for name, cost in self.peers],
            "note": self.case.note,
        }


def bench_rows(
    cores: Sequence[str],
    *,
    samples: int,
    progress: Callable[[str], None],
    only: str = "",
    signals: Collection[str] = SIGNALS,
) -> tuple[Row, ...]:
    """Run the bench on the host and on each core.

    Args:
        cores: Out of ``CORES``.
        samples: Compared per case and signal.
        progress: Told what starts.
        only: Run the cases whose name contains this.
        signals: Compared on, out of ``SIGNALS``.

    Raises:
        BenchError: Build or run failed.
    """
    progress(f"host: comparing {samples} samples of each signal")
    host_cases = [case for case in all_cases("host") if only in case.name]
    host = run_bench("host", host_cases, samples=samples, regions=0, signals=signals)
    hashes = {(check.case, check.signal): check.output_hash for check in host.checks}
    rows: list[Row] = []
    for core in cores:
        progress(f"{core}: comparing and counting on its emulated machine")
        cases = [case for case in all_cases(core) if only in case.name]
        compared = run_bench(core, cases, samples=samples, regions=0, signals=signals)
        timed = run_bench(core, cases, samples=0, regions=_REGIONS)
        rows += _rows(core, cases, compared, timed, hashes)
    return tuple(rows)


def library_costs(core: str, names: Collection[str]) -> dict[tuple[str, str], Cost]:
    """Cost of every library call of the named cases on one core, by (case, function).

    Raises:
        BenchError: Build or run failed.
    """
    cases = [case for case in all_cases(core) if case.name in names]
    costs = _costs(core, run_bench(core, cases, samples=0, regions=_REGIONS), cases)
    return {(case, what.removeprefix("cmsis:")): cost for (case, what), cost in costs.items()}


def _rows(core: str, cases: Sequence[Case], compared: Run, timed: Run, hashes: dict[tuple[str, str], int]) -> list[Row]:
    costs = _costs(core, timed, cases)
    rows = []
    for case in cases:
        checks = [check for check in compared.checks if check.case == case.name]
        exact = bool(checks) and all(
            check.mismatches == 0 and hashes.get((check.case, check.signal)) == check.output_hash for check in checks
        )
        peers = sorted(
            ((peer.function, costs[case.name, f"cmsis:{peer.function}"]) for peer in case.peers),
            key=lambda pair: pair[1].cycles,
        )
        generated = costs[case.name, "generated"]
        rows.append(Row(case, core, generated, tuple(peers), exact, checks[0].samples if checks else 0))
    return rows


def _costs(core: str, timed: Run, cases: Sequence[Case]) -> dict[tuple[str, str], Cost]:
    assert timed.trace is not None
    assert timed.elf is not None
    calls: dict[tuple[str, str], list[tuple[float, float]]] = defaultdict(list)
    bounds: dict[tuple[str, str], tuple[float, int]] = {}
    harness: frozenset[str] = frozenset()
    for region in timed.regions:
        profile = timed.trace.profiles[f"region {region.index}"]
        report = model_cycles(core, timed.elf, timed.trace, profile)
        key = region.case, region.what
        calls[key].append((profile.instructions, report.cycles))
        if region.case == _EMPTY:
            harness = frozenset(function.name for function in report.functions)
        else:
            path = worst_path(core, timed.elf, timed.trace, profile, _entry(cases, region))
            around = sum(function.cycles for function in report.functions if function.name in harness)
            before = bounds.get(key, (0.0, 0))
            bounds[key] = max(before[0], path.cycles + around), max(before[1], path.stack_bytes)
    markers = calls.pop((_EMPTY, _EMPTY))[0]
    blocks = {case.name: case.units or case.block for case in cases}
    return {
        key: Cost(
            instructions=sum(n - markers[0] for n, _ in each) / len(each) / blocks[key[0]],
            cycles=sum(c - markers[1] for _, c in each) / len(each) / blocks[key[0]],
            cycles_max=max(c - markers[1] for _, c in each) / blocks[key[0]],
            cycles_bound=(bounds[key][0] - markers[1]) / blocks[key[0]],
            stack_bytes=bounds[key][1],
        )
        for key, each in calls.items()
    }


def _entry(cases: Sequence[Case], region: Region) -> str:
    """Name of the C function that a region calls."""
    case = next(case for case in cases if case.name == region.case)
    tags = {f"cmsis:{peer.function}": f"{case.name}_{peer.tag}_run" for peer in case.peers}
    return tags.get(region.what, f"{case.name}_run")


def table(rows: Sequence[Row], readings: Sequence[Reading] = ()) -> str:
    """The rows as text for a terminal; with a board's readings their cycles stand beside the modelled ones."""
    shown = {(reading.core, reading.case): reading.cycles for reading in readings if reading.what == "generated"}
    head = f"{'measured':>9} " if readings else ""
    lines = [
        f"{'core':<11} {'kernel':<14} {'shape':<52} {'generated':>9} {head}{'CMSIS':>8} {'ratio':>6} {'promised':>8} "
        f"{'worst':>8} {'path':>8} {'stack':>5} exact  best CMSIS-DSP call"
    ]
    for row in rows:
        document = row.document()
        best = document["cmsis"]
        own = row.generated
        measured = f"{shown.get((row.core, row.case.name), math.nan):>9.1f} " if readings else ""
        lines.append(
            f"{row.core:<11} {row.case.kernel:<14} {row.case.shape:<52} {own.cycles:>9.1f} {measured}"
            f"{best['cycles_per_sample'] if best else math.nan:>8.1f} {row.ratio:>6.2f} "
            f"{row.case.target or math.nan:>8.2f} {own.cycles_max:>8.1f} {own.cycles_bound:>8.1f} "
            f"{own.stack_bytes:>5} {'yes' if row.exact else 'NO':<5}  "
            f"{best['function'] if best else row.case.note or 'none'}{'' if row.passed else '   FALLS SHORT'}"
        )
    lines.append(
        f"Cycles per sample, {EVIDENCE}, at zero wait states: generated and CMSIS are means, worst is the dearest call "
        "seen, path the longest one through the code that ran."
    )
    return "\n".join(lines).replace("nan", "  -")
