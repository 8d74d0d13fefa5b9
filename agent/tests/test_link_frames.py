"""Telemetry frames: round trips, refusals, the seeds of the corpus."""

import math
from pathlib import Path

import pytest
from hushkit_link import wire
from hushkit_link.errors import RangeError, WireError
from hushkit_link.telemetry import MOST_CHUNK, Frame, decode_frame, encode_frame, stuff, unstuff
from hushkit_link.wire_samples import messages
from hypothesis import given, settings
from hypothesis import strategies as st

_CORPUS = Path(__file__).parent / "corpus"
_REASONS = {"length": "bytes", "range": "outside|unknown", "unknown": "unknown", "check": "check|COBS|length"}


def _corpus() -> list[tuple[str, str, bytes]]:
    cases = []
    for file in sorted(_CORPUS.glob("*.hex")):
        for line in file.read_text(encoding="utf-8").splitlines():
            if line and not line.startswith("#"):
                name, verdict, data = line.split()
                cases.append((name, verdict, bytes.fromhex(data)))
    return cases


@given(messages(), st.integers(0, 0xFFFF))
def test_frame_survives_the_round_trip(message: wire.Message, sequence: int) -> None:
    frame = Frame(sequence, message)

    data = encode_frame(frame)

    assert data[0] == data[-1] == 0
    assert 0 not in data[1:-1]
    assert decode_frame(data[1:-1]) == frame


@given(st.binary(max_size=MOST_CHUNK + 20))
def test_decoder_refuses_or_returns_what_encodes_to_the_same_bytes(chunk: bytes) -> None:
    try:
        frame = decode_frame(chunk)
    except WireError:
        return

    assert encode_frame(frame)[1:-1] == chunk


@given(messages(), st.data())
def test_decoder_refuses_a_frame_with_one_wrong_bit(message: wire.Message, data: st.DataObject) -> None:
    chunk = bytearray(encode_frame(Frame(1, message))[1:-1])
    bit = data.draw(st.integers(0, 8 * len(chunk) - 1))
    chunk[bit // 8] ^= 1 << (bit % 8)

    with pytest.raises(WireError):
        decode_frame(bytes(chunk))


@given(st.binary(max_size=253))
def test_stuffing_is_undone(content: bytes) -> None:
    assert unstuff(stuff(content)) == content


@pytest.mark.parametrize(
    ("name", "verdict", "chunk"), _corpus(), ids=lambda value: value if isinstance(value, str) else ""
)
def test_corpus_verdicts_hold(name: str, verdict: str, chunk: bytes) -> None:
    if verdict == "ok":
        assert encode_frame(decode_frame(chunk))[1:-1] == chunk, name
    else:
        with pytest.raises(WireError, match=_REASONS[verdict]):
            decode_frame(chunk)


@pytest.mark.parametrize("level", [-200.01, 0.02, math.nan, math.inf])
def test_encoder_refuses_a_level_out_of_range(level: float) -> None:
    message = wire.Levels(0, level, None, None, None, wire.Watch.RUNNING, 0)

    with pytest.raises(RangeError, match=r"levels\.reference_level"):
        encode_frame(Frame(0, message))


@settings(max_examples=30)
@given(st.floats(-200.0, 0.0))
def test_scaled_level_is_kept_within_half_a_step(level: float) -> None:
    message = wire.Levels(0, level, None, None, None, wire.Watch.RUNNING, 0)

    decoded = wire.Levels.unpack(message.pack())

    assert decoded.reference_level is not None
    assert abs(decoded.reference_level - level) <= 0.005 + 1e-9
