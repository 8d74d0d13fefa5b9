"""A headset without sound: speaks SMP and telemetry as the firmware does, for tests of agents and fleets.

Pure: bytes and times in, bytes out. `hushkit_link.simulated_port` puts it behind a device that pyserial opens.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from hushkit_link import wire
from hushkit_link.demultiplexer import Demultiplexer
from hushkit_link.errors import RangeError, WireError
from hushkit_link.simulated_classifier import CLASSIFIER_COMMANDS, SimulatedClassifier
from hushkit_link.smp import Group, Op, OsCommand, Packet, encode_packet
from hushkit_link.smp_lines import encode_lines
from hushkit_link.telemetry import Frame, encode_frame

RATE_HZ: Final = 48_000
_MCUMGR_UNSUPPORTED: Final = 8  # MGMT_ERR_ENOTSUP
_MCUMGR_BUFFERS: Final = 4
_U32: Final = 1 << 32


@dataclass(frozen=True, slots=True)
class _Settings:
    mode: wire.Mode = wire.Mode.ANC
    intensity: float = 1.0
    changes: int = 0


@dataclass(slots=True)
class _Lease:
    period_ms: int
    lease_s: int
    until_s: float
    next_s: float


@dataclass(slots=True)
class SimulatedHeadset:
    """State of one headset.

    Attributes:
        digest: Edition of the wire specification it claims; another one than the host's is refused.
        faults: Faults since power-on.
        refuses: Error code for every change of the configuration, or None to obey.
        reference_level: Level at the ears, in dBFS; tests may change it at any time.
        classifier: Its classifier, or None for a headset without one.
    """

    spec: str = "flagship-m7"
    build_id: bytes = bytes(range(16))
    digest: bytes = wire.DIGEST
    n_ears: int = 2
    reference_level: float = -38.0
    faults: int = 0
    refuses: wire.Error | None = None
    classifier: SimulatedClassifier | None = None
    started_s: float = 0.0
    settings: _Settings = field(default_factory=_Settings)
    _lease: _Lease | None = None
    _sequence: int = 0
    _line: Demultiplexer = field(default_factory=Demultiplexer)

    @property
    def frames_sent(self) -> int:
        """Telemetry frames sent since the last reset, modulo 65536."""
        return self._sequence

    def reset(self, now_s: float) -> None:
        """Back to the state after power-on."""
        self.settings, self._lease, self._sequence = _Settings(), None, 0
        self._line, self.started_s = Demultiplexer(), now_s

    def crash(self, now_s: float) -> None:
        """A fault, which resets the headset."""
        self.faults += 1
        self.reset(now_s)

    def feed(self, data: bytes, now_s: float) -> bytes:
        """Take bytes from the host; returns what the headset answers."""
        packets = [item for item in self._line.feed(data) if isinstance(item, Packet)]
        return b"".join(self._answer(packet, now_s) for packet in packets if not packet.is_reply)

    def poll(self, now_s: float) -> bytes:
        """Telemetry that is due at ``now_s``."""
        lease = self._lease
        if lease is None or now_s < lease.next_s:
            return b""
        if now_s >= lease.until_s:
            self._lease = None
            return b""
        lease.next_s += lease.period_ms / 1000 * (1 + (now_s - lease.next_s) // (lease.period_ms / 1000))
        return b"".join(self._frame(message) for message in self._telemetry(now_s))

    def event(self, kind: wire.EventKind, now_s: float, *, ear: int | None = None, value: int = 0) -> bytes:
        """An event frame, or nothing without a lease."""
        if self._lease is None:
            return b""
        return self._frame(wire.Event(kind, self._uptime_ms(now_s), ear, self.settings.mode, value))

    def emergency(self, kind: wire.EmergencyKind, now_s: float, *, begins: bool = True) -> bytes:
        """The frame of an emergency that begins or is over, or nothing without a lease."""
        if self._lease is None or self.classifier is None:
            return b""
        state = wire.EmergencyState.CONFIRMED if begins else wire.EmergencyState.NONE
        found = self.classifier.found
        return self._frame(
            wire.Emergency(
                kind, state, self._uptime_ms(now_s), 1280, 0.9, 1, found.level, self.settings.mode, found.model
            )
        )

    def _answer(self, request: Packet, now_s: float) -> bytes:
        try:
            body, frames = self._ask_classifier(request) or self._obey(request, now_s)
        except RangeError:
            body, frames = _refuse(wire.GROUP, wire.Error.RANGE), b""
        except WireError:
            body, frames = _refuse(wire.GROUP, wire.Error.MALFORMED), b""
        reply = replace(request, op=Op(request.op + 1), body=body)
        return encode_lines(encode_packet(reply)) + frames

    def _ask_classifier(self, request: Packet) -> tuple[Mapping[str, object], bytes] | None:
        if request.group != wire.GROUP or request.command not in CLASSIFIER_COMMANDS:
            return None
        if self.classifier is None:
            return _refuse(wire.GROUP, wire.Error.UNKNOWN), b""
        answer = self.classifier.answer(request.command, request.op, request.body)
        return (_refuse(wire.GROUP, answer) if isinstance(answer, wire.Error) else answer), b""

    def _obey(self, request: Packet, now_s: float) -> tuple[Mapping[str, object], bytes]:
        body = request.body
        match (request.group, request.command, request.op):
            case (wire.GROUP, wire.ConfigurationRequest.COMMAND, Op.WRITE):
                return self._configure(wire.ConfigurationRequest.from_map(body), now_s)
            case (wire.GROUP, wire.LeaseRequest.COMMAND, Op.WRITE):
                return self._grant(wire.LeaseRequest.from_map(body), now_s)
            case (Group.OS, OsCommand.RESET, Op.WRITE):
                self.reset(now_s)
                return {}, b""
            case (Group.OS, OsCommand.ECHO, Op.WRITE):
                return {"r": body.get("d", "")}, b""
            case (group, command, Op.READ):
                return self._read(group, command, now_s), b""
        return _refuse(Group.OS, _MCUMGR_UNSUPPORTED), b""

    def _read(self, group: int, command: int, now_s: float) -> Mapping[str, object]:
        match (group, command):
            case (wire.GROUP, wire.ConfigurationReply.COMMAND):
                return self._configuration()
            case (wire.GROUP, wire.StatisticsReply.COMMAND):
                return self._statistics(now_s).to_map()
            case (wire.GROUP, wire.AboutReply.COMMAND):
                return wire.AboutReply(wire.SCHEMA, self.digest, self.spec, "0.1.0", self.build_id).to_map()
            case (Group.OS, OsCommand.PARAMETERS):
                return {"buf_size": wire.SMP_MAX_PACKET, "buf_count": _MCUMGR_BUFFERS}
        return _refuse(Group.OS, _MCUMGR_UNSUPPORTED)

    def _configuration(self) -> Mapping[str, object]:
        settings = self.settings
        return wire.ConfigurationReply(settings.mode, settings.intensity, settings.changes).to_map()

    def _configure(self, request: wire.ConfigurationRequest, now_s: float) -> tuple[Mapping[str, object], bytes]:
        if self.refuses is not None:
            return _refuse(wire.GROUP, self.refuses), b""
        before = self.settings
        mode = before.mode if request.mode is None else request.mode
        intensity = before.intensity if request.intensity is None else request.intensity
        frames = b""
        if request.mode is not None or request.intensity is not None:
            self.settings = _Settings(mode, intensity, before.changes + 1)
            if mode != before.mode:
                frames = self.event(wire.EventKind.MODE_CHANGED, now_s, value=before.mode)
        return self._configuration(), frames

    def _grant(self, request: wire.LeaseRequest, now_s: float) -> tuple[Mapping[str, object], bytes]:
        body = wire.LeaseReply(request.period_ms, request.lease_s).to_map()
        if request.lease_s == 0:
            self._lease = None
            return body, b""
        until_s = now_s + request.lease_s
        if self._lease is not None and self._lease.period_ms == request.period_ms and now_s < self._lease.until_s:
            self._lease.until_s, self._lease.lease_s = until_s, request.lease_s
            return body, b""
        next_s = now_s + request.period_ms / 1000
        self._lease = _Lease(request.period_ms, request.lease_s, until_s, next_s)
        hello = self._frame(wire.Hello(wire.SCHEMA, self.digest, self.build_id[:8], RATE_HZ, self.n_ears))
        return body, hello + (self.event(wire.EventKind.FAULT, now_s, value=3) if self.faults else b"")

    def _frame(self, message: wire.Message) -> bytes:
        frame = encode_frame(Frame(self._sequence, message))
        self._sequence = (self._sequence + 1) % 0x10000
        return frame

    def _telemetry(self, now_s: float) -> list[wire.Message]:
        settings = self.settings
        attenuation = 20.0 * settings.intensity if settings.mode == wire.Mode.ANC else 0.0
        error_level = self.reference_level - 3.0 - attenuation
        levels = [
            wire.Levels(ear, self.reference_level, error_level, attenuation, -12.0, wire.Watch.RUNNING, 1)
            for ear in range(self.n_ears)
        ]
        samples = self._uptime_ms(now_s) * (RATE_HZ // 1000) % _U32
        stats = wire.BlockStats(samples, settings.mode, 0, settings.intensity, None, None, None)
        health = wire.Health(
            uptime_ms=self._uptime_ms(now_s), overruns=0, starvations=0, saturations=0, overloads=0, limited=0,
            restarts=0, stack_used=None, line_errors=self._line.counts.corrupt % _U32, frames_dropped=0,
        )  # fmt: skip
        heard = [] if self.classifier is None else [self.classifier.found]
        return [*levels, stats, *heard, health]

    def _statistics(self, now_s: float) -> wire.StatisticsReply:
        fault = self.faults or None
        return wire.StatisticsReply(
            uptime_ms=self._uptime_ms(now_s), samples=self._uptime_ms(now_s) * (RATE_HZ // 1000) % _U32,
            overruns=0, starvations=0, saturations=0, overloads=0, limited=0, restarts=0, stack_used=None,
            line_errors=self._line.counts.corrupt % _U32, frames_dropped=0,
            faults=self.faults, fault_kind=fault and 3, fault_pc=fault and 0x1234, fault_lr=fault and 0x1001,
            fault_status=fault and 0x8200, fault_address=fault and 0xFFFF_FFF0,
        )  # fmt: skip

    def _uptime_ms(self, now_s: float) -> int:
        return int((now_s - self.started_s) * 1000) % _U32


def _refuse(group: int, code: int) -> Mapping[str, object]:
    return {"err": {"group": int(group), "rc": int(code)}}
