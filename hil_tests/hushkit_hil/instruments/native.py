"""Compile the bench's own C at first use; cached by what went into it, so that a change never runs a stale library."""

import hashlib
import platform
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

from hushkit.project import build_dir, project_root

from hushkit_hil.errors import BenchError

_HERE = Path(__file__).resolve().parent
_TARGETS = _HERE.parent / "targets"

_PLUGIN = ("lockstep", "arguments", "recorder", "tally")

# No -march=native and no -ffast-math: the plant must give the same bits on every machine.
_FLAGS = (
    *("-std=c11", "-D_GNU_SOURCE", "-O3", "-fPIC", "-shared", "-fvisibility=hidden"),
    *("-Wall", "-Wextra", "-Wconversion", "-ffp-contract=off", "-fno-math-errno"),
)


def plugin_library() -> Path:
    """The QEMU plugin (lockstep.c), compiled. Raises BenchError."""
    sources = [*(_HERE / f"{part}.c" for part in _PLUGIN), _TARGETS / "plant.c"]
    headers = [*_HERE.glob("*.h"), _TARGETS / "plant.h"]
    return compile_library("lockstep", sources, headers, includes=[_TARGETS, _firmware_include()])


def plant_library() -> Path:
    """The plant alone, for the host target, compiled. Raises BenchError."""
    return compile_library(
        "plant",
        [_TARGETS / "plant.c"],
        [_TARGETS / "plant.h"],
        includes=[_TARGETS, _firmware_include()],
        flags=("-fvisibility=default",),
    )


def compile_library(
    name: str,
    sources: Sequence[Path],
    headers: Sequence[Path],
    *,
    includes: Sequence[Path],
    flags: Sequence[str] = (),
) -> Path:
    """Compile C sources to a shared library under ``build/native``.

    Args:
        name: Stem of the library's file name.
        sources: What is compiled.
        headers: What the sources include from this project; part of the cache key only.
        includes: Include folders.
        flags: Flags after the common ones.

    Returns:
        The library. An existing one is reused when sources, headers, flags and compiler are the same.

    Raises:
        BenchError: No GCC, or the sources do not compile.
    """
    compiler = shutil.which("gcc")
    if compiler is None:
        raise BenchError(
            "gcc not found on PATH; the bench compiles its plant and QEMU plugin: install it with `make setup`"
        )
    version = subprocess.run([compiler, "-dumpfullversion"], capture_output=True, text=True, check=False).stdout
    parts = [version, platform.machine(), *_FLAGS, *flags]
    digest = hashlib.sha256("\0".join(parts).encode())
    for path in (*sources, *sorted(headers), _audio_page()):
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    library = build_dir() / "native" / f"{name}-{digest.hexdigest()[:16]}.so"
    if not library.exists():
        _compile([compiler, *_FLAGS, *flags, *(f"-I{folder}" for folder in includes)], sources, library)
    return library


def _compile(command: list[str], sources: Sequence[Path], library: Path) -> None:
    library.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=library.parent) as work:
        output = Path(work) / library.name
        result = subprocess.run(
            [*command, *map(str, sources), "-o", str(output), "-lm"], capture_output=True, text=True, check=False
        )
        if result.returncode != 0:
            raise BenchError(
                f"gcc refuses {sources[0].name}: {result.stderr.strip().splitlines()[0]}; this is a fault here"
            )
        output.replace(library)  # whole or not at all: another bench may be compiling the same


def _firmware_include() -> Path:
    return project_root() / "firmware" / "include"


def _audio_page() -> Path:
    return _firmware_include() / "hk" / "hk_audio_page.h"
