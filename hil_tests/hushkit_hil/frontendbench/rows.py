"""Rows of the front end's bench: one per core."""

import re
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from hushkit import build_plan
from hushkit.build_archive import third_party_archive
from hushkit.project import build_dir, project_root
from hushkit.sources import require_sources
from hushkit_models.classifier import frontend

from hushkit_hil.errors import BenchError
from hushkit_hil.instruments.cycles import EVIDENCE, model_cycles
from hushkit_hil.instruments.trace import read_trace
from hushkit_hil.kernelbench.runner import board_of, compile_program, execute, link_flags, qemu_command

CLOCK_HZ: Final = {
    "cortex-m4": 168_000_000, "cortex-m7": 480_000_000, "cortex-m33": 160_000_000, "cortex-m55": 250_000_000,
}  # fmt: skip
"""Usual clocks of parts with these cores; the M4's is the one that the budget names."""
BUDGET_PERCENT: Final = 3.0

_GUEST: Final = Path(__file__).resolve().parent / "guest"
_PORT: Final = Path(__file__).resolve().parents[1] / "kernelbench" / "guest"
_FRAMES: Final = 24
_PER_FRAME: Final = frontend.DECIMATION * frontend.FRAME
_FRAMES_PER_SECOND: Final = frontend.RATE_HZ / frontend.FRAME


@dataclass(frozen=True, slots=True)
class FrontendRow:
    """The front end on one core; cycles are modelled, instructions emulated, both per frame of 32 ms."""

    core: str
    instructions: int
    cycles: float
    longest_slice_cycles: float
    frames: int
    mismatches: int

    @property
    def percent(self) -> float:
        """Share of the core at its usual clock."""
        return 100.0 * self.cycles * _FRAMES_PER_SECOND / CLOCK_HZ[self.core]

    @property
    def passed(self) -> bool:
        """Whether every frame equals the twin's, and a Cortex-M4 keeps its budget."""
        return self.mismatches == 0 and (self.core != "cortex-m4" or self.percent <= BUDGET_PERCENT)

    def document(self) -> dict[str, Any]:
        """Machine form, one entry of ``hushkit network frontend --json``."""
        return {
            "core": self.core,
            "clock_hz": CLOCK_HZ[self.core],
            "instructions_per_frame": self.instructions,
            "cycles_per_frame": round(self.cycles),
            "longest_slice_cycles": round(self.longest_slice_cycles),
            "cpu_percent": round(self.percent, 2),
            "evidence": EVIDENCE,
            "bit_exact": {"against": "hushkit_models.classifier.frontend", "frames": self.frames,
                          "mismatches": self.mismatches},
            "passed": self.passed,
        }  # fmt: skip


def bench_frontend(cores: Sequence[str], progress: Callable[[str], None]) -> tuple[FrontendRow, ...]:
    """Compare and count the front end on each core.

    Raises:
        BenchError: Build or run failed.
    """
    expected = expected_hashes()
    rows = []
    for core in cores:
        progress(f"{core}: comparing {_FRAMES} frames and counting one")
        rows.append(_row(core, expected))
    return tuple(rows)


def expected_hashes() -> list[int]:
    """FNV-1a of each frame's logarithms and power, from the twin."""
    n = np.arange((_FRAMES + 1) * _PER_FRAME, dtype=np.uint64)
    v = (n + 1) * np.uint64(0x9E3779B1) & np.uint64(0xFFFFFFFF)
    v ^= v >> np.uint64(15)
    v = v * np.uint64(0x85EBCA77) & np.uint64(0xFFFFFFFF)
    v ^= v >> np.uint64(13)
    x = v.astype(np.uint32).view(np.int32).astype(np.int64) >> (n.astype(np.int64) // _PER_FRAME % 24)
    heard = frontend.Decimator().run(x.astype(np.int32))
    log_mels, powers = frontend.log_mel(heard), frontend.frame_power_q48(heard)
    return [
        _fnv(row.astype("<i2").tobytes() + int(power).to_bytes(8, "little"))
        for row, power in zip(log_mels[:_FRAMES], powers, strict=False)
    ]


def _fnv(data: bytes) -> int:
    value = 2166136261
    for byte in data:
        value = (value ^ byte) * 16777619 & 0xFFFFFFFF
    return value


def _row(core: str, expected: list[int]) -> FrontendRow:
    board, program = board_of(core), _build(core)
    with tempfile.TemporaryDirectory(dir=program.parent) as folder:
        trace_file = Path(folder, "trace.json")
        output = execute(qemu_command(board, program, trace_file))
        trace = read_trace(trace_file)
    found = [int(text, 16) for text in re.findall(r"^check [0-9a-f]{8} ([0-9a-f]{8})$", output, re.MULTILINE)]
    if len(found) != len(expected):
        raise BenchError(f"{core}: found {len(found)} frames, expected {len(expected)}; the run was cut short")
    regions = trace.regions()
    costs = [(profile.instructions, model_cycles(core, program, trace, profile).cycles) for profile in regions]
    empty = costs.pop()
    return FrontendRow(
        core=core,
        instructions=sum(cost[0] - empty[0] for cost in costs),
        cycles=sum(cost[1] - empty[1] for cost in costs),
        longest_slice_cycles=max(cost[1] - empty[1] for cost in costs),
        frames=len(expected),
        mismatches=sum(a != b for a, b in zip(found, expected, strict=True)),
    )


def _build(core: str) -> Path:
    root, board, sources = project_root(), board_of(core), require_sources()
    tools = "" if board.is_host else build_plan.CROSS_PREFIX
    archive = third_party_archive(root, board, sources, tools)
    folder = build_dir() / "frontendbench" / core
    folder.mkdir(parents=True, exist_ok=True)
    flags = [flag for flag in build_plan.compile_flags(root, board) if flag not in {"-fPIC", "-Werror"}]
    places = (_PORT, root / "firmware" / "include", root / "firmware" / "generated")
    includes = [*(f"-I{path}" for path in places), *build_plan.system_flags(root, board, sources)]
    files = [root / "firmware" / "src" / "classify" / "hk_frontend.c", _GUEST / "frontend_main.c"]
    inputs = [str(path) for path in (*files, _PORT / "bench_port.c", archive)]
    program = folder / "bench.elf"
    compile_program([f"{tools}gcc", *flags, *includes, *inputs, *link_flags(board), "-o", str(program)])
    return program


def table(rows: Sequence[FrontendRow]) -> str:
    """The rows as text for a terminal."""
    lines = [
        f"{'core':<11} {'clock MHz':>9} {'instr.':>8} {'cycles':>8} {'longest slice':>13} {'share %':>8} {'frames':>6} "
        f"{'differ':>6}"
    ]
    lines += [
        f"{row.core:<11} {CLOCK_HZ[row.core] / 1e6:>9.0f} {row.instructions:>8} {row.cycles:>8.0f} "
        f"{row.longest_slice_cycles:>13.0f} {row.percent:>8.2f} {row.frames:>6} {row.mismatches:>6}"
        f"{'' if row.passed else '   FALLS SHORT'}"
        for row in rows
    ]
    lines.append(f"Per frame of 32 ms; instructions emulated, cycles {EVIDENCE} at zero wait states.")
    return "\n".join(lines)
