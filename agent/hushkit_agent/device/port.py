"""A serial port that is opened for ever: a device, a pseudo-terminal, or ``socket://host:port``.

A thread opens, reads, and opens again after a loss; everything it learns goes to one callback.
"""

import errno
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import serial

from hushkit_agent.core.backoff import Backoff
from hushkit_agent.errors import PortError

BAUD: Final = 115200
_READ_S: Final = 0.2  # how quickly the thread notices that it shall end
_WRITE_S: Final = 1.0
_MOST_BYTES: Final = 4096
_AGAIN_FIRST_S: Final = 0.25
_AGAIN_MOST_S: Final = 5.0


@dataclass(frozen=True, slots=True)
class PortOpened:
    """The port is open."""


@dataclass(frozen=True, slots=True)
class PortClosed:
    """The port was lost or could not be opened; the thread goes on trying."""

    reason: str


@dataclass(frozen=True, slots=True)
class PortBytes:
    """Bytes from the headset."""

    data: bytes


PortEvent = PortOpened | PortClosed | PortBytes


def open_port(url: str, *, baud: int = BAUD) -> Any:
    """Open once.

    Args:
        url: Device path, or any URL pyserial knows, such as ``socket://host:port``.
        baud: Bits per second; without meaning for sockets and pseudo-terminals.

    Raises:
        PortError: Absent, busy, not permitted, or no serial port.
    """
    exclusive: Any = {} if "://" in url else {"exclusive": True}
    try:
        return serial.serial_for_url(url, baudrate=baud, timeout=_READ_S, write_timeout=_WRITE_S, **exclusive)
    except (serial.SerialException, ValueError, OSError) as err:
        raise PortError(f"serial port {url}: {_explain(err)}") from err


class Port:
    """The thread and the port it holds.

    Args:
        url: See `open_port`.
        emit: Called from the thread with each event; must not block.
    """

    def __init__(self, url: str, *, baud: int = BAUD, emit: Callable[[PortEvent], None]) -> None:
        self._url = url
        self._baud = baud
        self._emit = emit
        self._port: Any = None
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._serve, name="serial", daemon=True)

    def start(self) -> None:
        """Begin to open."""
        self._thread.start()

    def write(self, data: bytes) -> None:
        """Send bytes; without a port they are lost, as on a line. A dead port is noticed by the reader."""
        port = self._port
        if port is not None:
            try:
                port.write(data)
            except (serial.SerialException, OSError, TypeError):
                port.close()

    def stop(self) -> None:
        """Close the port and end the thread."""
        self._stopping.set()
        self._thread.join()

    def _serve(self) -> None:
        again = Backoff(_AGAIN_FIRST_S, _AGAIN_MOST_S)
        while not self._stopping.is_set():
            try:
                port = open_port(self._url, baud=self._baud)
            except PortError as err:
                self._emit(PortClosed(str(err)))
                self._stopping.wait(again.wait_s())
                continue
            self._port = port
            self._emit(PortOpened())
            again.reset()
            reason = self._read_until_lost(port)
            self._port = None
            port.close()
            if not self._stopping.is_set():
                self._emit(PortClosed(f"serial port {self._url}: {reason}"))
                self._stopping.wait(again.wait_s())

    def _read_until_lost(self, port: Any) -> str:
        # pyserial raises TypeError and AttributeError when a port is closed under its reader.
        try:
            while not self._stopping.is_set():
                data = port.read(1)
                # A socket:// port never has more than one byte waiting: gather what has arrived.
                while data and len(data) < _MOST_BYTES and port.in_waiting:
                    data += port.read(port.in_waiting)
                if data:
                    self._emit(PortBytes(data))
        except (serial.SerialException, OSError, TypeError, AttributeError) as err:
            return _explain(err)
        return "stopped"


def _explain(err: Exception) -> str:
    number = getattr(err, "errno", None)
    text = str(err)
    if number in {errno.EBUSY, errno.EWOULDBLOCK} or "exclusively lock" in text:
        return "busy; close the other program that has it open"
    if number == errno.ENOENT:
        return "does not exist; plug the headset in, or correct headset.serial"
    if number == errno.EACCES:
        return "not permitted; add the agent's user to the group of the device (often dialout)"
    if number == errno.ECONNREFUSED or "refused" in text:
        return "connection refused; nothing listens there"
    return text or type(err).__name__
