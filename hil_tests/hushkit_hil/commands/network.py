"""Compile INT8 .tflite models for the headset, and bench them.

    hushkit network compile models/artifacts/noise57-mcu.tflite -o build/network

writes one signed network per core (NAME-CORE.hkn, or with --core only that one), which the firmware's runtime loads
from flash or from a downloaded slot, and prints its size and the RAM it works in. --key names the product's private
key (Ed25519, PEM); without it the development key signs, which every headset built without its own key trusts.

    hushkit network bench models/artifacts/noise57-mcu.tflite --core cortex-m4

runs the blob on the core's emulated machine and on this one: every output must equal tflite-runtime's. Then
instructions are counted (emulated, exact) and turned into cycles (modelled, zero wait states), per operator.

    hushkit network frontend

does the same with the front end that makes the classifier's features: every frame must equal its twin, and a Cortex-M4
at 168 MHz may spend 3 % on it.

Exit status 1: an output differs, or the front end costs more. Status 2: the model cannot be compiled; the operator is
named, with what to do.
"""

import argparse
import sys
from pathlib import Path

from hushkit.errors import InputError
from hushkit.json_output import write_json
from hushkit_codegen.network.blob import compile_model
from hushkit_codegen.network.errors import NetworkError
from hushkit_codegen.network.model import read_model
from hushkit_codegen.network.signature import SIGNATURE_BYTES, development_key, public_bytes, read_key, sign

from hushkit_hil.errors import BenchError
from hushkit_hil.frontendbench.rows import bench_frontend
from hushkit_hil.frontendbench.rows import table as frontend_table
from hushkit_hil.instruments.cycles import CORES, CycleModelError
from hushkit_hil.networkbench.rows import bench_network, table

HELP = "compile INT8 .tflite models for the headset, and bench them"
ERRORS: tuple[type[Exception], ...] = (NetworkError, BenchError, CycleModelError, InputError)

_INPUTS = 1000


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    make = actions.add_parser("compile", help="write the blob that the runtime loads")
    make.add_argument("-o", "--output", type=Path, required=True, metavar="DIR", help="folder for the blobs")
    make.add_argument(
        "--rounding", choices=("tflite", "tflm"), default="tflite",
        help="whose codes at ties below the zero point: tflite-runtime's (default) or TFLM's",
    )  # fmt: skip
    make.add_argument("--key", type=Path, metavar="PEM", help="private key that signs; default: the development key")
    bench = actions.add_parser("bench", help="instructions, cycles and sizes; outputs against tflite-runtime")
    bench.add_argument("--inputs", type=int, default=_INPUTS, help=f"how many are compared (default {_INPUTS})")
    ears = actions.add_parser("frontend", help="the front end: its bits against the twin, and its share of a core")
    ears.add_argument("--core", choices=CORES, action="append", help="one core, repeatable; default: all four")
    ears.add_argument("--json", metavar="FILE", help="write the machine form; - for standard output")
    for action in (make, bench):
        action.add_argument("model", type=Path, help="an INT8 .tflite file")
        action.add_argument("--core", choices=CORES, action="append", help="one core, repeatable; default: all four")
        action.add_argument("--json", metavar="FILE", help="write the machine form; - for standard output")


def run(options: argparse.Namespace) -> int:
    """Compile or bench."""
    cores = options.core or CORES
    if options.action == "frontend":
        found = bench_frontend(cores, _say)
        _write(options.json, [row.document() for row in found], frontend_table(found))
        return 0 if all(row.passed for row in found) else 1
    if options.action == "compile":
        return _compile(options, cores)
    if not 1 <= options.inputs <= 100_000:
        raise InputError(f"--inputs {options.inputs}: expected 1 to 100000")
    read_model(options.model)
    rows = bench_network(options.model.read_bytes(), options.model.name, cores, inputs=options.inputs, progress=_say)
    _write(options.json, [row.document() for row in rows], table(rows))
    return 0 if all(row.core_mismatches + row.host_mismatches == 0 for row in rows) else 1


def _compile(options: argparse.Namespace, cores: tuple[str, ...] | list[str]) -> int:
    model = read_model(options.model)
    key = read_key(options.key) if options.key else development_key()
    documents, lines = [], []
    for core in cores:
        compiled = compile_model(model, core, options.rounding)
        target = options.output / f"{options.model.stem}-{core}.hkn"
        try:
            options.output.mkdir(parents=True, exist_ok=True)
            target.write_bytes(sign(compiled.blob, key))
        except OSError as err:
            raise InputError(f"{target}: cannot write ({err.strerror}); choose another folder with -o") from err
        documents.append(
            {
                "file": str(target), "model": model.name, "core": core, "macs": compiled.macs,
                "flash_model_bytes": len(compiled.blob) + SIGNATURE_BYTES, "public_key": public_bytes(key).hex(),
                "model_id": model.digest[:4].hex(), "arena_bytes": compiled.arena_bytes,
                "operators": list(compiled.operators),
            }
        )  # fmt: skip
        size = len(compiled.blob) + SIGNATURE_BYTES
        lines.append(f"{target}: {size} bytes, arena {compiled.arena_bytes} bytes, model {model.digest[:4].hex()}")
    _write(options.json, documents, "\n".join(lines))
    return 0


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _write(target: str | None, documents: list[dict[str, object]], text: str) -> None:
    document = documents[0] if len(documents) == 1 else documents
    write_json(target, document)
    if target != "-":
        print(text)
