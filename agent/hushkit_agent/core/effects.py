"""What the core asks the edge to do, and the instant it lives in."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

Document = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Instant:
    """One moment on two clocks.

    Attributes:
        mono_s: Monotonic time, for deadlines.
        unix_ms: Unix time, for documents.
    """

    mono_s: float
    unix_ms: int


class Level(StrEnum):
    """How bad it is."""

    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class WriteLine:
    """Send bytes to the headset."""

    data: bytes


@dataclass(frozen=True, slots=True)
class Publish:
    """Publish now, QoS 1; lost when the connection is: whoever asked watches for the answer."""

    topic: str
    payload: bytes
    retain: bool = False


@dataclass(frozen=True, slots=True)
class Keep:
    """Spool a document for delivery; the spool adds session and sequence number.

    Attributes:
        stream: ``telemetry`` or ``events``.
        urgent: To be sent at once and ahead of everything that waits.
    """

    stream: str
    document: Document
    urgent: bool = False


@dataclass(frozen=True, slots=True)
class Say:
    """Write to the log."""

    level: Level
    message: str
    data: Document = field(default_factory=dict)


Effect = WriteLine | Publish | Keep | Say
