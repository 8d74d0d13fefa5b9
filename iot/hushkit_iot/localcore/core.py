"""One local IoT Core in one directory: start, stop, repair, issue things."""

import fcntl
import http.client
import json
import secrets
import socket
import ssl
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType

from hushkit_iot import policy
from hushkit_iot.errors import LocalCoreError
from hushkit_iot.localcore import broker, pki, ports
from hushkit_iot.localcore.daemons import Daemon
from hushkit_iot.localcore.layout import BROKER, ENGINE, Layout, Profile, read_profile, write_private, write_profile
from hushkit_iot.localcore.store import Store
from hushkit_iot.topics import THING_NAME

MQTT_PORT = 8883
HTTPS_PORT = 8443

_ENGINE_MODULE = "hushkit_iot.localcore.engine"
_START_TIMEOUT_S = 20.0
_POLL_S = 0.05
_PROBE_TIMEOUT_S = 2.0


@dataclass(frozen=True, slots=True)
class ThingCredentials:
    """What one thing needs to connect: PEM files, and the broker's address."""

    thing: str
    cert: Path
    key: Path
    ca: Path
    host: str
    port: int


@dataclass(frozen=True, slots=True)
class CoreStatus:
    """Who answers: ``broker`` is mosquitto, ``engine`` the shadow engine and HTTPS plane, ``linked`` both joined."""

    broker: bool
    engine: bool
    linked: bool

    @property
    def healthy(self) -> bool:
        """True when everything answers."""
        return self.broker and self.engine and self.linked


