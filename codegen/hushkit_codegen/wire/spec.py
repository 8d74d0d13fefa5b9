"""Read and check ``wire.toml``: every fault is reported with its place, all at once."""

import hashlib
import json
import re
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

WIRE_SPEC: Final = Path(__file__).parents[2] / "specs" / "wire.toml"
DIGEST_BYTES: Final = 8

_NAME = re.compile(r"[a-z][a-z0-9_]*")
_BYTES = re.compile(r"bytes\[([0-9]+)\]")
_TEXTS: Final = frozenset({"doc"})
_INTEGERS: Final = {
    "u8": (1, False),
    "u16": (2, False),
    "u32": (4, False),
    "i8": (1, True),
    "i16": (2, True),
    "i32": (4, True),
}
_KEY_TYPES: Final = frozenset({"uint", "text", "bytes"})


class WireSpecError(Exception):
    """The wire specification cannot be used; the message lists every fault."""


@dataclass(frozen=True, slots=True)
class Enum:
    """Named values of one byte on the wire."""

    name: str
    doc: str
    values: tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a message.

    ``minimum`` and ``maximum`` are raw integers (value = raw * scale); ``enum`` names the enum whose values are legal.
    ``size`` is the width in bytes. ``absent`` is the raw value that stands for "no value", or None.
    """

    name: str
    kind: str  # "integer", "enum" or "bytes"
    size: int
    signed: bool
    scale: float | None
    minimum: int
    maximum: int
    absent: int | None
    enum: Enum | None
    unit: str
    doc: str


@dataclass(frozen=True, slots=True)
class Message:
    """One telemetry message; ``size`` is its payload in bytes."""

    name: str
    id: int
    source: str
    doc: str
    fields: tuple[Field, ...]

    @property
    def size(self) -> int:
        """Payload bytes."""
        return sum(field.size for field in self.fields)


@dataclass(frozen=True, slots=True)
class Key:
    """One key of a command's CBOR map; for text and bytes ``minimum`` and ``maximum`` count bytes."""

    name: str
    kind: str  # "uint", "enum", "text" or "bytes"
    scale: float | None
    minimum: int
    maximum: int
    optional: bool
    enum: Enum | None
    unit: str
    doc: str


@dataclass(frozen=True, slots=True)
class Command:
    """One command of the own SMP group."""

    name: str
    id: int
    doc: str
    operations: tuple[str, ...]
    request: tuple[Key, ...]
    reply: tuple[Key, ...]


@dataclass(frozen=True, slots=True)
class WireSpec:
    """The checked specification."""

    schema: int
    digest: bytes
    max_payload: int
    forbidden: tuple[int, ...]
    retired: tuple[int, ...]
    enums: tuple[Enum, ...]
    messages: tuple[Message, ...]
    line_length: int
    max_packet: int
    group: int
    commands: tuple[Command, ...]


def load_wire_spec(path: Path = WIRE_SPEC) -> WireSpec:
    """Read the wire specification.

    Args:
        path: TOML file; the project's own by default.

    Returns:
        The specification, messages and commands in the order of their ids.

    Raises:
        WireSpecError: The file cannot be read or breaks a rule; all faults in one message.
    """
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, tomllib.TOMLDecodeError) as err:
        raise WireSpecError(f"{path.name}: {err}; expected a TOML file with schema, frame, message and smp") from err
    return parse_wire_spec(table, name=path.name)


def parse_wire_spec(table: dict[str, Any], *, name: str = "wire.toml") -> WireSpec:
    """Check a wire specification that is already a table; see `load_wire_spec`."""
    faults: list[str] = []
    try:
        spec = _parse(table, faults)
    except (KeyError, TypeError, AttributeError) as err:
        faults.append(f"missing or of the wrong type: {err}")
        raise WireSpecError(f"{name}: " + "; ".join(faults)) from err
    if faults:
        raise WireSpecError(f"{name}: " + "; ".join(faults))
    return spec


