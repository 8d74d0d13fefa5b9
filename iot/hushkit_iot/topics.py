"""Every MQTT topic of a headset, in one place: policies, the access list, the engine and the agent follow it.

A thing's own topics are ``hushkit/<thing>/status`` (retained, also the last will), ``hushkit/<thing>/telemetry`` and
``hushkit/<thing>/events``; its shadows live below ``$aws/things/<thing>/shadow`` as AWS IoT Core lays them out.
"""

import re
from dataclasses import dataclass

THING_NAME = re.compile(r"[a-zA-Z0-9:_-]{1,128}")
"""A thing's name as AWS IoT Core accepts it (CreateThing API reference)."""

SHADOW_NAME = re.compile(r"[$a-zA-Z0-9:_-]{1,64}")
"""A named shadow's name as AWS IoT Core accepts it (Device Shadow API reference)."""

SHADOW_OPERATIONS = ("get", "update", "delete")

_SHADOW_REQUEST = re.compile(r"\$aws/things/([^/]+)/shadow(?:/name/([^/]+))?/(get|update|delete)")
_DEVICE = re.compile(r"hushkit/([^/]+)/(status|telemetry|events)")


def status(thing: str) -> str:
    """Retained connection state, ``iot/schemas/status.schema.json``; also the topic of the last will."""
    return f"hushkit/{thing}/status"


def telemetry(thing: str) -> str:
    """Telemetry batches, ``iot/schemas/telemetry.schema.json``."""
    return f"hushkit/{thing}/telemetry"


def events(thing: str) -> str:
    """Single events, ``iot/schemas/event.schema.json``."""
    return f"hushkit/{thing}/events"


def shadow(thing: str, name: str | None = None) -> str:
    """Prefix of a shadow's topics: ``$aws/things/T/shadow`` or ``$aws/things/T/shadow/name/N``."""
    return f"$aws/things/{thing}/shadow" + (f"/name/{name}" if name else "")


@dataclass(frozen=True, slots=True)
class ShadowRequestTopic:
    """A shadow request as its topic says it; the names are not validated."""

    thing: str
    shadow: str | None
    operation: str


@dataclass(frozen=True, slots=True)
class DeviceTopic:
    """A message of a headset: ``kind`` is ``status``, ``telemetry`` or ``events``."""

    thing: str
    kind: str


def parse_shadow_request(topic: str) -> ShadowRequestTopic | None:
    """Take a shadow request's topic apart; None for any other topic, answers included."""
    match = _SHADOW_REQUEST.fullmatch(topic)
    return ShadowRequestTopic(match[1], match[2], match[3]) if match else None


def parse_device(topic: str) -> DeviceTopic | None:
    """Take a headset's own topic apart; None for any other topic."""
    match = _DEVICE.fullmatch(topic)
    return DeviceTopic(match[1], match[2]) if match else None
