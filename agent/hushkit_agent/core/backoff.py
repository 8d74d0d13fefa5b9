"""Waiting longer after each failure."""

from dataclasses import dataclass


@dataclass(slots=True)
class Backoff:
    """Waits of ``first_s``, doubling to ``most_s``."""

    first_s: float
    most_s: float
    _next_s: float = 0.0

    def wait_s(self) -> float:
        """The next wait."""
        wait = self._next_s or self.first_s
        self._next_s = min(2 * wait, self.most_s)
        return wait

    def reset(self) -> None:
        """It worked: start short again."""
        self._next_s = 0.0
