"""One line, two kinds of frames: takes bytes in any pieces, returns packets, frames and faults; survives any noise.

A ``00`` ends whatever came before it and may begin a telemetry frame; an SMP marker begins a line that ends with LF. No
telemetry frame begins like an SMP line (wire.toml forbids the ids), so between delimiters the first two bytes decide. A
marker further inside is part of a telemetry frame, or follows the ruins of one: there a line counts only when it is
one whole packet whose check is right.
"""

from dataclasses import dataclass
from typing import Final

from hushkit_link.errors import SmpError, WireError
from hushkit_link.smp import Packet, decode_packet
from hushkit_link.smp_lines import BASE64, CONTINUE, LINE_END, START, LineAssembler
from hushkit_link.telemetry import DELIMITER, MOST_CHUNK, Frame, decode_frame
from hushkit_link.wire import SMP_LINE_LENGTH, Hello

_SEQUENCES: Final = 0x10000
_LONGEST: Final = MOST_CHUNK + SMP_LINE_LENGTH


@dataclass(frozen=True, slots=True)
class LineFault:
    """Something on the line was dropped, and why."""

    reason: str


@dataclass(frozen=True, slots=True)
class LineCounts:
    """What the line carried so far.

    Attributes:
        corrupt: Telemetry frames and SMP lines that were dropped.
        lost_frames: Gaps in the telemetry sequence; a `hello` begins a new one.
        noise_bytes: Bytes that belonged to nothing.
    """

    packets: int = 0
    frames: int = 0
    corrupt: int = 0
    lost_frames: int = 0
    noise_bytes: int = 0


Item = Packet | Frame | LineFault


class Demultiplexer:
    """State of the receiving side of one serial line."""

    def __init__(self) -> None:
        self._pending = bytearray()
        self._marker: int | None = None  # where in _pending an SMP line may have begun
        self._framed = False  # a delimiter came last: _pending may be a telemetry frame
        self._assembler = LineAssembler()
        self._next_sequence: int | None = None
        self._packets = self._frames = self._corrupt = self._lost = self._noise = 0

    @property
    def counts(self) -> LineCounts:
        """What the line carried so far."""
        return LineCounts(self._packets, self._frames, self._corrupt, self._lost, self._noise)

    def break_off(self) -> None:
        """The line was closed: what had begun will not be continued."""
        self._noise += len(self._pending)
        self._pending.clear()
        self._marker, self._framed, self._next_sequence = None, False, None
        self._assembler = LineAssembler()

    def feed(self, data: bytes) -> list[Item]:
        """Take bytes as they come; never raises.

        Returns:
            What these bytes completed, in order.
        """
        items: list[Item] = []
        for byte in data:
            if byte == DELIMITER:
                self._end_chunk(items)
            else:
                self._append(byte, items)
        return items

    def _append(self, byte: int, items: list[Item]) -> None:
        pending = self._pending
        pending.append(byte)
        if pending.endswith((START, CONTINUE)):
            self._marker = len(pending) - 2
            self._framed = self._framed and self._marker > 0
        elif self._marker is not None:
            if byte == LINE_END:
                self._end_line(self._marker, items)
            elif len(pending) - self._marker >= SMP_LINE_LENGTH or (
                byte not in BASE64 and len(pending) - self._marker > 2
            ):
                self._abandon_line(items)
        if len(pending) > (MOST_CHUNK if self._framed else _LONGEST):
            self._shed(items)

    def _abandon_line(self, items: list[Item]) -> None:
        """The bytes since the marker cannot be an SMP line; inside a telemetry frame that is no fault."""
        if not self._framed:
            self._fault("SMP line broken off", items)
        self._marker = None

    def _end_line(self, marker: int, items: list[Item]) -> None:
        line = bytes(self._pending[marker:-1])
        self._marker = None
        if self._framed:
            self._end_doubtful_line(line, marker, items)
            return
        self._noise += marker
        self._pending.clear()
        self._framed = False
        try:
            data = self._assembler.feed(line)
        except SmpError as err:
            self._fault(str(err), items)
            return
        if data is not None:
            self._take_packet(data, items)

    def _end_doubtful_line(self, line: bytes, marker: int, items: list[Item]) -> None:
        """A line inside what may be a telemetry frame: only a whole packet proves that it is not."""
        try:
            data = LineAssembler().feed(line)
        except SmpError:
            return
        if data is not None:
            self._pending.clear()
            self._framed = False
            self._fault(f"telemetry frame broken off after {marker} bytes", items)
            self._take_packet(data, items)

    def _take_packet(self, data: bytes, items: list[Item]) -> None:
        try:
            packet = decode_packet(data)
        except SmpError as err:
            self._fault(str(err), items)
            return
        self._packets += 1
        items.append(packet)

    def _end_chunk(self, items: list[Item]) -> None:
        chunk = bytes(self._pending)
        was_framed, self._framed = self._framed, True
        self._pending.clear()
        self._marker = None
        if not chunk:
            return
        try:
            frame = decode_frame(chunk)
        except WireError as err:
            if was_framed:
                self._fault(str(err), items)
            else:
                self._noise += len(chunk)
            return
        self._framed = False
        self._frames += 1
        if self._next_sequence is not None and not isinstance(frame.message, Hello):
            self._lost += (frame.sequence - self._next_sequence) % _SEQUENCES
        self._next_sequence = (frame.sequence + 1) % _SEQUENCES
        items.append(frame)

    def _shed(self, items: list[Item]) -> None:
        """Too long for any frame: keep only a line that may have begun."""
        if self._framed:
            self._fault("telemetry frame without an end", items)
        keep = len(self._pending) if self._marker is None else self._marker
        self._noise += keep
        del self._pending[:keep]
        self._framed = False
        self._marker = None if self._marker is None else 0

    def _fault(self, reason: str, items: list[Item]) -> None:
        self._corrupt += 1
        items.append(LineFault(reason))
