"""Build a headset's firmware: for its core through PlatformIO, and as a shared library of the same C for this machine.

What it is built from and how is hushkit.build_plan's; this module runs the tools and reads what they made.
"""

import fcntl
import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from hushkit import build_plan
from hushkit.build_archive import CompileError, third_party_archive
from hushkit.build_plan import Board
from hushkit.errors import InputError
from hushkit.image import Image, read_image
from hushkit.project import build_dir, project_root
from hushkit.sources import require_sources
from hushkit.spec import HeadsetSpec

if TYPE_CHECKING:
    from hushkit_codegen.ir import HeadsetIr


class BuildError(InputError):
    """The tools cannot build the firmware: says which, why, and what to do."""


@dataclass(frozen=True, slots=True)
class Build:
    """Firmware for a core. Sizes in bytes.

    Attributes:
        elf: Linked image with symbols.
        map: The linker's map file.
        image: What the image holds: build id, sections, sizes, symbols.
        toolchain: The compiler's name and version.
    """

    spec: str
    board: Board
    elf: Path
    map: Path
    image: Image
    toolchain: str

    @property
    def core(self) -> str:
        """Core the image is for."""
        return self.image.core

    @property
    def build_id(self) -> str:
        """GNU build id, hexadecimal."""
        return self.image.build_id

    @property
    def flash_bytes(self) -> int:
        """Bytes in flash."""
        return self.image.flash_bytes

    @property
    def ram_bytes(self) -> int:
        """Bytes in RAM, stacks included."""
        return self.image.ram_bytes


def board_of(core: str) -> Board:
    """The emulated board with this core.

    Raises:
        BuildError: There is none.
    """
    boards = [board for board in build_plan.load_boards(project_root()).values() if not board.is_host]
    for board in boards:
        if board.core == core:
            return board
    raise BuildError(f"no board with core {core}; expected one of {', '.join(sorted(board.core for board in boards))}")


def host_board() -> Board:
    """This machine."""
    return build_plan.load_boards(project_root())["host"]


def toolchain_version(tools: str = build_plan.CROSS_PREFIX) -> str:
    """First line of what the compiler says of itself.

    Raises:
        BuildError: There is no such compiler.
    """
    try:
        said = subprocess.run([f"{tools}gcc", "--version"], capture_output=True, text=True, check=True).stdout
    except FileNotFoundError as err:
        package = "gcc-arm-none-eabi" if tools else "gcc"
        raise BuildError(f"{tools}gcc not found on PATH; run `make setup`, or install the package {package}") from err
    return said.splitlines()[0]


def build_firmware(
    spec: HeadsetSpec,
    *,
    ir: "HeadsetIr | None" = None,
    generated: Path | None = None,
    directory: Path | None = None,
) -> Build:
    """Build one spec's firmware for its core.

    Args:
        spec: The headset.
        ir: Design to generate code from; None: code that is there already.
        generated: Folder of that code; None: ``firmware/generated/<spec>``.
        directory: Where the build goes; None: ``build/<spec>``. Variants that are to stay side by side need one each.

    Returns:
        The build. An unchanged one is found, not made again.

    Raises:
        BuildError: A tool is missing, there is no generated code, or it does not compile.
    """
    root = project_root()
    board = board_of(spec.core.type)
    directory = directory or build_dir() / spec.name
    toolchain = toolchain_version()
    require_sources()
    directory.mkdir(parents=True, exist_ok=True)
    with _locked(directory / "build.lock"):
        generated = _generated(spec, ir, generated, directory)
        name = board.name.replace("_", "-")
        elf = directory / "pio" / name / "firmware.elf"
        _run_platformio(root, name, generated, directory / "pio")
    return Build(spec.name, board, elf, elf.with_suffix(".map"), read_image(elf, core=spec.core.type), toolchain)


