"""Run AWS IoT Core's part on this machine: broker, shadows, fleet calls.

`hushkit cloud up` makes certificates, starts mosquitto with mutual TLS and the shadow engine, and waits until both
answer. Run it again at any time: it leaves what runs alone, starts what is down, renews certificates near their end.
Nothing restarts by itself; `status` tells (exit status 1) when a part is down, and `up` repairs.

    hushkit cloud up --thing hs-001
    export HUSHKIT_CLOUD=~/.local/state/hushkit/cloud
    hushkit fleet list
    hushkit cloud down

Everything lives in one directory: certificates, configuration, logs, the database of shadows and telemetry. `down`
keeps it; a later `up` continues with the same shadows.
"""

import argparse
import json
import shlex
from dataclasses import asdict
from pathlib import Path

from hushkit_iot import json_output
from hushkit_iot.errors import IotError
from hushkit_iot.localcore import LocalCore, ThingCredentials
from hushkit_iot.localcore.core import HTTPS_PORT, MQTT_PORT, CoreStatus
from hushkit_iot.localcore.layout import ENVIRONMENT, default_directory

HELP = "run the local IoT Core: up, down, status"
ERRORS: tuple[type[Exception], ...] = (IotError,)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the actions and their options."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    up = actions.add_parser("up", help="start what is down; returns when all of it answers")
    up.add_argument("--port", type=int, metavar="N", help=f"broker's port on 127.0.0.1 ({MQTT_PORT}; 0: a free one)")
    up.add_argument("--https-port", type=int, metavar="N", help=f"port of the AWS calls ({HTTPS_PORT}; 0: a free one)")
    up.add_argument("--thing", action="append", default=[], metavar="NAME", help="issue a thing; may be repeated")
    down = actions.add_parser("down", help="stop what up started")
    status = actions.add_parser("status", help="say what answers; exit status 1 when something does not")
    for action in (up, down, status):
        action.add_argument("--directory", type=Path, metavar="D", help=f"where the core lives ({default_directory()})")
        json_output.add_option(action)


def run(options: argparse.Namespace) -> int:
    """Carry one action out."""
    directory = options.directory or default_directory()
    if options.action == "up":
        return _up(options, directory)
    core = LocalCore(directory)
    if options.action == "down":
        ran = core.stop()
        _say(options, {"stopped": ran}, [f"{directory}: {'stopped' if ran else 'nothing was running'}"])
        return 0
    return _status(options, core)


def _up(options: argparse.Namespace, directory: Path) -> int:
    core = LocalCore(directory, mqtt_port=options.port, https_port=options.https_port, things=tuple(options.thing))
    core.start()
    lines = [*_describe(core), ""]
    for thing in options.thing:
        lines += [
            f"for {thing}'s agent (`hushkit agent run --config FILE`):",
            *_agent_lines(core.issue_thing(thing)),
            "",
        ]
    lines.append(f"fleet tools find it with: export {ENVIRONMENT}={shlex.quote(str(core.directory))}")
    _say(options, _document(core, core.status()), lines)
    return 0


def _agent_lines(credentials: ThingCredentials) -> list[str]:
    """The part of an agent's configuration file that says where the cloud is."""
    return [
        f"  thing = {json.dumps(credentials.thing)}",
        "  [cloud]",
        f"  endpoint = {json.dumps(f'{credentials.host}:{credentials.port}')}",
        *(f"  {name} = {json.dumps(str(getattr(credentials, name)))}" for name in ("ca", "cert", "key")),
    ]


def _status(options: argparse.Namespace, core: LocalCore) -> int:
    status = core.status()
    lines = [
        *_describe(core),
        f"broker  {'answers' if status.broker else 'down'}",
        f"engine  {'answers' if status.engine else 'down'}"
        + ("" if status.linked or not status.engine else ", not connected to the broker"),
    ]
    if not status.healthy:
        lines.append("`hushkit cloud up` starts what is down")
    _say(options, _document(core, status), lines)
    return 0 if status.healthy else 1


def _describe(core: LocalCore) -> list[str]:
    host, port = core.mqtt_endpoint
    return [
        f"local IoT Core in {core.directory}",
        f"  MQTT   {host}:{port}  (TLS, client certificate required)",
        f"  HTTPS  {core.https_endpoint}  (iot, iot-data, dynamodb)",
        f"  CA     {core.ca_file}",
    ]


def _document(core: LocalCore, status: CoreStatus) -> dict[str, object]:
    host, port = core.mqtt_endpoint
    return {
        "directory": str(core.directory),
        "mqtt": {"host": host, "port": port},
        "https": core.https_endpoint,
        "ca_file": str(core.ca_file),
        "status": {**asdict(status), "healthy": status.healthy},
        "things": {
            thing: {"cert": str(credentials.cert), "key": str(credentials.key)}
            for thing in core.things
            for credentials in (core.issue_thing(thing),)
        },
    }


def _say(options: argparse.Namespace, document: object, lines: list[str]) -> None:
    if options.json:
        json_output.write(options.json, document)
    if options.json != "-":
        print("\n".join(lines))
