"""Telemetry records to batches of about one second."""

import math
from dataclasses import fields
from enum import IntEnum

from hushkit_link import wire

from hushkit_agent.core.effects import Document, Instant

SCHEMA = 1
MOST_RECORDS = 400
"""A batch stays below AWS IoT Core's 128 KiB per message: a record is at most 280 bytes of JSON."""


class Batcher:
    """Collects records and closes a batch when its time is over, or when it is full.

    Args:
        period_s: From a batch's first record to its end.
    """

    def __init__(self, period_s: float) -> None:
        self._period_s = period_s
        self._records: list[Document] = []
        self._close_at_s = math.inf

    @property
    def deadline_s(self) -> float:
        """When the open batch ends."""
        return self._close_at_s

    def add(self, message: wire.Message, now: Instant) -> None:
        """Add one record."""
        if not self._records:
            self._close_at_s = now.mono_s + self._period_s
        self._records.append({"at_ms": now.unix_ms, "type": message.NAME, "data": message_data(message)})
        if len(self._records) >= MOST_RECORDS:
            self._close_at_s = -math.inf

    def close(self, now: Instant, *, force: bool = False) -> Document | None:
        """The batch, when it is over (or there is one, with ``force``)."""
        if not self._records or (now.mono_s < self._close_at_s and not force):
            return None
        records, self._records, self._close_at_s = self._records, [], math.inf
        times = [record["at_ms"] for record in records]
        return {"schema": SCHEMA, "from_ms": times[0], "to_ms": times[-1], "records": records}


def message_data(message: wire.Message) -> Document:
    """A message as JSON: enumerations by name, bytes in hexadecimal, absent values as null."""
    return {field.name: _plain(getattr(message, field.name)) for field in fields(message)}


def _plain(value: object) -> object:
    if isinstance(value, IntEnum):
        return value.name.lower()
    return value.hex() if isinstance(value, bytes) else value
