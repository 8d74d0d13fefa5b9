"""Show the main job: an emulated headset designed, built, proven, and steered through a device shadow.

Designs and builds the spec, cancels noise on QEMU in the closed acoustic loop, starts a local IoT Core and an agent,
switches the headset's mode from the fleet's command line, watches it obey and telemetry arrive, writes
build/demo/report.html and build/demo/demo.json, and stops everything it started.

example:
  hushkit demo
  hushkit demo --noise recording.wav
"""

import argparse
import sys
import time
from pathlib import Path

from hushkit.errors import InputError
from hushkit.project import build_dir
from hushkit_codegen.errors import DesignError
from hushkit_models.acoustics import AcousticsError

from hushkit_hil.demo.story import Plan, screen, tell
from hushkit_hil.errors import BenchError
from hushkit_hil.instruments.cycles import CycleModelError

HELP = "the main job in one run: design, build, cancel noise, steer through a shadow"
ERRORS: tuple[type[Exception], ...] = (InputError, BenchError, DesignError, AcousticsError, CycleModelError)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command line."""
    parser.add_argument("--spec", default="flagship-m7", metavar="SPEC", help="headset to show (default flagship-m7)")
    parser.add_argument("--noise", metavar="N", help="built-in scene or audio file; the spec's own when left out")
    parser.add_argument("--seconds", type=float, default=20.0, metavar="S", help="audio in the loop (default 20)")
    parser.add_argument(
        "--directory", type=Path, metavar="D", help="where to write (default build/demo); emptied first"
    )


def run(options: argparse.Namespace) -> int:
    """Run `hushkit demo`: 0 when everything passed, 1 when a budget falls short."""
    directory = options.directory or build_dir() / "demo"
    document = tell(Plan(options.spec, options.noise, options.seconds, directory), _Progress())
    print(screen(document))
    return 0 if document["passed"] else 1


class _Progress:
    """Says every few seconds how far the loop is."""

    _EVERY_S = 3.0

    def __init__(self) -> None:
        self._next = time.monotonic() + self._EVERY_S

    def __call__(self, heard: int, total: int) -> None:
        now = time.monotonic()
        if now >= self._next:
            self._next = now + self._EVERY_S
            print(f"      {100 * heard / total:5.0f} % of the audio heard", file=sys.stderr, flush=True)
