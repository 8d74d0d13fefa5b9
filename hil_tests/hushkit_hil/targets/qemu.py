"""Run a firmware image on QEMU with the acoustic plant inside (plugin: instruments/lockstep.c)."""

import json
import socket
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from hushkit.build_plan import Board
from hushkit.emulator import PROGRAM, EmulatorError, emulator_command, emulator_version
from hushkit.image import Image

from hushkit_hil.errors import TargetError
from hushkit_hil.instruments.code import Code
from hushkit_hil.instruments.native import plugin_library
from hushkit_hil.instruments.trace import read_trace
from hushkit_hil.targets.outcome import Outcome, Progress
from hushkit_hil.targets.plant import PlantRun, Record, write_plant

_OLDEST, _NEWEST = (6, 0), (8, 99)
_BOOT_S = 20.0
_POLL_S = 0.02
_FOREIGN_HANDLERS = ("hk_systick_isr", "hk_uart_rx_isr", "hk_uart_tx_isr")


@dataclass(frozen=True, slots=True)
class TraceWindow:
    """Exchanges whose blocks and edges are noted; tracing runs several times slower than counting."""

    first: int
    count: int


def require_qemu() -> None:
    """Make sure that there is a QEMU that the plugin works in.

    Raises:
        TargetError: None on PATH, or one with another plugin interface.
    """
    try:
        found = emulator_version()
    except EmulatorError as err:
        raise TargetError(str(err)) from err
    if not _OLDEST <= found <= _NEWEST:
        raise TargetError(
            f"{PROGRAM} is version {found[0]}.{found[1]}; the bench's plugin speaks plugin interface 1, which QEMU 6.0 "
            "to 8.2 have: install one of those and put it first on PATH, or use `--target host`"
        )


