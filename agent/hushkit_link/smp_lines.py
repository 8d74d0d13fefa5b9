"""SMP over a serial line, as mcumgr frames it.

Lines of ``06 09`` (first) or ``04 14`` (further), base64, LF; the base64 text is (length, packet, CRC-16/XMODEM).
"""

import base64
import binascii
import struct
from typing import Final

from hushkit_link.errors import SmpError
from hushkit_link.wire import SMP_LINE_LENGTH, SMP_MAX_PACKET

START: Final = b"\x06\x09"
CONTINUE: Final = b"\x04\x14"
LINE_END: Final = 0x0A
BASE64: Final = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=")
_U16: Final = struct.Struct(">H")
_CRC_SEED: Final = 0x0000


def encode_lines(packet: bytes, *, line_length: int = SMP_LINE_LENGTH) -> bytes:
    """A packet as lines.

    Args:
        packet: SMP header and body.
        line_length: Longest line in bytes, markers and LF included; at least 8.

    Raises:
        SmpError: The packet is longer than the line's peers accept.
    """
    if len(packet) > SMP_MAX_PACKET:
        raise SmpError(f"SMP packet of {len(packet)} bytes, expected at most {SMP_MAX_PACKET}")
    check = _U16.pack(binascii.crc_hqx(packet, _CRC_SEED))
    text = base64.b64encode(_U16.pack(len(packet) + len(check)) + packet + check)
    room = (line_length - 3) // 4 * 4
    pieces = [text[at : at + room] for at in range(0, len(text), room)]
    return b"".join((CONTINUE if i else START) + piece + b"\n" for i, piece in enumerate(pieces))


class LineAssembler:
    """Puts lines together to packets; a damaged line loses its packet, never the next one."""

    def __init__(self) -> None:
        self._data: bytearray | None = None

    @property
    def is_waiting(self) -> bool:
        """Whether a packet has begun and lines are missing."""
        return self._data is not None

    def feed(self, line: bytes) -> bytes | None:
        """Take one line, markers included, without LF.

        Returns:
            The packet when this line completes one, else None.

        Raises:
            SmpError: Not base64, a further line without a first, too long, or a wrong check; the packet is dropped.
        """
        marker, text = line[:2], line[2:]
        begun, self._data = self._data, None
        if marker == START:
            data = bytearray()
        elif begun is None:
            raise SmpError("SMP line continues a packet that did not begin")
        else:
            data = begun
        try:
            data += base64.b64decode(text, validate=True)
        except binascii.Error as err:
            raise SmpError(f"SMP line is not base64: {err}") from err
        if len(data) < _U16.size:
            raise SmpError(f"SMP line with {len(data)} bytes, expected a length of 2")
        return self._complete(data)

    def _complete(self, data: bytearray) -> bytes | None:
        announced = _U16.unpack_from(data)[0]
        found = len(data) - _U16.size
        if not _U16.size <= announced <= SMP_MAX_PACKET + _U16.size:
            raise SmpError(f"SMP length {announced}, expected 2..{SMP_MAX_PACKET + _U16.size}")
        if found > announced:
            raise SmpError(f"SMP lines carry {found} bytes, announced {announced}")
        if found < announced:
            self._data = data
            return None
        packet, check = bytes(data[2:-2]), _U16.unpack_from(data, len(data) - 2)[0]
        expected = binascii.crc_hqx(packet, _CRC_SEED)
        if check != expected:
            raise SmpError(f"SMP check {check:#06x}, expected {expected:#06x}: the packet was damaged on the line")
        return packet
