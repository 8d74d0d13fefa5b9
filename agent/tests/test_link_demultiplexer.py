"""One line, two kinds of frames: order, resynchronisation, counts."""

from hushkit_link import wire
from hushkit_link.demultiplexer import Demultiplexer, Item, LineFault
from hushkit_link.smp import Op, Packet, encode_packet
from hushkit_link.smp_lines import encode_lines
from hushkit_link.telemetry import Frame, encode_frame
from hushkit_link.wire_samples import messages
from hypothesis import given
from hypothesis import strategies as st

_FRAMES = st.builds(Frame, st.integers(0, 0xFFFF), messages())
_PACKETS = st.builds(
    Packet,
    st.just(Op.READ_REPLY),
    st.just(wire.GROUP),
    st.integers(0, 3),
    st.integers(0, 255),
    st.dictionaries(st.text("abc", max_size=3), st.binary(max_size=90), max_size=3),
)
_ITEMS = st.lists(_FRAMES | _PACKETS, max_size=8)
_PACKET = Packet(Op.READ_REPLY, wire.GROUP, 0, 1, {"mode": 1})
_FRAME = Frame(9, wire.Levels(0, -38.0, -58.0, 20.0, None, wire.Watch.RUNNING, 1))


def _encode(item: Frame | Packet) -> bytes:
    return encode_frame(item) if isinstance(item, Frame) else encode_lines(encode_packet(item))


def _good(items: list[Item]) -> list[Item]:
    return [item for item in items if not isinstance(item, LineFault)]


@given(_ITEMS, st.integers(1, 50))
def test_clean_line_gives_every_item_in_order(items: list[Frame | Packet], piece: int) -> None:
    data = b"".join(map(_encode, items))
    line = Demultiplexer()

    found = [item for at in range(0, len(data), piece) for item in line.feed(data[at : at + piece])]

    assert found == items
    assert line.counts.corrupt == 0
    assert line.counts.noise_bytes == 0


@given(st.binary(max_size=400), _FRAMES | _PACKETS)
def test_any_noise_costs_at_most_what_follows_it_directly(noise: bytes, item: Frame | Packet) -> None:
    line = Demultiplexer()
    line.feed(noise)

    found = _good(line.feed(_encode(_FRAME) + _encode(_PACKET) + _encode(_FRAME) + _encode(item)))

    assert found[-1] == item


@given(_ITEMS, st.data())
def test_a_lost_stretch_never_invents_items(items: list[Frame | Packet], data: st.DataObject) -> None:
    sent = b"".join(map(_encode, items))
    begin = data.draw(st.integers(0, len(sent)))
    end = data.draw(st.integers(begin, len(sent)))

    found = _good(Demultiplexer().feed(sent[:begin] + sent[end:]))

    assert all(item in items for item in found)


@given(st.data())
def test_every_cut_leaves_the_next_frame_and_packet_readable(data: st.DataObject) -> None:
    first = data.draw(_FRAMES | _PACKETS)
    cut = data.draw(st.integers(0, len(_encode(first)) - 1))

    found = _good(Demultiplexer().feed(_encode(first)[cut:] + _encode(_FRAME) + _encode(_PACKET)))

    assert found[-2:] == [_FRAME, _PACKET]


def test_reply_right_after_a_broken_off_frame_is_read() -> None:
    found = _good(Demultiplexer().feed(_encode(_FRAME)[:9] + _encode(_PACKET)))

    assert found == [_PACKET]


def test_boot_text_is_noise_not_a_fault() -> None:
    line = Demultiplexer()

    found = line.feed(b"Hushkit flagship-m7 0.1.0\r\n" + _encode(_PACKET) + _encode(_FRAME))

    assert found == [_PACKET, _FRAME]
    assert line.counts.corrupt == 0
    assert line.counts.noise_bytes == 27


def test_corrupt_frame_is_counted_and_named() -> None:
    line = Demultiplexer()
    damaged = bytearray(_encode(_FRAME))
    damaged[7] ^= 0x40

    found = line.feed(bytes(damaged))

    assert line.counts.corrupt == 1
    assert isinstance(found[0], LineFault)
    assert "damaged" in found[0].reason or "COBS" in found[0].reason


def test_lost_frames_are_counted_by_sequence_but_not_across_hello() -> None:
    line = Demultiplexer()
    hello = wire.Hello(1, wire.DIGEST, bytes(8), 48000, 2)

    line.feed(b"".join(encode_frame(Frame(n, _FRAME.message)) for n in (65534, 65535, 2)))
    line.feed(encode_frame(Frame(0, hello)) + encode_frame(Frame(1, _FRAME.message)))

    assert line.counts.lost_frames == 2
    assert line.counts.frames == 5


def test_endless_noise_does_not_grow_the_buffer() -> None:
    line = Demultiplexer()

    line.feed(b"\x00" + b"\x55" * 100_000)
    line.feed(b"\x06\x09" + b"A" * 100_000)

    assert _good(line.feed(b"\n" + _encode(_PACKET))) == [_PACKET]
    assert line.counts.noise_bytes > 199_000