class QemuHeadset:
    """One headset on QEMU with a plant; a context manager that stops exactly the process it started.

    Args:
        image: The firmware.
        board: Its machine.
        run: What the plant plays.
        window: What to trace, or None.
        paced: Real time instead of as fast as possible.
        stall_s: How long the firmware may stand still before the run counts as stuck.
        serial: The UART's other end as QEMU writes it: ``"tcp:127.0.0.1:4001,server=on,wait=off"`` or ``"pty"``.
    """

    def __init__(
        self,
        image: Image,
        board: Board,
        run: PlantRun,
        *,
        window: TraceWindow | None = None,
        paced: bool = False,
        serial: str = "null",
        stall_s: float = 30.0,
    ) -> None:
        if board.machine is None or board.shared_memory is None:
            raise TargetError(f"board {board.name} has no emulated machine; choose a board with one")
        self.image, self.run = image, run
        self._board, self._window, self._paced = board, window, paced
        self._serial, self._stall_s = serial, stall_s
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        require_qemu()
        plugin = plugin_library()
        self._folder = tempfile.TemporaryDirectory(prefix="hushkit-qemu-")
        self._at = Path(self._folder.name)
        try:
            write_plant(self.run, self._at / "plant")
            self.record = Record.create(self._at / "record", self.run)
            self._log = (self._at / "log").open("wb")
            self._process = subprocess.Popen(
                self._command(plugin), stdin=subprocess.DEVNULL, stdout=self._log, stderr=subprocess.STDOUT
            )
        except BaseException:
            self._folder.cleanup()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop()
        self._log.close()
        self.record.__exit__()
        self._folder.cleanup()

    @property
    def alive(self) -> bool:
        """Whether QEMU runs."""
        return self._process is not None and self._process.poll() is None

    def wait_started(self) -> None:
        """Wait until the firmware made its first exchange.

        Raises:
            TargetError: It did not, or it is not the image that was to run.
        """
        start = time.monotonic()
        while self.record.samples == 0 and not self._ended:
            self._check(since=start, limit_s=min(_BOOT_S, self._stall_s), what="make its first audio exchange")
            time.sleep(_POLL_S)
        expected = int.from_bytes(bytes.fromhex(self.image.build_id)[:4], "little")
        if self.record.samples > 0 and self.record.build_id != expected:
            raise TargetError(
                f"qemu: the running firmware has build id {self.record.build_id:08x}, the image {expected:08x}; "
                "something else was booted"
            )

    def wait_done(self, progress: Progress | None = None) -> Outcome:
        """Wait for the end marker and collect what was measured.

        Raises:
            TargetError: QEMU ended or stood still before the end marker, or the firmware is not the expected one.
        """
        self.wait_started()
        start = time.monotonic()
        heard, heard_at = -1, start
        while not self._ended:
            if self.record.samples != heard:
                heard, heard_at = self.record.samples, time.monotonic()
                if progress is not None:
                    progress(heard, self.run.n_samples)
            self._check(since=heard_at, limit_s=self._stall_s, what="go on")
            time.sleep(_POLL_S)
        seconds = time.monotonic() - start
        self.record.require_done(self.run, target="qemu")
        if progress is not None:
            progress(self.run.n_samples, self.run.n_samples)
        return Outcome(
            output=self.record.output.copy(),
            error=self.record.error.copy(),
            instructions=self.record.instructions.copy(),
            isr_instructions=self.record.isr_instructions.copy(),
            trace=read_trace(self._at / "trace"),
            stack_bytes=self._stack_bytes(),
            seconds=seconds,
        )

    @property
    def _ended(self) -> bool:
        return (self._at / "ready").exists()

    def _check(self, *, since: float, limit_s: float, what: str) -> None:
        if not self.alive:
            raise TargetError(f"qemu: ended before its end marker: {self._last_line()}")
        if time.monotonic() - since > limit_s:
            raise TargetError(f"qemu: the firmware did not {what} within {limit_s:.0f} s; {self._advice()}")

    def _advice(self) -> str:
        last = self._last_line()
        return f"QEMU says: {last}" if last else "it may have faulted: look at it with `hushkit monitor`"

    def _last_line(self) -> str:
        lines = (self._at / "log").read_text(errors="replace").strip().splitlines()
        return lines[-1] if lines else "no output"

    def _command(self, plugin: Path) -> list[str]:
        return [
            *emulator_command(self._board, self.image.elf, serial=self._serial, page=self._at / "ram"),
            *("-qmp", f"unix:{self._at / 'qmp'},server=on,wait=off"),
            *("-plugin", f"{plugin},{self._plugin_arguments()}"),
        ]

    def _plugin_arguments(self) -> str:
        code = Code(self.image.elf)
        resume = code.function("hk_port_pend_audio_irq")
        handlers = [name for name in _FOREIGN_HANDLERS if code.has(name)]
        ends = sorted({end for name in handlers for end in code.returns_of(name)})
        arguments: dict[str, object] = {
            "sync": hex(code.function("hk_port_audio_sync").address),
            "isr": hex(code.function("hk_audio_isr").address),
            "resume": hex(resume.address),
            "resume_end": hex(resume.address + resume.size),
            "ram": self._at / "ram",
            "page": 0,  # every port places the page at the start of the shared memory
            "plant": self._at / "plant",
            "record": self._at / "record",
            "trace": self._at / "trace",
            "ready": self._at / "ready",
            "pace": int(self._paced),
        }
        if handlers:
            arguments["foreign"] = "+".join(hex(code.function(name).address) for name in handlers)
            arguments["foreign_end"] = "+".join(map(hex, ends))
        if self._window is not None:
            arguments |= {"trace_from": self._window.first, "trace_count": self._window.count}
        return ",".join(f"{key}={value}" for key, value in arguments.items())

    def _stack_bytes(self) -> int:
        """Deepest use of the painted main stack: what no longer holds the paint of its far end."""
        limit, top = self.image.symbols["hk_stack_limit"], self.image.symbols["hk_stack_top"]
        stack = self._memory(limit, top - limit)
        untouched = next((at for at in range(0, len(stack), 4) if stack[at : at + 4] != stack[:4]), len(stack))
        if untouched == len(stack):
            raise TargetError("qemu: the stack reads as never used; its symbols and the machine's memory do not match")
        if untouched < 16:
            raise TargetError(
                f"qemu: the stack of {len(stack)} bytes was used to its end; give the firmware a larger one"
            )
        return len(stack) - untouched

    def _memory(self, address: int, size: int) -> bytes:
        """Guest memory. The core's own view reads secure memory; it stops at a guard made by the MPU."""
        file = self._at / "memory"
        for view in ("memsave", "pmemsave"):
            command = {"execute": view, "arguments": {"val": address, "size": size, "filename": str(file)}}
            try:
                self._monitor(command)
            except TargetError as err:
                reason = err
            else:
                return file.read_bytes()
        raise reason

    def _monitor(self, command: dict[str, Any]) -> None:
        with socket.socket(socket.AF_UNIX) as line:
            line.settimeout(10.0)
            line.connect(str(self._at / "qmp"))
            with line.makefile("rw") as stream:
                for message in ({"execute": "qmp_capabilities"}, command):
                    stream.write(json.dumps(message) + "\n")
                    stream.flush()
                    while True:
                        answer = json.loads(stream.readline())
                        if "error" in answer:
                            raise TargetError(f"qemu: {message['execute']} failed: {answer['error'].get('desc')}")
                        if "return" in answer:
                            break

    def _stop(self) -> None:
        process = self._process
        if process is None:
            return
        process.terminate()
        try:
            process.wait(timeout=2.0)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def run_on_qemu(
    image: Image, board: Board, run: PlantRun, *, window: TraceWindow | None = None, progress: Progress | None = None
) -> Outcome:
    """Play a plant to its end on QEMU, as fast as it goes.

    Raises:
        TargetError: No QEMU, the image does not boot or is not the expected one, or no end marker.
    """
    with QemuHeadset(image, board, run, window=window) as headset:
        return headset.wait_done(progress)
