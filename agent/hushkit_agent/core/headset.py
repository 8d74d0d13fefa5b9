"""The headset as the agent sees it: asks who it is, keeps a telemetry lease, brings its settings to what is wanted.

Pure: bytes, wishes and times in; bytes to send, telemetry and changes of state out.
"""

import math
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final

from hushkit_link import wire
from hushkit_link.demultiplexer import Demultiplexer, LineCounts, LineFault
from hushkit_link.errors import WireError
from hushkit_link.exchange import TIMEOUT_S, Exchange, NoReply, Outcome, Reply
from hushkit_link.smp import Op, Packet
from hushkit_link.telemetry import Frame

from hushkit_agent.core.backoff import Backoff
from hushkit_agent.core.desired import Settings

DEFAULT_PERIOD_S: Final = 1.0
_LEAST_LEASE_S: Final = 15.0
_MOST_LEASE_S: Final = 7200.0
_ASK_FIRST_S: Final = 0.5
_ASK_MOST_S: Final = 10.0
_ASK_INCOMPATIBLE_S: Final = 30.0
_REFUSED_AGAIN_S: Final = 5.0
_CHECK_S: Final = 10.0  # how often the configuration is read with nothing else to do: finds a reset between telemetry
_INTENSITY_STEP: Final = 0.001  # of the wire; a finer wish counts as met


class LinkState(Enum):
    """How far the agent has come with the headset."""

    CLOSED = auto()
    ASKING = auto()
    INCOMPATIBLE = auto()
    UP = auto()


@dataclass(frozen=True, slots=True)
class HeadsetUp:
    """The headset answered and speaks the agent's edition of the wire specification."""

    about: wire.AboutReply


@dataclass(frozen=True, slots=True)
class HeadsetDown:
    """The headset stopped answering, or was never there."""

    reason: str


@dataclass(frozen=True, slots=True)
class HeadsetIncompatible:
    """The headset speaks another edition of the wire specification: nothing but SMP's standard groups is safe."""

    reason: str


@dataclass(frozen=True, slots=True)
class HeadsetRestarted:
    """The headset lost its settings; the agent sets them again."""


@dataclass(frozen=True, slots=True)
class SettingsInForce:
    """What the headset says it is set to."""

    settings: Settings


@dataclass(frozen=True, slots=True)
class SettingRefused:
    """The headset refused a wish that the agent's own rules allow."""

    settings: Settings
    reason: str


@dataclass(frozen=True, slots=True)
class Telemetry:
    """One frame's message."""

    message: wire.Message


@dataclass(frozen=True, slots=True)
class Trouble:
    """Something was dropped or refused that needs no change of state."""

    reason: str


@dataclass(frozen=True, slots=True)
class FaultRecorded:
    """The headset came back from a fault; the statistics tell its last one."""

    statistics: wire.StatisticsReply


LinkChange = HeadsetUp | HeadsetDown | HeadsetIncompatible | HeadsetRestarted
Change = LinkChange | SettingsInForce | SettingRefused | FaultRecorded | Telemetry | Trouble


def edition_fault(about: wire.AboutReply) -> str | None:
    """Why the agent and this headset cannot understand each other; None when they can."""
    if (about.schema, about.digest) == (wire.SCHEMA, wire.DIGEST):
        return None
    return (
        f"the headset ({about.spec} {about.version}) speaks wire schema {about.schema} digest {about.digest.hex()}, "
        f"this agent schema {wire.SCHEMA} digest {wire.DIGEST.hex()}: update the older of the two"
    )