def build_host(
    spec: HeadsetSpec,
    *,
    ir: "HeadsetIr | None" = None,
    generated: Path | None = None,
    directory: Path | None = None,
) -> Path:
    """Build the same firmware as a shared library for this machine; arguments and errors as build_firmware().

    Returns:
        The library. Its ``hk_build_id`` digests everything it was compiled from.
    """
    root = project_root()
    board = host_board()
    directory = directory or build_dir() / spec.name
    compiler = toolchain_version("")
    third_party = require_sources()
    work = directory / "host"
    work.mkdir(parents=True, exist_ok=True)
    with _locked(directory / "build.lock"):
        generated = _generated(spec, ir, generated, directory)
        try:
            archive = third_party_archive(root, board, third_party, "")
        except CompileError as err:
            raise BuildError(str(err)) from err
        sources = build_plan.firmware_sources(root, board, generated)
        includes = [f"-I{folder}" for folder in build_plan.include_dirs(root, generated)]
        includes += build_plan.system_flags(root, board, third_party)
        flags = [*build_plan.compile_flags(root, board), *build_plan.generated_maps(root, generated), *includes]
        digest = build_plan.source_digest(root, board, generated, [compiler, archive.parent.name, *flags])
        library = work / f"libhushkit-{digest[:12]}.so"
        if not library.is_file():
            identity = work / "hk_build_id.c"
            identity.write_text(build_plan.identity_source(digest))
            _compile_host([*sources, identity], flags, archive, library)
    return library


def _generated(spec: HeadsetSpec, ir: "HeadsetIr | None", generated: Path | None, directory: Path) -> Path:
    if ir is not None:
        from hushkit_codegen.emit import emit_headset, write_files  # noqa: PLC0415  (the design stack loads only when it is used)

        generated = generated or directory / "generated"
        write_files(generated, emit_headset(ir))
    generated = generated or project_root() / "firmware" / "generated" / spec.name
    if not (generated / "hk_config.h").is_file():
        raise BuildError(f"no generated code in {generated}; run `hushkit generate {spec.name}` first")
    return generated.resolve()


def _run_platformio(root: Path, environment: str, generated: Path, builds: Path) -> None:
    command = [sys.executable, "-m", "platformio", "run", "-s", "-e", environment, "-d", str(root)]
    settings = {
        "HUSHKIT_GENERATED": str(generated),
        "PLATFORMIO_BUILD_DIR": str(builds.resolve()),
        "PLATFORMIO_DISABLE_UPGRADE_CHECK": "true",
        "PLATFORMIO_SETTING_ENABLE_TELEMETRY": "no",
        "PLATFORMIO_NO_ANSI": "true",
    }
    first = not (root / ".pio" / "packages" / "tool-scons" / ".piopm").is_file()
    (root / ".pio").mkdir(exist_ok=True)
    with _locked(root / ".pio" / "first.lock", needed=first):  # two first runs would provide the same tools
        result = subprocess.run(
            command,
            env={**os.environ, **settings},
            capture_output=True,
            text=True,
            check=False,
            stdin=subprocess.DEVNULL,
        )
    if result.returncode != 0:
        raise BuildError(f"pio run -e {environment} failed: {_first_error(result.stderr + result.stdout)}")


def _first_error(output: str) -> str:
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    found = next((line for line in lines if "error:" in line.lower() or "undefined reference" in line), None)
    return found or (lines[-1] if lines else "no message")


def _compile_host(sources: list[Path], flags: list[str], archive: Path, library: Path) -> None:
    objects = library.parent / "objects"
    objects.mkdir(exist_ok=True)

    def compile_one(source: Path) -> Path:
        target = objects / f"{source.parent.name}-{source.stem}.o"
        _run_gcc(["-c", *flags, str(source), "-o", str(target)])
        return target

    with ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
        made = list(pool.map(compile_one, sources))
    partial = library.with_suffix(".partial")
    _run_gcc([*build_plan.host_link_flags(), *map(str, made), str(archive), "-lm", "-o", str(partial)])
    partial.rename(library)


def _run_gcc(words: list[str]) -> None:
    result = subprocess.run(["gcc", *words], capture_output=True, text=True, check=False)
    if result.returncode != 0:
        raise BuildError(f"the host's gcc refused the firmware: {_first_error(result.stderr)}")


@contextmanager
def _locked(file: Path, *, needed: bool = True) -> Iterator[None]:
    with file.open("w") as lock:
        if needed:
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield
