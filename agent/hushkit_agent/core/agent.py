"""The bridge: what happens on the line and in the cloud, and what follows from it.

Pure: every method takes an instant and returns effects, which the edge (`hushkit_agent.runner`) carries out.
"""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass

from hushkit_link import wire
from hushkit_link.exchange import TIMEOUT_S

from hushkit_agent.core.batching import SCHEMA, Batcher, message_data
from hushkit_agent.core.classification import ClassificationReport, model_name
from hushkit_agent.core.desired import Judgement, Rejection, Settings, judge
from hushkit_agent.core.documents import difference
from hushkit_agent.core.effects import Effect, Instant, Keep, Level, Publish, Say, WriteLine
from hushkit_agent.core.headset import (
    Change,
    FaultRecorded,
    Headset,
    HeadsetDown,
    HeadsetIncompatible,
    HeadsetRestarted,
    HeadsetUp,
    SettingRefused,
    SettingsInForce,
    Telemetry,
    Trouble,
)
from hushkit_agent.core.shadow import Shadow

_EVENT_LEVELS = {
    wire.EventKind.MODE_CHANGED: Level.INFO,
    wire.EventKind.LEASE_EXPIRED: Level.INFO,
    wire.EventKind.FAULT: Level.ERROR,
}


@dataclass(frozen=True, slots=True)
class Identity:
    """Who the agent is.

    Attributes:
        session: Unique per run, at most 40 characters.
    """

    thing: str
    version: str
    session: str


