"""Rules of the wire's fields: raw integer to value and back, refusing what is out of range."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Generic, TypeVar

from hushkit_link.errors import RangeError, WireError

E = TypeVar("E", bound=IntEnum)
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Count:
    """An integer from ``low`` to ``high``."""

    name: str
    low: int
    high: int

    def raw(self, value: object) -> int:
        """Checked raw value; raises `WireError`."""
        if not isinstance(value, int) or isinstance(value, bool):
            raise WireError(f"{self.name}: found {value!r}, expected an integer")
        if not self.low <= value <= self.high:
            raise RangeError(f"{self.name}: {value} is outside {self.low}..{self.high}")
        return int(value)

    def value(self, raw: object) -> int:
        """Checked value; raises `WireError`."""
        return self.raw(raw)


@dataclass(frozen=True, slots=True)
class OptionalCount:
    """An integer from ``low`` to ``high``, or None, sent as ``absent``."""

    name: str
    low: int
    high: int
    absent: int

    def raw(self, value: int | None) -> int:
        """Raw value; raises `WireError`."""
        return self.absent if value is None else Count(self.name, self.low, self.high).raw(value)

    def value(self, raw: object) -> int | None:
        """Value; raises `WireError`."""
        return None if raw == self.absent else Count(self.name, self.low, self.high).value(raw)


@dataclass(frozen=True, slots=True)
class Scaled:
    """A number sent as an integer, ``per_unit`` steps to one; ``low`` and ``high`` are raw."""

    name: str
    low: int
    high: int
    per_unit: int

    def raw(self, value: float) -> int:
        """Nearest raw value; raises `WireError` outside the range, also for NaN."""
        if not self.low / self.per_unit <= value <= self.high / self.per_unit:
            raise RangeError(
                f"{self.name}: {value} is outside {self.low / self.per_unit:g}..{self.high / self.per_unit:g}"
            )
        return round(value * self.per_unit)

    def value(self, raw: object) -> float:
        """Value; raises `WireError`."""
        return Count(self.name, self.low, self.high).value(raw) / self.per_unit


@dataclass(frozen=True, slots=True)
class OptionalScaled:
    """A `Scaled` number, or None, sent as ``absent``."""

    name: str
    low: int
    high: int
    per_unit: int
    absent: int

    def raw(self, value: float | None) -> int:
        """Raw value; raises `WireError`."""
        return self.absent if value is None else Scaled(self.name, self.low, self.high, self.per_unit).raw(value)

    def value(self, raw: object) -> float | None:
        """Value; raises `WireError`."""
        return None if raw == self.absent else Scaled(self.name, self.low, self.high, self.per_unit).value(raw)


@dataclass(frozen=True, slots=True)
class Choice(Generic[E]):
    """One of an enumeration's values."""

    name: str
    of: type[E]

    def raw(self, value: E) -> int:
        """Raw value; raises `WireError`."""
        return int(self.value(int(value)))

    def value(self, raw: object) -> E:
        """Value; raises `WireError`."""
        if not isinstance(raw, int) or isinstance(raw, bool):
            raise WireError(f"{self.name}: found {raw!r}, expected an integer")
        try:
            return self.of(raw)
        except ValueError as err:
            known = ", ".join(f"{item.value} {item.name.lower()}" for item in self.of)
            raise RangeError(f"{self.name}: {raw} is unknown; expected {known}") from err


@dataclass(frozen=True, slots=True)
class Blob:
    """Between ``low`` and ``high`` bytes."""

    name: str
    low: int
    high: int

    def raw(self, value: object) -> bytes:
        """Checked bytes; raises `WireError`."""
        if not isinstance(value, bytes) or not self.low <= len(value) <= self.high:
            raise WireError(f"{self.name}: found {value!r}, expected {self.low}..{self.high} bytes")
        return value

    def value(self, raw: object) -> bytes:
        """Checked bytes; raises `WireError`."""
        return self.raw(raw)


@dataclass(frozen=True, slots=True)
class Text:
    """Text of ``low`` to ``high`` bytes of UTF-8."""

    name: str
    low: int
    high: int

    def raw(self, value: object) -> str:
        """Checked text; raises `WireError`."""
        if not isinstance(value, str) or not self.low <= len(value.encode()) <= self.high:
            raise WireError(f"{self.name}: found {value!r}, expected text of {self.low}..{self.high} bytes")
        return value

    def value(self, raw: object) -> str:
        """Checked text; raises `WireError`."""
        return self.raw(raw)


def take(body: Mapping[str, object], place: str, key: str) -> object:
    """``body[key]``; raises `WireError` when it is missing."""
    if key not in body:
        raise WireError(f"{place}: key {key!r} is missing; found {', '.join(sorted(map(str, body))) or 'no key'}")
    return body[key]


def optional(body: Mapping[str, object], key: str, value: Callable[[object], T]) -> T | None:
    """``body[key]`` as ``value`` makes it, None when it is missing."""
    return value(body[key]) if key in body else None
