"""Generate the C of a headset from its spec: hk_config.h, hk_design.c, hk_kernels.c and the design.json they come from.

Without -o, a shipped spec's committed files in firmware/generated are written. Files come from design.json where it
is there and belongs to the spec as it is now, so that another machine's arithmetic cannot change them; otherwise, or
with --redesign, the filters are designed first.

The name `wire` stands for codegen/specs/wire.toml: it generates both codecs of the serial line, their reference table
and the seeds of their fuzz corpus. The name `frontend` stands for the tables of the classifier's front end.

--check writes nothing: it fails (exit 1) on any byte that differs from what should be there. Without SPEC it checks
every shipped spec, the wire and the front end.

example:
  hushkit generate flagship-m7
  hushkit generate my-headset.toml -o build/my-headset
  hushkit generate wire
  hushkit generate --check
"""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

from hushkit_codegen.design import design_headset
from hushkit_codegen.emit import Difference, compare_files, emit_headset, write_files
from hushkit_codegen.frontend import emit_frontend
from hushkit_codegen.ir import IR_FILE, HeadsetIr, dump_ir, load_ir
from hushkit_codegen.wire import WireSpecError, emit_wire

from hushkit.errors import InputError
from hushkit.spec import HeadsetSpec, load_spec, shipped_specs

HELP = "generate the C of a headset, or the codecs of the serial line"
ERRORS: tuple[type[Exception], ...] = (InputError, WireSpecError)

ROOT = Path(__file__).resolve().parents[3]
GENERATED = ROOT / "firmware" / "generated"
WIRE = "wire"
FRONTEND = "frontend"
_SHARED: dict[str, Callable[[], dict[str, str]]] = {WIRE: emit_wire, FRONTEND: emit_frontend}
"""What is the same for every headset; paths are relative to the repository's root."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command line."""
    parser.add_argument(
        "spec", metavar="SPEC", nargs="?", help="name of a shipped spec, a TOML file, wire, or frontend"
    )
    parser.add_argument("-o", "--output", metavar="DIR", type=Path, help="folder to write to")
    parser.add_argument("--ir", metavar="FILE", type=Path, help=f"emit this {IR_FILE}, as `hushkit design` wrote it")
    parser.add_argument("--redesign", action="store_true", help=f"design anew even where {IR_FILE} is current")
    parser.add_argument("--check", action="store_true", help="compare instead of writing; exit 1 on any difference")


def run(options: argparse.Namespace) -> int:
    """Run `hushkit generate`."""
    if options.check:
        return _check(options)
    if options.spec is None:
        raise InputError("no SPEC given; name one, or use --check for everything that is committed")
    if options.spec in _SHARED:
        return _generate_shared(options.spec, options.output or ROOT)
    spec = load_spec(options.spec)
    directory = options.output or _committed(options.spec)
    ir = load_ir(options.ir) if options.ir else _current_ir(spec, directory, redesign=options.redesign)
    for item in ir.quality:
        if item.warning:
            print(f"hushkit generate: {ir.spec_name}: {item.name}: {item.warning}", file=sys.stderr)
    written = write_files(directory, generated_texts(ir))
    print(f"{directory}: {ir.spec_name}, {len(written)} of {len(generated_texts(ir))} files changed")
    return 0


def _generate_shared(name: str, directory: Path) -> int:
    texts = _SHARED[name]()
    written = write_files(directory, texts)
    print(f"{directory}: {name}, {len(written)} of {len(texts)} files changed")
    return 0


def generated_texts(ir: HeadsetIr) -> dict[str, str]:
    """Every generated file of one headset by name: the C, and the design it comes from."""
    return {**emit_headset(ir), IR_FILE: dump_ir(ir)}


def check_generated(spec: HeadsetSpec, directory: Path) -> tuple[Difference, ...]:
    """Compare a folder with what its spec and its design call for.

    Returns:
        Every difference; one for the design alone where it is missing or belongs to another state of the spec.
    """
    stored = directory / IR_FILE
    if not stored.is_file():
        return (Difference(stored, None, f"missing; run: hushkit generate {spec.name}"),)
    ir = load_ir(stored)
    if ir.spec_digest != spec.digest():
        reason = f"designed for spec {ir.spec_digest}, which is now {spec.digest()}; run: hushkit generate {spec.name}"
        return (Difference(stored, None, reason),)
    return compare_files(directory, generated_texts(ir))


def _check(options: argparse.Namespace) -> int:
    names = [options.spec] if options.spec else [*shipped_specs(), *_SHARED]
    found: list[Difference] = []
    for name in names:
        if name in _SHARED:
            found += compare_files(options.output or ROOT, _SHARED[name]())
        else:
            found += check_generated(load_spec(name), options.output or _committed(name))
    for difference in found:
        print(difference, file=sys.stderr)
    if found:
        print(f"hushkit generate: {len(found)} generated file(s) are not current", file=sys.stderr)
        return 1
    print(f"{', '.join(names)}: generated files are current")
    return 0


def _committed(name: str) -> Path:
    if name not in shipped_specs():
        raise InputError(f"{name}: not a shipped spec, so it has no folder of its own; say where with -o DIR")
    return GENERATED / name


def _current_ir(spec: HeadsetSpec, directory: Path, *, redesign: bool) -> HeadsetIr:
    stored = directory / IR_FILE
    if stored.is_file() and not redesign:
        ir = load_ir(stored)
        if ir.spec_digest == spec.digest():
            return ir
    return design_headset(spec)
