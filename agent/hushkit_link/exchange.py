"""Requests over a line that loses packets: one at a time, with a deadline, retries and a sequence number.

Pure: takes packets and times, returns bytes to send and outcomes. A retry repeats the same packet, sequence number
included, so whichever reply comes first counts, and a late second one is ignored. Every request the agent sends may be
repeated: reads change nothing, and a write sets a state.
"""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from hushkit_link.errors import SmpError
from hushkit_link.smp import Op, Packet, Refusal, encode_packet, refusal
from hushkit_link.smp_lines import encode_lines

TIMEOUT_S: Final = 0.5
ATTEMPTS: Final = 4


@dataclass(frozen=True, slots=True)
class Reply:
    """A request came back: ``body`` is the reply's map, ``error`` the headset's refusal, if any."""

    key: str
    body: Mapping[str, object]
    error: Refusal | None


@dataclass(frozen=True, slots=True)
class NoReply:
    """A request stayed unanswered through all attempts."""

    key: str
    attempts: int


Outcome = Reply | NoReply


@dataclass(frozen=True, slots=True)
class _Request:
    key: str
    packet: Packet
    data: bytes
    attempts: int = 0
    deadline_s: float = 0.0


class Exchange:
    """The requesting side of one line.

    Args:
        timeout_s: How long one attempt waits.
        attempts: How often a request is sent before it counts as unanswered.
    """

    def __init__(self, *, timeout_s: float = TIMEOUT_S, attempts: int = ATTEMPTS) -> None:
        self._timeout_s = timeout_s
        self._attempts = attempts
        self._sequence = 0
        self._queue: deque[_Request] = deque()
        self._active: _Request | None = None
        self._retries = 0

    @property
    def is_idle(self) -> bool:
        """Whether nothing is under way or waiting."""
        return self._active is None and not self._queue

    @property
    def retries(self) -> int:
        """Attempts beyond the first, since the start."""
        return self._retries

    @property
    def deadline_s(self) -> float | None:
        """When `poll` has something to do, if no reply comes."""
        return self._active.deadline_s if self._active else None

    def request(self, key: str, op: Op, group: int, command: int, body: Mapping[str, object] | None = None) -> None:
        """Queue a request; ``key`` comes back with its outcome.

        Raises:
            SmpError: The body cannot be sent.
        """
        packet = Packet(op, group, command, self._sequence, body or {})
        self._queue.append(_Request(key, packet, encode_lines(encode_packet(packet))))
        self._sequence = (self._sequence + 1) % 256

    def receive(self, packet: Packet) -> Outcome | None:
        """Take a packet from the line; None when it answers nothing that is under way."""
        active = self._active
        if active is None or not packet.answers(active.packet):
            return None
        try:
            error = refusal(packet)
        except SmpError:
            return None  # as if lost: the attempt's deadline decides
        self._active = None
        return Reply(active.key, packet.body, error)

    def poll(self, now_s: float) -> tuple[bytes, list[Outcome]]:
        """Time has come to ``now_s``: bytes to send now, and requests given up."""
        outcomes: list[Outcome] = []
        active = self._active
        if active is not None and now_s >= active.deadline_s:
            if active.attempts >= self._attempts:
                outcomes.append(NoReply(active.key, active.attempts))
                self._active = None
            else:
                self._retries += 1
                return self._send(active, now_s), outcomes
        if self._active is None and self._queue:
            return self._send(self._queue.popleft(), now_s), outcomes
        return b"", outcomes

    def clear(self) -> None:
        """Forget everything: the line is gone."""
        self._queue.clear()
        self._active = None

    def _send(self, request: _Request, now_s: float) -> bytes:
        # A growing wait gives a slow headset room without making the first loss expensive.
        wait_s = self._timeout_s * (1 + request.attempts)
        self._active = replace(request, attempts=request.attempts + 1, deadline_s=now_s + wait_s)
        return request.data
