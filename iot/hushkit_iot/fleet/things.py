"""What is known of a headset: its shadow, its connection, in one view. Pure but for the two ``read`` functions."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from hushkit_iot import topics
from hushkit_iot.errors import FleetError
from hushkit_iot.fleet.connection import Cloud, reported_errors
from hushkit_iot.localcore.shadow_document import JsonObject, JsonValue

_PARALLEL = 8


@dataclass(frozen=True, slots=True)
class ShadowView:
    """A classic shadow as the operator sees it; a thing without one has version 0."""

    version: int
    desired: JsonObject
    reported: JsonObject
    delta: JsonObject
    reported_at_s: int | None

    @property
    def rejected(self) -> JsonObject:
        """Desired properties the headset refused, by name."""
        rejected = self.reported.get("rejected")
        return rejected if isinstance(rejected, dict) else {}


@dataclass(frozen=True, slots=True)
class ThingView:
    """One headset. ``online`` is None when it never connected; ``last_seen_ms`` is Unix time."""

    thing: str
    online: bool | None
    last_seen_ms: int | None
    shadow: ShadowView

    def as_json(self) -> dict[str, Any]:
        """Machine form of the list."""
        reported = self.shadow.reported
        return {
            "thing": self.thing,
            "online": self.online,
            "mode": reported.get("mode"),
            "intensity": reported.get("intensity"),
            "firmware": reported.get("firmware"),
            "link": reported.get("link"),
            "last_seen_ms": self.last_seen_ms,
            "pending": sorted(self.shadow.delta),
            "rejected": self.shadow.rejected,
        }


def parse_shadow(payload: bytes) -> ShadowView:
    """Take a get/accepted document apart."""
    document = json.loads(payload)
    state, metadata = document.get("state", {}), document.get("metadata", {})
    stamps = list(_timestamps(metadata.get("reported", {})))
    return ShadowView(
        document["version"],
        state.get("desired", {}),
        state.get("reported", {}),
        state.get("delta", {}),
        max(stamps, default=None),
    )


def read_shadow(cloud: Cloud, thing: str) -> ShadowView:
    """Fetch a thing's classic shadow."""
    with reported_errors(cloud.endpoint):
        try:
            answer = cloud.data.get_thing_shadow(thingName=thing)
        except cloud.data.exceptions.ResourceNotFoundException:
            return ShadowView(0, {}, {}, {}, None)
        return parse_shadow(answer["payload"].read())


def read_thing(cloud: Cloud, thing: str) -> ThingView:
    """Fetch all that is known of a thing."""
    shadow = read_shadow(cloud, thing)
    online, changed_ms = _read_status(cloud, thing)
    reported_ms = shadow.reported_at_s * 1000 if shadow.reported_at_s else None
    seen = [moment for moment in (changed_ms, reported_ms) if moment is not None]
    return ThingView(thing, online, max(seen, default=None), shadow)


def read_things(cloud: Cloud) -> list[ThingView]:
    """Fetch the whole fleet, by name."""
    with reported_errors(cloud.endpoint):
        pages = cloud.iot.get_paginator("list_things").paginate()
        names = sorted(entry["thingName"] for page in pages for entry in page["things"])
    with ThreadPoolExecutor(_PARALLEL) as pool:
        return list(pool.map(lambda name: read_thing(cloud, name), names))


def require_thing(cloud: Cloud, thing: str) -> None:
    """Refuse a name the registry does not know: a typing error must not create a shadow.

    Raises:
        FleetError: There is no such thing.
    """
    if not topics.THING_NAME.fullmatch(thing):
        raise FleetError(f"thing name: found {thing!r}, expected 1 to 128 of a-z A-Z 0-9 : _ -")
    with reported_errors(cloud.endpoint):
        try:
            cloud.iot.describe_thing(thingName=thing)
        except cloud.iot.exceptions.ResourceNotFoundException as err:
            raise FleetError(
                f"{thing}: no such thing at {cloud.endpoint}; `hushkit fleet list` shows them all"
            ) from err


def _read_status(cloud: Cloud, thing: str) -> tuple[bool | None, int | None]:
    with reported_errors(cloud.endpoint):
        try:
            message = cloud.data.get_retained_message(topic=topics.status(thing))
        except cloud.data.exceptions.ResourceNotFoundException:
            return None, None
    try:
        online = json.loads(message["payload"]).get("online")
    except (ValueError, AttributeError):
        online = None
    return online if isinstance(online, bool) else None, message["lastModifiedTime"]


def _timestamps(metadata: JsonValue) -> Iterator[int]:
    """Every time stamp below a metadata node."""
    if isinstance(metadata, list):
        for child in metadata:
            yield from _timestamps(child)
    elif isinstance(metadata, dict):
        stamp = metadata.get("timestamp")
        if isinstance(stamp, int):
            yield stamp
        for name, child in metadata.items():
            if name != "timestamp" or not isinstance(child, int):
                yield from _timestamps(child)
