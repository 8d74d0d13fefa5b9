"""The MQTT 5 connection to AWS IoT Core, or to the local one: connects for ever, subscribes at each connection.

The SDK's own offline queue is memory only, so it is switched off: what must arrive stays in the spool until it is
acknowledged.
"""

import threading
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

from awscrt import mqtt5
from awscrt.exceptions import AwsCrtError
from awsiot import mqtt5_client_builder

from hushkit_agent.cloud.endpoint import Endpoint
from hushkit_agent.core.effects import Publish
from hushkit_agent.errors import CloudError

KEEP_ALIVE_S: Final = 30  # the least AWS IoT Core allows: a dead connection is noticed within 40 s
PING_TIMEOUT_MS: Final = 10_000
ACK_TIMEOUT_S: Final = 20
SESSION_EXPIRY_S: Final = 3600  # AWS IoT Core's default limit
_AGAIN_FIRST_MS: Final = 500
_AGAIN_MOST_MS: Final = 10_000
_GRANTED: Final = 2  # SUBACK reason codes up to QoS 2 are successes
_STOP_S: Final = 3.0


@dataclass(frozen=True, slots=True)
class CloudUp:
    """Connected, and every subscription is granted.

    Attributes:
        keep_alive_s: As negotiated.
        session_expiry_s: As negotiated.
    """

    keep_alive_s: int
    session_expiry_s: int


@dataclass(frozen=True, slots=True)
class CloudDown:
    """No connection; the client goes on trying."""

    reason: str


@dataclass(frozen=True, slots=True)
class CloudRefused:
    """Connected, but a subscription was refused: the policy does not fit."""

    reason: str


@dataclass(frozen=True, slots=True)
class CloudMessage:
    """A message on a subscribed topic."""

    topic: str
    payload: bytes


@dataclass(frozen=True, slots=True)
class Delivered:
    """The broker acknowledged a publish; ``token`` as given."""

    token: int


@dataclass(frozen=True, slots=True)
class Refused:
    """The broker has no place for a publish: the policy or a quota."""

    token: int
    reason: str


@dataclass(frozen=True, slots=True)
class Undelivered:
    """A publish was lost with the connection."""

    token: int


CloudEvent = CloudUp | CloudDown | CloudRefused | CloudMessage | Delivered | Refused | Undelivered


