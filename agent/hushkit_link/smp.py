"""SMP (mcumgr) packets: 8-byte header and a CBOR map, big-endian."""

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum, unique
from io import BytesIO
from typing import Any, Final

import cbor2

from hushkit_link.errors import SmpError
from hushkit_link.wire import SMP_MAX_PACKET

_HEADER: Final = struct.Struct(">BBHHBB")
HEADER_BYTES: Final = _HEADER.size
_VERSION_2: Final = 1 << 3


@unique
class Op(IntEnum):
    """What a packet does; a reply's op is its request's plus one."""

    READ = 0
    READ_REPLY = 1
    WRITE = 2
    WRITE_REPLY = 3


@unique
class Group(IntEnum):
    """Groups that mcumgr defines and the headset serves."""

    OS = 0
    IMAGE = 1


@unique
class OsCommand(IntEnum):
    """Commands of group `OS` that the agent uses."""

    ECHO = 0
    RESET = 5
    PARAMETERS = 6


@dataclass(frozen=True, slots=True)
class Packet:
    """One request or reply.

    Attributes:
        body: CBOR map; only None, booleans, numbers, text, bytes, lists and maps with text keys.
        version: 1 or 2; replies come in the request's.
    """

    op: Op
    group: int
    command: int
    sequence: int
    body: Mapping[str, object]
    version: int = 2

    @property
    def is_reply(self) -> bool:
        """Whether this answers a request."""
        return self.op in {Op.READ_REPLY, Op.WRITE_REPLY}

    def answers(self, request: "Packet") -> bool:
        """Whether this is the reply to ``request``."""
        return (
            self.op == request.op + 1
            and (self.group, self.command, self.sequence) == (request.group, request.command, request.sequence)
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Refusal:
    """The error a reply carries: ``rc`` is the group's own code in version 2, mcumgr's in version 1."""

    group: int
    rc: int


def encode_packet(packet: Packet) -> bytes:
    """Bytes of a packet.

    Raises:
        SmpError: A header field is out of range, or the packet is longer than the line's peers accept.
    """
    body = cbor2.dumps(dict(packet.body))
    first = packet.op | (_VERSION_2 if packet.version == 2 else 0)
    try:
        header = _HEADER.pack(first, 0, len(body), packet.group, packet.sequence, packet.command)
    except struct.error as err:
        raise SmpError(f"SMP header of {packet}: {err}") from err
    if len(header) + len(body) > SMP_MAX_PACKET:
        raise SmpError(f"SMP packet of {len(header) + len(body)} bytes, expected at most {SMP_MAX_PACKET}")
    return header + body


def decode_packet(data: bytes) -> Packet:
    """Packet of its bytes; strict.

    Raises:
        SmpError: Wrong length, version or op, or a body that is not one plain CBOR map.
    """
    if len(data) < HEADER_BYTES:
        raise SmpError(f"SMP packet of {len(data)} bytes, expected at least {HEADER_BYTES}")
    first, _flags, length, group, sequence, command = _HEADER.unpack_from(data)
    if length != len(data) - HEADER_BYTES:
        raise SmpError(f"SMP header announces {length} bytes of body, found {len(data) - HEADER_BYTES}")
    version = ((first >> 3) & 3) + 1
    if version > 2 or (first & 7) > Op.WRITE_REPLY:
        raise SmpError(f"SMP version {version} with operation {first & 7}; expected version 1 or 2, operation 0..3")
    return Packet(Op(first & 7), group, command, sequence, _decode_body(data[HEADER_BYTES:]), version)


def refusal(reply: Packet) -> Refusal | None:
    """The error a reply carries, None for success.

    Raises:
        SmpError: An error map that cannot be read.
    """
    error = reply.body.get("err")
    if error is not None:
        match error:
            case {"group": int(group), "rc": int(code)}:
                return Refusal(group, code) if code else None
            case _:
                raise SmpError(f"SMP error map {error!r}; expected group and rc")
    rc = reply.body.get("rc", 0)
    if not isinstance(rc, int):
        raise SmpError(f"SMP rc {rc!r}; expected an integer")
    return Refusal(reply.group, rc) if rc else None


def _decode_body(data: bytes) -> Mapping[str, object]:
    if not data:
        return {}
    stream = BytesIO(data)
    try:
        body: Any = cbor2.CBORDecoder(stream).decode()
    except (cbor2.CBORDecodeError, RecursionError, ValueError, TypeError, OverflowError, MemoryError) as err:
        raise SmpError(f"SMP body is not CBOR: {err}") from err
    if stream.tell() != len(data):
        raise SmpError(f"SMP body has {len(data) - stream.tell()} bytes after its map")
    if not isinstance(body, dict) or not _is_plain(body):
        raise SmpError("SMP body is not a map of plain values with text keys")
    return body


def _is_plain(value: object) -> bool:
    match value:
        case None | bool() | int() | float() | str() | bytes():
            return True
        case list():
            return all(_is_plain(item) for item in value)
        case dict():
            return all(isinstance(key, str) and _is_plain(item) for key, item in value.items())
        case _:
            return False
