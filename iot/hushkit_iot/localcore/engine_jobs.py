"""What the engine does with each kind of message, as jobs for the worker."""

import json
import logging
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass

from hushkit_iot.errors import SchemaError
from hushkit_iot.localcore import shadow_document, shadow_service
from hushkit_iot.localcore.shadow_document import JsonValue
from hushkit_iot.localcore.shadow_service import Message, Outcome, RejectedError, ShadowKey
from hushkit_iot.localcore.store import HistoryEntry, Retained, Store
from hushkit_iot.localcore.worker import Job
from hushkit_iot.schema import check

_LOG = logging.getLogger(__name__)

_SCHEMAS = {"telemetry": "telemetry", "events": "event"}


class ShadowJob:
    """One shadow request.

    Args:
        operation: ``get``, ``update`` or ``delete``.
        key: The shadow.
        payload: The request document.
        now: Unix time, seconds.
        done: Takes the outcome once it is on disk (or was rejected).
    """

    def __init__(self, operation: str, key: ShadowKey, payload: bytes, now: int, done: Callable[[Outcome], None]):
        self._operation = operation
        self._key = key
        self._payload = payload
        self._now = now
        self._done = done
        self._outcome: Outcome | None = None

    def run(self, store: Store) -> None:
        """Carry the request out on the stored shadow."""
        stored = store.shadow(self._key)
        self._outcome = shadow_service.handle(self._operation, self._key, self._payload, stored, self._now)
        if self._outcome.stored is not None:
            store.put_shadow(self._key, self._outcome.stored)

    def committed(self) -> None:
        """Answer."""
        assert self._outcome is not None
        self._done(self._outcome)

    def failed(self, error: sqlite3.Error) -> None:
        """Answer 500; nothing was kept."""
        del error
        failure = RejectedError(500, "Internal service failure")
        self._done(shadow_service.reject(self._operation, failure, self._now))


@dataclass(frozen=True, slots=True)
class DeviceMessage:
    """A message of a headset as received at ``at_ms`` (Unix time, milliseconds)."""

    thing: str
    kind: str
    payload: bytes
    at_ms: int


class HistoryJob:
    """Keeps a telemetry batch or an event; one that breaks its schema leaves an event that says so.

    Args:
        message: As received.
        done: Called once it is on disk.
        again: Called with the job when the database refused it.
    """

    def __init__(self, message: DeviceMessage, done: Callable[[], None], again: Callable[[Job], None]):
        self._message = message
        self._done = done
        self._again = again

    def run(self, store: Store) -> None:
        """Check and append."""
        message = self._message
        try:
            document = shadow_document.decode(message.payload.decode())
            check(_SCHEMAS[message.kind], document)
        except (ValueError, RecursionError, SchemaError) as err:
            _LOG.warning("%s on %s refused: %s", message.kind, message.thing, err)
            self._refuse(store, str(err))
            return
        assert isinstance(document, dict)
        text = json.dumps(document, separators=(",", ":"))
        entry = HistoryEntry(message.thing, message.at_ms, text)
        store.add_history(message.kind, entry, str(document["session"]), _integer(document["seq"]))

    def committed(self) -> None:
        """Acknowledge."""
        self._done()

    def failed(self, error: sqlite3.Error) -> None:
        """Ask to be tried again; unacknowledged until then."""
        del error
        self._again(self)

    def _refuse(self, store: Store, reason: str) -> None:
        message = self._message
        seq = int(store.note("refused") or 0) + 1
        event = {
            "schema": 1,
            "session": "local-core",
            "seq": seq,
            "at_ms": message.at_ms,
            "level": "error",
            "kind": "message_refused",
            "message": f"hushkit/{message.thing}/{message.kind}: {reason}",
        }
        store.put_note("refused", str(seq))
        store.add_history("events", HistoryEntry(message.thing, message.at_ms, json.dumps(event)), "local-core", seq)


class RetainJob:
    """Keeps a retained message, such as a headset's connection state; arguments as for ``HistoryJob``."""

    def __init__(self, message: Retained, done: Callable[[], None], again: Callable[[Job], None]):
        self._message = message
        self._done = done
        self._again = again

    def run(self, store: Store) -> None:
        """Replace the topic's message."""
        store.put_retained(self._message)

    def committed(self) -> None:
        """Acknowledge."""
        self._done()

    def failed(self, error: sqlite3.Error) -> None:
        """Ask to be tried again; unacknowledged until then."""
        del error
        self._again(self)


def messages_of(outcome: Outcome) -> tuple[Message, ...]:
    """All messages of an outcome in the order to publish them."""
    return (outcome.answer, *outcome.others)


def _integer(value: JsonValue) -> int:
    """Narrow what the schema called an integer; JSON Schema counts 1.0 as one."""
    assert isinstance(value, int | float)
    return int(value)