class CloudClient:
    """One connection.

    Args:
        thing: Thing name and client id.
        topics: Subscribed at each connection; at most 8, AWS IoT Core's limit for one request.
        will: Published by the broker when the connection is lost.
        emit: Called from the SDK's thread with each event; must not block.

    Raises:
        CloudError: Certificate or key cannot be used.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        thing: str,
        *,
        topics: tuple[str, ...],
        will: Publish,
        emit: Callable[[CloudEvent], None],
    ) -> None:
        self._topics = topics
        self._emit = emit
        self._stopped = threading.Event()
        self._negotiated: mqtt5.NegotiatedSettings | None = None
        try:
            self._client = mqtt5_client_builder.mtls_from_path(
                cert_filepath=str(endpoint.cert),
                pri_key_filepath=str(endpoint.key),
                ca_filepath=str(endpoint.ca),
                endpoint=endpoint.host,
                port=endpoint.port,
                client_id=thing,
                keep_alive_interval_sec=KEEP_ALIVE_S,
                ping_timeout_ms=PING_TIMEOUT_MS,
                ack_timeout_sec=ACK_TIMEOUT_S,
                session_expiry_interval_sec=SESSION_EXPIRY_S,
                session_behavior=mqtt5.ClientSessionBehaviorType.REJOIN_ALWAYS,
                offline_queue_behavior=mqtt5.ClientOperationQueueBehaviorType.FAIL_ALL_ON_DISCONNECT,
                retry_jitter_mode=mqtt5.ExponentialBackoffJitterMode.FULL,
                min_reconnect_delay_ms=_AGAIN_FIRST_MS,
                max_reconnect_delay_ms=_AGAIN_MOST_MS,
                # awscrt 0.36 takes this one for the first delay, and the one above for this: give both the same value.
                min_connected_time_to_reset_reconnect_delay_ms=_AGAIN_FIRST_MS,
                will=_packet(will),
                enable_metrics_collection=False,
                on_publish_received=self._received,
                on_lifecycle_connection_success=self._connected,
                on_lifecycle_connection_failure=self._failed,
                on_lifecycle_disconnection=self._lost,
                on_lifecycle_stopped=lambda _data: self._stopped.set(),
            )
        except (AwsCrtError, OSError, ValueError) as err:
            raise CloudError(
                f"cloud: {err}; expected PEM files that belong together: {endpoint.cert}, {endpoint.key}, {endpoint.ca}"
            ) from err

    def start(self) -> None:
        """Begin to connect."""
        self._client.start()

    def publish(self, publish: Publish, token: int | None = None) -> None:
        """Publish at QoS 1; with a ``token``, its end is told by `Delivered`, `Refused` or `Undelivered`."""
        try:
            future = self._client.publish(_packet(publish))
        except AwsCrtError:
            if token is not None:
                self._emit(Undelivered(token))
            return
        if token is not None:
            future.add_done_callback(lambda done: self._published(done, token))

    def subscribe(self) -> None:
        """Ask for all subscriptions; ends in `CloudUp` or `CloudRefused`."""
        packet = mqtt5.SubscribePacket([mqtt5.Subscription(topic, mqtt5.QoS.AT_LEAST_ONCE) for topic in self._topics])
        try:
            future = self._client.subscribe(packet)
        except AwsCrtError as err:
            self._emit(CloudRefused(f"subscribe failed: {err}"))
            return
        future.add_done_callback(self._subscribed)

    def stop(self, farewell: Publish) -> None:
        """Publish ``farewell`` and disconnect; waits at most a few seconds for both."""
        with suppress(AwsCrtError, TimeoutError):  # not connected: the last will speaks
            self._client.publish(_packet(farewell)).result(timeout=_STOP_S)
        self._client.stop(mqtt5.DisconnectPacket(reason_code=mqtt5.DisconnectReasonCode.NORMAL_DISCONNECTION))
        self._stopped.wait(_STOP_S)

    def _connected(self, data: mqtt5.LifecycleConnectSuccessData) -> None:
        # Subscriptions may be gone after a broker's restart even when it says that the session is present.
        self._negotiated = data.negotiated_settings
        self.subscribe()

    def _subscribed(self, future: "Future[mqtt5.SubackPacket]") -> None:
        error = future.exception()
        if error is not None:
            self._emit(CloudRefused(f"subscribe failed: {error}"))
            return
        codes = [int(code) for code in future.result().reason_codes]
        refused = [topic for topic, code in zip(self._topics, codes, strict=True) if code > _GRANTED]
        if refused:
            self._emit(CloudRefused(f"not allowed to subscribe to {', '.join(refused)}: check the thing's policy"))
            return
        settings = self._negotiated
        assert settings is not None
        self._emit(CloudUp(settings.server_keep_alive_sec, settings.session_expiry_interval_sec))

    def _failed(self, data: mqtt5.LifecycleConnectFailureData) -> None:
        packet: Any = data.connack_packet
        reason = f"refused: {packet.reason_code.name}" if packet is not None else str(data.exception)
        self._emit(CloudDown(f"cannot connect: {reason}"))

    def _lost(self, data: mqtt5.LifecycleDisconnectData) -> None:
        packet: Any = data.disconnect_packet
        reason = packet.reason_code.name if packet is not None else str(data.exception)
        self._emit(CloudDown(f"connection lost: {reason}"))

    def _received(self, data: mqtt5.PublishReceivedData) -> None:
        packet: Any = data.publish_packet
        self._emit(CloudMessage(packet.topic, bytes(packet.payload or b"")))

    def _published(self, future: "Future[mqtt5.PublishCompletionData]", token: int) -> None:
        if future.exception() is not None:
            self._emit(Undelivered(token))
            return
        code: Any = getattr(future.result().puback, "reason_code", None)
        failed = code is not None and int(code) >= 0x80
        self._emit(Refused(token, code.name) if failed else Delivered(token))


def _packet(publish: Publish) -> mqtt5.PublishPacket:
    return mqtt5.PublishPacket(
        topic=publish.topic, payload=publish.payload, qos=mqtt5.QoS.AT_LEAST_ONCE, retain=publish.retain
    )
