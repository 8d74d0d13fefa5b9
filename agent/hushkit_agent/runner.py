"""Runs the agent: one thread decides, the port's and the SDK's threads only put what happens into a queue."""

import logging
import math
import queue
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from typing import Final

from hushkit_agent.cloud.client import (
    CloudClient,
    CloudDown,
    CloudEvent,
    CloudMessage,
    CloudRefused,
    CloudUp,
    Delivered,
    Refused,
    Undelivered,
)
from hushkit_agent.config import Config
from hushkit_agent.core.agent import Agent, Identity
from hushkit_agent.core.effects import Effect, Instant, Keep, Level, Publish, Say, WriteLine
from hushkit_agent.core.shadow import topics
from hushkit_agent.device.port import Port, PortBytes, PortClosed, PortEvent, PortOpened
from hushkit_agent.errors import SpoolError
from hushkit_agent.outbox import Outbox
from hushkit_agent.spool import Spool

LOG: Final = logging.getLogger("hushkit.agent")
_COMMIT_S: Final = 1.0
_REPORT_S: Final = 60.0
_RESUBSCRIBE_S: Final = 10.0
_LEVELS: Final = {Level.INFO: logging.INFO, Level.WARNING: logging.WARNING, Level.ERROR: logging.ERROR}


@dataclass(frozen=True, slots=True)
class Stop:
    """Somebody wants the agent to end."""


Event = PortEvent | CloudEvent | Stop


