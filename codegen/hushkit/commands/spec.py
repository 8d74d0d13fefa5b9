"""Check a headset spec and list every fault with its place and advice.

A spec is the name of a shipped one (flagship-m7, compact-m4, balanced-m33, helium-m55) or a TOML file. The estimate of
the load is modelled from the library's cycle figures; `hushkit bench` gives the exact instruction counts.

example:
  hushkit spec check flagship-m7
  hushkit spec check my-headset.toml --json faults.json
"""

import argparse
import dataclasses
import sys

from hushkit.errors import InputError
from hushkit.json_output import write_json
from hushkit.spec import HeadsetSpec, check_spec
from hushkit.spec_cost import Estimate, estimate
from hushkit.spec_reader import Fault

HELP = "check a headset spec and list every fault"
ERRORS: tuple[type[Exception], ...] = (InputError,)

_EXIT_FAULTY = 2


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command line."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    check = actions.add_parser("check", help="validate a spec", description="Validate a spec; exit 2 if it has faults.")
    check.add_argument("spec", metavar="SPEC", help="name of a shipped spec, or a TOML file")
    check.add_argument("--json", metavar="FILE", help="write the result as JSON; - is standard output")


def run(options: argparse.Namespace) -> int:
    """Run `hushkit spec check`: 0 when the spec is sound, 2 when it has faults."""
    spec, faults = check_spec(options.spec)
    cost = estimate(spec) if spec is not None else None
    if options.json:
        write_json(options.json, _as_json(options.spec, spec, faults, cost))
    if options.json != "-" and spec is not None and cost is not None and not faults:
        print(_summary(spec, cost))
    for fault in faults:
        print(f"{options.spec}: {fault}", file=sys.stderr)
    if faults:
        print(f"hushkit spec: {options.spec} has {len(faults)} fault{'s' if len(faults) > 1 else ''}", file=sys.stderr)
    return _EXIT_FAULTY if faults else 0


def _summary(spec: HeadsetSpec, cost: Estimate) -> str:
    largest = f", up to {cost.largest_taps} fit" if cost.largest_taps else ""
    return "\n".join(
        [
            f"{spec.name}: sound",
            f"  latency  {cost.latency_us:.1f} us of {spec.budgets.latency_us:g} (buffering {cost.buffering_us:.1f})",
            f"  load     {cost.cycles_per_sample:.0f} of {cost.available_cycles:.0f} cycles per sample, "
            f"{cost.cpu_percent:.0f} % of {spec.budgets.cpu_percent:g} allowed (modelled)",
            f"  adaptive {spec.adaptive.algorithm}, {spec.adaptive.taps} taps{largest}",
            f"  memory   flash {cost.flash_bytes} of {spec.budgets.flash_bytes} bytes, "
            f"RAM {cost.ram_bytes} of {spec.budgets.ram_bytes} (estimated)",
        ]
    )


def _as_json(name: str, spec: HeadsetSpec | None, faults: tuple[Fault, ...], cost: Estimate | None) -> object:
    return {
        "spec": name,
        "passed": not faults,
        "digest": spec.digest() if spec is not None else None,
        "faults": [dataclasses.asdict(fault) for fault in faults],
        "estimate": None if cost is None else {**dataclasses.asdict(cost), "evidence": "modelled"},
    }
