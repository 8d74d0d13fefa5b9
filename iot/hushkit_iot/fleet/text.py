"""What the fleet commands print for people. Pure: values in, lines out."""

import json
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

from hushkit_iot.fleet.desired import Followed
from hushkit_iot.fleet.history import Received, Spread
from hushkit_iot.fleet.things import ThingView
from hushkit_iot.localcore.shadow_document import JsonObject, JsonValue

_NONE = "-"


def fleet_table(things: list[ThingView], now_ms: int) -> Iterator[str]:
    """One line per headset."""
    if not things:
        yield "no things yet; `hushkit cloud up --thing NAME` issues one"
        return
    rows = [["THING", "ONLINE", "MODE", "INTENSITY", "FIRMWARE", "LAST SEEN", "PENDING"]]
    for view in things:
        reported = view.shadow.reported
        rows.append(
            [
                view.thing,
                {True: "yes", False: "no", None: "never"}[view.online],
                _plain(reported.get("mode")),
                _plain(reported.get("intensity")),
                _firmware(reported),
                ago(view.last_seen_ms, now_ms),
                ", ".join(sorted(view.shadow.delta)) or _NONE,
            ]
        )
    yield from columns(rows)


def thing_page(view: ThingView, telemetry: dict[str, Spread], batches: int, now_ms: int) -> Iterator[str]:
    """Everything about one headset."""
    shadow, reported = view.shadow, view.shadow.reported
    online = {True: "online", False: "offline", None: "never connected"}[view.online]
    yield f"{view.thing}: {online}, last seen {ago(view.last_seen_ms, now_ms)}, shadow version {shadow.version}"
    yield f"firmware {_firmware(reported)}, serial link {_plain(reported.get('link'))}"
    yield ""
    desired, actual, delta = flatten(shadow.desired), flatten(reported), flatten(shadow.delta)
    hidden = ("rejected", "firmware", "agent", "link")
    names = sorted({*desired, *(name for name in actual if name.split(".")[0] not in hidden)})
    rows = [["PROPERTY", "DESIRED", "REPORTED", ""]]
    rows += [
        [name, _plain(desired.get(name)), _plain(actual.get(name)), "pending" if name in delta else ""]
        for name in names
    ]
    yield from columns(rows)
    for name, refusal in shadow.rejected.items():
        yield f"rejected: {name}: {_refusal(refusal)}"
    yield ""
    if not telemetry:
        yield "no telemetry received"
        return
    yield f"telemetry, last {batches} batches"
    yield from columns(
        [["FIELD", "MIN", "MEAN", "MAX", "LAST"]]
        + [
            [name, *(f"{number:.6g}" for number in (spread.minimum, spread.mean, spread.maximum, spread.last))]
            for name, spread in telemetry.items()
        ]
    )


def followed_lines(thing: str, desired: JsonObject, result: Followed) -> Iterator[str]:
    """How a change ended."""
    for name, refusal in result.rejected.items():
        yield f"{thing} refused {name}: {_refusal(refusal)}"
    for name, value in flatten(result.pending).items():
        if not any(name == refused or name.startswith(f"{refused}.") for refused in result.rejected):
            reports = _plain(flatten(result.reported).get(name))
            yield f"{thing} has not followed {name} = {_plain(value)} after {result.seconds:.1f} s: reports {reports}"
    if result.converged:
        assignments = ", ".join(f"{name} = {_plain(value)}" for name, value in flatten(desired).items())
        yield f"{thing} follows {assignments} after {result.seconds:.2f} s"


def telemetry_lines(batch: Received) -> Iterator[str]:
    """One line per record."""
    for record in batch.payload.get("records", []):
        fields = "  ".join(f"{name} {_plain(value)}" for name, value in record.get("data", {}).items())
        yield f"{clock(record.get('at_ms', batch.at_ms))}  {record.get('type')}  {fields}"


def event_line(event: Received) -> str:
    """One line per event."""
    document = event.payload
    at_ms = document.get("at_ms", event.at_ms)
    return f"{clock(at_ms)}  {document.get('level')}  {document.get('kind')}: {document.get('message')}"


def columns(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """Align cells under each other."""
    widths = [max(map(len, cells)) for cells in zip(*rows, strict=True)]
    for row in rows:
        yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()


def flatten(document: JsonObject, prefix: str = "") -> dict[str, JsonValue]:
    """Leaves by their dotted path."""
    leaves: dict[str, JsonValue] = {}
    for name, value in document.items():
        if isinstance(value, dict) and value:
            leaves |= flatten(value, f"{prefix}{name}.")
        else:
            leaves[prefix + name] = value
    return leaves


def ago(moment_ms: int | None, now_ms: int) -> str:
    """How long ago, in the one unit that matters."""
    if moment_ms is None:
        return "never"
    seconds = max(0, (now_ms - moment_ms) // 1000)
    for unit, length in (("d", 86_400), ("h", 3600), ("min", 60)):
        if seconds >= length:
            return f"{seconds // length} {unit} ago"
    return f"{seconds} s ago"


def clock(moment_ms: int) -> str:
    """Local date and time, to the millisecond."""
    return datetime.fromtimestamp(moment_ms / 1000).astimezone().isoformat(sep=" ", timespec="milliseconds")


def _firmware(reported: JsonObject) -> str:
    firmware: Any = reported.get("firmware")
    if not isinstance(firmware, dict):
        return _NONE
    build = str(firmware.get("build_id", ""))[:12]
    words = [str(firmware[name]) for name in ("spec", "version") if firmware.get(name)]
    return " ".join([*words, *([f"({build})"] if build else [])]) or _NONE


def _refusal(refusal: JsonValue) -> str:
    if isinstance(refusal, dict):
        return f"{_plain(refusal.get('reason'))} (wanted {_plain(refusal.get('value'))})"
    return _plain(refusal)


def _plain(value: JsonValue) -> str:
    if value is None:
        return _NONE
    return value if isinstance(value, str) else json.dumps(value)
