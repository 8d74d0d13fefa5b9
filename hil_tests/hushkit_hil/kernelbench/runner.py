"""Build the bench's program for a core or for the host, run it, and read what it printed and executed."""

import hashlib
import subprocess
import tempfile
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from elftools.elf.elffile import ELFFile
from elftools.elf.sections import SymbolTableSection
from hushkit import build_plan
from hushkit.build_archive import CompileError, third_party_archive
from hushkit.build_plan import Board, load_boards
from hushkit.project import build_dir, project_root
from hushkit.sources import require_sources

from hushkit_hil.errors import BenchError
from hushkit_hil.instruments.native import plugin_library
from hushkit_hil.instruments.trace import Trace, read_trace
from hushkit_hil.kernelbench.case import Case
from hushkit_hil.kernelbench.cases import SIGNALS, program_text

_GUEST = Path(__file__).resolve().parent / "guest"
_TIMEOUT_S = 900.0
_TIMEOUT_PER_SAMPLE_S = 1e-4  # of one case and signal on an emulated core; ten times what a free machine takes


@dataclass(frozen=True, slots=True)
class Check:
    """Comparison of one case on one signal: blocks that differed, and a hash of the generated output."""

    case: str
    signal: str
    samples: int
    mismatches: int
    output_hash: int


@dataclass(frozen=True, slots=True)
class Region:
    """What ran in the k-th region: ``"generated"`` or ``"cmsis:FUNCTION"``."""

    index: int
    case: str
    what: str


@dataclass(frozen=True, slots=True)
class Run:
    """One finished run; ``elf`` and ``trace`` are None for the host."""

    checks: tuple[Check, ...]
    regions: tuple[Region, ...]
    elf: Path | None
    trace: Trace | None


def board_of(core: str) -> Board:
    """The board whose machine emulates ``core``; ``"host"`` is this machine. Helium is on for the Cortex-M55.

    Raises:
        BenchError: No such core.
    """
    boards = {board.core: board for board in load_boards(project_root()).values()}
    if core not in boards:
        raise BenchError(f"no board with core {core!r}; expected one of {', '.join(sorted(boards))}")
    return boards[core]


def run_bench(
    core: str, cases: Sequence[Case], *, samples: int, regions: int, signals: Collection[str] = SIGNALS
) -> Run:
    """Build and run all cases once.

    Args:
        core: ``"cortex-m4"``, ..., or ``"host"``.
        cases: What to run; generated for this core (any core for the host).
        samples: Per case and signal, in the comparison; 0: no comparison.
        regions: Timed calls per implementation; ignored on the host.
        signals: Which to compare on, out of ``SIGNALS``.

    Raises:
        BenchError: Build or run failed, or the run has no end marker.
    """
    is_host = core == "host"
    text = program_text(core, cases, samples=samples, regions=0 if is_host else regions, signals=signals)
    limit_s = _TIMEOUT_S + _TIMEOUT_PER_SAMPLE_S * samples * len(signals) * len(cases)
    files = [_GUEST / "bench_main.c", _GUEST / "bench_port.c"]
    program = _build(board_of(core), text, files, helium=core == "cortex-m55")
    if is_host:
        return Run(*_parse(execute([str(program)], limit_s)), None, None)
    if not regions:
        return Run(*_parse(execute(qemu_command(board_of(core), program, None), limit_s)), program, None)
    with tempfile.TemporaryDirectory(dir=program.parent) as folder:  # another bench may be running the same program
        trace_file = Path(folder, "trace.json")
        output = execute(qemu_command(board_of(core), program, trace_file))
        return Run(*_parse(output), program, read_trace(trace_file))


def library_defects() -> tuple[tuple[str, ...], ...]:
    """What ``guest/library_defects.c`` prints on this machine: words per line.

    Raises:
        BenchError: Build or run failed.
    """
    program = _build(board_of("host"), "", [_GUEST / "library_defects.c"], helium=False)
    lines = execute([str(program)]).splitlines()
    return tuple(tuple(line.split()) for line in lines if line and line != "end")


def with_helium(board: Board) -> Board:
    """The same board with the vector extension on."""
    flags = tuple(flag.replace("+nomve", "") for flag in board.cpu_flags)
    return replace(board, name=f"{board.name}_helium", core=f"{board.core}-helium", cpu_flags=flags)


