"""Where a headset is: the ``--target`` of every command, parsed in one place."""

import re
from dataclasses import dataclass
from typing import Literal

from hushkit.errors import InputError

Kind = Literal["qemu", "host", "serial", "labgrid"]

DEFAULT_BAUD = 115_200
HELP = "qemu (default), host (the same C on this machine), serial:DEVICE[@BAUD], or labgrid:PLACE"

_SERIAL = re.compile(r"^(?P<device>[^@]+)(?:@(?P<baud>[0-9]+))?$")
_BAUD_RANGE = range(1_200, 4_000_001)


@dataclass(frozen=True, slots=True)
class Target:
    """One headset.

    Attributes:
        kind: How it is reached.
        device: For ``serial``: device file, or a pyserial URL such as ``socket://127.0.0.1:5337``.
        baud: For ``serial``: bits per second.
        place: For ``labgrid``: name of the place.
    """

    kind: Kind
    device: str | None = None
    baud: int = DEFAULT_BAUD
    place: str | None = None

    def __str__(self) -> str:
        """The target as a user writes it."""
        if self.kind == "serial":
            return f"serial:{self.device}" + (f"@{self.baud}" if self.baud != DEFAULT_BAUD else "")
        return f"labgrid:{self.place}" if self.kind == "labgrid" else self.kind


def parse_target(text: str) -> Target:
    """Read what a user wrote behind ``--target``.

    Raises:
        InputError: It is none of the known forms.
    """
    kind, _, rest = text.partition(":")
    if text == "qemu":
        return Target("qemu")
    if text == "host":
        return Target("host")
    if kind == "labgrid" and rest:
        return Target("labgrid", place=rest)
    if kind == "serial" and (match := _SERIAL.match(rest)):
        baud = int(match["baud"] or DEFAULT_BAUD)
        if baud not in _BAUD_RANGE:
            raise InputError(f"target {text!r}: {baud} baud is outside 1200..4000000")
        return Target("serial", device=match["device"], baud=baud)
    raise InputError(f"target {text!r} is unknown; expected {HELP}")
