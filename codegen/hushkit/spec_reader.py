"""Read TOML tables against declared keys, collecting every fault with its place, line and advice."""

import difflib
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

_HEADER = re.compile(r"^\s*\[+\s*([A-Za-z0-9_.\"' -]+?)\s*\]+")
_KEY = re.compile(r"^\s*([A-Za-z0-9_\"'-]+)\s*=")


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault of a spec.

    Attributes:
        place: Dotted name of the table or key, e.g. ``audio.block``; empty for the whole file.
        line: Line in the file, counted from 1; None where the key is missing altogether.
        message: What was found and what was expected.
        advice: What to do.
    """

    place: str
    line: int | None
    message: str
    advice: str

    def __str__(self) -> str:
        where = self.place or "spec"
        if self.line is not None:
            where += f" (line {self.line})"
        return f"{where}: {self.message}; {self.advice}"


def find_lines(text: str) -> dict[str, int]:
    """Map every table header and key of a TOML text to its line, as ``table.key``; inline tables are not followed."""
    lines: dict[str, int] = {}
    table = ""
    for number, line in enumerate(text.splitlines(), start=1):
        if header := _HEADER.match(line):
            table = _plain(header.group(1))
            lines.setdefault(table, number)
        elif key := _KEY.match(line):
            name = _plain(key.group(1))
            lines.setdefault(f"{table}.{name}" if table else name, number)
    return lines


def _plain(name: str) -> str:
    return re.sub(r"[\"' ]", "", name)


class Reader:
    """One table under inspection: typed getters that note a fault and return a stand-in, so that reading goes on.

    The stand-in is the declared default, or a legal value; whoever reads a spec must look at ``faults`` before using
    what it read.
    """

    def __init__(self, data: Mapping[str, Any], lines: Mapping[str, int], faults: list[Fault], place: str = "") -> None:
        self._data = data
        self._lines = lines
        self._faults = faults
        self._place = place
        self._known: list[str] = []

    @property
    def faults(self) -> list[Fault]:
        """The faults found so far in the whole file."""
        return self._faults

    @property
    def keys(self) -> Sequence[str]:
        """The keys the file gives in this table."""
        return tuple(self._data)

    def place_of(self, key: str) -> str:
        """Dotted name of a key of this table."""
        return f"{self._place}.{key}" if self._place else key

    def fault(self, key: str, message: str, advice: str) -> None:
        """Note a fault of one key; an empty key means the table itself."""
        place = self.place_of(key) if key else self._place
        self._faults.append(Fault(place, self._lines.get(place), message, advice))

    def has(self, key: str) -> bool:
        """Whether the file gives this key; the key counts as known."""
        self._known.append(key)
        return key in self._data

    def number(
        self, key: str, low: float, high: float, *, default: float | None = None, unit: str = "", advice: str = ""
    ) -> float:
        """A finite number in [low, high]; required unless there is a default."""
        value = self._take(key, default, f"a number {_between(low, high, unit)}")
        if value is None:
            return low
        if isinstance(value, bool) or not isinstance(value, int | float):
            self.fault(key, f"{_show(value)} is not a number", f"give a number {_between(low, high, unit)}")
            return low
        if not math.isfinite(value) or not low <= value <= high:
            hint = advice or f"give a number {_between(low, high, unit)}"
            self.fault(key, f"{_show(value)} is out of range", hint)
            return low
        return float(value)

    def integer(
        self, key: str, low: int, high: int, *, default: int | None = None, unit: str = "", advice: str = ""
    ) -> int:
        """An integer in [low, high]; required unless there is a default."""
        value = self._take(key, default, f"a whole number {_between(low, high, unit)}")
        if value is None:
            return low
        if isinstance(value, bool) or not isinstance(value, int):
            self.fault(key, f"{_show(value)} is not a whole number", f"give a whole number {_between(low, high, unit)}")
            return low
        if not low <= value <= high:
            hint = advice or f"give a whole number {_between(low, high, unit)}"
            self.fault(key, f"{value} is out of range", hint)
            return low
        return value

    def multiple(self, key: str, of: int, low: int, high: int, *, default: int | None = None) -> int:
        """An integer in [low, high] that a kernel's unrolling divides; required unless there is a default."""
        value = self.integer(key, low, high, default=default)
        if value % of:
            down, up = value // of * of, (value // of + 1) * of
            self.fault(key, f"{value} is not a multiple of {of}", f"use {max(down, low)} or {min(up, high)}")
            return low
        return value

    def choice(self, key: str, choices: Sequence[str], *, default: str | None = None) -> str:
        """One of the given words; required unless there is a default."""
        value = self._take(key, default, "one of " + ", ".join(choices))
        if value is None:
            return choices[0]
        if value not in choices:
            self.fault(key, f"{_show(value)} is not one of {', '.join(choices)}", _nearest(str(value), choices))
            return choices[0]
        return str(value)

    def choice_number(self, key: str, choices: Sequence[int], advice: str) -> int:
        """One of the given integers; required."""
        words = ", ".join(str(choice) for choice in choices)
        value = self._take(key, None, f"one of {words}")
        if value is None:
            return choices[0]
        if isinstance(value, bool) or value not in choices:
            self.fault(key, f"{_show(value)} is not one of {words}", advice)
            return choices[0]
        return int(value)

    def text(self, key: str, pattern: str, expected: str, *, default: str | None = None) -> str:
        """A string that matches a pattern wholly; required unless there is a default."""
        value = self._take(key, default, expected)
        if value is None:
            return ""
        if not isinstance(value, str) or not re.fullmatch(pattern, value):
            self.fault(key, f"{_show(value)} cannot be used", f"give {expected}")
            return ""
        return value

    def words(self, key: str, choices: Sequence[str]) -> tuple[str, ...]:
        """A list of different words out of the given ones; required."""
        expected = f"a list out of {', '.join(choices)}"
        value = self._take(key, None, expected)
        if value is None:
            return ()
        if not isinstance(value, list) or not value:
            self.fault(key, f"{_show(value)} is not a list", f"give {expected}")
            return ()
        for word in value:
            if word not in choices:
                self.fault(key, f"{_show(word)} is not one of {', '.join(choices)}", _nearest(str(word), choices))
        if len({str(word) for word in value}) != len(value):
            self.fault(key, "a word appears twice", "name each once")
        return tuple(str(word) for word in value if word in choices)

    def rows(self, key: str, width: int | None) -> tuple[tuple[float, ...], ...]:
        """A list of rows of finite numbers, each of the given width; a plain list of numbers when width is None."""
        expected = "a list of numbers" if width is None else f"a list of rows of {width} numbers"
        value = self._take(key, None, expected)
        if value is None:
            return ()
        rows = [value] if width is None else value
        if not isinstance(value, list) or not value or not all(isinstance(row, list) for row in rows):
            self.fault(key, "this is not what it should be", f"give {expected}")
            return ()
        for index, row in enumerate(rows):
            name = f"row {index + 1}" if width is not None else "the list"
            if width is not None and len(row) != width:
                self.fault(key, f"{name} has {len(row)} numbers", f"give {width}: b0, b1, b2, a0, a1, a2")
                return ()
            for item in row:
                if isinstance(item, bool) or not isinstance(item, int | float) or not math.isfinite(item):
                    self.fault(key, f"{name} holds {_show(item)}", "give finite numbers only")
                    return ()
        return tuple(tuple(float(item) for item in row) for row in rows)

    def table(self, key: str, *, required: bool, purpose: str) -> "Reader | None":
        """A sub-table. A required table that is missing is one fault, and reads as None."""
        self._known.append(key)
        if key not in self._data:
            if required:
                self.fault(key, "the table is missing", f"add [{self.place_of(key)}]: {purpose}")
            return None
        value = self._data[key]
        if not isinstance(value, Mapping):
            self.fault(key, f"{_show(value)} is not a table", f"write it as [{self.place_of(key)}]")
            return None
        return Reader(value, self._lines, self._faults, self.place_of(key))

    def choice_name(self, key: str, choices: Sequence[str]) -> None:
        """Note that a key of a table with free names is not one of the names there are."""
        self.fault(key, f"unknown name `{key}`", _nearest(key, choices))

    def finish(self) -> None:
        """Note every key that nobody asked for."""
        for key in self._data:
            if key not in self._known:
                close = difflib.get_close_matches(key, self._known, n=1, cutoff=0.6)
                advice = (
                    f"did you mean `{close[0]}`?" if close else f"known here: {', '.join(sorted(set(self._known)))}"
                )
                self.fault(key, f"unknown key `{key}`", advice)

    def _take(self, key: str, default: float | str | None, expected: str) -> Any:
        self._known.append(key)
        if key in self._data:
            return self._data[key]
        if default is None:
            self.fault(key, "missing", f"add {key} = {expected}")
        return default


def _between(low: float, high: float, unit: str) -> str:
    return f"from {_plain_number(low)} to {_plain_number(high)}" + (f" {unit}" if unit else "")


def _plain_number(value: float) -> str:
    return f"{value:_}" if isinstance(value, int) else f"{value:g}"


def _show(value: object) -> str:
    text = f'"{value}"' if isinstance(value, str) else str(value)
    return text if len(text) <= 60 else text[:57] + "..."


def _nearest(word: str, choices: Sequence[str]) -> str:
    close = difflib.get_close_matches(word, choices, n=1, cutoff=0.5)
    shown = ", ".join(choices) if len(choices) <= 8 else ", ".join(choices[:6]) + ", ..."
    return f"did you mean {close[0]}?" if close else f"choose one of {shown}"
