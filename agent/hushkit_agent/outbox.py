"""From the spool to the cloud: urgent ones first, else in order; a few under way, deleted when acknowledged."""

from dataclasses import dataclass
from typing import Final

from hushkit_agent.core.effects import Publish
from hushkit_agent.spool import Spool

WINDOW: Final = 16
"""Publishes under way; at a round trip of 0.2 s that is 80 a second, below AWS IoT Core's 100."""

URGENT_WINDOW: Final = 4
"""Urgent ones that may be under way beside a full window: they wait for no telemetry's acknowledgement."""

HOLD_S: Final = 30.0


@dataclass(frozen=True, slots=True)
class Sending:
    """A publish and the token its answer comes with."""

    token: int
    publish: Publish


class Outbox:
    """Which spooled messages are under way."""

    def __init__(self, spool: Spool, thing: str) -> None:
        self._spool = spool
        self._thing = thing
        self._under_way: set[int] = set()
        self._last = {True: 0, False: 0}  # by urgency
        self._connected = False
        self._delivered = 0
        self._hold_until_s = 0.0

    @property
    def delivered(self) -> int:
        """Messages acknowledged since the start."""
        return self._delivered

    def connected(self) -> None:
        """Start again with the oldest that is not acknowledged."""
        self._connected = True
        self._under_way.clear()
        self._last = {True: 0, False: 0}

    def disconnected(self) -> None:
        """Nothing under way will be answered."""
        self._connected = False
        self._under_way.clear()

    def delivered_one(self, token: int) -> None:
        """The broker has it."""
        self._under_way.discard(token)
        self._spool.acknowledge(token)
        self._delivered += 1

    def undelivered_one(self, token: int) -> None:
        """It was lost under way: go back to it."""
        if token in self._under_way:
            self._under_way.discard(token)
            self._last = {urgent: min(last, token - 1) for urgent, last in self._last.items()}

    def refused_one(self, token: int, now_s: float) -> None:
        """The policy or a quota is in the way: keep everything, try again after a while."""
        self.undelivered_one(token)
        self._hold_until_s = now_s + HOLD_S

    def due(self, now_s: float) -> list[Sending]:
        """What to publish now."""
        if not self._connected or now_s < self._hold_until_s:
            return []
        return [*self._take(WINDOW + URGENT_WINDOW, urgent=True), *self._take(WINDOW, urgent=False)]

    def _take(self, window: int, *, urgent: bool) -> list[Sending]:
        room = window - len(self._under_way)
        sendings: list[Sending] = []
        for message in self._spool.after(self._last[urgent], room, urgent=urgent) if room > 0 else ():
            self._last[urgent] = message.id
            if message.id not in self._under_way:
                self._under_way.add(message.id)
                sendings.append(Sending(message.id, Publish(f"hushkit/{self._thing}/{message.stream}", message.body)))
        return sendings
