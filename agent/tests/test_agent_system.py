"""Agent, local IoT Core and simulated headset: kill -9 each in turn, nothing is lost, all converges again."""

import json
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hushkit_agent.cloud.client import KEEP_ALIVE_S, SESSION_EXPIRY_S, CloudClient, CloudDown, CloudEvent, CloudUp
from hushkit_agent.cloud.endpoint import Endpoint
from hushkit_agent.core.documents import merged
from hushkit_agent.core.effects import Publish
from hushkit_agent.core.shadow import topics
from hushkit_link import wire
from hushkit_link.simulated_port import SimulatedPort

mqtt = pytest.importorskip("paho.mqtt.client")
localcore = pytest.importorskip("hushkit_iot.localcore")

pytestmark = pytest.mark.skipif(shutil.which("mosquitto") is None, reason="mosquitto is not installed")

_THING = "hs-001"
_SHADOW = f"$aws/things/{_THING}/shadow"
_WAIT_S = 30.0
_CONFIG = """
thing = "{thing}"
[cloud]
endpoint = "{host}:{port}"
ca = "{ca}"
cert = "{cert}"
key = "{key}"
[headset]
serial = "{serial}"
[telemetry]
spool = "spool.sqlite"
"""


class _Operator:
    """Sees every message, sets wishes; waits for conditions instead of sleeping."""

    def __init__(self, credentials: Any) -> None:
        self._changed = threading.Condition()
        self.batches: list[dict[str, Any]] = []
        self.statuses: list[dict[str, Any]] = []
        self.reported: dict[str, Any] = {}
        self._client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, "test-operator", clean_session=False)
        self._client.tls_set(str(credentials.ca), str(credentials.cert), str(credentials.key))
        self._client.reconnect_delay_set(1, 1)
        self._client.on_connect = self._subscribe
        self._client.on_message = self._receive
        self._client.connect(credentials.host, credentials.port)
        self._client.loop_start()
        self.wait(self._client.is_connected)

    def desire(self, **desired: Any) -> None:
        self._client.publish(f"{_SHADOW}/update", json.dumps({"state": {"desired": desired}}), qos=1)

    def wait(self, condition: Callable[[], bool]) -> None:
        with self._changed:
            deadline_s = time.monotonic() + _WAIT_S
            while not condition():
                assert time.monotonic() < deadline_s, f"not within {_WAIT_S} s; reported: {self.reported}"
                self._changed.wait(0.05)

    def count(self) -> int:
        return len({(batch["session"], batch["seq"]) for batch in self.batches})

    def wait_for_batches(self, number: int) -> None:
        goal = self.count() + number
        self.wait(lambda: self.count() >= goal)

    def close(self) -> None:
        self._client.loop_stop()
        self._client.disconnect()

    def _subscribe(self, client: Any, *_: Any) -> None:
        client.subscribe([(f"hushkit/{_THING}/#", 1), (f"{_SHADOW}/update/accepted", 1)])

    def _receive(self, _client: Any, _data: Any, message: Any) -> None:
        document = json.loads(message.payload)
        with self._changed:
            match message.topic.rpartition("/")[2]:
                case "telemetry":
                    self.batches.append(document)
                case "status":
                    self.statuses.append(document)
                case "accepted" if "reported" in (document.get("state") or {}):
                    self.reported = merged(self.reported, document["state"]["reported"])
            self._changed.notify_all()


@pytest.fixture
def core(tmp_path: Path) -> Iterator[Any]:
    with localcore.LocalCore(tmp_path / "core", mqtt_port=0, https_port=0, things=(_THING,)) as core:
        yield core


@pytest.fixture
def device() -> Iterator[SimulatedPort]:
    with SimulatedPort() as port:
        yield port


@pytest.fixture
def operator(core: Any) -> Iterator[_Operator]:
    operator = _Operator(core.operator)
    yield operator
    operator.close()


def _configure(directory: Path, core: Any, serial: str) -> Path:
    credentials = core.issue_thing(_THING)
    file = directory / "agent.toml"
    text = _CONFIG.format(
        thing=_THING, host=credentials.host, port=credentials.port, ca=credentials.ca, cert=credentials.cert,
        key=credentials.key, serial=serial,
    )  # fmt: skip
    file.write_text(text, encoding="utf-8")
    return file


def _start(config: Path) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "hushkit", "agent", "run", "--config", str(config)]
    with (config.parent / "agent.log").open("ab") as log:
        return subprocess.Popen(command, stderr=log)


