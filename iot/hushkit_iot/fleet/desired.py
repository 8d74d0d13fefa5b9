"""Change a headset's desired state: parse and check assignments, write them, wait until the headset follows."""

import time
from collections.abc import Callable
from dataclasses import dataclass

from hushkit_iot.errors import FleetError, SchemaError
from hushkit_iot.fleet.connection import Cloud, reported_errors
from hushkit_iot.fleet.things import ShadowView, parse_shadow, read_shadow
from hushkit_iot.localcore import shadow_document
from hushkit_iot.localcore.shadow_document import Annotated, JsonObject, JsonValue
from hushkit_iot.schema import check

_POLL_S = 0.1


@dataclass(frozen=True, slots=True)
class Followed:
    """How a change ended: ``pending`` holds what reported does not match yet, ``rejected`` what the headset refused."""

    version: int
    seconds: float
    pending: JsonObject
    rejected: JsonObject
    reported: JsonObject

    @property
    def converged(self) -> bool:
        """True when the headset reports what was asked for."""
        return not self.pending and not self.rejected


def parse_assignments(words: list[str]) -> JsonObject:
    """Turn ``mode=anc intensity=0.8 telemetry.period_s=2`` into a document; ``null`` removes a property.

    Raises:
        FleetError: Not an assignment, a property named twice, or a value the headset's schema does not allow.
    """
    document: JsonObject = {}
    for word in words:
        path, equals, text = word.partition("=")
        if not equals or not all(path.split(".")):
            raise FleetError(f"{word}: not an assignment; write property=value, for example mode=anc")
        _assign(document, path.split("."), _value(text))
    try:
        check("headset_shadow", _without_nulls(document))
    except SchemaError as err:
        raise FleetError(str(err)) from err
    return document


def write_desired(cloud: Cloud, thing: str, desired: JsonObject) -> int:
    """Merge into the desired section; returns the shadow's new version."""
    payload = shadow_document.encode({"state": {"desired": desired}})
    with reported_errors(cloud.endpoint):
        answer = cloud.data.update_thing_shadow(thingName=thing, payload=payload)
        return parse_shadow(answer["payload"].read()).version


def follow(
    cloud: Cloud,
    thing: str,
    desired: JsonObject,
    timeout_s: float,
    *,
    clock: Callable[[], float] = time.monotonic,
    pause: Callable[[float], None] = time.sleep,
) -> Followed:
    """Wait until reported matches, the headset refuses, or time is up."""
    start = clock()
    while True:
        shadow = read_shadow(cloud, thing)
        state = judge(shadow, desired, clock() - start)
        if state.converged or state.rejected or state.seconds >= timeout_s:
            return state
        pause(_POLL_S)


def judge(shadow: ShadowView, desired: JsonObject, seconds: float) -> Followed:
    """Compare a shadow with what was asked for; a refusal of another value is history and does not count."""
    wanted = _without_nulls(desired)
    pending = shadow_document.delta(Annotated(wanted, _blank(wanted)), shadow.reported).value
    rejected: JsonObject = {}
    for name, refusal in shadow.rejected.items():
        value = _at(pending, name)
        if value is not None and isinstance(refusal, dict) and _refuses(refusal.get("value"), value):
            rejected[name] = refusal
    return Followed(shadow.version, seconds, pending, rejected, shadow.reported)


def _at(document: JsonObject, path: str) -> JsonValue:
    """Return the value at a dotted path, None where there is none."""
    place: JsonValue = document
    for name in path.split("."):
        place = place.get(name) if isinstance(place, dict) else None
    return place


def _refuses(refused: JsonValue, wanted: JsonValue) -> bool:
    if isinstance(refused, dict) and isinstance(wanted, dict):
        return any(name in refused and shadow_document.same(refused[name], wanted[name]) for name in wanted)
    return shadow_document.same(refused, wanted)


def _blank(value: JsonObject) -> JsonObject:
    blank = shadow_document.stamp(value, 0)
    assert isinstance(blank, dict)
    return blank


def _value(text: str) -> JsonValue:
    try:
        return shadow_document.decode(text)
    except (ValueError, RecursionError):
        return text


def _assign(document: JsonObject, path: list[str], value: JsonValue) -> None:
    place = document
    for name in path[:-1]:
        inner = place.setdefault(name, {})
        if not isinstance(inner, dict):
            raise FleetError(f"{'.'.join(path)}: {name} was given a value of its own already")
        place = inner
    if path[-1] in place:
        raise FleetError(f"{'.'.join(path)}: given twice; name each property once")
    place[path[-1]] = value


def _without_nulls(document: JsonObject) -> JsonObject:
    kept: JsonObject = {}
    for name, value in document.items():
        if isinstance(value, dict):
            kept[name] = _without_nulls(value)
        elif value is not None:
            kept[name] = value
    return kept
