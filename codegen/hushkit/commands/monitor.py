"""Watch a headset's serial line.

    hushkit monitor                               the emulated headset that `hushkit flash` booted
    hushkit monitor --target serial:/dev/ttyACM0  a board
    hushkit monitor --seconds 5                   stop by itself

Text (a fault report, say) is shown as it comes; management packets and telemetry frames as one line each. Watching
sends nothing, so it disturbs no one. A serial line has one owner: stop an agent that holds it first.
"""

import argparse
import sys
import time
from pathlib import Path

import serial

from hushkit import build_plan
from hushkit.emulator import HOST, serial_port
from hushkit.errors import InputError
from hushkit.project import project_root
from hushkit.serial_text import SerialText
from hushkit.target import HELP as TARGET_HELP
from hushkit.target import Target, parse_target

HELP = "watch a headset's serial line"
ERRORS: tuple[type[Exception], ...] = (InputError,)

_POLL_SECONDS = 0.1


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command line."""
    parser.add_argument("--target", default="qemu", metavar="T", help=TARGET_HELP)
    parser.add_argument("--seconds", type=float, metavar="S", help="stop after S seconds (default: until Ctrl-C)")


def run(options: argparse.Namespace) -> int:
    """Watch; 0 when it was asked to stop, 1 when the line ended."""
    target = parse_target(options.target)
    device = _device_of(target)
    until = None if options.seconds is None else time.monotonic() + options.seconds
    text = SerialText()
    try:
        with serial.serial_for_url(device, baudrate=target.baud, timeout=_POLL_SECONDS) as line:
            print(f"watching {device}; Ctrl-C stops", file=sys.stderr)
            while until is None or time.monotonic() < until:
                for shown in text.feed(line.read(max(1, line.in_waiting))):
                    print(shown, flush=True)
    except KeyboardInterrupt:
        return 0
    except serial.SerialException as err:
        if text.started:
            print(f"hushkit monitor: the line ended: {err}", file=sys.stderr)
            return 1
        raise InputError(f"cannot open {device}: {err}; is the headset on, and no one else on its line?") from err
    return 0


def _device_of(target: Target) -> str:
    if target.kind == "serial":
        return str(target.device)
    if target.kind != "qemu":
        raise InputError(f"cannot watch {target}: it has no serial line here; expected qemu or serial:DEVICE[@BAUD]")
    boards = build_plan.load_boards(project_root()).values()
    running = [board for board in boards if (_folder() / f"{board.name}.pid").is_file()]
    if len(running) != 1:
        found = ", ".join(board.core for board in running) or "none"
        raise InputError(
            f"emulated headsets running: {found}; expected one: boot it with `hushkit flash SPEC`, "
            f"or name its line: --target serial:socket://{HOST}:PORT"
        )
    return f"socket://{HOST}:{serial_port(running[0])}"


def _folder() -> Path:
    return project_root() / ".pio" / "emulated"
