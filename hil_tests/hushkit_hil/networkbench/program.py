"""Build and run a compiled network on a core or on this machine."""

import hashlib
import re
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from elftools.elf.elffile import ELFFile
from hushkit import build_plan
from hushkit.build import toolchain_version
from hushkit.build_plan import Board
from hushkit.project import build_dir, project_root
from hushkit_codegen.network.blob import Compiled
from numpy.typing import NDArray

from hushkit_hil.errors import BenchError
from hushkit_hil.instruments.trace import Trace, read_trace
from hushkit_hil.kernelbench.runner import board_of, compile_program, execute, link_flags, qemu_command, with_helium

_GUEST: Final = Path(__file__).resolve().parent / "guest"
_PORT: Final = Path(__file__).resolve().parents[1] / "kernelbench" / "guest"

_DATA = """\
/* Written by the network bench. */
#include <stdint.h>
__asm(".section .rodata\\n.balign 8\\n.global network_blob, network_blob_end\\n"
      "network_blob: .incbin \\"{blob}\\"\\nnetwork_blob_end: .byte 0\\n.previous");
extern const uint32_t network_inputs, network_timed, network_arena_bytes;
extern uint32_t network_arena[{words}];
const uint32_t network_inputs = {inputs}U;
const uint32_t network_timed = {timed}U;
const uint32_t network_arena_bytes = {arena}U;
uint32_t network_arena[{words}];
"""


@dataclass(frozen=True, slots=True)
class NetworkRun:
    """One finished run: a hash per output; ``elf`` and ``trace`` are None on the host or without timing."""

    hashes: tuple[int, ...]
    elf: Path
    trace: Trace | None


def network_inputs(n: int, size: int) -> NDArray[np.int8]:
    """The inputs that the guest makes up, shape (n, size)."""
    v = (np.arange(n * size, dtype=np.uint64) + 1) * 0x9E3779B1 & 0xFFFFFFFF
    v ^= v >> np.uint64(15)
    v = v * np.uint64(0x85EBCA77) & np.uint64(0xFFFFFFFF)
    v ^= v >> np.uint64(13)
    codes = (v >> np.uint64(24)).astype(np.uint8).reshape(n, size)
    extreme = np.where(codes & 1, 127, 128).astype(np.uint8)
    codes[15::16] = extreme[15::16]
    return codes.view(np.int8)


def output_hash(codes: NDArray[np.int8]) -> int:
    """FNV-1a, as the guest computes it."""
    value = 2166136261
    for code in codes.reshape(-1).view(np.uint8).tolist():
        value = (value ^ code) * 16777619 & 0xFFFFFFFF
    return value


def run_network(compiled: Compiled, where: str, *, inputs: int, timed: bool) -> NetworkRun:
    """Build the bench's program for ``where`` (a core, or ``"host"``) and run it once.

    Raises:
        BenchError: Build or run failed, the runtime refused the blob, or an output is missing.
    """
    board, folder = board_of(where), _folder(where, compiled)
    program = _write_and_build(board, folder, [compiled], inputs, timed=timed)
    trace_file = folder / "trace.json" if timed and not board.is_host else None
    (hashes,) = _execute(board, program, trace_file, 1, inputs)
    return NetworkRun(hashes, program, read_trace(trace_file) if trace_file else None)


def run_networks(compiled: Sequence[Compiled], where: str, *, inputs: int) -> list[tuple[int, ...]]:
    """Run many small networks in one program; the hashes of each one's outputs.

    Raises:
        BenchError: As :func:`run_network`.
    """
    board, folder = board_of(where), _folder(where, compiled[0])
    program = _write_and_build(board, folder, compiled, inputs, timed=False)
    return _execute(board, program, None, len(compiled), inputs)


