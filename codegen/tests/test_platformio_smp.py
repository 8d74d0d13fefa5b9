"""The firmware on QEMU, as an unmodified SMP client and as our own codec see it. Fixed inputs, no randomness."""

import base64
import hashlib
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import serial
from elftools.elf.elffile import ELFFile
from hushkit.build import Build, build_firmware
from hushkit.emulator import emulator_command
from hushkit.signing import sign
from hushkit.spec import load_spec
from hushkit_link.smp import Op, Packet, decode_packet, encode_packet, refusal
from hushkit_link.smp_lines import encode_lines

pytest.importorskip("smpmgr", reason="smpmgr is a development dependency")

HEADSET = 64
CONFIGURATION, STATISTICS, LEASE, ABOUT = range(4)
PUSH_FOREVER = bytes.fromhex("ffb4 fde7")  # push {r0-r7}; b to it
UNDEFINED = bytes.fromhex("00de")


@contextmanager
def running(build: Build, elf: Path | None = None) -> Iterator[str]:
    """A headset with its serial line on a pseudo terminal."""
    with booted(emulator_command(build.board, elf or build.elf, serial="pty")) as port:
        yield port


@contextmanager
def booted(command: list[str]) -> Iterator[str]:
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        try:
            assert process.stdout is not None
            said = process.stdout.readline()
            found = re.search(r"/dev/pts/\d+", said)
            assert found, said
            yield found[0]
        finally:
            process.kill()


@pytest.fixture(scope="module", params=["compact-m4", "flagship-m7", "balanced-m33", "helium-m55"])
def build(request: pytest.FixtureRequest) -> Build:
    return build_firmware(load_spec(request.param))


@pytest.fixture(scope="module")
def flagship() -> Build:
    return build_firmware(load_spec("flagship-m7"))


def smpmgr(port: str, *words: str) -> str:
    program = Path(sys.executable).with_name("smpmgr")
    result = subprocess.run([program, "--port", port, *words], capture_output=True, text=True, timeout=60, check=False)
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


class Line:
    """A serial line: requests out, replies in; what was no reply is kept in `heard`."""

    def __init__(self, port: str) -> None:
        self._port = serial.Serial(port, 115_200, timeout=0.05)
        self.heard = b""

    def send(self, raw: bytes) -> None:
        self._port.write(raw)

    def until(self, done: Callable[[bytes], bool], seconds: float = 10.0) -> bytes:
        deadline = time.monotonic() + seconds
        while not done(self.heard):
            assert time.monotonic() < deadline, self.heard
            self.heard += self._port.read(4096)
        return self.heard

    def ask(self, command: int, body: dict[str, object] | None = None, *, group: int = HEADSET) -> Packet:
        op = Op.READ if body is None else Op.WRITE
        request = Packet(op, group, command, 5, body or {})
        self.heard = b""
        self.send(encode_lines(encode_packet(request)))
        while True:
            heard = self.until(lambda heard: find_packet(heard) is not None)
            packet = find_packet(heard)
            assert packet is not None
            if packet.answers(request):
                return packet
            self.heard = b""


def find_packet(heard: bytes) -> Packet | None:
    match = re.search(rb"\x06\x09([A-Za-z0-9+/=]*)\n((?:\x04\x14[A-Za-z0-9+/=]*\n)*)", heard)
    if match is None:
        return None
    raw = base64.b64decode(match[1]) + b"".join(
        base64.b64decode(line) for line in match[2].replace(b"\x04\x14", b"").split()
    )
    length = int.from_bytes(raw[:2], "big")
    return decode_packet(raw[2:length]) if len(raw) == length + 2 else None


def test_unmodified_client_echoes_reads_image_state_and_resets(flagship: Build, tmp_path: Path) -> None:
    binary = tmp_path / "firmware.bin"
    subprocess.run(["arm-none-eabi-objcopy", "-O", "binary", "-R", ".boot", str(flagship.elf), str(binary)], check=True)
    with running(flagship) as port:
        echo = smpmgr(port, "os", "echo", "hello")
        state = smpmgr(port, "image", "state-read")
        reset = smpmgr(port, "os", "reset")
        again = smpmgr(port, "os", "echo", "back")

    assert "r='hello'" in echo
    assert "slot=0" in state
    assert "active=True" in state
    assert hashlib.sha256(binary.read_bytes()).hexdigest().upper() in state.replace("\n", "")
    assert "ResetWriteResponse" in reset
    assert "r='back'" in again


def test_signed_image_boots_and_reports_the_hash_of_its_trailer(build: Build) -> None:
    """As a bootloader leaves it: header and trailer in the slot, the core sent to the reset handler."""
    signed = sign(build)
    slot, start = build.board.memory["HK_FLASH_ORIGIN"], build.image.symbols["hk_reset"]
    command = [word for word in emulator_command(build.board, build.elf, serial="pty") if word != "-kernel"][:-1]
    command += ["-device", f"loader,file={signed.file},addr={slot:#x},force-raw=on"]
    command += ["-device", f"loader,addr={start | 1:#x},cpu-num=0"]
    with booted(command) as port:
        state = Line(port).ask(0, group=1).body

    assert isinstance(state["images"], list)
    assert state["images"][0]["hash"] == signed.sha256


def test_reset_restarts_every_core(build: Build) -> None:
    with running(build) as port:
        line = Line(port)
        changed = line.ask(CONFIGURATION, {"mode": 0})
        assert refusal(line.ask(5, {}, group=0)) is None
        line.until(lambda heard: b" build " in heard and heard.endswith(b"\n"))
        restarted = line.ask(CONFIGURATION)

    assert changed.body["changes"] == 1
    assert restarted.body["changes"] == 0


