"""Read a board's own cycle counter over its serial line: the measured part of a bench, without acoustics."""

import statistics
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from hushkit.spec import HeadsetSpec
from hushkit.target import Target
from hushkit_link import wire

from hushkit_hil.bench.result import MEASURED
from hushkit_hil.errors import TargetError
from hushkit_hil.targets.console import Console

_PERIOD_MS = 200
_LEASE_MARGIN_S = 2

NEEDS = (
    "a board run needs: the spec's image flashed (`hushkit flash SPEC --target serial:DEVICE`), its UART on this "
    "machine, and a core whose DWT cycle counter counts"
)


@dataclass(frozen=True, slots=True)
class BoardReading:
    """What a board says of itself; times measured by its cycle counter."""

    spec: str
    target: str
    core: str
    build_id: str
    version: str
    isr_cycles_mean: float
    isr_cycles_max: int
    cpu_percent_max: float
    compute_us_max: float
    stack_bytes_max: int | None
    overruns: int
    evidence: str = MEASURED


def board_json(spec: HeadsetSpec, reading: BoardReading) -> dict[str, Any]:
    """The keys of ``hushkit bench --json`` that a board's own counter can fill; null where it cannot."""
    converters = spec.converters.adc_us + spec.converters.dac_us
    total_us = spec.buffering_us + reading.compute_us_max + converters
    failures = board_failures(spec, reading)
    return {
        "spec": reading.spec,
        "target": reading.target,
        "core": reading.core,
        "build_id": reading.build_id,
        "toolchain": None,
        "scenario": None,
        "latency": {
            "limit_us": spec.budgets.latency_us,
            "buffering_us": spec.buffering_us,
            "compute_us": reading.compute_us_max,
            "converters_us": converters,
            "total_us": total_us,
            "evidence": reading.evidence,
        },
        "load": {
            "isr_cycles_per_sample_mean": reading.isr_cycles_mean / spec.audio.block,
            "isr_cycles_per_sample_max": reading.isr_cycles_max / spec.audio.block,
            "cpu_percent_max": reading.cpu_percent_max,
            "evidence": reading.evidence,
            "functions": [],
        },
        "memory": {"flash_bytes": None, "ram_bytes": None, "stack_bytes_max": reading.stack_bytes_max},
        "acoustics": None,
        "bit_exact": {"host_vs_target": None, "samples": 0},
        "passed": not failures,
        "failures": list(failures),
    }


def board_failures(spec: HeadsetSpec, reading: BoardReading) -> tuple[str, ...]:
    """What exceeds the spec's budgets, measured."""
    converters = spec.converters.adc_us + spec.converters.dac_us
    limits = (
        ("latency", spec.buffering_us + reading.compute_us_max + converters, spec.budgets.latency_us, "us"),
        ("load", reading.cpu_percent_max, spec.budgets.cpu_percent, "%"),
        ("overruns", float(reading.overruns), 0.0, "late background jobs"),
    )
    return tuple(
        f"{name} {found:.4g} {unit}, budget {limit:.4g}" for name, found, limit, unit in limits if found > limit
    )


def read_board(
    spec: HeadsetSpec, target: Target, *, seconds: float, connect: Callable[[str, int], Console] | None = None
) -> BoardReading:
    """Listen to a board's telemetry.

    Args:
        spec: What the board is supposed to run.
        target: A serial target.
        seconds: How long to listen.
        connect: Opens the console; the serial line itself when None.

    Raises:
        TargetError: No board there, one that runs another spec, or one without a cycle counter.
    """
    if target.kind != "serial" or target.device is None:
        raise TargetError(f"target {target}: expected serial:DEVICE; {NEEDS}")
    console = Console(target.device, baud=target.baud) if connect is None else connect(target.device, target.baud)
    with console as line:
        about = line.about()
        if about.spec != spec.name:
            raise TargetError(f"{target}: runs {about.spec}, expected {spec.name}; {NEEDS}")
        lease = wire.LeaseRequest(_PERIOD_MS, round(seconds) + _LEASE_MARGIN_S)
        line.write(wire.LeaseRequest.COMMAND, lease.to_map())
        line.listen(seconds)
        counters = line.statistics()
    blocks = [message for message in line.messages if isinstance(message, wire.BlockStats)]
    if not blocks:
        raise TargetError(f"{target}: no telemetry within {seconds:g} s; {NEEDS}")
    means = [block.isr_cycles_mean for block in blocks if block.isr_cycles_mean is not None]
    longest = [block.isr_cycles_max for block in blocks if block.isr_cycles_max is not None]
    loads = [block.load for block in blocks if block.load is not None]
    if not (means and longest and loads):
        raise TargetError(f"{target}: the core has no cycle counter, so nothing can be measured; {NEEDS}")
    return BoardReading(
        spec=spec.name,
        target=str(target),
        core=spec.core.type,
        build_id=about.build_id.hex(),
        version=about.version,
        isr_cycles_mean=statistics.fmean(means),
        isr_cycles_max=max(longest),
        cpu_percent_max=max(loads),
        compute_us_max=max(longest) * 1e6 / spec.core.clock_hz,
        stack_bytes_max=counters.stack_used,
        overruns=counters.overruns,
    )
