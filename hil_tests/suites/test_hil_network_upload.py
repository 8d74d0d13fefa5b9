"""A network file goes into a running headset's slot over SMP; a damaged one leaves what runs."""

import re
import subprocess
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
import serial
from hushkit.build import build_firmware
from hushkit.emulator import emulator_command
from hushkit.project import project_root
from hushkit.spec import load_spec
from hushkit_codegen.design import design_headset
from hushkit_codegen.network.blob import compile_model
from hushkit_codegen.network.model import read_model
from hushkit_codegen.network.signature import development_key, sign
from hushkit_link import wire
from hushkit_link.demultiplexer import Demultiplexer
from hushkit_link.exchange import Exchange, Outcome, Reply
from hushkit_link.network_upload import NetworkUpload
from hushkit_link.smp import Op, Packet

_MODEL = project_root() / "models" / "artifacts" / "noise57-mcu.tflite"
_CORRUPT = 6  # HK_ERR_CORRUPT, positive

pytestmark = pytest.mark.skipif(not _MODEL.is_file(), reason=f"{_MODEL.name} is not there; run make models")


class _Host:
    """The requesting side of a serial line."""

    def __init__(self, port: str) -> None:
        self._port = serial.Serial(port, 115_200, timeout=0.02)
        self._exchange = Exchange(timeout_s=5.0)
        self._line = Demultiplexer()

    def ask(self, op: Op, command: int, body: Mapping[str, object]) -> Reply:
        self._exchange.request("asked", op, wire.GROUP, command, body)
        while True:
            data, outcomes = self._exchange.poll(time.monotonic())
            self._port.write(data)
            packets = [item for item in self._line.feed(self._port.read(4096)) if isinstance(item, Packet)]
            found: list[Outcome | None] = [*outcomes, *(self._exchange.receive(packet) for packet in packets)]
            for outcome in found:
                if outcome is not None:
                    assert isinstance(outcome, Reply), "no reply"
                    return outcome

    def network(self) -> wire.NetworkReply:
        return wire.NetworkReply.from_map(self.ask(Op.READ, wire.NetworkReply.COMMAND, {}).body)

    def upload(self, file: bytes) -> str | None:
        upload = NetworkUpload(file)
        while not upload.is_done:
            request = upload.request()
            reply = self.ask(Op.WRITE, request.COMMAND, request.to_map())
            if reply.error is not None:
                return upload.refusal(reply.error.rc)
            upload.take(wire.NetworkReply.from_map(reply.body))
        return None


@pytest.fixture
def host(tmp_path: Path) -> Iterator[_Host]:
    text = (project_root() / "codegen" / "specs" / "flagship-m7.toml").read_text(encoding="utf-8")
    if "[classifier]" not in text:
        text += f'\n[classifier]\nmodel = "{_MODEL}"\n'
    (tmp_path / "flagship-m7.toml").write_text(text, encoding="utf-8")
    spec = load_spec(str(tmp_path / "flagship-m7.toml"))
    build = build_firmware(spec, ir=design_headset(spec), directory=tmp_path / "build")
    command = emulator_command(build.board, build.elf, serial="pty")
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        try:
            assert process.stdout is not None
            found = re.search(r"/dev/pts/\d+", process.stdout.readline())
            assert found
            yield _Host(found[0])
        finally:
            process.kill()


@pytest.mark.timeout(300)
def test_uploaded_network_runs_and_a_damaged_one_is_refused(host: _Host) -> None:
    file = sign(compile_model(read_model(_MODEL), "cortex-m7").blob, development_key())
    before = host.network()

    accepted = host.upload(file)
    after = host.network()
    refused = host.upload(file[:5000] + bytes([file[5000] ^ 1]) + file[5001:])
    left = host.network()

    assert (before.uploads, before.previous_model) == (0, 0)
    assert accepted is None
    assert (after.uploads, after.model, after.previous_model) == (1, before.model, before.model)
    assert refused is not None
    assert "refused the file" in refused
    assert (left.uploads, left.model, left.refused) == (1, before.model, _CORRUPT)


@pytest.mark.timeout(300)
def test_features_of_a_window_come_in_rows(host: _Host) -> None:
    rows = [host.ask(Op.WRITE, wire.FeaturesRequest.COMMAND, {"row": row}).body for row in range(0, 96, 16)]

    replies = [wire.FeaturesReply.from_map(row) for row in rows]
    assert [reply.row for reply in replies] == list(range(0, 96, 16))
    assert all(len(reply.data) == 640 for reply in replies)
    assert len({reply.window for reply in replies}) == 1
