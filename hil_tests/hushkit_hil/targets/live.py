"""A headset that cancels noise in real time until it is told to stop: what a demonstration and an agent's tests use."""

import socket
from types import TracebackType
from typing import Self

import numpy as np
from hushkit.build_plan import Board
from hushkit.emulator import HOST
from hushkit.image import Image

from hushkit_hil.errors import TargetError
from hushkit_hil.targets.plant import PlantRun
from hushkit_hil.targets.qemu import QemuHeadset

_FLOOR = 1e-20


class LiveHeadset:
    """One headset on QEMU in real time, its serial line on a TCP port of this machine.

    The plant plays its signals over and over. A context manager; leaving it stops QEMU.

    Args:
        image: The firmware.
        board: Its machine.
        run: What the plant plays; ``loop`` must be set.
        port: TCP port of the serial line; 0 takes a free one.

    Raises:
        TargetError: On entering: no QEMU, a busy port, an image that does not boot.
    """

    def __init__(self, image: Image, board: Board, run: PlantRun, *, port: int = 0) -> None:
        if not run.loop:
            raise TargetError("a live headset needs a plant that starts over (loop=True), or the noise would end")
        self._port = _free_port(port)
        serial = f"tcp:{HOST}:{self._port},server=on,wait=off,nodelay=on"
        self._headset = QemuHeadset(image, board, run, paced=True, serial=serial)
        self._run = run
        self._stopped = False

    def __enter__(self) -> Self:
        self._headset.__enter__()
        try:
            self._headset.wait_started()
        except BaseException:
            self._headset.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def serial_url(self) -> str:
        """Where pyserial and the agent find the serial line."""
        return f"socket://{HOST}:{self._port}"

    @property
    def seconds(self) -> float:
        """Audio played so far, in seconds."""
        return self._headset.record.samples / self._run.rate_hz

    def levels_db(self, window_s: float = 0.5) -> tuple[float, float]:
        """Level at the error microphones without and with the headset's doing, over the latest window.

        Args:
            window_s: Length of the window; what has not been played yet is left out.

        Returns:
            (disturbance, error), in dB relative to full scale, mean power of the ears.

        Raises:
            TargetError: The headset has stopped.
        """
        record, run = self._headset.record, self._run
        if self._stopped or not self._headset.alive:
            raise TargetError("qemu: the live headset has stopped")
        end = record.samples
        count = min(round(window_s * run.rate_hz), end, run.n_samples)
        where = np.arange(end - count, end) % run.n_samples
        off = run.disturbance[:, where]
        on = record.error[:, where] / 2.0**31
        return _level_db(float(np.mean(off**2))), _level_db(float(np.mean(on**2)))

    def attenuation_db(self, window_s: float = 0.5) -> float:
        """How much quieter the error microphones are than without cancellation, over the latest window."""
        off, on = self.levels_db(window_s)
        return off - on

    def stop(self) -> None:
        """Switch the headset off; a second call does nothing."""
        if not self._stopped:
            self._stopped = True
            self._headset.__exit__(None, None, None)


def _level_db(power: float) -> float:
    return float(10.0 * np.log10(power + _FLOOR))


def _free_port(port: int) -> int:
    """The port asked for, if it is free; any free one for 0."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as err:
            raise TargetError(f"port {port} of {HOST} is busy; give another one, or 0 for any free port") from err
        return int(probe.getsockname()[1])