class Agent:
    """One headset, one thing.

    Args:
        batch_s: Length of a telemetry batch.
        timeout_s: How long one attempt of a request to the headset waits.
    """

    def __init__(self, identity: Identity, *, batch_s: float = 1.0, timeout_s: float = TIMEOUT_S) -> None:
        self._identity = identity
        self._headset = Headset(timeout_s=timeout_s)
        self._shadow = Shadow(identity.thing, session=identity.session)
        self._batcher = Batcher(batch_s)
        self._desired: Mapping[str, object] | None = None  # as last judged
        self._judgement = Judgement()
        self._refused: dict[str, Rejection] = {}  # by the headset
        self._reported: dict[str, object] = {"agent": {"version": identity.version}, "link": "down"}
        self._classification = ClassificationReport()
        self._link_told = ""  # kind of the last event about the link
        self._shadow.report(self._reported)

    @property
    def headset(self) -> Headset:
        """The headset's state, for logs and the doctor."""
        return self._headset

    @property
    def is_converged(self) -> bool:
        """Whether the cloud's shadow holds exactly what the agent reports."""
        return self._shadow.is_settled

    def line_opened(self, now: Instant) -> list[Effect]:
        """The serial port is open."""
        self._headset.opened(now.mono_s)
        return self._settle(now)

    def line_closed(self, reason: str, now: Instant) -> list[Effect]:
        """The serial port is gone, or could not be opened."""
        return self._follow(self._headset.closed(reason), now) + self._settle(now)

    def line_bytes(self, data: bytes, now: Instant) -> list[Effect]:
        """Bytes came from the headset."""
        over = self._end_batch(now)  # before these bytes lengthen it
        return over + self._follow(self._headset.feed(data, now.mono_s), now) + self._settle(now)

    def cloud_connected(self, now: Instant) -> list[Effect]:
        """Connected, subscriptions in place."""
        self._shadow.connected(now.mono_s)
        return [self.presence(now, online=True, reason="connected"), *self._settle(now)]

    def cloud_disconnected(self, now: Instant) -> list[Effect]:
        """The connection is gone; the edge goes on trying."""
        self._shadow.disconnected()
        return self._settle(now)

    def cloud_message(self, topic: str, payload: bytes, now: Instant) -> list[Effect]:
        """A message on a subscribed topic."""
        return self._shadow.receive(topic, payload, now.mono_s) + self._settle(now)

    def tick(self, now: Instant) -> list[Effect]:
        """Time has passed."""
        return self._settle(now)

    def stop(self, now: Instant) -> list[Effect]:
        """The agent ends: close the open batch and say good-bye."""
        return [*self._end_batch(now, force=True), self.presence(now, online=False, reason="shutdown")]

    def presence(self, now: Instant, *, online: bool, reason: str) -> Publish:
        """The retained status; also the last will, with ``online`` false."""
        document = {"online": online, "at_ms": now.unix_ms, "reason": reason}
        return Publish(f"hushkit/{self._identity.thing}/status", json.dumps(document).encode(), retain=True)

    def deadline_s(self) -> float:
        """When `tick` has something to do, if nothing happens before."""
        return min(self._headset.deadline_s(), self._shadow.deadline_s(), self._batcher.deadline_s, math.inf)

    def _settle(self, now: Instant) -> list[Effect]:
        """Carry wishes to the headset, its state to the shadow, and send what is due."""
        effects: list[Effect] = []
        if self._desired is None or difference(self._desired, self._shadow.desired):
            self._desired = dict(self._shadow.desired)
            effects += self._judge(now)
        data, changes = self._headset.poll(now.mono_s)
        effects += self._follow(changes, now)
        if data:
            effects.append(WriteLine(data))
        effects += self._end_batch(now)
        self._shadow.report(self._reported)
        return effects + self._shadow.poll(now.mono_s)

    def _end_batch(self, now: Instant, *, force: bool = False) -> list[Effect]:
        batch = self._batcher.close(now, force=force)
        return [Keep("telemetry", batch)] if batch is not None else []

    def _judge(self, now: Instant) -> list[Effect]:
        before, self._judgement = self._judgement, judge(self._desired or {})
        self._refused.clear()
        self._headset.want(self._judgement.settings)
        self._report_rejected()
        effects: list[Effect] = []
        for name, rejection in self._judgement.rejected.items():
            if before.rejected.get(name) != rejection:
                effects += self._refusal(name, rejection, now)
        return effects

    def _refusal(self, name: str, rejection: Rejection, now: Instant) -> list[Effect]:
        data = {"property": name, "value": rejection.value, "reason": rejection.reason}
        message = f"desired {name} = {rejection.value!r} is refused: {rejection.reason}"
        return [
            Say(Level.WARNING, message, data),
            self._event(now, Level.WARNING, "setting_rejected", message, data),
        ]

    def _report_rejected(self) -> None:
        rejected = {**self._judgement.rejected, **self._refused}
        if rejected:
            self._reported["rejected"] = {name: {"value": r.value, "reason": r.reason} for name, r in rejected.items()}
        else:
            self._reported.pop("rejected", None)

    def _follow(self, changes: list[Change], now: Instant) -> list[Effect]:
        effects: list[Effect] = []
        for change in changes:
            match change:
                case Telemetry(message):
                    self._batcher.add(message, now)
                    effects += self._hear(message, now)
                case HeadsetUp(about):
                    effects += self._up(about, now)
                case HeadsetDown(reason):
                    effects += self._link(now, Level.WARNING, "link_lost", reason)
                case HeadsetIncompatible(reason):
                    effects += self._link(now, Level.ERROR, "headset_incompatible", reason)
                case HeadsetRestarted():
                    effects += self._tell(now, Level.WARNING, "headset_restarted", "the headset restarted")
                case SettingsInForce(settings):
                    effects += self._in_force(settings)
                case SettingRefused(settings, reason):
                    effects += self._refused_by_headset(settings, reason, now)
                case FaultRecorded(statistics):
                    effects += self._fault(statistics, now)
                case Trouble(reason):
                    effects.append(Say(Level.WARNING, reason))
        return effects

    def _hear(self, message: wire.Message, now: Instant) -> list[Effect]:
        match message:
            case wire.Event():
                return self._device_event(message, now)
            case wire.Emergency():
                return self._emergency(message, now)
            case wire.Classification():
                found = self._classification.take(message, now.mono_s)
                if found is not None:
                    self._reported["classifier"] = found
        return []

    def _emergency(self, found: wire.Emergency, now: Instant) -> list[Effect]:
        """Ahead of everything else: somebody may have to act."""
        begins = found.state is wire.EmergencyState.CONFIRMED
        kind = found.kind.name.lower()
        message = f"emergency: {kind}, confidence {found.confidence:.2f}" if begins else f"emergency over: {kind}"
        data = {**message_data(found), "model": model_name(found.model)}
        level, name = (Level.ERROR, "emergency") if begins else (Level.INFO, "emergency_over")
        event = self._event(now, level, name, message, data)
        return [Keep(event.stream, event.document, urgent=True), Say(level, message, data)]

    def _up(self, about: wire.AboutReply, now: Instant) -> list[Effect]:
        firmware = {"spec": about.spec, "version": about.version, "build_id": about.build_id.hex()}
        self._reported |= {"firmware": firmware, "link": "up"}
        self._link_told = "link_restored"
        return self._tell(now, Level.INFO, "link_restored", f"headset {about.spec} {about.version} answers", firmware)

    def _link(self, now: Instant, level: Level, kind: str, reason: str) -> list[Effect]:
        """One event per loss; how the reason changes meanwhile is for the log."""
        self._reported["link"] = "down"
        self._reported.pop("classifier", None)
        self._classification.forget()
        told, self._link_told = self._link_told, kind
        return [Say(level, reason)] if told == kind else self._tell(now, level, kind, reason)

    def _in_force(self, settings: Settings) -> list[Effect]:
        before = dict(self._reported)
        if settings.mode is not None and settings.intensity is not None:
            self._reported |= {"mode": settings.mode.name.lower(), "intensity": settings.intensity}
        if settings.period_s is not None:
            self._reported["telemetry"] = {"period_s": settings.period_s}
        change = difference(before, self._reported)
        if not change:
            return []
        words = f"mode {self._reported.get('mode')}, intensity {self._reported.get('intensity')}"
        if settings.period_s is not None:
            words += f", telemetry every {settings.period_s:g} s"
        return [Say(Level.INFO, f"the headset is set to {words}", change)]

    def _refused_by_headset(self, settings: Settings, reason: str, now: Instant) -> list[Effect]:
        wishes: dict[str, object] = {"intensity": settings.intensity}
        wishes["mode"] = settings.mode.name.lower() if settings.mode is not None else None
        effects: list[Effect] = []
        for name, value in wishes.items():
            if value is not None and value != self._reported.get(name):
                self._refused[name] = Rejection(value, reason)
                effects += self._refusal(name, self._refused[name], now)
        self._report_rejected()
        return effects

    def _device_event(self, event: wire.Event, now: Instant) -> list[Effect]:
        name = event.kind.name.lower()
        level = _EVENT_LEVELS.get(event.kind, Level.WARNING)
        where = "" if event.ear is None else f" at ear {event.ear}"
        message = f"{name.replace('_', ' ')}{where}: mode {event.mode.name.lower()}, value {event.value}"
        return self._tell(now, level, name, message, message_data(event))

    def _fault(self, statistics: wire.StatisticsReply, now: Instant) -> list[Effect]:
        fault = {key: value for key, value in statistics.to_map().items() if key.startswith("fault")}
        where = f"0x{statistics.fault_pc:08x}" if statistics.fault_pc else "an unknown address"
        message = f"the headset came back from fault {statistics.faults} since power-on, the last at {where}"
        return self._tell(now, Level.ERROR, "fault_recorded", message, fault)

    def _tell(
        self, now: Instant, level: Level, kind: str, message: str, data: Mapping[str, object] | None = None
    ) -> list[Effect]:
        return [Say(level, message, data or {}), self._event(now, level, kind, message, data or {})]

    def _event(self, now: Instant, level: Level, kind: str, message: str, data: Mapping[str, object]) -> Keep:
        document = {"schema": SCHEMA, "at_ms": now.unix_ms, "level": str(level), "kind": kind, "message": message}
        return Keep("events", {**document, "data": dict(data)})
