"""The agent's configuration file."""

import re
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from hushkit_agent.cloud.endpoint import Endpoint
from hushkit_agent.errors import ConfigError

_THING: Final = re.compile(r"[a-zA-Z0-9:_-]{1,128}")
_KEYS: Final[dict[str, dict[str, type]]] = {
    "cloud": {"endpoint": str, "ca": str, "cert": str, "key": str},
    "headset": {"serial": str, "baud": int, "timeout_s": float},
    "telemetry": {"batch_s": float, "spool": str, "spool_mib": float},
}
_REQUIRED: Final = (
    "thing", "cloud.endpoint", "cloud.ca", "cloud.cert", "cloud.key", "headset.serial", "telemetry.spool",
)  # fmt: skip
_LIMITS: Final = {
    "headset.baud": (1200, 12_000_000),
    "headset.timeout_s": (0.05, 60),
    "telemetry.batch_s": (0.1, 60),
    "telemetry.spool_mib": (0.1, 100_000),
}


@dataclass(frozen=True, slots=True)
class Config:
    """One agent's configuration; paths are absolute."""

    thing: str
    endpoint: Endpoint
    serial: str
    baud: int
    timeout_s: float
    batch_s: float
    spool: Path
    spool_bytes: int


def load_config(file: Path) -> Config:
    """Read a configuration file; relative paths in it are relative to its directory.

    Raises:
        ConfigError: Lists every fault of the file.
    """
    try:
        table = tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as err:
        raise ConfigError(f"{file}: {err.strerror}; give the agent's TOML file with --config") from err
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as err:
        raise ConfigError(f"{file}: not TOML: {err}") from err
    faults = _faults(table)
    if faults:
        raise ConfigError(f"{file}: " + "; ".join(faults))
    return _build(table, file.absolute().parent)


def _faults(table: dict[str, Any]) -> list[str]:
    faults = []
    for section, body in table.items():
        if section == "thing":
            continue
        if section not in _KEYS or not isinstance(body, dict):
            faults.append(f"{section} is unknown; expected thing, {', '.join(f'[{name}]' for name in _KEYS)}")
            continue
        faults += [fault for key, value in body.items() if (fault := _key_fault(section, key, value))]
    faults += [f"{name} is missing" for name in _REQUIRED if _find(table, name) is None]
    thing = table.get("thing", "x")
    if not isinstance(thing, str) or not _THING.fullmatch(thing):
        faults.append(f"thing is {thing!r}; expected 1 to 128 of a-z A-Z 0-9 : _ -")
    endpoint = _find(table, "cloud.endpoint")
    if isinstance(endpoint, str) and not _split_endpoint(endpoint):
        faults.append(f"cloud.endpoint is {endpoint!r}; expected HOST or HOST:PORT")
    return faults


def _key_fault(section: str, key: str, value: object) -> str:
    name = f"{section}.{key}"
    kind = _KEYS[section].get(key)
    if kind is None:
        return f"{name} is unknown; expected {', '.join(_KEYS[section])}"
    if isinstance(value, bool) or not isinstance(value, (int, float) if kind is float else kind):
        return f"{name} is {value!r}; expected {'a number' if kind is not str else 'text'}"
    if isinstance(value, int | float) and name in _LIMITS:
        low, high = _LIMITS[name]
        return "" if low <= value <= high else f"{name} is {value}; expected {low} to {high}"
    return ""


def _find(table: dict[str, Any], name: str) -> Any:
    section, _, key = name.rpartition(".")
    body = table.get(section) if section else table
    return body.get(key) if isinstance(body, dict) else None


def _split_endpoint(text: str) -> tuple[str, int] | None:
    host, _, port = text.partition(":")
    if not host or (port and not port.isdecimal()):
        return None
    return host, int(port or 8883)


def _build(table: dict[str, Any], directory: Path) -> Config:
    cloud, headset, telemetry = table["cloud"], table["headset"], table["telemetry"]
    address = _split_endpoint(cloud["endpoint"])
    assert address is not None
    files = {name: directory / cloud[name] for name in ("ca", "cert", "key")}
    return Config(
        thing=table["thing"],
        endpoint=Endpoint(address[0], address[1], files["ca"], files["cert"], files["key"]),
        serial=headset["serial"],
        baud=headset.get("baud", 115200),
        timeout_s=float(headset.get("timeout_s", 0.5)),
        batch_s=float(telemetry.get("batch_s", 1.0)),
        spool=directory / telemetry["spool"],
        spool_bytes=round(telemetry.get("spool_mib", 64) * (1 << 20)),
    )
