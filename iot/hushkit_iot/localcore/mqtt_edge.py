"""The engine's connection to the broker: requests and headset messages in, answers out."""

import contextlib
import json
import logging
import socket
import ssl
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from hushkit_iot import topics
from hushkit_iot.errors import LocalCoreError
from hushkit_iot.localcore import shadow_service
from hushkit_iot.localcore.engine_jobs import DeviceMessage, HistoryJob, RetainJob, ShadowJob, messages_of
from hushkit_iot.localcore.shadow_service import Outcome, RejectedError, ShadowKey
from hushkit_iot.localcore.store import Retained
from hushkit_iot.localcore.worker import Job
from hushkit_iot.policy import ENGINE

_LOG = logging.getLogger(__name__)

MAX_IN_FLIGHT = 10
"""Unanswered shadow requests of one thing (quota "in-flight, unacknowledged messages per thing"); more get 429."""

_RETRY_S = 2.0

_SUBSCRIPTIONS = [
    f"{prefix}/{operation}"
    for prefix in (topics.shadow("+"), topics.shadow("+", "+"))
    for operation in topics.SHADOW_OPERATIONS
] + [topics.status("+"), topics.telemetry("+"), topics.events("+")]


@dataclass(frozen=True, slots=True)
class BrokerAddress:
    """Where the broker listens and with what the engine proves who it is."""

    host: str
    port: int
    ca: Path
    cert: Path
    key: Path


class InFlight:
    """Counts each thing's unanswered requests; used from several threads."""

    def __init__(self, limit: int = MAX_IN_FLIGHT):
        self._limit = limit
        self._counts: Counter[str] = Counter()
        self._lock = threading.Lock()

    def enter(self, thing: str) -> bool:
        """Count one more; False when that is one too many. Every call is paired with a ``leave``."""
        with self._lock:
            self._counts[thing] += 1
            return self._counts[thing] <= self._limit

    def leave(self, thing: str) -> None:
        """Count one less."""
        with self._lock:
            self._counts -= Counter([thing])  # drops what reaches zero


class MqttEdge:
    """Bridges the broker and the worker.

    Args:
        address: The broker.
        submit: Hands a job to the worker.
        heard: Told about every thing that published something itself.
        connected: Called on each connection, after the subscriptions were sent.
    """

    def __init__(
        self,
        address: BrokerAddress,
        *,
        submit: Callable[[Job], None],
        heard: Callable[[str], None],
        connected: Callable[[], None],
    ):
        self._address = address
        self._submit = submit
        self._heard = heard
        self._connected = connected
        self._in_flight = InFlight()
        # A persistent session: while the engine is away the broker keeps what things ask.
        self._client = mqtt.Client(CallbackAPIVersion.VERSION2, ENGINE, clean_session=False, manual_ack=True)
        self._client.max_inflight_messages_set(1000)
        self._client.reconnect_delay_set(min_delay=1, max_delay=4)
        context = ssl.create_default_context(cafile=address.ca)
        context.load_cert_chain(address.cert, address.key)
        self._client.tls_set_context(context)
        self._client.on_socket_open = _send_at_once
        self._client.on_connect = self._on_connect
        self._client.on_message = self._on_message

    @property
    def is_connected(self) -> bool:
        """True while the broker answers."""
        return self._client.is_connected()

    def start(self) -> None:
        """Connect in the background, and again whenever the broker comes back."""
        self._client.connect_async(self._address.host, self._address.port, keepalive=30)
        self._client.loop_start()

    def close(self) -> None:
        """Disconnect."""
        self._client.disconnect()
        self._client.loop_stop()

    def publish(self, topic: str, payload: bytes, *, qos: int = 1, retain: bool = False) -> None:
        """Publish; queued while the broker is away."""
        self._client.publish(topic, payload, qos=qos, retain=retain)

    def publish_outcome(self, key: ShadowKey, outcome: Outcome) -> None:
        """Publish everything a shadow request led to."""
        prefix = topics.shadow(key.thing, key.name or None)
        for message in messages_of(outcome):
            self.publish(f"{prefix}/{message.topic}", message.payload)

    def declare_offline(self, thing: str) -> None:
        """Replace a stale retained "online"."""
        status = {"online": False, "at_ms": int(time.time() * 1000), "reason": "silent since the broker restarted"}
        self.publish(topics.status(thing), json.dumps(status).encode(), retain=True)

    def _on_connect(
        self,
        client: mqtt.Client,
        userdata: object,
        flags: mqtt.ConnectFlags,
        reason: ReasonCode,
        properties: Properties | None,
    ) -> None:
        del userdata, properties
        if reason.is_failure:
            _LOG.error("broker refused the engine: %s", reason)
            return
        _LOG.info("connected to the broker, session %s", "resumed" if flags.session_present else "new")
        # Always: a restarted broker may resume the session and still have lost subscriptions.
        client.subscribe([(topic, 1) for topic in _SUBSCRIPTIONS])
        self._connected()

    def _on_message(self, client: mqtt.Client, userdata: object, message: mqtt.MQTTMessage) -> None:
        del client, userdata
        try:
            self._dispatch(message)
        except LocalCoreError:
            _LOG.info("stopping; %s stays with the broker", message.topic)

    def _dispatch(self, message: mqtt.MQTTMessage) -> None:
        request = topics.parse_shadow_request(message.topic)
        device = topics.parse_device(message.topic)
        if request:
            self._heard(request.thing)
            self._on_shadow_request(request, message)
        elif device:
            self._on_device_message(device, message)
        else:
            self._acknowledge(message)

    def _on_shadow_request(self, request: topics.ShadowRequestTopic, message: mqtt.MQTTMessage) -> None:
        key = ShadowKey(request.thing, request.shadow or "")
        now = int(time.time())

        def done(outcome: Outcome) -> None:
            self._in_flight.leave(key.thing)
            self.publish_outcome(key, outcome)
            self._acknowledge(message)

        if self._in_flight.enter(key.thing):
            self._submit(ShadowJob(request.operation, key, bytes(message.payload), now, done))
        else:
            done(shadow_service.reject(request.operation, RejectedError(429, "Too Many Requests"), now))

    def _on_device_message(self, device: topics.DeviceTopic, message: mqtt.MQTTMessage) -> None:
        if not message.retain:
            self._heard(device.thing)
        now_ms, payload = int(time.time() * 1000), bytes(message.payload)

        def done() -> None:
            self._acknowledge(message)

        if device.kind == "status":
            self._submit(RetainJob(Retained(message.topic, payload, message.qos, now_ms), done, self._later))
        else:
            self._submit(HistoryJob(DeviceMessage(device.thing, device.kind, payload, now_ms), done, self._later))

    def _later(self, job: Job) -> None:
        """Try again what the database refused; the broker holds back once enough is unacknowledged."""

        def submit() -> None:
            with contextlib.suppress(LocalCoreError):  # stopping: the broker delivers it again
                self._submit(job)

        timer = threading.Timer(_RETRY_S, submit)
        timer.daemon = True
        timer.start()

    def _acknowledge(self, message: mqtt.MQTTMessage) -> None:
        if message.qos > 0:
            self._client.ack(message.mid, message.qos)


def _send_at_once(client: mqtt.Client, userdata: object, connection: object) -> None:
    """Switch Nagle's algorithm off: several small writes in a row would wait 40 ms for a delayed acknowledgement."""
    del client, userdata
    if isinstance(connection, socket.socket):
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
