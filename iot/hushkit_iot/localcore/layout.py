"""Where a local core keeps its files, and the profile that tells the fleet tools how to reach it."""

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

from hushkit_iot.errors import LocalCoreError

ENVIRONMENT = "HUSHKIT_CLOUD"
"""Names the directory of the local core that commands use."""

REGION = "local"
"""The region boto3 signs for; the local core takes any."""

BROKER = "broker"
"""Stem of the broker's process and certificate files."""

ENGINE = "engine"
"""Stem of the engine's process and server certificate files; as a client of the broker it has its own."""


@dataclass(frozen=True, slots=True)
class Layout:
    """The files below one directory."""

    directory: Path

    @property
    def profile(self) -> Path:
        """Ports and the access key; readable by the owner alone."""
        return self.directory / "cloud.json"

    @property
    def ca_cert(self) -> Path:
        """Certificate of the authority."""
        return self.directory / "ca.pem"

    @property
    def ca_key(self) -> Path:
        """Private key of the authority."""
        return self.directory / "ca.key"

    @property
    def database(self) -> Path:
        """Things, shadows, history."""
        return self.directory / "core.sqlite"

    def identity(self, name: str) -> tuple[Path, Path]:
        """Certificate and private key of a server, the engine, the operator or (below ``things``) a headset."""
        return self.directory / f"{name}.pem", self.directory / f"{name}.key"

    def thing(self, name: str) -> tuple[Path, Path]:
        """Certificate and private key of a headset."""
        return self.identity(f"things/{name}")


@dataclass(frozen=True, slots=True)
class Profile:
    """How to reach a local core."""

    host: str
    mqtt_port: int
    https_port: int
    access_key: str
    secret_key: str

    @property
    def endpoint_url(self) -> str:
        """For boto3's ``endpoint_url``."""
        return f"https://{self.host}:{self.https_port}"


def default_directory() -> Path:
    """``$HUSHKIT_CLOUD``, else ``hushkit/cloud`` below the state directory (XDG base directory specification)."""
    named = os.environ.get(ENVIRONMENT)
    state = os.environ.get("XDG_STATE_HOME")
    return Path(named) if named else (Path(state) if state else Path.home() / ".local/state") / "hushkit/cloud"


def read_profile(directory: Path) -> Profile | None:
    """Read the profile; None when the directory never held a core.

    Raises:
        LocalCoreError: The file is damaged.
    """
    file = Layout(directory).profile
    try:
        return Profile(**json.loads(file.read_text()))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError) as err:
        raise LocalCoreError(
            f"{file}: not a local core's profile ({err}); remove it and run `hushkit cloud up`"
        ) from err


def write_profile(directory: Path, profile: Profile) -> None:
    """Write the profile, readable by the owner alone."""
    write_private(Layout(directory).profile, json.dumps(asdict(profile), indent=2).encode() + b"\n")


def write_private(file: Path, content: bytes) -> None:
    """Replace a file at once, mode 0600 from its first byte on."""
    file.parent.mkdir(parents=True, exist_ok=True)
    fresh = file.with_name(f"{file.name}.new")
    fresh.unlink(missing_ok=True)
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as stream:
        stream.write(content)
    fresh.replace(file)
