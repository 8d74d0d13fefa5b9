"""Who is really there after the broker died: its wills died with it, so a retained "online" proves nothing.

Things marked online when a new broker comes up must speak within a grace period, or they are declared offline. Pure.
"""

GRACE_S = 90.0
"""Longer than an agent's slowest reconnect: AWS SDK back-off is capped at 64 s by our agent, plus a TLS handshake."""


class Presence:
    """Keeps the deadline by which each suspect has to speak."""

    def __init__(self, grace_s: float = GRACE_S):
        self._grace_s = grace_s
        self._deadlines: dict[str, float] = {}

    def broker_restarted(self, online: list[str], now: float) -> None:
        """Suspect everything that was online."""
        self._deadlines = dict.fromkeys(online, now + self._grace_s)

    def heard(self, thing: str) -> None:
        """Clear a thing that published something itself (a replayed retained message does not count)."""
        self._deadlines.pop(thing, None)

    def overdue(self, now: float) -> list[str]:
        """Return the things that stayed silent, each once."""
        late = sorted(thing for thing, deadline in self._deadlines.items() if now >= deadline)
        for thing in late:
            del self._deadlines[thing]
        return late
