"""Read what the QEMU plugin counted: translation blocks, edges and instructions (format: trace_format.h)."""

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hushkit_hil.errors import BenchError

FORMAT = "hushkit-trace"
VERSION = 1


@dataclass(frozen=True, slots=True)
class Block:
    """One translation block.

    Attributes:
        address: Guest address of its first instruction (Thumb bit clear).
        n_instructions: Instructions in it.
        n_bytes: Their bytes; they are contiguous.
    """

    address: int
    n_instructions: int
    n_bytes: int


@dataclass(frozen=True, slots=True)
class Profile:
    """What ran in one region, or in one context of the audio loop.

    Attributes:
        name: ``"region 0"``, ``"isr"``, ``"background"``, ``"worst isr"``, ``"worst exchange"``.
        executions: Times the region or context was passed; the counts are their sum.
        instructions: Instructions in all executions together, exact.
        counts: Executions by block index.
        edges: Transitions by (from, to) block index.
    """

    name: str
    executions: int
    instructions: int
    counts: Mapping[int, int]
    edges: Mapping[tuple[int, int], int]


@dataclass(frozen=True, slots=True)
class Extent:
    """Smallest, mean and largest of a count per audio exchange."""

    min: int
    mean: float
    max: int


@dataclass(frozen=True, slots=True)
class Trace:
    """One run's trace.

    Attributes:
        blocks: Translation blocks; profiles refer to them by index.
        profiles: By name.
        exchanges: Audio exchanges of the whole run; 0 in mode ``regions``.
        per_exchange: Instructions per exchange over the whole run, interrupt and background.
        per_isr: Instructions per audio interrupt over the whole run.
    """

    blocks: tuple[Block, ...]
    profiles: Mapping[str, Profile]
    exchanges: int
    per_exchange: Extent | None
    per_isr: Extent | None

    def regions(self) -> list[Profile]:
        """Profiles of mode ``regions`` in the order in which they ran."""
        numbered = (
            (int(name.removeprefix("region ")), p) for name, p in self.profiles.items() if name[:7] == "region "
        )
        return [profile for _, profile in sorted(numbered, key=lambda pair: pair[0])]

    def instructions_by_address(self, profile: Profile) -> Counter[int]:
        """Executions of each block by its start address; blocks translated twice at one address are added up."""
        totals: Counter[int] = Counter()
        for index, count in profile.counts.items():
            totals[self.blocks[index].address] += count * self.blocks[index].n_instructions
        return totals


def read_trace(path: Path) -> Trace:
    """Read a trace file.

    Raises:
        BenchError: No file, another format or version, or a run that did not reach its end.
    """
    try:
        document: dict[str, Any] = json.loads(path.read_text())
    except FileNotFoundError as err:
        raise BenchError(
            f"no trace at {path}: the run ended before the plugin wrote it; look at QEMU's output"
        ) from err
    except json.JSONDecodeError as err:
        raise BenchError(f"{path} is not a trace: {err}; the run was cut short, run it again") from err
    if document.get("format") != FORMAT or document.get("version") != VERSION:
        raise BenchError(
            f"{path}: found format {document.get('format')!r} version {document.get('version')!r}, "
            f"expected {FORMAT!r} version {VERSION}; remove the build folder and run again"
        )
    if document.get("complete") is not True:
        raise BenchError(f"{path}: the run did not reach its end marker, so its counts prove nothing; run it again")
    exchanges = document.get("exchanges", {})
    return Trace(
        blocks=tuple(Block(*entry) for entry in document["blocks"]),
        profiles={entry["name"]: _profile(entry) for entry in document["profiles"]},
        exchanges=exchanges.get("count", 0),
        per_exchange=Extent(**exchanges["instructions"]) if exchanges else None,
        per_isr=Extent(**exchanges["isr"]) if exchanges else None,
    )


def _profile(entry: dict[str, Any]) -> Profile:
    return Profile(
        name=entry["name"],
        executions=entry["executions"],
        instructions=entry["instructions"],
        counts=dict(entry["counts"]),
        edges={(source, target): count for source, target, count in entry["edges"]},
    )
