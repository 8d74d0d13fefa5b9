"""Talk to a headset's serial line: requests, one at a time, and the telemetry that arrives meanwhile."""

import time
from types import TracebackType
from typing import Self

import serial
from hushkit_link import wire
from hushkit_link.demultiplexer import Demultiplexer
from hushkit_link.exchange import Exchange, Reply
from hushkit_link.smp import Group, Op, OsCommand, Packet
from hushkit_link.telemetry import Frame

from hushkit_hil.errors import TargetError

_READ_S = 0.02


class Console:
    """A headset's serial line; a context manager.

    Args:
        url: Device file or pyserial URL.
        baud: Bits per second; without meaning for sockets.

    Raises:
        TargetError: The line cannot be opened.
    """

    def __init__(self, url: str, *, baud: int = 115_200) -> None:
        self._url = url
        try:
            self._line = serial.serial_for_url(url, baudrate=baud, timeout=_READ_S, write_timeout=2.0)
        except (serial.SerialException, ValueError, OSError) as err:
            raise TargetError(f"serial line {url} cannot be opened ({err}); is it connected, and free?") from err
        self._received = Demultiplexer()
        self._exchange = Exchange()
        self._replies: dict[str, Reply] = {}
        self.messages: list[wire.Message] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._line.close()

    def about(self) -> wire.AboutReply:
        """Which firmware answers."""
        return wire.AboutReply.from_map(self._ask(Op.READ, wire.GROUP, wire.AboutReply.COMMAND, {}).body)

    def statistics(self) -> wire.StatisticsReply:
        """Counters since boot."""
        return wire.StatisticsReply.from_map(self._ask(Op.READ, wire.GROUP, wire.StatisticsReply.COMMAND, {}).body)

    def configure(self, mode: wire.Mode | None = None, intensity: float | None = None) -> wire.ConfigurationReply:
        """Set mode or intensity. A refusal raises TargetError."""
        request = wire.ConfigurationRequest(mode, intensity)
        return wire.ConfigurationReply.from_map(self.write(wire.ConfigurationRequest.COMMAND, request.to_map()))

    def write(self, command: int, body: dict[str, object]) -> dict[str, object]:
        """Send a write of the headset's own group as it is.

        Raises:
            TargetError: No reply, or a refusal.
        """
        reply = self._ask(Op.WRITE, wire.GROUP, command, body)
        if reply.error is not None:
            raise TargetError(f"{self._url}: the headset refused {body} with code {reply.error.rc}")
        return dict(reply.body)

    def echo(self, text: str) -> str:
        """What the headset answers to an echo request."""
        return str(self._ask(Op.WRITE, Group.OS, OsCommand.ECHO, {"d": text}).body.get("r"))

    def listen(self, seconds: float) -> None:
        """Take what arrives for a while; telemetry is added to ``messages``."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            self._step()

    def _ask(self, op: Op, group: int, command: int, body: dict[str, object]) -> Reply:
        self._exchange.request("request", op, group, command, body)
        while not self._exchange.is_idle:
            self._step()
        if "request" not in self._replies:
            raise TargetError(f"{self._url}: no reply; is a headset of ours connected there, at this speed?")
        return self._replies.pop("request")

    def _step(self) -> None:
        sending, _ = self._exchange.poll(time.monotonic())
        try:
            if sending:
                self._line.write(sending)
            data = self._line.read(4096)
        except serial.SerialException as err:
            raise TargetError(f"serial line {self._url} was lost: {err}") from err
        for item in self._received.feed(data):
            if isinstance(item, Frame):
                self.messages.append(item.message)
            elif isinstance(item, Packet):
                outcome = self._exchange.receive(item)
                if isinstance(outcome, Reply):
                    self._replies[outcome.key] = outcome