class Headset:
    """One headset on one line.

    Args:
        timeout_s: How long one attempt of a request waits for its reply.
    """

    def __init__(self, *, timeout_s: float = TIMEOUT_S) -> None:
        self._exchange = Exchange(timeout_s=timeout_s)
        self._line = Demultiplexer()
        self._state = LinkState.CLOSED
        self._wanted = Settings()
        self._in_force: wire.ConfigurationReply | None = None
        self._period_in_force_s: float | None = None
        self._hold_until_s = 0.0  # no write before: the headset refused or was busy
        self._check_at_s = math.inf
        self._statistics_at_s = math.inf
        self._ask_at_s = math.inf
        self._ask_wait = Backoff(_ASK_FIRST_S, _ASK_MOST_S)
        self._lease_at_s = math.inf
        self._heard_at_s = 0.0
        self._uptime_ms: int | None = None
        self._down_reason = ""

    @property
    def state(self) -> LinkState:
        """How far the agent has come with the headset."""
        return self._state

    @property
    def counts(self) -> LineCounts:
        """What the line carried so far."""
        return self._line.counts

    @property
    def retries(self) -> int:
        """Requests that were sent again."""
        return self._exchange.retries

    def opened(self, now_s: float) -> None:
        """The line is there."""
        self._exchange.clear()
        self._line.break_off()
        self._state, self._ask_at_s = LinkState.ASKING, now_s
        self._ask_wait.reset()
        self._forget()

    def closed(self, reason: str) -> list[Change]:
        """The line is gone."""
        self._exchange.clear()
        self._state, self._ask_at_s = LinkState.CLOSED, math.inf
        self._forget()
        return self._down(reason)

    def want(self, settings: Settings) -> None:
        """Converge to these settings; None where anything will do."""
        if settings.period_s != self._wanted.period_s:
            self._lease_at_s = 0.0 if self._state is LinkState.UP else self._lease_at_s
        if settings != self._wanted:
            self._hold_until_s = 0.0
        self._wanted = settings

    def feed(self, data: bytes, now_s: float) -> list[Change]:
        """Take bytes from the line."""
        changes: list[Change] = []
        for item in self._line.feed(data):
            match item:
                case Packet():
                    outcome = self._exchange.receive(item)
                    if outcome is not None:
                        changes += self._conclude(outcome, now_s)
                case Frame():
                    changes += self._hear(item.message, now_s)
                case LineFault(reason):
                    changes.append(Trouble(reason))
        return changes

    def poll(self, now_s: float) -> tuple[bytes, list[Change]]:
        """Do what is due; bytes to send and changes."""
        changes: list[Change] = []
        if self._exchange.is_idle:
            self._next_request(now_s)
        data, outcomes = self._exchange.poll(now_s)
        for outcome in outcomes:
            changes += self._conclude(outcome, now_s)
        return data, changes

    def deadline_s(self) -> float:
        """When `poll` has something to do, if nothing happens before."""
        if self._exchange.deadline_s is not None:
            return self._exchange.deadline_s
        if self._state is LinkState.CLOSED:
            return math.inf
        if self._state is not LinkState.UP:
            return self._ask_at_s
        write_at_s = math.inf if self._difference() is None else self._hold_until_s
        return min(self._lease_at_s, self._silent_at_s(), self._check_at_s, self._statistics_at_s, write_at_s)

    def _next_request(self, now_s: float) -> None:
        if self._state is LinkState.CLOSED:
            return
        if self._state is not LinkState.UP:
            if now_s >= self._ask_at_s:
                self._exchange.request("about", Op.READ, wire.GROUP, wire.AboutReply.COMMAND)
            return
        request = self._difference()
        if now_s >= self._check_at_s:
            self._exchange.request("read", Op.READ, wire.GROUP, wire.ConfigurationReply.COMMAND)
        elif request is not None and now_s >= self._hold_until_s:
            self._exchange.request("write", Op.WRITE, wire.GROUP, request.COMMAND, request.to_map())
        elif now_s >= self._statistics_at_s:
            self._exchange.request("statistics", Op.READ, wire.GROUP, wire.StatisticsReply.COMMAND)
        elif now_s >= self._lease_at_s or now_s >= self._silent_at_s():
            period_ms = round(self._period_s() * 1000)
            lease = wire.LeaseRequest(period_ms, math.ceil(self._lease_s()))
            self._exchange.request("lease", Op.WRITE, wire.GROUP, lease.COMMAND, lease.to_map())

    def _difference(self) -> wire.ConfigurationRequest | None:
        """The write that brings the headset to what is wanted."""
        wanted, found = self._wanted, self._in_force
        if found is None:
            return None
        mode = wanted.mode if wanted.mode != found.mode else None
        intensity = wanted.intensity
        if intensity is not None and abs(intensity - found.intensity) <= _INTENSITY_STEP / 2:
            intensity = None
        return None if mode is None and intensity is None else wire.ConfigurationRequest(mode, intensity)

    def _period_s(self) -> float:
        return self._wanted.period_s if self._wanted.period_s is not None else DEFAULT_PERIOD_S

    def _lease_s(self) -> float:
        return min(_LEAST_LEASE_S + 2 * self._period_s(), _MOST_LEASE_S)

    def _silent_at_s(self) -> float:
        """When telemetry is so late that the lease must have been lost."""
        return self._heard_at_s + 2 * self._period_s() + 1.0

    def _conclude(self, outcome: Outcome, now_s: float) -> list[Change]:
        if isinstance(outcome, NoReply):
            if self._state is LinkState.UP and now_s < self._silent_at_s():
                return [Trouble(f"no reply to {outcome.key}, though telemetry flows: a noisy line? asking again")]
            self._state = LinkState.ASKING
            self._ask_at_s = now_s + self._ask_wait.wait_s()
            self._forget()
            return self._down("the headset does not answer")
        try:
            return self._take(outcome, now_s)
        except WireError as err:
            self._ask_at_s = now_s + self._ask_wait.wait_s()
            self._state = LinkState.ASKING
            return [*self._down(f"the headset's answer cannot be used: {err}"), Trouble(str(err))]

    def _take(self, reply: Reply, now_s: float) -> list[Change]:
        if reply.error is not None:
            return self._take_refusal(reply, now_s)
        match reply.key:
            case "about":
                return self._meet(wire.AboutReply.from_map(reply.body), now_s)
            case "lease":
                granted = wire.LeaseReply.from_map(reply.body)
                self._lease_at_s = now_s + granted.lease_s / 3
                self._heard_at_s = now_s
                self._period_in_force_s = granted.period_ms / 1000
                return self._settings()
            case "statistics":
                self._statistics_at_s = math.inf
                statistics = wire.StatisticsReply.from_map(reply.body)
                return [FaultRecorded(statistics)] if statistics.faults else []
            case _:
                return self._configured(wire.ConfigurationReply.from_map(reply.body), now_s)

    def _configured(self, found: wire.ConfigurationReply, now_s: float) -> list[Change]:
        before, self._in_force = self._in_force, found
        self._check_at_s = now_s + _CHECK_S
        if before is not None and found.changes < before.changes:
            self._lease_at_s, self._uptime_ms = now_s, None
            return [HeadsetRestarted(), *self._settings()]
        return self._settings()

    def _settings(self) -> list[Change]:
        found = self._in_force
        if found is None:
            return []
        return [SettingsInForce(Settings(found.mode, found.intensity, self._period_in_force_s))]

    def _take_refusal(self, reply: Reply, now_s: float) -> list[Change]:
        assert reply.error is not None
        code = reply.error.rc
        own = reply.error.group == wire.GROUP
        name = wire.Error(code).name.lower() if own and code in set(wire.Error) else f"code {code}"
        if reply.key == "write":
            busy = own and code == wire.Error.BUSY
            self._hold_until_s = now_s + _REFUSED_AGAIN_S if busy else math.inf
            return [] if busy else [SettingRefused(self._wanted, f"the headset answered {name}")]
        if reply.key == "lease":
            self._lease_at_s = now_s + _REFUSED_AGAIN_S
            self._heard_at_s = self._lease_at_s
            return [Trouble(f"the headset refused a telemetry lease: {name}")]
        if reply.key == "statistics":
            self._statistics_at_s = math.inf
            return [Trouble(f"the headset refused its statistics: {name}")]
        return self._part(f"the headset refused to tell {reply.key} ({name}): it does not run this firmware", now_s)

    def _meet(self, about: wire.AboutReply, now_s: float) -> list[Change]:
        fault = edition_fault(about)
        if fault is not None:
            return self._part(fault, now_s)
        self._state, self._in_force, self._down_reason = LinkState.UP, None, ""
        self._ask_wait.reset()
        self._lease_at_s = self._check_at_s = self._heard_at_s = now_s
        self._uptime_ms = None
        return [HeadsetUp(about)]

    def _part(self, reason: str, now_s: float) -> list[Change]:
        known = self._state is LinkState.INCOMPATIBLE
        self._exchange.clear()
        self._state, self._ask_at_s = LinkState.INCOMPATIBLE, now_s + _ASK_INCOMPATIBLE_S
        self._forget()
        return [] if known else [HeadsetIncompatible(reason)]

    def _hear(self, message: wire.Message, now_s: float) -> list[Change]:
        if self._state is not LinkState.UP:
            return []
        self._heard_at_s = now_s
        changes: list[Change] = [Telemetry(message)]
        if isinstance(message, wire.Hello) and (message.schema, message.digest) != (wire.SCHEMA, wire.DIGEST):
            # The firmware was replaced while the line stayed open: ask who it is.
            self._exchange.clear()
            self._state, self._ask_at_s = LinkState.ASKING, now_s
            return [*self._down("the headset's firmware changed")]
        if isinstance(message, wire.Health):
            before, self._uptime_ms = self._uptime_ms, message.uptime_ms
            if before is not None and (message.uptime_ms - before) % (1 << 32) >= 1 << 31:
                self._check_at_s = self._lease_at_s = now_s
                self._in_force = None  # its count of changes tells nothing new
                changes.append(HeadsetRestarted())
        if isinstance(message, wire.Hello | wire.Event):
            self._check_at_s = now_s  # something happened: read what is in force
        if isinstance(message, wire.Event) and message.kind is wire.EventKind.FAULT:
            self._statistics_at_s = now_s
        return changes

    def _down(self, reason: str) -> list[Change]:
        if reason == self._down_reason:
            return []
        self._down_reason = reason
        return [HeadsetDown(reason)]

    def _forget(self) -> None:
        self._in_force = self._period_in_force_s = None
        self._lease_at_s = self._check_at_s = self._statistics_at_s = math.inf
