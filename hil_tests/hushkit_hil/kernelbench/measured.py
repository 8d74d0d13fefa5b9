"""Cycles that a board counts itself: the bench's program on silicon, read from its console. Evidence: measured.

The program that runs on QEMU is an ordinary image; on a core whose DWT counter counts it also prints, behind every
timed call, one line

    cycles CASE generated|cmsis:FUNCTION COUNT

and for two reads of the counter with nothing between them ``cycles empty empty COUNT``. A console is whatever brings
those lines here: a serial line, a debugger's semihosting output, a file of either.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

from hushkit_hil.errors import BenchError
from hushkit_hil.kernelbench.case import Case

EVIDENCE = "measured"
_EMPTY = "empty"
_END = "end"


@dataclass(frozen=True, slots=True)
class Reading:
    """Mean measured cycles per sample of one implementation on one core, and its dearest call's."""

    core: str
    case: str
    what: str
    cycles: float
    cycles_max: float
    calls: int

    def document(self) -> dict[str, Any]:
        """Machine form."""
        return {
            "what": self.what,
            "cycles_per_sample": round(self.cycles, 2),
            "cycles_per_sample_max": round(self.cycles_max, 2),
            "calls": self.calls,
            "evidence": EVIDENCE,
        }


def read_console(core: str, lines: Iterable[str], cases: Sequence[Case]) -> tuple[Reading, ...]:
    """What a board printed, to the end marker.

    Args:
        core: The board's core.
        lines: Its console, line by line.
        cases: What its program was built from.

    Raises:
        BenchError: No end marker, no counter, or a case that this bench does not know.
    """
    counts: dict[tuple[str, str], list[int]] = defaultdict(list)
    ended = False
    for line in lines:
        words = line.split()
        if words == [_END]:
            ended = True
            break
        if words[:1] == ["cycles"]:
            counts[_key(words, line)].append(int(words[3]))
    if not ended:
        raise BenchError(f"{core}: the console ends without the bench's end marker; let the program run to its end")
    if (_EMPTY, _EMPTY) not in counts:
        raise BenchError(
            f"{core}: the console has no cycle counts; expected a core whose DWT cycle counter counts (QEMU's does not)"
        )
    around = min(counts.pop((_EMPTY, _EMPTY)))
    units = {case.name: case.units or case.block for case in cases}
    return tuple(_reading(core, key, each, around, units) for key, each in sorted(counts.items()))


def read_console_file(core: str, path: Path, cases: Sequence[Case]) -> tuple[Reading, ...]:
    """As `read_console`, from a file or a device that ends.

    Raises:
        BenchError: It cannot be read, or is no console of the bench.
    """
    try:
        with path.open(encoding="ascii", errors="replace") as console:
            return read_console(core, console, cases)
    except OSError as err:
        raise BenchError(f"{path}: {err.strerror}; expected a console of the bench's program") from err


def _key(words: Sequence[str], line: str) -> tuple[str, str]:
    if len(words) != 4 or not words[3].isdigit():
        raise BenchError(f"console line {line.strip()!r}: expected `cycles CASE WHAT COUNT`; the line lost characters")
    return words[1], words[2]


def _reading(core: str, key: tuple[str, str], counts: Sequence[int], around: int, units: Mapping[str, int]) -> Reading:
    name, what = key
    if name not in units:
        raise BenchError(f"{core}: the board ran {name}, which this bench does not know; build its program anew")
    net = [count - around for count in counts]
    return Reading(core, name, what, fmean(net) / units[name], max(net) / units[name], len(net))
