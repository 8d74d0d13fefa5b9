"""Headsets in QEMU: the command that boots one, and one that keeps running like a board on the desk.

Standard library only; PlatformIO's builder imports this module too (see hushkit.build_plan).
"""

import contextlib
import os
import re
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from hushkit.build_plan import Board

PROGRAM = "qemu-system-arm"
HOST = "127.0.0.1"
_PORTS = {"cortex-m4": 5334, "cortex-m7": 5337, "cortex-m33": 5333, "cortex-m55": 5335}
_BOOT_SECONDS = 10.0
_STOP_SECONDS = 5.0
_SETTLE_SECONDS = 0.1
_T = TypeVar("_T")


class EmulatorError(Exception):
    """QEMU is missing, too old, or did not boot: says what was found and what to do."""


def emulator_version() -> tuple[int, int]:
    """Major and minor version of QEMU.

    Raises:
        EmulatorError: No QEMU on PATH, or one that does not say its version.
    """
    if shutil.which(PROGRAM) is None:
        raise EmulatorError(f"{PROGRAM} not found on PATH; run `make setup`, or install the package qemu-system-arm")
    text = subprocess.run([PROGRAM, "--version"], capture_output=True, text=True, check=False).stdout
    found = re.search(r"version (\d+)\.(\d+)", text)
    if found is None:
        raise EmulatorError(f"{PROGRAM} --version said {text[:60]!r}, expected a version; reinstall qemu-system-arm")
    return int(found[1]), int(found[2])


def serial_port(board: Board) -> int:
    """TCP port on which an emulated board that keeps running offers its serial line."""
    return _PORTS[board.core]


def emulator_command(board: Board, elf: Path, *, serial: str, page: Path | None = None) -> list[str]:
    """QEMU's command line for one headset.

    Args:
        board: The emulated board.
        elf: Firmware built for it.
        serial: A character device as QEMU writes it, for the headset's serial line.
        page: File that shares the machine's main memory, and so the audio page, with a plant; it is made to size.

    Returns:
        The words of the command.
    """
    if board.machine is None:
        raise EmulatorError(f"board {board.name} is no emulated one; choose one with a core of its own")
    words = [PROGRAM, "-display", "none", "-monitor", "none"]
    if page is None:
        words += ["-machine", board.machine]
    else:
        memory = f"memory-backend-file,id=page,size={board.shared_memory},mem-path={page},share=on"
        words += ["-object", memory, "-machine", f"{board.machine},memory-backend=page"]
    return [*words, "-serial", serial, "-kernel", str(elf)]


def boot_detached(board: Board, elf: Path, folder: Path) -> int:
    """Boot a headset that keeps running after this process; one that an earlier call booted is switched off first.

    Args:
        board: The emulated board.
        elf: Firmware built for it.
        folder: Where its process id and QEMU's messages are kept.

    Returns:
        TCP port of its serial line on this machine.

    Raises:
        EmulatorError: QEMU is missing, the port is busy, or QEMU stopped at once.
    """
    switch_off(board, folder)
    port = serial_port(board)
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as err:
            raise EmulatorError(
                f"port {port} of {HOST} is busy: another emulated {board.core} runs, from another checkout perhaps; "
                "switch it off there"
            ) from err
    started = _start(board, elf, folder, f"tcp:{HOST}:{port},server=on,wait=off,nodelay=on")

    def answers() -> int | None:
        with contextlib.suppress(OSError), socket.create_connection((HOST, port), timeout=0.2):
            return port
        return None

    return _await(*started, answers)


def boot_on_terminal(board: Board, elf: Path, folder: Path) -> str:
    """The same with the serial line on a pseudo terminal, for tools that want a device file.

    Returns:
        The device file.
    """
    switch_off(board, folder)
    process, log = _start(board, elf, folder, "pty")

    def device() -> str | None:
        found = re.search(r"/dev/pts/\d+", log.read_text(errors="replace"))
        return found[0] if found else None

    return _await(process, log, device)


def switch_off(board: Board, folder: Path) -> bool:
    """Stop the headset that boot_detached() or boot_on_terminal() started.

    Returns:
        Whether one ran.
    """
    pid_file = _pid_file(board, folder)
    if not pid_file.is_file():
        return False
    pid = int(pid_file.read_text())
    pid_file.unlink()
    if not _is_emulator(pid):
        return False
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGTERM)
    deadline = time.monotonic() + _STOP_SECONDS
    while _is_emulator(pid) and time.monotonic() < deadline:
        with contextlib.suppress(ChildProcessError):
            os.waitpid(pid, os.WNOHANG)
        time.sleep(0.02)
    if _is_emulator(pid):
        raise EmulatorError(f"QEMU (process {pid}) does not stop; end it with: kill -9 {pid}")
    return True


def _pid_file(board: Board, folder: Path) -> Path:
    return folder / f"{board.name}.pid"


def _is_emulator(pid: int) -> bool:
    try:
        return PROGRAM.encode() in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False


def _start(board: Board, elf: Path, folder: Path, serial: str) -> tuple[subprocess.Popen[bytes], Path]:
    emulator_version()
    if not elf.is_file():
        raise EmulatorError(f"no firmware image {elf}; build it with `hushkit build`")
    folder.mkdir(parents=True, exist_ok=True)
    log = folder / f"{board.name}.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            emulator_command(board, elf, serial=serial),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    _pid_file(board, folder).write_text(f"{process.pid}\n")
    return process, log


def _await(process: subprocess.Popen[bytes], log: Path, ready: Callable[[], _T | None]) -> _T:
    deadline = time.monotonic() + _BOOT_SECONDS
    offered: _T | None = None
    while time.monotonic() < deadline:
        with contextlib.suppress(subprocess.TimeoutExpired):
            # The line is offered before the image is loaded: only a process that stays has booted.
            process.wait(_SETTLE_SECONDS)
            said = log.read_text(errors="replace").strip().splitlines()
            raise EmulatorError(f"{PROGRAM} stopped at once: {said[-1] if said else 'no message'}; its log is {log}")
        if offered is not None:
            return offered
        offered = ready()
    raise EmulatorError(f"{PROGRAM} did not offer a serial line within {_BOOT_SECONDS:g} s; its log is {log}")
