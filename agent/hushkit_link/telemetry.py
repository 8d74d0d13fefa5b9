"""Telemetry frames: ``00``, COBS of (id, sequence, payload, CRC-16/CCITT-FALSE), ``00``; little-endian."""

import binascii
import struct
from dataclasses import dataclass
from typing import Final

from hushkit_link.errors import WireError
from hushkit_link.wire import MAX_PAYLOAD, MESSAGES, Message

DELIMITER: Final = 0
_HEADER: Final = struct.Struct("<BH")
_CHECK: Final = struct.Struct("<H")
_CRC_SEED: Final = 0xFFFF
LEAST_CHUNK: Final = _HEADER.size + _CHECK.size + 1
MOST_CHUNK: Final = LEAST_CHUNK + MAX_PAYLOAD


@dataclass(frozen=True, slots=True)
class Frame:
    """One telemetry frame.

    Attributes:
        sequence: Counts the sender's frames modulo 65536; a gap is a lost frame.
        message: What it carries.
    """

    sequence: int
    message: Message


def encode_frame(frame: Frame) -> bytes:
    """Bytes of a frame with both delimiters.

    Raises:
        WireError: A value is outside its range.
    """
    if not 0 <= frame.sequence <= 0xFFFF:
        raise WireError(f"frame sequence {frame.sequence} is outside 0..65535")
    content = _HEADER.pack(frame.message.ID, frame.sequence) + frame.message.pack()
    content += _CHECK.pack(binascii.crc_hqx(content, _CRC_SEED))
    return b"\x00" + stuff(content) + b"\x00"


def decode_frame(chunk: bytes) -> Frame:
    """Frame of the bytes between two delimiters.

    Raises:
        WireError: Wrong length, stuffing, check, id or value; names which.
    """
    if not LEAST_CHUNK <= len(chunk) <= MOST_CHUNK:
        raise WireError(f"frame of {len(chunk)} bytes, expected {LEAST_CHUNK}..{MOST_CHUNK}")
    content = unstuff(chunk)
    body, check = content[: -_CHECK.size], _CHECK.unpack(content[-_CHECK.size :])[0]
    found = binascii.crc_hqx(body, _CRC_SEED)
    if found != check:
        raise WireError(f"frame check {check:#06x}, expected {found:#06x}: the frame was damaged on the line")
    message_id, sequence = _HEADER.unpack_from(body)
    kind = MESSAGES.get(message_id)
    if kind is None:
        raise WireError(f"message id {message_id:#04x} is unknown; known: {', '.join(f'{i:#04x}' for i in MESSAGES)}")
    return Frame(sequence, kind.unpack(body[_HEADER.size :]))


def stuff(content: bytes) -> bytes:
    """COBS without the delimiter, for contents of at most 253 bytes (one group)."""
    return b"".join(bytes([len(group) + 1]) + group for group in content.split(b"\x00"))


def unstuff(chunk: bytes) -> bytes:
    """Undo `stuff`; raises `WireError` when the code bytes do not lead exactly to the end."""
    if 0 in chunk:
        raise WireError("frame contains a delimiter")
    groups = []
    at = 0
    while at < len(chunk):
        groups.append(chunk[at + 1 : at + chunk[at]])
        at += chunk[at]
    if at != len(chunk):
        raise WireError(f"COBS code leads to byte {at} of a frame of {len(chunk)}")
    return b"\x00".join(groups)
