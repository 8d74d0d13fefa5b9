"""Watch and steer headsets through AWS IoT Core, or through the local one (`hushkit cloud up`).

    hushkit fleet list
    hushkit fleet show hs-001
    hushkit fleet set hs-001 mode=anc intensity=0.8 telemetry.period_s=1 --wait 5
    hushkit fleet telemetry hs-001 --follow
    hushkit fleet events hs-001

The cloud is the local core named by --directory or HUSHKIT_CLOUD, else the one at --endpoint-url, else AWS with boto3's
usual region and credentials. `set` checks values before anything is sent: mode off, anc or transparency; intensity 0 to
1; telemetry.period_s 0.1 to 3600; null removes a property. With --wait it returns once the headset reports the values;
exit status 1 when it does not in time, or refuses.
"""

import argparse
import json
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TextIO

from hushkit_iot import json_output
from hushkit_iot.errors import IotError
from hushkit_iot.fleet import desired as desired_state
from hushkit_iot.fleet import history, text, things
from hushkit_iot.fleet.connection import Cloud, choose_endpoint, connect
from hushkit_iot.fleet.history import Received
from hushkit_iot.localcore.shadow_document import JsonObject

HELP = "watch and steer headsets: list, show, set, telemetry, events"
ERRORS: tuple[type[Exception], ...] = (IotError,)

_SUMMARY_BATCHES = 60
_FOLLOW_POLL_S = 0.5


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the actions and their options."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    listing = actions.add_parser("list", help="all headsets: online, mode, firmware, last seen")
    show = actions.add_parser("show", help="one headset: desired against reported, refusals, telemetry")
    change = actions.add_parser("set", help="change the desired state")
    telemetry = actions.add_parser("telemetry", help="recent telemetry")
    events = actions.add_parser("events", help="recent events")
    for action in (show, change, telemetry, events):
        action.add_argument("thing", metavar="THING")
    change.add_argument("assignments", nargs="+", metavar="property=value", help="null removes a property")
    change.add_argument("--wait", type=_seconds, metavar="S", help="wait so many seconds until the headset reports it")
    for action in (telemetry, events):
        action.add_argument("--limit", type=_count, default=20, metavar="N", help="newest batches or events (20)")
        action.add_argument("--follow", action="store_true", help="go on until interrupted; --json: one line each")
    for action in (listing, show, change, telemetry, events):
        action.add_argument("--directory", type=Path, metavar="D", help="local core's directory (HUSHKIT_CLOUD)")
        action.add_argument("--endpoint-url", metavar="URL", help="another cloud that speaks AWS's calls")
        action.add_argument("--ca", type=Path, metavar="FILE", help="authority to trust at --endpoint-url, PEM")
        json_output.add_option(action)


def run(options: argparse.Namespace) -> int:
    """Carry one action out."""
    if options.action == "set":
        wanted = desired_state.parse_assignments(options.assignments)  # before anything is sent
        return _set(options, _cloud(options), wanted)
    cloud = _cloud(options)
    actions: dict[str, Callable[[argparse.Namespace, Cloud], int]] = {
        "list": _list,
        "show": _show,
        "telemetry": _telemetry,
        "events": _events,
    }
    return actions[options.action](options, cloud)


def _cloud(options: argparse.Namespace) -> Cloud:
    return connect(choose_endpoint(options.directory, options.endpoint_url, options.ca))


def _list(options: argparse.Namespace, cloud: Cloud) -> int:
    fleet = things.read_things(cloud)
    _say(options, {"things": [view.as_json() for view in fleet]}, text.fleet_table(fleet, _now_ms()))
    return 0


def _show(options: argparse.Namespace, cloud: Cloud) -> int:
    things.require_thing(cloud, options.thing)
    view = things.read_thing(cloud, options.thing)
    batches = history.read(cloud, options.thing, "telemetry", newest=_SUMMARY_BATCHES)
    summary = history.summarise(batches)
    document = {
        **view.as_json(),
        "version": view.shadow.version,
        "desired": view.shadow.desired,
        "reported": view.shadow.reported,
        "delta": view.shadow.delta,
        "telemetry": {"batches": len(batches), "fields": {name: asdict(spread) for name, spread in summary.items()}},
    }
    _say(options, document, text.thing_page(view, summary, len(batches), _now_ms()))
    return 0


def _set(options: argparse.Namespace, cloud: Cloud, wanted: JsonObject) -> int:
    thing = options.thing
    things.require_thing(cloud, thing)
    version = desired_state.write_desired(cloud, thing, wanted)
    document: dict[str, object] = {"thing": thing, "desired": wanted, "version": version}
    if options.wait is None:
        _say(options, document, iter([f"{thing}: desired state version {version} written"]))
        return 0
    result = desired_state.follow(cloud, thing, wanted, options.wait)
    document |= {"converged": result.converged, **asdict(result)}
    _say(options, document, text.followed_lines(thing, wanted, result))
    return 0 if result.converged else 1


def _telemetry(options: argparse.Namespace, cloud: Cloud) -> int:
    return _history(options, cloud, "telemetry", text.telemetry_lines)


def _events(options: argparse.Namespace, cloud: Cloud) -> int:
    return _history(options, cloud, "events", lambda event: iter([text.event_line(event)]))


def _history(
    options: argparse.Namespace, cloud: Cloud, kind: history.Kind, lines: Callable[[Received], Iterator[str]]
) -> int:
    things.require_thing(cloud, options.thing)
    found = history.read(cloud, options.thing, kind, newest=options.limit)
    if options.follow:
        return _follow(options, cloud, kind, found, lines)
    document = {"thing": options.thing, kind: [_received(entry) for entry in found]}
    human = (line for entry in found for line in lines(entry))
    _say(options, document, human if found else iter([f"{options.thing}: no {kind} received"]))
    return 0


def _follow(
    options: argparse.Namespace,
    cloud: Cloud,
    kind: history.Kind,
    found: list[Received],
    lines: Callable[[Received], Iterator[str]],
) -> int:
    """Print what there is, then what arrives, until interrupted."""
    with json_output.open_output(options.json or "-") as stream:
        latest_ms = 0
        try:
            while True:
                for entry in found:
                    _print_entry(stream, entry, None if options.json else lines)
                latest_ms = found[-1].at_ms if found else latest_ms
                time.sleep(_FOLLOW_POLL_S)
                found = history.read(cloud, options.thing, kind, after_ms=latest_ms)
        except KeyboardInterrupt:
            return 0
        except BrokenPipeError:
            sys.stderr.close()  # the reader has gone; nobody is left to tell
            return 0


def _print_entry(stream: TextIO, entry: Received, lines: Callable[[Received], Iterator[str]] | None) -> None:
    for line in lines(entry) if lines else [json.dumps(_received(entry))]:
        print(line, file=stream, flush=True)


def _received(entry: Received) -> dict[str, object]:
    return {"received_ms": entry.at_ms, **entry.payload}


def _say(options: argparse.Namespace, document: object, lines: Iterator[str]) -> None:
    if options.json:
        json_output.write(options.json, document)
    if options.json != "-":
        print("\n".join(lines))


def _now_ms() -> int:
    return int(time.time() * 1000)


def _seconds(word: str) -> float:
    value = float(word)
    if not 0 <= value <= 86_400:
        raise argparse.ArgumentTypeError(f"found {word}, expected 0 to 86400 seconds")
    return value


def _count(word: str) -> int:
    value = int(word)
    if not 1 <= value <= 10_000:
        raise argparse.ArgumentTypeError(f"found {word}, expected 1 to 10000")
    return value
