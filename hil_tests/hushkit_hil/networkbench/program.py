"""Build and run a compiled network on a core or on this machine."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from elftools.elf.elffile import ELFFile
from hushkit import build_plan
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
    folder = build_dir() / "networkbench" / f"{where}-{compiled.core}"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "network.hkn").write_bytes(compiled.blob)
    text = _DATA.format(
        blob=folder / "network.hkn", words=max(1, (compiled.arena_bytes + 3) // 4), inputs=inputs, timed=int(timed),
        arena=compiled.arena_bytes,
    )  # fmt: skip
    (folder / "data.c").write_text(text)
    board = board_of(where)
    program = _build(board, folder, "bench")
    trace_file = folder / "trace.json" if timed and not board.is_host else None
    output = execute([str(program)] if board.is_host else qemu_command(board, program, trace_file))
    status = re.search(r"^load ([0-9a-f]{8})$", output, re.MULTILINE)
    if status is None or int(status[1], 16) != 0:
        raise BenchError(f"{where}: the runtime refused the blob with status {status[1] if status else 'none'}")
    hashes = tuple(int(found, 16) for found in re.findall(r"^check [0-9a-f]{8} ([0-9a-f]{8})$", output, re.MULTILINE))
    if len(hashes) != inputs:
        raise BenchError(f"{where}: found {len(hashes)} outputs, expected {inputs}; the run was cut short")
    return NetworkRun(hashes, program, read_trace(trace_file) if trace_file else None)


def _build(board: Board, folder: Path, name: str, *extra: str) -> Path:
    root = project_root()
    if board.core == "cortex-m55":
        board = with_helium(board)
    tools = "" if board.is_host else build_plan.CROSS_PREFIX
    program = folder / name
    flags = [flag for flag in build_plan.compile_flags(root, board) if flag not in {"-fPIC", "-Werror"}]
    sources = [*sorted((root / "firmware" / "src" / "net").glob("hk_net_*.c")), folder / "data.c"]
    sources += [_GUEST / "network_main.c", _PORT / "bench_port.c"]
    includes = [f"-I{path}" for path in (_PORT, root / "firmware" / "include")]
    link = ["-Wl,--gc-sections"] if board.is_host else link_flags(board)
    compile_program([f"{tools}gcc", *flags, *includes, *extra, *map(str, sources), *link, "-o", str(program)])
    return program


def code_bytes(compiled: Compiled, core: str) -> int:
    """Code and constants of the runtime in flash, without the blob: the program with it less the program without."""
    folder = build_dir() / "networkbench" / f"{core}-{compiled.core}"
    board = board_of(core)
    with_network = _flash_bytes(_build(board, folder, "bench")) - len(compiled.blob)
    return with_network - _flash_bytes(_build(board, folder, "empty", "-DNETWORK_EMPTY"))


def _flash_bytes(program: Path) -> int:
    with program.open("rb") as file:
        return sum(
            int(section["sh_size"])
            for section in ELFFile(file).iter_sections()
            if section["sh_flags"] & 2 and section["sh_type"] == "SHT_PROGBITS"
        )
