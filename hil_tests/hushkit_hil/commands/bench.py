"""Run a headset's firmware in a closed acoustic loop and judge it.

Designs, generates and builds the spec for the given paths, runs the image on QEMU in lock-step with the acoustic plant,
runs the same C on this machine, compares the two bit for bit, and holds latency, load, memory and noise reduction
against the spec's budgets and the causal bound.

SPEC is the name of a shipped spec (flagship-m7, compact-m4, balanced-m33, helium-m55) or a TOML file. Instruction
counts are exact (emulated); cycles and the acoustics are modelled. Exit status 1: a budget is exceeded.

With --target serial:DEVICE a flashed board is asked for its own cycle counter's figures (measured), without acoustics.

example:
  hushkit bench flagship-m7
  hushkit bench flagship-m7 --seconds 20 --change 10:gain=6 --target host
  hushkit bench compact-m4 --noise train.flac --paths overear --seconds 10 --json result.json --html report.html
"""

import argparse
import sys
import time
from pathlib import Path

from hushkit.errors import InputError
from hushkit.json_output import write_json
from hushkit.spec import load_spec
from hushkit.target import HELP as TARGET_HELP
from hushkit.target import Target, parse_target
from hushkit_codegen.errors import DesignError
from hushkit_models.acoustics import AcousticsError
from hushkit_models.acoustics.changes import SYNTAX

from hushkit_hil.bench.board import board_json, read_board
from hushkit_hil.bench.categories import SYNTAX as CATEGORY_SYNTAX
from hushkit_hil.bench.result import Result
from hushkit_hil.bench.run import bench
from hushkit_hil.bench.setup import Request
from hushkit_hil.errors import BenchError
from hushkit_hil.instruments.cycles import CycleModelError
from hushkit_hil.report.html import write_html
from hushkit_hil.report.junit import write_junit