def test_about_names_spec_and_build(build: Build) -> None:
    with running(build) as port:
        about = Line(port).ask(ABOUT).body

    assert about["spec"] == build.spec
    assert about["build_id"] == bytes.fromhex(build.build_id)


def test_configuration_is_written_whole_or_not_at_all(flagship: Build) -> None:
    bodies: list[dict[str, object]] = [
        {"mode": 0, "intensity": 7000},
        {"mode": 9},
        {"mode": "off"},
        {"mode": 0, "volume": 3},
        {"mode": -1},
    ]
    with running(flagship) as port:
        line = Line(port)
        written = line.ask(CONFIGURATION, {"mode": 2, "intensity": 250})
        refused = [line.ask(CONFIGURATION, body) for body in bodies]
        kept = line.ask(CONFIGURATION).body

    assert refusal(written) is None
    assert [(error.group, error.rc) for error in map(refusal, refused) if error] == [
        (HEADSET, 3),
        (HEADSET, 3),
        (HEADSET, 2),
        (HEADSET, 2),
        (HEADSET, 3),
    ]
    assert (kept["mode"], kept["intensity"], kept["changes"]) == (2, 250, 1)


def test_corrupt_lines_are_dropped_counted_and_survived(flagship: Build) -> None:
    good = encode_lines(encode_packet(Packet(Op.READ, HEADSET, ABOUT, 1, {})))
    with running(flagship) as port:
        line = Line(port)
        line.send(good.replace(b"A", b"B", 1))
        line.send(b"\x06\x09" + b"A" * 3000 + b"\n")
        line.send(good[:10])
        line.send(bytes(range(256)))
        statistics = line.ask(STATISTICS).body

    assert int(str(statistics["line_errors"])) >= 3
    assert statistics["faults"] == 0


def test_telemetry_flows_only_while_a_lease_lasts(flagship: Build) -> None:
    with running(flagship) as port:
        line = Line(port)
        line.ask(ABOUT)
        before = line.heard
        line.ask(LEASE, {"period_ms": 100, "lease_s": 1})
        expired = line.until(lambda heard: any(frame[:1] == b"\x30" for frame in frames(heard)))
        line.heard = b""
        line.ask(ABOUT)
        after = line.heard

    ids = [frame[0] for frame in frames(expired)]
    assert frames(before) == []
    assert frames(after) == []
    assert ids[0] == 0x01  # hello
    assert set(ids) == {0x01, 0x20, 0x21, 0x22, 0x30}
    assert ids.count(0x20) == 2 * ids.count(0x21)  # two ears


def frames(heard: bytes) -> list[bytes]:
    """Decoded telemetry frames between pairs of delimiters."""
    return [unstuff(held) for held in re.findall(rb"\x00([^\x00]+)\x00", heard)]


def unstuff(held: bytes) -> bytes:
    out = b""
    while held:
        code, held = held[0], held[1:]
        out, held = out + held[: code - 1] + (b"\0" if code < 255 else b""), held[code - 1 :]
    return out[:-1]


@pytest.mark.parametrize(
    ("code", "report", "kind"), [(UNDEFINED, "usage fault", 6), (PUSH_FOREVER, "stack overflow", 256)]
)
def test_fault_is_reported_on_the_line_and_kept_over_the_reset(
    build: Build, tmp_path: Path, code: bytes, report: str, kind: int
) -> None:
    address = build.image.symbols["hk_app_configure"]
    broken = tmp_path / "broken.elf"
    broken.write_bytes(patched(build.elf, address, code))
    with running(build, broken) as port:
        line = Line(port)
        line.ask(ABOUT)
        line.heard = b""
        line.send(encode_lines(encode_packet(Packet(Op.WRITE, HEADSET, CONFIGURATION, 1, {"mode": 0}))))
        text = line.until(lambda heard: b"*** end of fault" in heard and b" build " in heard).decode("latin-1")
        statistics = line.ask(STATISTICS).body

    assert report in text
    assert (statistics["faults"], statistics["fault_kind"]) == (1, kind)
    if kind == 6:
        assert statistics["fault_pc"] == address
        assert f"pc  {address:08x}" in text


def patched(elf: Path, address: int, code: bytes) -> bytes:
    """The image with other instructions at an address."""
    raw = bytearray(elf.read_bytes())
    with elf.open("rb") as stream:
        for segment in ELFFile(stream).iter_segments("PT_LOAD"):
            offset = address - segment["p_paddr"]
            if 0 <= offset < segment["p_filesz"]:
                at = segment["p_offset"] + offset
                raw[at : at + len(code)] = code
                return bytes(raw)
    raise AssertionError(f"no segment holds {address:#x}")


def test_faults_in_a_row_hold_the_audio_and_leave_the_line(flagship: Build, tmp_path: Path) -> None:
    broken = tmp_path / "broken.elf"
    broken.write_bytes(patched(flagship.elf, flagship.image.symbols["hk_app_exchange"], UNDEFINED))
    with running(flagship, broken) as port:
        line = Line(port)
        heard = line.until(lambda heard: heard.count(b"*** end of fault") >= 3 and heard.endswith(b"\n"))
        statistics = line.ask(STATISTICS).body

    assert heard.count(b"*** end of fault") == 3
    assert statistics["faults"] == 3
