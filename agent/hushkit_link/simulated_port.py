"""A simulated headset behind a pseudo-terminal, which pyserial and mcumgr tools open like a device."""

import os
import select
import threading
import time
import tty
from collections.abc import Callable
from types import TracebackType

from hushkit_link.simulator import SimulatedHeadset
from hushkit_link.wire import Mode


class SimulatedPort:
    """Serves one headset from a thread; a context manager.

    Args:
        headset: The headset; a new one when None.
        clock: Seconds, monotonic.
    """

    def __init__(self, headset: SimulatedHeadset | None = None, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.headset = headset or SimulatedHeadset()
        self._clock = clock
        self._lock = threading.Lock()
        self._master, self._slave = os.openpty()
        tty.setraw(self._slave)
        os.set_blocking(self._master, False)
        self._wake_read, self._wake_write = os.pipe()
        self._thread = threading.Thread(target=self._serve, name="simulated-headset", daemon=True)

    @property
    def path(self) -> str:
        """Device file to open."""
        return os.ttyname(self._slave)

    @property
    def mode(self) -> Mode:
        """Mode in force."""
        return self.headset.settings.mode

    @property
    def changes(self) -> int:
        """Changes of its configuration since the headset's last reset."""
        return self.headset.settings.changes

    @property
    def frames_sent(self) -> int:
        """Telemetry frames sent since the headset's last reset, modulo 65536."""
        return self.headset.frames_sent

    def reset(self) -> None:
        """Reset the headset as its button would."""
        with self._lock:
            self.headset.reset(self._clock())

    def inject(self, data: bytes) -> None:
        """Put bytes on the line towards the host."""
        self._write(data)

    def __enter__(self) -> "SimulatedPort":
        self.headset.started_s = self._clock()
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.write(self._wake_write, b"x")
        self._thread.join()
        for descriptor in (self._master, self._slave, self._wake_read, self._wake_write):
            os.close(descriptor)

    def _serve(self) -> None:
        while True:
            readable, _, _ = select.select([self._master, self._wake_read], [], [], 0.02)
            if self._wake_read in readable:
                return
            data = os.read(self._master, 4096) if self._master in readable else b""
            with self._lock:
                answer = self.headset.feed(data, self._clock()) + self.headset.poll(self._clock())
            if answer:
                self._write(answer)

    def _write(self, data: bytes) -> None:
        try:
            os.write(self._master, data)
        except BlockingIOError:
            return  # nobody reads: a UART drops bytes, too
