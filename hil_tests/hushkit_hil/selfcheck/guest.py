"""Build the self-check's guest."""

import shutil
import subprocess
from pathlib import Path

from hushkit.build_plan import CROSS_PREFIX, Board, load_boards
from hushkit.image import Image, read_image
from hushkit.project import project_root

from hushkit_hil.errors import BenchError

_HERE = Path(__file__).resolve().parent

ISR_SPIN = 31
"""Instructions of the handler's inner loop, ten turns."""


def guest_board() -> Board:
    """The machine the guest is written for."""
    return load_boards(project_root())["qemu_m7"]


def build_guest(folder: Path, *, fault: int = 0) -> Image:
    """Compile the guest into ``folder``.

    Args:
        folder: Where the ELF file goes.
        fault: Which misbehaviour to build in, see guest.c; 0: none.

    Raises:
        BenchError: No cross compiler, or it refuses the guest.
    """
    compiler = shutil.which(f"{CROSS_PREFIX}gcc")
    if compiler is None:
        raise BenchError(f"{CROSS_PREFIX}gcc not found on PATH; install it with `make setup`")
    elf = folder / f"guest-{fault}.elf"
    command = [
        *(compiler, "-std=c11", "-O2", "-ffreestanding", "-nostdlib", "-Wall", "-Wextra", f"-DFAULT={fault}"),
        *("-mcpu=cortex-m7", "-mthumb", f"-I{project_root() / 'firmware' / 'include'}", f"-Wl,-T,{_HERE / 'guest.ld'}"),
        *("-Wl,--build-id=sha1,--no-warn-rwx-segments", str(_HERE / "guest.c"), "-o", str(elf)),
    ]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    if result.returncode != 0:
        raise BenchError(f"the self-check's guest does not build: {result.stderr.strip().splitlines()[0]}")
    return read_image(elf)