def _folder(where: str, compiled: Compiled) -> Path:
    folder = build_dir() / "networkbench" / f"{where}-{compiled.core}"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _write_and_build(board: Board, folder: Path, networks: Sequence[Compiled], inputs: int, *, timed: bool) -> Path:
    arena = max(4, *(-(-compiled.arena_bytes // 4) * 4 for compiled in networks))
    packed = b"".join(len(c.blob).to_bytes(4, "little") + c.blob for c in networks)
    (folder / "network.hkn").write_bytes(packed)
    text = _DATA.format(blob=folder / "network.hkn", words=arena // 4, inputs=inputs, timed=int(timed), arena=arena)
    (folder / "data.c").write_text(text)
    return _build(board, folder, "bench")


def _execute(
    board: Board, program: Path, trace_file: Path | None, n_networks: int, inputs: int
) -> list[tuple[int, ...]]:
    output = execute([str(program)] if board.is_host else qemu_command(board, program, trace_file))
    parts = re.split(r"^load ", output, flags=re.MULTILINE)[1:]
    for part in parts:
        if not part.startswith("00000000"):
            raise BenchError(f"{board.core}: the runtime refused the blob with status {part[:8]}")
    hashes = [
        tuple(int(found, 16) for found in re.findall(r"^check [0-9a-f]{8} ([0-9a-f]{8})$", part, re.MULTILINE))
        for part in parts
    ]
    if [len(found) for found in hashes] != [inputs] * n_networks:
        raise BenchError(
            f"{board.core}: found {[len(found) for found in hashes]} outputs, expected {inputs} of each of "
            f"{n_networks} networks; the run was cut short"
        )
    return hashes


def _build(board: Board, folder: Path, name: str, *extra: str) -> Path:
    if board.core == "cortex-m55":
        board = with_helium(board)
    gcc, flags = _compiler(board)
    program = folder / name
    sources = [folder / "data.c", _GUEST / "network_main.c", _PORT / "bench_port.c"]
    link = ["-Wl,--gc-sections"] if board.is_host else link_flags(board)
    runtime = [] if "-DNETWORK_EMPTY" in extra else [str(_runtime(board))]
    compile_program([gcc, *flags, *extra, *map(str, sources), *runtime, *link, "-o", str(program)])
    return program


def _compiler(board: Board) -> tuple[str, list[str]]:
    root = project_root()
    flags = [flag for flag in build_plan.compile_flags(root, board) if flag not in {"-fPIC", "-Werror"}]
    includes = [f"-I{path}" for path in (_PORT, root / "firmware" / "include")]
    return f"{'' if board.is_host else build_plan.CROSS_PREFIX}gcc", [*flags, *includes]


def _runtime(board: Board) -> Path:
    """The runtime as one relocatable object, compiled once per core and state of its sources."""
    gcc, flags = _compiler(board)
    root = project_root() / "firmware"
    sources = sorted((root / "src" / "net").glob("hk_net_*.c"))
    digest = hashlib.sha256("\0".join([toolchain_version(gcc.removesuffix("gcc")), *flags]).encode())
    for file in [*sources, *sorted((root / "src" / "net").glob("*.h")), *sorted((root / "include" / "hk").glob("*.h"))]:
        digest.update(file.name.encode() + file.read_bytes())
    made = build_dir() / "networkbench" / f"runtime-{board.core}-{digest.hexdigest()[:12]}.o"
    if not made.is_file():
        made.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=made.parent) as work:
            partial = Path(work) / made.name
            compile_program([gcc, *flags, "-r", "-nostdlib", "-Wl,--unique", *map(str, sources), "-o", str(partial)])
            partial.replace(made)
    return made


def code_bytes(compiled: Compiled, core: str) -> int:
    """Code and constants of the runtime in flash, without the blob: the program with it less the program without."""
    board, folder = board_of(core), _folder(core, compiled)
    program = _write_and_build(board, folder, [compiled], 0, timed=False)
    with_network = _flash_bytes(program) - len(compiled.blob)
    return with_network - _flash_bytes(_build(board, folder, "empty", "-DNETWORK_EMPTY"))


def _flash_bytes(program: Path) -> int:
    with program.open("rb") as file:
        return sum(
            int(section["sh_size"])
            for section in ELFFile(file).iter_sections()
            if section["sh_flags"] & 2 and section["sh_type"] == "SHT_PROGBITS"
        )