HELP = "run a headset's firmware in a closed acoustic loop and judge it"
ERRORS: tuple[type[Exception], ...] = (InputError, BenchError, DesignError, AcousticsError, CycleModelError)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command line."""
    parser.add_argument("spec", metavar="SPEC", help="name of a shipped spec, or a TOML file")
    parser.add_argument("--target", default="qemu", metavar="T", help=TARGET_HELP)
    scenario = parser.add_argument_group("scenario", "what is played; the spec's own where nothing is given")
    scenario.add_argument("--noise", metavar="N", help="built-in scene (aircraft, pink, ...) or an audio file")
    scenario.add_argument("--paths", metavar="P", help="built-in paths (overear, inear), a NPZ or MAT file, a folder")
    scenario.add_argument("--field", choices=("direct", "diffuse"), help="one direction, or twelve at once")
    scenario.add_argument(
        "--latency-us", type=float, metavar="X", help="reference microphone to driver; the least possible when left out"
    )
    scenario.add_argument("--seconds", type=float, default=30.0, metavar="S", help="length, at least 1 (default 30)")
    scenario.add_argument("--seed", type=int, default=1, metavar="N", help="of noise and field (default 1)")
    scenario.add_argument("--algorithm", metavar="A", help="adaptive algorithm instead of the spec's; none: fixed only")
    scenario.add_argument(
        "--recording", metavar="FILE", help="recorded microphone pair instead of noise and primary path"
    )
    scenario.add_argument(
        "--change", action="append", default=[], metavar="C", help=f"change of the fit in mid-run, repeatable: {SYNTAX}"
    )
    scenario.add_argument(
        "--category",
        action="append",
        default=[],
        metavar="K",
        help=f"noise category whose settings act, repeatable: {CATEGORY_SYNTAX}",
    )
    output = parser.add_argument_group("output")
    output.add_argument("--json", metavar="FILE", help="write the result as JSON; - is standard output")
    output.add_argument("--junit", metavar="FILE", help="write a JUnit XML report")
    output.add_argument("--html", metavar="FILE", help="write a self-contained HTML report")


def run(options: argparse.Namespace) -> int:
    """Run `hushkit bench`: 0 when every budget is kept, 1 when one is exceeded."""
    target = parse_target(options.target)
    if target.kind == "serial":
        return _run_board(options, target)
    request = Request(
        spec=options.spec,
        target=options.target,
        noise=options.noise,
        paths=options.paths,
        field=options.field,
        latency_us=options.latency_us,
        seconds=options.seconds,
        seed=options.seed,
        algorithm=options.algorithm,
        recording=options.recording,
        changes=tuple(options.change),
        categories=tuple(options.category),
    )
    result, setup, outcome = bench(request, _say, _Progress())
    if options.html:
        write_html(Path(options.html), result, setup, outcome)
    if options.junit:
        write_junit(Path(options.junit), result)
    write_json(options.json, result.as_json())
    if options.json != "-":
        print(summary(result))
    return 0 if result.passed else 1


def _run_board(options: argparse.Namespace, target: Target) -> int:
    if options.html or options.junit:
        raise BenchError(f"--target {target}: a board's reading has no report; ask for --json")
    spec = load_spec(options.spec)
    reading = read_board(spec, target, seconds=options.seconds)
    document = board_json(spec, reading)
    write_json(options.json, document)
    if options.json != "-":
        print(f"{reading.spec} on {reading.target}: {'passed' if document['passed'] else 'FALLS SHORT'}")
        print(f"  interrupt   mean {reading.isr_cycles_mean:.0f}, longest {reading.isr_cycles_max} cycles (measured)")
        print(f"  load        {reading.cpu_percent_max:.1f} % (measured)")
        print("\n".join(f"  falls short: {failure}" for failure in document["failures"]), end="")
    return 0 if document["passed"] else 1


def summary(result: Result) -> str:
    """What a person wants to know, on one screen."""
    heard, load, latency = result.acoustics, result.load, result.latency
    lines = [f"{result.spec} on {result.target}: {'passed' if result.passed else 'FALLS SHORT'}"]
    bound = "" if heard.bound_db is None else f", bound {heard.bound_db:.1f} dB"
    lines.append(f"  attenuation {heard.attenuation_db:.1f} dB, {heard.attenuation_dba:.1f} dB(A){bound}")
    lines.append("  octaves     " + "  ".join(f"{name} {value:+.1f}" for name, value in heard.octaves_db.items()))
    lines.append(
        f"  worst       {heard.worst_moment_db:+.1f} dB in 50 ms, {heard.worst_sustained_db:+.1f} dB in 100 ms once "
        "settled, against off"
    )
    if result.scenario.changes:
        back = "not within 3 dB of the bound again" if heard.recovery_s is None else f"{heard.recovery_s:g} s"
        lines.append(f"  recovery    {back} after {result.scenario.changes[-1]}")
    if latency.total_us is not None:
        lines.append(f"  latency     {latency.total_us:.1f} us of {latency.limit_us:g} ({latency.evidence})")
    if load.cpu_percent_max is not None:
        lines.append(
            f"  load        {load.cpu_percent_max:.1f} % in the busiest update block, "
            f"mean {load.cycles_per_sample_mean:.0f} cycles a sample ({load.evidence})"
        )
        lines.append(
            f"              {load.instructions_per_sample_mean:.0f} instructions a sample, "
            f"{load.isr_instructions_per_sample_max:.0f} in the worst interrupt ({load.instructions_evidence})"
        )
    if result.memory.flash_bytes is not None:
        memory = result.memory
        lines.append(
            f"  memory      flash {memory.flash_bytes}, RAM {memory.ram_bytes}, stack {memory.stack_bytes_max} bytes"
        )
    if result.bit_exact.host_vs_target is not None:
        same = "the same bits" if result.bit_exact.host_vs_target else "DIFFERENT bits"
        lines.append(f"  host        {same} in {result.bit_exact.samples} samples")
    return "\n".join([*lines, *(f"  falls short: {failure}" for failure in result.failures)])


def _say(line: str) -> None:
    print(line, file=sys.stderr)


class _Progress:
    """Rewrites one line on a terminal, twice a second; silent elsewhere."""

    def __init__(self) -> None:
        self._next = 0.0

    def __call__(self, heard: int, total: int) -> None:
        now = time.monotonic()
        if sys.stderr.isatty() and (now >= self._next or heard == total):
            self._next = now + 0.5
            print(f"  {100 * heard / total:5.1f} % heard\r", end="", file=sys.stderr, flush=True)
