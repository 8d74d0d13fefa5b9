"""The generated C codec equals the Python one, byte for byte and verdict for verdict."""

import ctypes
import shutil
import subprocess
from pathlib import Path

import pytest
from hushkit_link import wire
from hushkit_link.errors import WireError
from hushkit_link.telemetry import Frame, decode_frame, encode_frame
from hushkit_link.wire_samples import messages
from hypothesis import given, settings
from hypothesis import strategies as st

_ROOT = Path(__file__).parents[2]
_DRIVER = """
#include "wire/hk_wire.h"
int transcode(const uint8_t *cobs, size_t n, uint8_t *frame, size_t capacity, size_t *length) {{
    hk_wire_frame_t f;
    const hk_status_t status = hk_wire_decode(cobs, n, &f);
    if (status != HK_OK) {{
        return (int)status;
    }}
    switch (f.id) {{
{cases}
    default:
        return 1;
    }}
}}
"""
_CASE = """    case {id}:
        return (int)hk_wire_encode_{name}(&f.body.{name}, f.sequence, frame, capacity, length);"""


@pytest.fixture(scope="module")
def codec(tmp_path_factory: pytest.TempPathFactory) -> ctypes.CDLL:
    if shutil.which("gcc") is None:
        pytest.skip("needs a host C compiler: gcc is not installed")
    folder = tmp_path_factory.mktemp("wire")
    cases = "\n".join(_CASE.format(id=m.ID, name=m.NAME) for m in wire.MESSAGES.values())
    (folder / "driver.c").write_text(_DRIVER.format(cases=cases), encoding="utf-8")
    subprocess.run(
        [
            "gcc", "-std=c11", "-O1", "-Wall", "-Wextra", "-Wconversion", "-Werror",
            "-fsanitize=undefined", "-fno-sanitize-recover", "-static-libubsan", "-shared", "-fPIC",
            f"-I{_ROOT}/firmware/include", f"-I{_ROOT}/firmware/generated",
            str(folder / "driver.c"), str(_ROOT / "firmware/generated/wire/hk_wire.c"), "-o", str(folder / "wire.so"),
        ],
        check=True,
    )  # fmt: skip
    return ctypes.CDLL(str(folder / "wire.so"))


def _transcode(codec: ctypes.CDLL, chunk: bytes, capacity: int = 128) -> bytes | int:
    frame = ctypes.create_string_buffer(capacity)
    length = ctypes.c_size_t()
    status = codec.transcode(chunk, ctypes.c_size_t(len(chunk)), frame, ctypes.c_size_t(capacity), ctypes.byref(length))
    return frame.raw[: length.value] if status == 0 else int(status)


@settings(deadline=None)
@given(messages(), st.integers(0, 0xFFFF))
def test_c_decodes_and_encodes_what_python_does(codec: ctypes.CDLL, message: wire.Message, sequence: int) -> None:
    data = encode_frame(Frame(sequence, message))

    assert _transcode(codec, data[1:-1]) == data


@settings(deadline=None, max_examples=300)
@given(st.binary(min_size=1, max_size=130) | messages().map(lambda m: encode_frame(Frame(5, m))[1:-1]), st.data())
def test_c_and_python_agree_on_damaged_frames(codec: ctypes.CDLL, chunk: bytes, data: st.DataObject) -> None:
    damaged = bytearray(chunk)
    for _ in range(data.draw(st.integers(0, 2))):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    try:
        expected: bytes | None = encode_frame(decode_frame(bytes(damaged)))
    except WireError:
        expected = None

    found = _transcode(codec, bytes(damaged))

    assert (found if isinstance(found, bytes) else None) == expected


def test_c_and_python_agree_on_the_corpus(codec: ctypes.CDLL) -> None:
    status = {"length": -7, "range": -2, "unknown": -8, "check": -6}
    lines = (Path(__file__).parent / "corpus" / "telemetry_seeds.hex").read_text(encoding="utf-8").splitlines()
    cases = [line.split() for line in lines if not line.startswith("#")]

    verdicts = {name: _transcode(codec, bytes.fromhex(data)) for name, _, data in cases}

    assert len(cases) > 40
    for name, verdict, data in cases:
        assert verdicts[name] == (b"\0" + bytes.fromhex(data) + b"\0" if verdict == "ok" else status[verdict]), name


def test_c_encoder_refuses_a_small_buffer(codec: ctypes.CDLL) -> None:
    hello = encode_frame(Frame(0, wire.Hello(1, wire.DIGEST, bytes(8), 48000, 2)))

    assert _transcode(codec, hello[1:-1], capacity=len(hello) - 1) == -5
    assert _transcode(codec, hello[1:-1], capacity=len(hello)) == hello