class LocalCore:
    """A local IoT Core whose state lives in one directory.

    ``start`` repairs: it leaves what runs alone and starts what is down, so it is also the way back after the broker or
    the engine was killed. Nothing restarts by itself: a bench that kills a part wants it dead, and ``status`` tells.
    Used as a context manager it starts on entry and stops on exit.

    Args:
        directory: Certificates, configuration, logs, pid files and the database; made when absent.
        mqtt_port: Port of the broker on 127.0.0.1. None: the one the directory remembers, else 8883. 0: a free one,
            unless the directory remembers one.
        https_port: Port of the data and control plane, likewise; 8443 when new.
        things: Things to issue at start.

    Raises:
        LocalCoreError: From every method: port taken, mosquitto absent, something does not answer.
    """

    def __init__(
        self,
        directory: Path,
        *,
        mqtt_port: int | None = None,
        https_port: int | None = None,
        things: tuple[str, ...] = (),
    ):
        self.directory = directory.absolute()
        self.things = things
        self._layout = Layout(self.directory)
        self._wanted_ports = (mqtt_port, https_port)
        self._broker = Daemon(self.directory, BROKER)
        self._engine = Daemon(self.directory, ENGINE)

    @property
    def profile(self) -> Profile:
        """Ports and access key, as the fleet tools read them."""
        profile = read_profile(self.directory)
        if profile is None:
            raise LocalCoreError(f"{self.directory}: no local core was ever started here; run `hushkit cloud up`")
        return profile

    @property
    def mqtt_endpoint(self) -> tuple[str, int]:
        """Host name and port of the broker (TLS, client certificate required)."""
        return self.profile.host, self.profile.mqtt_port

    @property
    def https_endpoint(self) -> str:
        """URL for boto3's ``endpoint_url``, for ``iot``, ``iot-data`` and ``dynamodb`` alike."""
        return self.profile.endpoint_url

    @property
    def ca_file(self) -> Path:
        """PEM of the authority that signed the servers' and the things' certificates."""
        return self._layout.ca_cert

    @property
    def operator(self) -> ThingCredentials:
        """Credentials that may publish and subscribe everywhere, for an operator's MQTT client."""
        return self._credentials(policy.OPERATOR, self._layout.identity(policy.OPERATOR))

    def issue_thing(self, name: str) -> ThingCredentials:
        """Create the thing when it is new and return its credentials; valid ones are reused. The core may be down."""
        if not THING_NAME.fullmatch(name) or name in {policy.ENGINE, policy.OPERATOR}:
            raise LocalCoreError(f"thing name: found {name!r}, expected 1 to 128 of a-z A-Z 0-9 : _ -")
        files = self._layout.thing(name)
        if not self._layout.ca_cert.exists():
            raise LocalCoreError(f"{self.directory}: no authority here yet; run `hushkit cloud up`")
        pki.ensure_client(self._layout, files, name, datetime.now(UTC))
        with closing(Store(self._layout.database)) as store, store.transaction():
            store.add_thing(name)
        return self._credentials(name, files)

    def start(self) -> None:
        """Start what is down and return when all of it answers."""
        with self._alone():
            self._prepare()
            self.start_broker()
            self.start_engine()
            self._await("engine", self._engine, lambda: self.status().healthy)

    def stop(self) -> bool:
        """Stop exactly what was started from this directory; False when nothing ran."""
        if not self.directory.is_dir():
            return False
        with self._alone():
            return self._stop_both()

    def status(self) -> CoreStatus:
        """Ask both servers."""
        profile = self.profile
        broker_answers = self._broker.pid() is not None and self._broker_answers(profile)
        health = self._engine_health(profile) if self._engine.pid() is not None else None
        return CoreStatus(broker_answers, health is not None, bool(health and health.get("broker")))

    def start_broker(self) -> None:
        """Start the broker alone when it is down, and wait until it answers."""
        if self._broker.pid() is None:
            program = broker.program()
            _claim(self.profile.mqtt_port, "--port", "the broker")
            self._broker.start([program, "-c", str(self.directory / "mosquitto.conf")])
        self._await("broker", self._broker, lambda: self._broker_answers(self.profile))

    def stop_broker(self, *, kill: bool = False) -> bool:
        """Stop the broker alone; ``kill`` sends SIGKILL, as a power cut would. False when it was down."""
        return self._broker.stop(kill=kill)

    def start_engine(self) -> None:
        """Start the engine alone when it is down, and wait until it answers."""
        if self._engine.pid() is None:
            _claim(self.profile.https_port, "--https-port", "the data and control plane")
            self._engine.start([sys.executable, "-m", _ENGINE_MODULE, str(self.directory)])
        self._await("engine", self._engine, lambda: self._engine_health(self.profile) is not None)

    def stop_engine(self, *, kill: bool = False) -> bool:
        """Stop the engine alone; ``kill`` sends SIGKILL, as a power cut would. False when it was down."""
        return self._engine.stop(kill=kill)

    def __enter__(self) -> "LocalCore":
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Keep two commands from starting or stopping one core at the same time."""
        try:
            self.directory.mkdir(parents=True, exist_ok=True, mode=0o700)
            lock = (self.directory / "lock").open("w")
        except OSError as err:
            raise LocalCoreError(f"{self.directory}: {err.strerror}; choose another --directory") from err
        with lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _stop_both(self) -> bool:
        engine_ran = self._engine.stop()
        return self._broker.stop() or engine_ran

    def _prepare(self) -> None:
        """Write profile, certificates and configuration; servers with outdated certificates are restarted."""
        known = read_profile(self.directory)
        profile = self._choose_profile(known)
        if self._broker.pid() is None or (known and known.mqtt_port != profile.mqtt_port):
            _claim(profile.mqtt_port, "--port", "the broker")
        if self._engine.pid() is None or (known and known.https_port != profile.https_port):
            _claim(profile.https_port, "--https-port", "the data and control plane")
        renewed = self._renew_certificates()
        configuration = broker.configuration(self._layout, profile.mqtt_port)
        files = {"mosquitto.conf": configuration, "acl": policy.mosquitto_acl()}
        current = {name: _text(self.directory / name) for name in files}
        if renewed or files != current or profile != known:
            self._stop_both()
        write_profile(self.directory, profile)
        for name, text in files.items():
            write_private(self.directory / name, text.encode())
        for thing in self.things:
            self.issue_thing(thing)

    def _choose_profile(self, known: Profile | None) -> Profile:
        chosen = known or Profile("localhost", 0, 0, secrets.token_hex(10).upper(), secrets.token_urlsafe(30))
        mqtt_port, https_port = self._wanted_ports
        return replace(
            chosen,
            mqtt_port=_choose_port(mqtt_port, chosen.mqtt_port, MQTT_PORT, running=self._broker.pid() is not None),
            https_port=_choose_port(https_port, chosen.https_port, HTTPS_PORT, running=self._engine.pid() is not None),
        )

    def _renew_certificates(self) -> bool:
        layout, now = self._layout, datetime.now(UTC)
        made = [
            pki.ensure_authority(layout, now),
            pki.ensure_server(layout, BROKER, now),
            pki.ensure_server(layout, ENGINE, now),
            pki.ensure_client(layout, layout.identity(policy.ENGINE), policy.ENGINE, now),
            pki.ensure_client(layout, layout.identity(policy.OPERATOR), policy.OPERATOR, now),
        ]
        for key in sorted(self.directory.glob("things/*.key")):
            pki.ensure_client(layout, layout.thing(key.stem), key.stem, now)
        return any(made)

    def _await(self, name: str, daemon: Daemon, ready: Callable[[], bool]) -> None:
        deadline = time.monotonic() + _START_TIMEOUT_S
        while not ready():
            if daemon.pid() is None:
                raise LocalCoreError(f"the {name} ended at once: {daemon.last_words()}; see {daemon.log_file}")
            if time.monotonic() > deadline:
                raise LocalCoreError(
                    f"the {name} runs but has not answered for {_START_TIMEOUT_S:.0f} s; see {daemon.log_file}"
                )
            time.sleep(_POLL_S)

    def _broker_answers(self, profile: Profile) -> bool:
        """True when the broker completes a TLS handshake with a certificate of ours."""
        context = self._client_context()
        context.load_cert_chain(*self._layout.identity(policy.OPERATOR))
        try:
            with (
                socket.create_connection((ports.LOOPBACK, profile.mqtt_port), _PROBE_TIMEOUT_S) as plain,
                context.wrap_socket(plain, server_hostname=profile.host),
            ):
                return True
        except OSError:
            return False

    def _engine_health(self, profile: Profile) -> dict[str, object] | None:
        """What the engine says of itself; None when it does not answer."""
        connection = http.client.HTTPSConnection(
            ports.LOOPBACK, profile.https_port, timeout=_PROBE_TIMEOUT_S, context=self._client_context()
        )
        try:
            connection.request("GET", "/hushkit/health")
            health = json.loads(connection.getresponse().read())
        except (OSError, http.client.HTTPException, ValueError):
            return None
        finally:
            connection.close()
        return health if isinstance(health, dict) else None

    def _client_context(self) -> ssl.SSLContext:
        try:
            return ssl.create_default_context(cafile=self._layout.ca_cert)
        except OSError as err:
            raise LocalCoreError(f"{self._layout.ca_cert}: {err}; run `hushkit cloud up`") from err

    def _credentials(self, name: str, files: tuple[Path, Path]) -> ThingCredentials:
        profile = self.profile
        return ThingCredentials(name, *files, ca=self._layout.ca_cert, host=profile.host, port=profile.mqtt_port)


def _text(file: Path) -> str | None:
    try:
        return file.read_text()
    except FileNotFoundError:
        return None


def _claim(port: int, option: str, user: str) -> None:
    obstacle = ports.obstacle(port)
    if obstacle:
        raise LocalCoreError(
            f"port {port} on {ports.LOOPBACK}, wanted for {user}, {obstacle}; choose another with {option}"
        )


def _choose_port(wanted: int | None, known: int, default: int, *, running: bool) -> int:
    """Pick a port; ``known`` is 0 in a new directory. ``wanted`` 0 takes the known one while it is ours or free."""
    if wanted:
        return wanted
    if wanted is None:
        return known or default
    return known if known and (running or ports.obstacle(known) is None) else ports.free_port()
