"""The part of the demo that a fleet operator sees: local IoT Core, agent, shadow, telemetry."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from hushkit_hil.demo.steps import Steps, run_logged
from hushkit_hil.errors import BenchError

THING: Final = "demo-headset"
_POLL_S: Final = 0.1
_STOP_S: Final = 10.0


@dataclass(frozen=True, slots=True)
class Cloud:
    """A running local IoT Core."""

    directory: Path
    host: str
    port: int
    ca: Path
    cert: Path
    key: Path


@contextlib.contextmanager
def local_cloud(steps: Steps, directory: Path) -> Iterator[Cloud]:
    """Start a local IoT Core with one thing on free ports; stop it on leaving."""
    where = ("--directory", str(directory))
    try:
        up = steps.command(
            "cloud-up", "cloud", "up", *where, "--port", "0", "--https-port", "0", "--thing", THING, "--json", "-"
        )
        document = json.loads(up[up.index("{") : up.rindex("}") + 1])
        thing = document["things"][THING]
        yield Cloud(
            directory=directory,
            host=document["mqtt"]["host"],
            port=document["mqtt"]["port"],
            ca=Path(document["ca_file"]),
            cert=Path(thing["cert"]),
            key=Path(thing["key"]),
        )
    finally:
        steps.command("cloud-down", "cloud", "down", *where)


@contextlib.contextmanager
def agent(cloud: Cloud, serial_url: str, directory: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Run the agent between a headset's serial line and the cloud; stop it on leaving."""
    directory.mkdir(parents=True, exist_ok=True)
    config = directory / "agent.toml"
    config.write_text(
        f'thing = "{THING}"\n\n'
        f'[cloud]\nendpoint = "{cloud.host}:{cloud.port}"\n'
        f'ca = "{cloud.ca}"\ncert = "{cloud.cert}"\nkey = "{cloud.key}"\n\n'
        f'[headset]\nserial = "{serial_url}"\n\n'
        f'[telemetry]\nspool = "{directory / "spool.sqlite"}"\n',
        encoding="utf-8",
    )
    with (directory / "agent.log").open("wb") as log:
        command = [sys.executable, "-m", "hushkit", "agent", "run", "--config", str(config)]
        process = subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL)
    try:
        yield process
    finally:
        if process.poll() is None:
            os.kill(process.pid, signal.SIGTERM)
            try:
                process.wait(_STOP_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


@dataclass(frozen=True, slots=True)
class Fleet:
    """The operator's commands against one cloud."""

    cloud: Cloud
    logs: Path

    def _run(self, name: str, *arguments: str) -> Any:
        command = [sys.executable, "-m", "hushkit", "fleet", *arguments]
        out = run_logged([*command, "--directory", str(self.cloud.directory), "--json", "-"], self.logs / f"{name}.log")
        return json.loads(out[: out.rindex("}") + 1] if out.lstrip().startswith("{") else out)

    def show(self) -> dict[str, Any]:
        """Shadow, presence and latest telemetry of the demo's headset."""
        return dict(self._run("fleet-show", "show", THING))

    def set(self, *assignments: str, wait_s: float) -> dict[str, Any]:
        """Change the desired state and wait until the headset reports it."""
        return dict(self._run(f"fleet-set-{assignments[0]}", "set", THING, *assignments, "--wait", str(wait_s)))

    def events(self) -> list[dict[str, Any]]:
        """Recent events, oldest first."""
        return list(self._run("fleet-events", "events", THING)["events"])

    def telemetry(self) -> dict[str, Any]:
        """Recent telemetry batches."""
        return dict(self._run("fleet-telemetry", "telemetry", THING))


def wait_until(what: str, condition: Callable[[], bool], timeout_s: float) -> float:
    """Poll until a condition holds; returns how long that took, in seconds.

    Raises:
        BenchError: It did not hold in time.
    """
    start = time.monotonic()
    while not condition():
        if time.monotonic() - start > timeout_s:
            raise BenchError(f"{what}: not within {timeout_s:g} s; the logs of headset and agent say why")
        time.sleep(_POLL_S)
    return time.monotonic() - start