def _build(board: Board, text: str, files: Sequence[Path], *, helium: bool) -> Path:
    """Compile generated text and fixed files, unless the very same has been compiled before."""
    root = project_root()
    sources = require_sources()
    tools = "" if board.is_host else build_plan.CROSS_PREFIX
    if helium:
        board = with_helium(board)
    try:
        archive = third_party_archive(root, board, sources, tools)
    except (CompileError, FileNotFoundError) as err:
        raise BenchError(f"CMSIS-DSP does not build for {board.core}: {err}; run `make setup`") from err
    options = [flag for flag in build_plan.compile_flags(root, board) if flag not in {"-fPIC", "-Werror"}]
    options += [f"-I{path}" for path in (_GUEST, *build_plan.third_party_includes(root, board, sources))]
    link = [] if board.is_host else link_flags(board)
    digest = hashlib.sha256("\0".join([text, str(archive), *options, *link]).encode())
    for path in (*files, _GUEST / "bench_guest.h", _GUEST / "bench.ld"):
        digest.update(path.read_bytes())
    folder = build_dir() / "kernelbench" / f"{board.core}-{digest.hexdigest()[:12]}"
    program = folder / ("bench" if board.is_host else "bench.elf")
    if not program.is_file():
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder) as work:
            cases, target = Path(work, "cases.c"), Path(work, program.name)
            cases.write_text(text)
            inputs = [*([str(cases)] if text else []), *map(str, files), str(archive)]
            compile_program([f"{tools}gcc", *options, *inputs, *link, "-lm", "-o", str(target)])
            cases.replace(folder / cases.name)
            target.replace(program)  # whole or not at all
    return program


def link_flags(board: Board) -> list[str]:
    """Flags of the bench's own layout: no image header, no stack guard."""
    symbols = (f"-Wl,--defsym={name}={value:#x}" for name, value in board.memory.items())
    script = f"-Wl,-T,{_GUEST / 'bench.ld'}"
    return [*board.cpu_flags, "-nostartfiles", "--specs=nano.specs", *symbols, script, "-Wl,--gc-sections"]


def compile_program(command: list[str]) -> None:
    """Run a compiler.

    Raises:
        BenchError: It refuses the program.
    """
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    if result.returncode != 0:
        reason = next((line for line in result.stderr.splitlines() if "error" in line), result.stderr.strip()[-300:])
        raise BenchError(f"the bench does not build: {reason}; this is a fault of the generator")


def qemu_command(board: Board, program: Path, trace_file: Path | None) -> list[str]:
    """QEMU on the board's machine; with a trace file the plugin counts between ``mark_begin`` and ``mark_end``."""
    command = ["qemu-system-arm", "-M", str(board.machine), "-kernel", str(program)]
    command += ["-display", "none", "-monitor", "none", "-serial", "none", "-nodefaults"]
    command += ["-semihosting-config", "enable=on,target=native"]
    if trace_file is not None:
        begin, end = _symbols(program, ("mark_begin", "mark_end"))
        command += ["-plugin", f"{plugin_library()},begin={begin},end={end},trace={trace_file}"]
    return command


def _symbols(program: Path, names: Sequence[str]) -> list[int]:
    with program.open("rb") as file:
        table = ELFFile(file).get_section_by_name(".symtab")
        if not isinstance(table, SymbolTableSection):
            raise BenchError(f"{program} has no symbol table; expected an unstripped ELF file")
        found = {name: table.get_symbol_by_name(name) for name in names}
    missing = [name for name, symbols in found.items() if not symbols]
    if missing:
        raise BenchError(f"{program} lacks {', '.join(missing)}; expected the bench's own program")
    return [int(symbols[0]["st_value"]) & ~1 for symbols in found.values() if symbols]


def execute(command: list[str], limit_s: float = _TIMEOUT_S) -> str:
    """Run a program to its end marker and return what it printed.

    Raises:
        BenchError: It does not start, runs too long, or prints no end marker.
    """
    try:
        result = subprocess.run(command, capture_output=True, text=True, check=False, timeout=limit_s)
    except FileNotFoundError as err:
        raise BenchError(f"{command[0]} not found; install it with `make setup`") from err
    except subprocess.TimeoutExpired as err:
        raise BenchError(f"the bench ran over {limit_s:.0f} s; ask for fewer samples") from err
    output = result.stdout + result.stderr
    if "\nend\n" not in output and not output.startswith("end\n"):
        tail = output.strip().splitlines()[-1:] or ["no output"]
        raise BenchError(f"the bench has no end marker, so it proves nothing; last line: {tail[0]}")
    return output


def _parse(output: str) -> tuple[tuple[Check, ...], tuple[Region, ...]]:
    checks: list[Check] = []
    regions: list[Region] = []
    for line in output.splitlines():
        words = line.split()
        if words[:1] == ["check"]:
            checks.append(Check(words[1], words[2], int(words[3]), int(words[4]), int(words[6])))
        elif words[:1] == ["region"]:
            regions.append(Region(int(words[1]), words[2], words[3]))
    return tuple(checks), tuple(regions)
