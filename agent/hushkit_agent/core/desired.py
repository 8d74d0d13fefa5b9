"""What an operator may ask of a headset: the rules of iot/schemas/headset_shadow.schema.json, with reasons."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from hushkit_link.wire import Mode

PERIOD_S: Final = (0.1, 3600.0)
INTENSITY: Final = (0.0, 1.0)
MODES: Final = {mode.name.lower(): mode for mode in Mode}
_LONGEST_VALUE: Final = 200


@dataclass(frozen=True, slots=True)
class Settings:
    """Settings of a headset; None where nothing is asked for."""

    mode: Mode | None = None
    intensity: float | None = None
    period_s: float | None = None


@dataclass(frozen=True, slots=True)
class Rejection:
    """One desired property that is refused: ``value`` is what was desired, ``reason`` what was expected."""

    value: object
    reason: str


@dataclass(frozen=True, slots=True)
class Judgement:
    """What to do about a desired state.

    Attributes:
        settings: To converge to.
        rejected: Refused properties by name, such as ``telemetry.period_s``.
    """

    settings: Settings = field(default_factory=Settings)
    rejected: Mapping[str, Rejection] = field(default_factory=dict)


def judge(desired: Mapping[str, object]) -> Judgement:
    """Check a desired state; a refused property leaves the others in force."""
    rejected: dict[str, Rejection] = {}
    telemetry = desired.get("telemetry", {})
    nested = telemetry if isinstance(telemetry, Mapping) else {}
    if nested is not telemetry:
        rejected["telemetry"] = _refuse(telemetry, 'found no object, expected {"period_s": seconds}')
    known = {"mode", "intensity", "telemetry"}
    for key in desired.keys() - known:
        rejected[key] = _refuse(desired[key], f"unknown property; expected {', '.join(sorted(known))}")
    for key in nested.keys() - {"period_s"}:
        rejected[f"telemetry.{key}"] = _refuse(nested[key], "unknown property; expected period_s")
    settings = Settings(
        _mode(desired, rejected),
        _number(desired, "intensity", "intensity", INTENSITY, rejected),
        _number(nested, "period_s", "telemetry.period_s", PERIOD_S, rejected),
    )
    return Judgement(settings, dict(sorted(rejected.items())))


def _mode(desired: Mapping[str, object], rejected: dict[str, Rejection]) -> Mode | None:
    if "mode" not in desired:
        return None
    value = desired["mode"]
    mode = MODES.get(value) if isinstance(value, str) else None
    if mode is None:
        rejected["mode"] = _refuse(value, f"unknown mode; expected {', '.join(MODES)}")
    return mode


def _number(
    document: Mapping[str, object], key: str, name: str, limits: tuple[float, float], rejected: dict[str, Rejection]
) -> float | None:
    if key not in document:
        return None
    value = document[key]
    low, high = limits
    if isinstance(value, bool) or not isinstance(value, int | float):
        rejected[name] = _refuse(value, f"not a number; expected {low:g} to {high:g}")
        return None
    if not low <= value <= high:
        rejected[name] = _refuse(value, f"out of range; expected {low:g} to {high:g}")
        return None
    return float(value)


def _refuse(value: object, reason: str) -> Rejection:
    """A rejection that always fits a shadow: long or nested values are shown as shortened text."""
    text = json.dumps(value)
    if isinstance(value, Mapping | list) or len(text) > _LONGEST_VALUE:
        return Rejection(text[:_LONGEST_VALUE], reason)
    return Rejection(value, reason)
