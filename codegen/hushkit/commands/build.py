"""Build a headset's firmware and hold its sizes against the spec's budgets.

    hushkit build flagship-m7                     firmware for the spec's core: build/flagship-m7/...
    hushkit build flagship-m7 --target host       the same C as a shared library for this machine
    hushkit build my-headset.toml --json -        sizes and budgets for a script

The code comes from firmware/generated/<spec> where the spec is a shipped one, else it is designed and generated into
the build folder. The image is also wrapped and signed as the bootloader MCUboot wants it, with --key, or with a
development key that stays in the build folder. Exit status 1: the image is larger than a budget.
"""

import argparse
import sys
from pathlib import Path
from typing import Any

from hushkit.build import Build, build_firmware, build_host
from hushkit.errors import InputError
from hushkit.generated import generated_code
from hushkit.json_output import write_json
from hushkit.signing import SignedImage, sign
from hushkit.spec import HeadsetSpec, load_spec
from hushkit.target import HELP as TARGET_HELP
from hushkit.target import parse_target

HELP = "compile the firmware of a spec; check its sizes against the budgets"
ERRORS: tuple[type[Exception], ...] = (InputError,)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command line."""
    parser.add_argument("spec", metavar="SPEC", help="name of a shipped spec, or a TOML file")
    parser.add_argument("--target", default="qemu", metavar="T", help=TARGET_HELP)
    parser.add_argument("-o", "--output", type=Path, metavar="DIR", help="build folder (default: build/<spec>)")
    parser.add_argument(
        "--key", type=Path, metavar="FILE", help="sign with this key (default: a development key, made once)"
    )
    parser.add_argument("--json", metavar="FILE", help="write the machine form to FILE, or - for standard output")


def run(options: argparse.Namespace) -> int:
    """Build; 0 within budget, 1 over it."""
    target = parse_target(options.target)
    spec = load_spec(options.spec)
    generated = generated_code(spec, options.output)
    if target.kind == "host":
        library = build_host(spec, generated=generated, directory=options.output)
        report: dict[str, Any] = {"spec": spec.name, "target": str(target), "library": str(library), "passed": True}
        text = str(library)
    else:
        build = build_firmware(spec, generated=generated, directory=options.output)
        report = _report(spec, str(target), build, sign(build, options.key))
        text = _table(report)
    write_json(options.json, report)
    if options.json == "-":
        return 0 if report["passed"] else 1
    print(text)
    for failure in report.get("failures", []):
        print(failure, file=sys.stderr)
    return 0 if report["passed"] else 1


def _report(spec: HeadsetSpec, target: str, build: Build, signed: SignedImage) -> dict[str, Any]:
    limits = {
        "flash_bytes": min(spec.budgets.flash_bytes, spec.core.flash_bytes),
        "ram_bytes": min(spec.budgets.ram_bytes, spec.core.ram_bytes),
    }
    sizes = {"flash_bytes": build.flash_bytes, "ram_bytes": build.ram_bytes}
    failures = [
        f"{key.partition('_')[0]}: {sizes[key]} bytes, the budget is {limit} bytes; "
        "use fewer taps or sections, or raise the budget in the spec"
        for key, limit in limits.items()
        if sizes[key] > limit
    ]
    return {
        "spec": spec.name,
        "target": target,
        "core": build.core,
        "elf": str(build.elf),
        "build_id": build.build_id,
        "toolchain": build.toolchain,
        "signed_image": str(signed.file),
        "signed_sha256": signed.sha256.hex(),
        **sizes,
        "stack_bytes": build.image.stack_bytes,
        "sections": build.image.sections,
        "budgets": limits,
        "passed": not failures,
        "failures": failures,
    }


def _table(report: dict[str, Any]) -> str:
    lines = [f"{report['elf']}  {report['core']}  build {report['build_id'][:16]}  {report['toolchain']}"]
    for key, limit in report["budgets"].items():
        share = 100.0 * report[key] / limit
        lines.append(f"  {key.partition('_')[0]:<6}{report[key]:>10} of {limit:>10} bytes  {share:5.1f} %")
    lines.append(f"  signed  {report['signed_image']}  sha256 {report['signed_sha256'][:16]}")
    return "\n".join(lines)
