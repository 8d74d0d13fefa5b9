"""Design the integer filters of a headset: spec and acoustic paths to design.json.

The fixed filters are fitted to the path set and the noise scene that the spec names, or to another path set; the
result holds nothing but integers, and `hushkit generate --ir` turns it into C, byte for byte the same everywhere.

example:
  hushkit design flagship-m7 -o build/flagship
  hushkit design flagship-m7 --paths measured.npz --latency-us 100 -o build/measured
"""

import argparse
import json
from pathlib import Path

from hushkit_codegen.design import design_headset
from hushkit_codegen.ir import IR_FILE, HeadsetIr, describe_quality, digest_ir, dump_ir, save_ir
from hushkit_models.acoustics import AcousticsError
from hushkit_models.acoustics.paths import load_paths

from hushkit.errors import InputError
from hushkit.json_output import write_json
from hushkit.spec import ALGORITHMS, load_spec

HELP = "design the integer filters of a headset"
ERRORS: tuple[type[Exception], ...] = (InputError, AcousticsError)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command line."""
    parser.add_argument("spec", metavar="SPEC", help="name of a shipped spec, or a TOML file")
    parser.add_argument("--paths", metavar="P", help="path set to design for, in place of the spec's")
    parser.add_argument(
        "--algorithm", metavar="A", choices=ALGORITHMS, help="adaptive algorithm, in place of the spec's"
    )
    parser.add_argument("--latency-us", metavar="X", type=float, help="whole delay from reference microphone to driver")
    parser.add_argument("-o", "--output", metavar="DIR", required=True, type=Path, help=f"folder for {IR_FILE}")
    parser.add_argument("--json", metavar="FILE", help="write the quality figures as JSON; - is standard output")


def run(options: argparse.Namespace) -> int:
    """Run `hushkit design`."""
    spec = load_spec(options.spec)
    paths = load_paths(options.paths, spec.audio.rate_hz) if options.paths else None
    ir = design_headset(spec, paths, options.algorithm, latency_us=options.latency_us)
    target = options.output / IR_FILE
    save_ir(ir, target)
    if options.json:
        write_quality(options.json, ir)
    if options.json != "-":
        print(
            f"{target}: {ir.spec_name}, design {digest_ir(ir)}, paths {ir.paths}, latency {ir.latency_samples} samples"
        )
        for item in ir.quality:
            print("  " + describe_quality(item))
    return 0


def write_quality(target: str, ir: HeadsetIr) -> None:
    """Write the quality figures as JSON, to a file or to standard output."""
    content = json.loads(dump_ir(ir))
    keep = {key: content[key] for key in ("spec_name", "spec_digest", "paths", "latency_samples", "quality")}
    write_json(target, {**keep, "digest": digest_ir(ir)})
