"""Configuration, serial port and doctor: good and bad input."""

import argparse
import json
import os
import queue
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from hushkit_agent.commands import agent as command
from hushkit_agent.config import load_config
from hushkit_agent.device.port import Port, PortBytes, PortClosed, PortEvent, PortOpened, open_port
from hushkit_agent.doctor import ask_about, examine
from hushkit_agent.errors import AgentError, ConfigError, PortError
from hushkit_link.simulated_port import SimulatedPort
from hushkit_link.simulator import SimulatedHeadset

_GOOD = """
thing = "hs-001"
[cloud]
endpoint = "localhost:{port}"
ca = "ca.pem"
cert = "hs.pem"
key = "hs.key"
[headset]
serial = "{serial}"
timeout_s = 0.1
[telemetry]
spool = "spool.sqlite"
"""


@pytest.fixture
def device() -> Iterator[SimulatedPort]:
    with SimulatedPort() as port:
        yield port


def _config(directory: Path, *, serial: str = "/dev/null", port: int = 9) -> Path:
    file = directory / "agent.toml"
    file.write_text(_GOOD.format(serial=serial, port=port))
    return file


def test_paths_are_relative_to_the_file(tmp_path: Path) -> None:
    config = load_config(_config(tmp_path))

    assert config.endpoint.ca == tmp_path / "ca.pem"
    assert config.spool == tmp_path / "spool.sqlite"
    assert (config.endpoint.host, config.endpoint.port) == ("localhost", 9)
    assert (config.batch_s, config.baud, config.spool_bytes) == (1.0, 115200, 64 << 20)


def test_every_fault_of_a_configuration_is_named_at_once(tmp_path: Path) -> None:
    file = tmp_path / "agent.toml"
    file.write_text(
        'thing = "a b"\ncolour = 1\n[cloud]\nendpoint = "host:x"\nca = 3\ncert = "c"\n[headset]\nserial = "/dev/x"\n'
        'baud = 5\nbuad = 9600\n[telemetry]\nspool = "s"\nbatch_s = true\n'
    )

    with pytest.raises(ConfigError) as caught:
        load_config(file)

    for words in (
        "thing is 'a b'",
        "colour is unknown",
        "cloud.endpoint is 'host:x'; expected HOST or HOST:PORT",
        "cloud.ca is 3; expected text",
        "cloud.key is missing",
        "headset.baud is 5; expected 1200 to 12000000",
        "headset.buad is unknown",
        "telemetry.batch_s is True",
    ):
        assert words in str(caught.value)


@pytest.mark.parametrize("text", ["thing = ", "\xff"], ids=["syntax", "encoding"])
def test_broken_file_is_one_clear_error(tmp_path: Path, text: str) -> None:
    (tmp_path / "agent.toml").write_bytes(text.encode("latin-1"))

    with pytest.raises(ConfigError, match=r"agent\.toml: not TOML"):
        load_config(tmp_path / "agent.toml")


def test_absent_port_says_what_to_do() -> None:
    with pytest.raises(PortError, match="/dev/ttyNONE: does not exist; plug the headset in"):
        open_port("/dev/ttyNONE")


def test_busy_port_says_so(device: SimulatedPort) -> None:
    with open_port(device.path), pytest.raises(PortError, match="busy; close the other program"):
        open_port(device.path)


def test_unknown_url_and_closed_socket_are_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        free = server.getsockname()[1]

    with pytest.raises(PortError, match="nothing listens there"):
        open_port(f"socket://127.0.0.1:{free}")
    with pytest.raises(PortError, match="nonsense"):
        open_port("nonsense://x")


def test_headset_is_asked_who_it_is_over_a_terminal(device: SimulatedPort) -> None:
    with open_port(device.path) as port:
        about = ask_about(port.read, port.write, timeout_s=1.0)

    assert (about.spec, about.build_id) == ("flagship-m7", bytes(range(16)))


def test_silent_line_is_named() -> None:
    with pytest.raises(AgentError, match="no answer to 4 requests"):
        ask_about(lambda _n: b"", lambda _data: None, timeout_s=0.001)


def test_port_reopens_after_a_loss() -> None:
    events: queue.Queue[PortEvent] = queue.Queue()
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = Port(f"socket://127.0.0.1:{server.getsockname()[1]}", emit=events.put)
        port.start()
        peer, _ = server.accept()
        assert events.get(timeout=5) == PortOpened()
        peer.sendall(b"one")
        received = b""
        while received != b"one":
            event = events.get(timeout=5)
            assert isinstance(event, PortBytes)
            received += event.data

        peer.close()
        assert isinstance(events.get(timeout=5), PortClosed)
        peer, _ = server.accept()
        assert events.get(timeout=5) == PortOpened()

        port.write(b"two")
        assert peer.recv(10) == b"two"
        peer.close()
        port.stop()


def test_absent_device_is_reported_and_tried_again() -> None:
    events: queue.Queue[PortEvent] = queue.Queue()
    port = Port("/dev/ttyNONE", emit=events.put)
    port.start()

    first, second = events.get(timeout=5), events.get(timeout=5)
    port.stop()

    assert isinstance(first, PortClosed)
    assert first == second


def test_doctor_names_what_is_missing_and_what_to_do(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = _config(tmp_path, serial="/dev/ttyNONE")
    options = argparse.Namespace(action="doctor", config=file, json=str(tmp_path / "doctor.json"))

    status = command.run(options)

    assert status == 1
    shown = capsys.readouterr().out
    assert "FAIL  CA" in shown
    assert "put the PEM file there" in shown
    report = json.loads((tmp_path / "doctor.json").read_text())
    assert [check["check"] for check in report["checks"] if check["ok"]] == ["clock", "spool"]
    assert all(check["advice"] for check in report["checks"] if not check["ok"])
    assert not report["passed"]
    assert not (tmp_path / "spool.sqlite").exists()


def test_doctor_refuses_a_headset_of_another_edition(tmp_path: Path) -> None:
    with SimulatedPort(SimulatedHeadset(digest=bytes(8))) as device:
        findings = {f.check: f for f in examine(load_config(_config(tmp_path, serial=device.path)))}

    assert not findings["headset"].ok
    assert "update the older of the two" in findings["headset"].detail


def test_doctor_names_a_spool_without_a_directory(tmp_path: Path) -> None:
    file = _config(tmp_path)
    file.write_text(file.read_text().replace("spool.sqlite", "none/spool.sqlite"))

    findings = {f.check: f for f in examine(load_config(file))}

    assert findings["spool"].detail.endswith("none: no such directory")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_doctor_names_a_read_only_spool(tmp_path: Path) -> None:
    file = _config(tmp_path)
    config = load_config(file)
    tmp_path.chmod(0o500)

    findings = {f.check: f for f in examine(config)}

    tmp_path.chmod(0o700)
    assert "not writable" in findings["spool"].detail