def real_instant() -> Instant:
    """Now, on the machine's clocks."""
    return Instant(time.monotonic(), time.time_ns() // 1_000_000)


class Runner:
    """One agent with its port, spool and connection.

    Args:
        config: What to connect with what.
        instant: The clocks.

    Raises:
        SpoolError: The spool cannot be opened.
        CloudError: Certificate or key cannot be used.
    """

    def __init__(self, config: Config, *, instant: Callable[[], Instant] = real_instant) -> None:
        self._instant = instant
        self._events: queue.SimpleQueue[Event] = queue.SimpleQueue()
        identity = Identity(config.thing, version("hushkit"), uuid.uuid4().hex[:12])
        self._agent = Agent(identity, batch_s=config.batch_s, timeout_s=config.timeout_s)
        self._spool = Spool(config.spool, most_bytes=config.spool_bytes)
        self._outbox = Outbox(self._spool, config.thing)
        self._port = Port(config.serial, baud=config.baud, emit=self._events.put)
        will = self._agent.presence(instant(), online=False, reason="last_will")
        self._cloud = CloudClient(
            config.endpoint, config.thing, topics=topics(config.thing), will=will, emit=self._events.put
        )
        self._connected = False
        self._commit_at_s = math.inf
        self._report_at_s = instant().mono_s + _REPORT_S
        self._subscribe_at_s = math.inf
        self._last_words: dict[str, str] = {}

    def stop(self) -> None:
        """End soon; may be called from a signal handler or another thread."""
        self._events.put(Stop())

    def run(self) -> None:
        """Run until `stop`."""
        LOG.info("started; %d messages wait in the spool", self._spool.depth())
        self._port.start()
        self._cloud.start()
        try:
            while self._step():
                pass
        finally:
            self._port.stop()
            self._finish()
            self._spool.close()
            LOG.info("stopped; %d messages delivered", self._outbox.delivered)

    def _step(self) -> bool:
        """Take one event, or notice that time has passed; False when the agent shall end."""
        wait_s = min(max(0.0, self._deadline_s() - self._instant().mono_s), _REPORT_S)
        try:
            event = self._events.get(timeout=wait_s)
        except queue.Empty:
            event = None
        now = self._instant()
        if isinstance(event, Stop):
            return False
        self._carry_out(self._react(event, now) if event is not None else self._agent.tick(now), now)
        self._keep_house(now)
        return True

    def _deadline_s(self) -> float:
        return min(self._agent.deadline_s(), self._commit_at_s, self._report_at_s, self._subscribe_at_s)

    def _react(self, event: Event, now: Instant) -> list[Effect]:
        match event:
            case PortOpened():
                return self._agent.line_opened(now)
            case PortClosed(reason):
                return self._agent.line_closed(reason, now)
            case PortBytes(data):
                LOG.debug("line in  %r", data)
                return self._agent.line_bytes(data, now)
            case CloudMessage(topic, payload):
                LOG.debug("cloud in  %s %s", topic, payload)
                return self._agent.cloud_message(topic, payload, now)
            case Delivered(token):
                self._outbox.delivered_one(token)
            case Undelivered(token):
                self._outbox.undelivered_one(token)
            case Refused(token, reason):
                self._outbox.refused_one(token, now.mono_s)
                self._say_once(
                    "refused", f"the broker refuses telemetry: {reason}; check the thing's policy and quotas"
                )
            case _:
                return self._react_to_connection(event, now)
        return []

    def _react_to_connection(self, event: Event, now: Instant) -> list[Effect]:
        match event:
            case CloudUp(keep_alive_s, session_expiry_s):
                LOG.info("connected (keep-alive %d s, session kept %d s)", keep_alive_s, session_expiry_s)
                self._last_words.clear()
                self._outbox.connected()
                self._subscribe_at_s = math.inf
                return self._agent.cloud_connected(now)
            case CloudDown(reason):
                self._say_once("cloud", f"{reason}; telemetry waits in the spool")
                self._outbox.disconnected()
                self._subscribe_at_s = math.inf
                return self._agent.cloud_disconnected(now)
            case CloudRefused(reason):
                self._say_once("subscribe", reason)
                self._subscribe_at_s = now.mono_s + _RESUBSCRIBE_S
        return []

    def _carry_out(self, effects: list[Effect], now: Instant) -> None:
        for effect in effects:
            match effect:
                case WriteLine(data):
                    LOG.debug("line out %r", data)
                    self._port.write(data)
                case Publish(topic, payload):
                    LOG.debug("cloud out %s %s", topic, payload)
                    self._cloud.publish(effect)
                case Keep(stream, document, urgent):
                    self._spool.keep(stream, document, urgent=urgent)
                    # A batch is a second old already; an event may wait for company, an emergency may not.
                    at_s = now.mono_s + (0.0 if stream == "telemetry" or urgent else _COMMIT_S)
                    self._commit_at_s = min(self._commit_at_s, at_s)
                case Say(level, message):
                    LOG.log(_LEVELS[level], "%s", message)

    def _keep_house(self, now: Instant) -> None:
        if self._spool.is_dirty and math.isinf(self._commit_at_s):
            self._commit_at_s = now.mono_s + _COMMIT_S
        if now.mono_s >= self._commit_at_s:
            self._commit(now)
        for sending in self._outbox.due(now.mono_s):
            LOG.debug("cloud out %s, %d bytes", sending.publish.topic, len(sending.publish.payload))
            self._cloud.publish(sending.publish, sending.token)
        if now.mono_s >= self._subscribe_at_s:
            self._subscribe_at_s = math.inf
            self._cloud.subscribe()
        if now.mono_s >= self._report_at_s:
            self._report_at_s = now.mono_s + _REPORT_S
            self._report()

    def _commit(self, now: Instant) -> None:
        try:
            self._spool.commit()
        except SpoolError as err:
            self._say_once("spool", str(err))
            self._commit_at_s = now.mono_s + _COMMIT_S
        else:
            self._commit_at_s = math.inf
            self._forget_words("spool")

    def _report(self) -> None:
        counts = self._agent.headset.counts
        LOG.info(
            "headset %s: %d frames, %d lost, %d corrupt, %d requests repeated; delivered %d, waiting %d",
            self._agent.headset.state.name.lower(), counts.frames, counts.lost_frames, counts.corrupt,
            self._agent.headset.retries, self._outbox.delivered, self._spool.depth(),
        )  # fmt: skip

    def _finish(self) -> None:
        now = self._instant()
        farewell = self._agent.presence(now, online=False, reason="shutdown")
        self._carry_out([effect for effect in self._agent.stop(now) if isinstance(effect, Keep)], now)
        if self._spool.is_dirty:
            self._commit(now)
        self._cloud.stop(farewell)

    def _say_once(self, topic: str, words: str) -> None:
        """A trouble that lasts is logged when it begins or changes, not at every attempt."""
        if self._last_words.get(topic) != words:
            self._last_words[topic] = words
            LOG.warning("%s", words)

    def _forget_words(self, topic: str) -> None:
        self._last_words.pop(topic, None)