def test_kills_in_turn_lose_nothing_and_all_converges_again(
    tmp_path: Path, core: Any, device: SimulatedPort, operator: _Operator
) -> None:
    config = _configure(tmp_path, core, device.path)
    agent = _start(config)
    try:
        operator.desire(mode="off", intensity=0.5)
        operator.wait(lambda: operator.reported.get("mode") == "off" and operator.reported.get("link") == "up")
        operator.wait_for_batches(2)

        agent.kill()
        agent.wait()
        operator.wait(lambda: operator.statuses[-1]["online"] is False)  # the last will
        operator.desire(mode="transparency")
        agent = _start(config)
        operator.wait(lambda: operator.reported.get("mode") == "transparency")
        operator.wait(lambda: operator.statuses[-1]["online"] is True)
        assert (device.mode, operator.reported["intensity"]) == (wire.Mode.TRANSPARENCY, 0.5)
        operator.wait_for_batches(2)

        core.stop_broker(kill=True)
        frames_before = device.frames_sent
        operator.wait(lambda: device.frames_sent >= frames_before + 12)  # three rounds of telemetry wait in the spool
        core.start_broker()
        operator.desire(mode="off", intensity=0.25)
        operator.wait(lambda: operator.reported.get("mode") == "off" and operator.reported.get("intensity") == 0.25)
        operator.wait_for_batches(4)

        device.reset()
        operator.wait(lambda: device.changes == 1)
        operator.wait_for_batches(2)

        operator.desire(mode="turbo", intensity=7)
        operator.wait(lambda: set(operator.reported.get("rejected") or {}) == {"mode", "intensity"})
        assert (device.mode, operator.reported["mode"]) == (wire.Mode.OFF, "off")
        memory_kib = int(re.findall(r"VmRSS:\s+(\d+)", Path(f"/proc/{agent.pid}/status").read_text())[0])
        assert memory_kib < 64 * 1024
    finally:
        agent.send_signal(signal.SIGTERM)
        assert agent.wait(timeout=_WAIT_S) == 0
    operator.wait(lambda: operator.statuses[-1].get("reason") == "shutdown")

    (session,) = {batch["session"] for batch in operator.batches}
    numbers = sorted({batch["seq"] for batch in operator.batches})
    assert numbers == list(range(len(numbers))), f"session {session} has gaps"
    uptimes = _uptimes_ms(operator.batches)
    gaps = [after - before for before, after in pairwise(uptimes) if after > before]
    # The headset speaks every second: one gap for the agent that was killed, none for the broker.
    assert sum(gap > 1500 for gap in gaps) <= 1, gaps
    print(f"{len(numbers)} batches, {len(uptimes)} health records, agent {memory_kib} KiB, longest gap {max(gaps)} ms")


def _uptimes_ms(batches: list[dict[str, Any]]) -> list[int]:
    """Uptime of each health record, once, in the order of the batches."""
    in_order = {batch["seq"]: batch for batch in batches}
    records = [record for number in sorted(in_order) for record in in_order[number]["records"]]
    return [record["data"]["uptime_ms"] for record in records if record["type"] == "health"]


def test_connection_takes_the_settings_it_is_given(tmp_path: Path, core: Any) -> None:
    credentials = core.issue_thing(_THING)
    endpoint = Endpoint(credentials.host, credentials.port, credentials.ca, credentials.cert, credentials.key)
    events: list[CloudEvent] = []
    arrived = threading.Event()

    def note(event: CloudEvent) -> None:
        events.append(event)
        arrived.set()

    farewell = Publish(f"hushkit/{_THING}/status", b'{"online": false}', retain=True)
    client = CloudClient(endpoint, _THING, topics=topics(_THING), will=farewell, emit=note)
    client.start()
    assert arrived.wait(_WAIT_S)
    client.stop(farewell)

    # The SDK's builder ignores keywords it does not know: what was negotiated proves that ours took.
    assert events[0] == CloudUp(KEEP_ALIVE_S, SESSION_EXPIRY_S)


def test_absent_broker_is_named_and_tried_again(tmp_path: Path, core: Any) -> None:
    credentials = core.issue_thing(_THING)
    core.stop_broker(kill=True)
    endpoint = Endpoint(credentials.host, credentials.port, credentials.ca, credentials.cert, credentials.key)
    events: list[CloudEvent] = []
    changed = threading.Condition()

    def note(event: CloudEvent) -> None:
        with changed:
            events.append(event)
            changed.notify_all()

    farewell = Publish(f"hushkit/{_THING}/status", b'{"online": false}', retain=True)
    client = CloudClient(endpoint, _THING, topics=topics(_THING), will=farewell, emit=note)
    client.start()
    with changed:
        assert changed.wait_for(lambda: len(events) >= 2, _WAIT_S)
    core.start_broker()
    with changed:
        assert changed.wait_for(lambda: isinstance(events[-1], CloudUp), _WAIT_S)
    client.stop(farewell)

    assert isinstance(events[0], CloudDown)
    assert "cannot connect" in events[0].reason


def test_doctor_finds_everything_in_order(tmp_path: Path, core: Any, device: SimulatedPort) -> None:
    config = _configure(tmp_path, core, device.path)
    command = [sys.executable, "-m", "hushkit", "agent", "doctor", "--config", str(config), "--json", "-"]

    result = subprocess.run(command, capture_output=True, text=True, check=False)

    assert result.returncode == 0, result.stdout + result.stderr
    assert json.loads(result.stdout)["passed"]
