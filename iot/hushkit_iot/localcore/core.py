"""One local IoT Core in one directory: start, stop, repair, issue things."""

from dataclasses import dataclass
from pathlib import Path
from types import TracebackType


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
    """Who answers: ``broker`` is mosquitto, ``engine`` is the shadow engine with the HTTPS plane."""

    broker: bool
    engine: bool

    @property
    def healthy(self) -> bool:
        """True when everything answers."""
        return self.broker and self.engine


class LocalCore:
    """A local IoT Core whose state lives in one directory.

    ``start`` repairs: it leaves what runs alone and starts what is down, so it is also the way back after the broker was
    killed. Used as a context manager it starts on entry and stops on exit.

    Args:
        directory: Certificates, configuration, logs, pid files and the shadow database.
        mqtt_port: Port of the broker on 127.0.0.1; 0 picks a free one, which the directory then remembers.
        https_port: Port of the data and control plane; 0 picks a free one.
        things: Things to create at start, with certificates.

    Raises:
        LocalCoreError: From every method: port taken, mosquitto absent, something does not answer.
    """

    def __init__(self, directory: Path, *, mqtt_port: int = 8883, https_port: int = 8443, things: tuple[str, ...] = ()):
        self.directory = directory
        self.things = things
        self._mqtt_port = mqtt_port
        self._https_port = https_port

    @property
    def mqtt_endpoint(self) -> tuple[str, int]:
        """Host name and port of the broker (TLS, client certificate required)."""
        raise NotImplementedError

    @property
    def https_endpoint(self) -> str:
        """URL for boto3's ``endpoint_url``, for ``iot``, ``iot-data`` and ``dynamodb`` alike."""
        raise NotImplementedError

    @property
    def ca_file(self) -> Path:
        """PEM of the authority that signed the servers' and the things' certificates."""
        raise NotImplementedError

    def issue_thing(self, name: str) -> ThingCredentials:
        """Create the thing when it is new and return its credentials; valid ones are reused."""
        raise NotImplementedError

    def start(self) -> None:
        """Start what is down and return when all of it answers."""
        raise NotImplementedError

    def stop(self) -> None:
        """Stop exactly what was started from this directory."""
        raise NotImplementedError

    def status(self) -> CoreStatus:
        """Ask both servers."""
        raise NotImplementedError

    def start_broker(self) -> None:
        """Start the broker alone when it is down."""
        raise NotImplementedError

    def stop_broker(self, *, kill: bool = False) -> None:
        """Stop the broker alone; ``kill`` sends SIGKILL, as a power cut would."""
        raise NotImplementedError

    def __enter__(self) -> "LocalCore":
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
