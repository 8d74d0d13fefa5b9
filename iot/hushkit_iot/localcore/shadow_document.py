"""The algebra of shadow documents: merge, metadata, delta, limits. Pure; nothing here knows of topics or storage.

Source: AWS IoT Core developer guide, "Device Shadow service documents". Where the guide is silent (objects emptied by
null, metadata of removed fields) this follows AWS's own open implementation of the service for Greengrass.
"""

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NoReturn, TypeAlias

JsonValue: TypeAlias = "dict[str, JsonValue] | list[JsonValue] | str | int | float | bool | None"
JsonObject: TypeAlias = dict[str, JsonValue]

SECTIONS = ("desired", "reported")

MAX_LEVELS = 6
"""Nested objects and arrays in a section, the section itself counted (guide: "maximum is 6")."""

MAX_STATE_BYTES = 8192
"""Desired plus reported as compact JSON; metadata does not count (quota "maximum size of a JSON state document")."""


@dataclass(frozen=True, slots=True)
class Annotated:
    """An object and, field by field, when each of its values was set."""

    value: JsonObject
    metadata: JsonObject


def encode(document: JsonValue) -> bytes:
    """Render compact UTF-8 JSON."""
    return json.dumps(document, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()


def decode(text: str) -> JsonValue:
    """Parse strict JSON.

    Raises:
        ValueError: Not JSON, a number beyond double precision, or a string that UTF-8 cannot carry.
        RecursionError: Nested beyond what the interpreter follows.
    """
    document: JsonValue = json.loads(text, parse_constant=_refuse_constant, parse_float=_finite)
    encode(document)
    return document


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _finite(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number):
        raise ValueError(f"{digits} exceeds double precision")
    return number


def stamp(value: JsonValue, now: int) -> JsonValue:
    """Metadata of a value: its own shape with ``{"timestamp": now}`` in place of every scalar, null included."""
    if isinstance(value, dict):
        return {name: stamp(child, now) for name, child in value.items()}
    if isinstance(value, list):
        return [stamp(child, now) for child in value]
    return {"timestamp": now}


def merge(current: Annotated, patch: JsonObject, now: int) -> Annotated:
    """Apply one section of an update: null removes, objects merge, anything else (arrays too) replaces.

    Every field of the patch gets the new timestamp, also when its value stays the same.
    """
    value, metadata = dict(current.value), dict(current.metadata)
    for name, wanted in patch.items():
        if wanted is None:
            value.pop(name, None)
            metadata.pop(name, None)
            continue
        if isinstance(wanted, dict):
            merged = _merge_object(current, name, wanted, now)
            if merged is not None:
                value[name], metadata[name] = merged.value, merged.metadata
            continue
        value[name], metadata[name] = wanted, stamp(wanted, now)
    return Annotated(value, metadata)


def _merge_object(current: Annotated, name: str, wanted: JsonObject, now: int) -> Annotated | None:
    """Merge an object below ``name``; None when it only removes fields of something that is not an object."""
    known, stamps = current.value.get(name), current.metadata.get(name)
    if isinstance(known, dict) and isinstance(stamps, dict):
        return merge(Annotated(known, stamps), wanted, now)
    fresh = merge(Annotated({}, {}), wanted, now)
    return None if wanted and not fresh.value else fresh


def delta(desired: Annotated, reported: JsonObject) -> Annotated:
    """What the device still has to do: desired fields absent from reported or different there, with their path.

    Arrays are values: any difference brings the whole desired array. Metadata is that of desired.
    """
    value: JsonObject = {}
    metadata: JsonObject = {}
    for name, wanted in desired.value.items():
        stamps, actual = desired.metadata[name], reported.get(name)
        if isinstance(wanted, dict) and isinstance(stamps, dict) and isinstance(actual, dict):
            inner = delta(Annotated(wanted, stamps), actual)
            if inner.value:
                value[name], metadata[name] = inner.value, inner.metadata
        elif name not in reported or not same(wanted, actual):
            value[name], metadata[name] = wanted, stamps
    return Annotated(value, metadata)


def same(left: JsonValue, right: JsonValue) -> bool:
    """Equality of JSON values: 1 equals 1.0, but true is no number (Python thinks otherwise)."""
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(same(left[name], right[name]) for name in left)
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(same, left, right))
    return isinstance(left, bool) == isinstance(right, bool) and left == right


def levels(value: JsonValue) -> int:
    """How deep objects and arrays nest: 0 for a scalar, 1 for an empty object."""
    deepest = 0
    pending = [(value, 1)]
    while pending:
        node, level = pending.pop()
        if isinstance(node, dict | list):
            deepest = max(deepest, level)
            pending += [(child, level + 1) for child in _children(node)]
    return deepest


def has_null_in_array(value: JsonValue) -> bool:
    """True when some array holds null, at any depth (guide: "Arrays can't have null values")."""
    if isinstance(value, list):
        return any(child is None or has_null_in_array(child) for child in value)
    return isinstance(value, dict) and any(map(has_null_in_array, value.values()))


def _children(node: JsonObject | list[JsonValue]) -> Iterator[JsonValue]:
    return iter(node.values()) if isinstance(node, dict) else iter(node)