def wire_digest(table: dict[str, Any]) -> bytes:
    """First 8 bytes of SHA-256 over the canonical content without its texts: what both peers must agree on."""
    canonical = json.dumps(_without_texts(table), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).digest()[:DIGEST_BYTES]


def _parse(table: dict[str, Any], faults: list[str]) -> WireSpec:
    frame, smp = table["frame"], table["smp"]
    if frame["check"] != "crc16-ccitt-false" or smp["check"] != "crc16-xmodem":
        faults.append("frame.check must be crc16-ccitt-false and smp.check crc16-xmodem: no other check is implemented")
    enums = {name: _enum(name, body, faults) for name, body in table["enum"].items()}
    messages = [_message(name, body, enums, faults) for name, body in table["message"].items()]
    commands = [_command(name, body, enums, faults) for name, body in smp["command"].items()]
    _check_ids("message", [(m.name, m.id) for m in messages], {*frame["forbidden"], *frame["retired"]}, faults)
    _check_ids("smp.command", [(c.name, c.id) for c in commands], set(), faults)
    # One COBS group (no code byte inside the frame) keeps both decoders simple: 3 header + payload + 2 check <= 253.
    if not 1 <= frame["max_payload"] <= 248:
        faults.append(f"frame.max_payload is {frame['max_payload']}; expected 1..248")
    faults.extend(
        f"message.{m.name}: {m.size} payload bytes; expected at most {frame['max_payload']}"
        for m in messages
        if m.size > frame["max_payload"]
    )
    return WireSpec(
        schema=int(table["schema"]),
        digest=wire_digest(table),
        max_payload=frame["max_payload"],
        forbidden=tuple(frame["forbidden"]),
        retired=tuple(frame["retired"]),
        enums=tuple(enums.values()),
        messages=tuple(sorted(messages, key=lambda m: m.id)),
        line_length=smp["line_length"],
        max_packet=smp["max_packet"],
        group=smp["group"],
        commands=tuple(sorted(commands, key=lambda c: c.id)),
    )


def _enum(name: str, body: dict[str, Any], faults: list[str]) -> Enum:
    values = tuple(sorted(body["values"].items(), key=lambda item: item[1]))
    if [value for _, value in values] != list(range(len(values))):
        faults.append(f"enum.{name}: values must count up from 0")
    _check_names(f"enum.{name}", [key for key, _ in values], faults)
    return Enum(name, body["doc"], values)


def _message(name: str, body: dict[str, Any], enums: dict[str, Enum], faults: list[str]) -> Message:
    place = f"message.{name}"
    if body["from"] != "device":
        faults.append(f"{place}.from is {body['from']!r}; expected 'device': hosts speak SMP")
    fields = [_field(f"{place}.{f['name']}", f, enums, faults) for f in body["field"]]
    _check_names(place, [field.name for field in fields], faults)
    return Message(name, body["id"], body["from"], body["doc"], tuple(fields))


def _field(place: str, body: dict[str, Any], enums: dict[str, Enum], faults: list[str]) -> Field:
    _check_keys(place, body, {"name", "type", "unit", "scale", "range", "absent", "doc"}, faults)
    kind, size, signed, enum = "integer", 0, False, None
    fixed = _BYTES.fullmatch(body["type"])
    if body["type"] in _INTEGERS:
        size, signed = _INTEGERS[body["type"]]
        low, high = (-(1 << (8 * size - 1)), (1 << (8 * size - 1)) - 1) if signed else (0, (1 << 8 * size) - 1)
    elif fixed:
        kind, size, low, high = "bytes", int(fixed[1]), 0, 0
    elif (enum := _enum_of(body["type"], enums)) is not None:
        kind, size, low, high = "enum", 1, 0, len(enum.values) - 1
    else:
        faults.append(f"{place}.type is {body['type']!r}; expected u8, u16, u32, i8, i16, i32, bytes[n] or enum:NAME")
        low, high = 0, 0
    scale = body.get("scale")
    minimum, maximum = _raw_range(place, body, scale, (low, high), faults)
    absent = body.get("absent")
    if absent is not None and (minimum <= absent <= maximum or not low <= absent <= high):
        faults.append(f"{place}.absent is {absent}; expected a value of {body['type']} outside the range")
    return Field(
        body["name"], kind, size, signed, scale, minimum, maximum, absent, enum, body.get("unit", ""), body["doc"]
    )


