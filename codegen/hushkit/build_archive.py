"""The third-party archive: CMSIS-DSP and zcbor compiled once per core, shared by every firmware variant.

Standard library only; PlatformIO's builder imports this module too (see hushkit.build_plan).
"""

import fcntl
import hashlib
import os
import shutil
import subprocess
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from hushkit import build_plan
from hushkit.build_plan import Board


class CompileError(Exception):
    """The compiler refused a third-party source: says which, and what the compiler said first."""


def third_party_archive(root: Path, board: Board, third_party: dict[str, Path], tools: str) -> Path:
    """Compile the third-party sources for one core, unless that has been done with the same flags.

    Args:
        root: The checkout.
        board: The core to compile for.
        third_party: Folder of each fetched source distribution.
        tools: Prefix of the compiler's commands: ``arm-none-eabi-``, or "" for the host.

    Returns:
        The archive, below ``.deps/lib``.

    Raises:
        CompileError: A source does not compile.
        FileNotFoundError: No compiler.
    """
    includes = [
        *build_plan.third_party_includes(root, board, third_party),
        *build_plan.private_includes(third_party),
    ]
    sources = build_plan.third_party_sources(third_party)
    flags = [*build_plan.third_party_flags(root, board), *(f"-I{folder}" for folder in includes)]
    key = _key([tools, _version(f"{tools}gcc"), *flags, *map(str, sources)], [*root.glob("firmware/src/cmsis/*.h")])
    library = root / ".deps" / "lib"
    archive = library / f"{board.core}-{key}" / "libthird_party.a"
    if archive.is_file():
        return archive
    library.mkdir(parents=True, exist_ok=True)
    with (library / f"{board.core}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # two builds at once: the second waits and finds the archive
        if not archive.is_file():
            _compile(sources, flags, tools, archive)
    return archive


def _compile(sources: list[Path], flags: list[str], tools: str, archive: Path) -> None:
    with tempfile.TemporaryDirectory(dir=archive.parents[1], prefix="compiling-") as work:

        def compile_one(source: Path) -> Path:
            target = Path(work) / f"{source.stem}.o"
            command = [f"{tools}gcc", "-c", *flags, str(source), "-o", str(target)]
            result = subprocess.run(command, capture_output=True, text=True, check=False)
            if result.returncode != 0:
                reason = next((line for line in result.stderr.splitlines() if "error" in line), result.stderr[-300:])
                raise CompileError(f"cannot compile {source.name}: {reason}; check {tools}gcc and .deps")
            return target

        with ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
            objects = list(pool.map(compile_one, sources))
        made = Path(work) / archive.name
        subprocess.run([f"{tools}gcc-ar", "rcsD", str(made), *map(str, objects)], check=True, capture_output=True)
        archive.parent.mkdir(exist_ok=True)
        shutil.move(made, archive)


def _version(compiler: str) -> str:
    return subprocess.run([compiler, "--version"], capture_output=True, text=True, check=True).stdout


def _key(words: list[str], files: list[Path]) -> str:
    digest = hashlib.sha256("\0".join(words).encode())
    for file in sorted(files):
        digest.update(file.read_bytes())
    return digest.hexdigest()[:12]