def _command(name: str, body: dict[str, Any], enums: dict[str, Enum], faults: list[str]) -> Command:
    place = f"smp.command.{name}"
    if not body["operations"] or not set(body["operations"]) <= {"read", "write"}:
        faults.append(f"{place}.operations is {body['operations']}; expected read, write or both")
    request = tuple(_key(f"{place}.request", k, enums, faults) for k in body.get("request", []))
    reply = tuple(_key(f"{place}.reply", k, enums, faults) for k in body["reply"])
    if bool(request) != ("write" in body["operations"]):
        faults.append(f"{place}: a request goes with the operation write, and only with it")
    return Command(name, body["id"], body["doc"], tuple(body["operations"]), request, reply)


def _key(place: str, body: dict[str, Any], enums: dict[str, Enum], faults: list[str]) -> Key:
    place = f"{place}.{body['key']}"
    _check_keys(place, body, {"key", "type", "unit", "scale", "range", "optional", "doc"}, faults)
    _check_names(place, [body["key"]], faults)
    enum = _enum_of(body["type"], enums)
    if enum is None and body["type"] not in _KEY_TYPES:
        faults.append(f"{place}.type is {body['type']!r}; expected uint, text, bytes or enum:NAME")
    if enum is None and "range" not in body:
        faults.append(f"{place}: range is missing; expected [least, most]")
    scale = body.get("scale")
    natural = (0, len(enum.values) - 1) if enum else (0, 0xFFFFFFFF)
    minimum, maximum = _raw_range(place, body, scale, natural, faults)
    kind = "enum" if enum else body["type"]
    optional = bool(body.get("optional", False))
    return Key(body["key"], kind, scale, minimum, maximum, optional, enum, body.get("unit", ""), body["doc"])


def _raw_range(
    place: str, body: dict[str, Any], scale: float | None, natural: tuple[int, int], faults: list[str]
) -> tuple[int, int]:
    if "range" not in body:
        return natural
    low, high = (round(bound / (scale or 1)) for bound in body["range"])
    if not natural[0] <= low <= high <= natural[1]:
        faults.append(f"{place}.range is {body['range']}; expected an interval that {body['type']} can hold")
    return low, high


def _enum_of(kind: str, enums: dict[str, Enum]) -> Enum | None:
    return enums.get(kind.removeprefix("enum:")) if kind.startswith("enum:") else None


def _check_ids(place: str, ids: list[tuple[str, int]], excluded: set[int], faults: list[str]) -> None:
    seen: dict[int, str] = {}
    for name, number in ids:
        _check_names(place, [name], faults)
        if not 0 <= number <= 255 or number in excluded:
            faults.append(f"{place}.{name}.id is {number:#04x}; expected a byte that is neither forbidden nor retired")
        if number in seen:
            faults.append(f"{place}.{name}.id {number:#04x} is taken by {seen[number]}")
        seen[number] = name


def _check_keys(place: str, body: dict[str, Any], known: set[str], faults: list[str]) -> None:
    faults.extend(f"{place}.{key} is unknown; expected {', '.join(sorted(known))}" for key in body if key not in known)


def _check_names(place: str, names: list[str], faults: list[str]) -> None:
    faults.extend(f"{place}: name {name!r}; expected lower case a_b" for name in names if not _NAME.fullmatch(name))
    faults.extend(f"{place}: name {name!r} twice" for name in {n for n in names if names.count(n) > 1})


def _without_texts(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_texts(item) for key, item in value.items() if key not in _TEXTS}
    if isinstance(value, list):
        return [_without_texts(item) for item in value]
    return value
