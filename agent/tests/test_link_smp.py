"""SMP packets and lines, against the codec of smpclient as peer."""

import cbor2
import pytest
import smp.packet as peer
from hushkit_link import wire
from hushkit_link.errors import SmpError, WireError
from hushkit_link.smp import Group, Op, OsCommand, Packet, Refusal, decode_packet, encode_packet, refusal
from hushkit_link.smp_lines import LineAssembler, encode_lines
from hypothesis import given
from hypothesis import strategies as st
from smp.header import Header as PeerHeader
from smp.os_management import EchoWriteRequest, ResetWriteRequest

_PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False) | st.text() | st.binary(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=8,
)
_PACKETS = st.builds(
    Packet,
    op=st.sampled_from(Op),
    group=st.integers(0, 0xFFFF),
    command=st.integers(0, 255),
    sequence=st.integers(0, 255),
    body=st.dictionaries(st.text(max_size=8), _PLAIN, max_size=3).filter(lambda body: len(cbor2.dumps(body)) < 1000),
    version=st.integers(1, 2),
)


def _assemble(lines: bytes) -> bytes | None:
    assembler = LineAssembler()
    packet = None
    for line in lines.split(b"\n")[:-1]:
        assert packet is None
        packet = assembler.feed(line)
    return packet


@given(_PACKETS)
def test_packet_survives_the_round_trip(packet: Packet) -> None:
    assert decode_packet(encode_packet(packet)) == packet


@given(st.binary(max_size=200))
def test_packet_decoder_only_raises_its_own_error(data: bytes) -> None:
    try:
        packet = decode_packet(data)
    except SmpError:
        return

    assert isinstance(packet.body, dict)


@given(st.binary(max_size=120))
def test_body_decoder_only_raises_its_own_error(body: bytes) -> None:
    data = bytes([0x0A, 0]) + len(body).to_bytes(2, "big") + bytes([0, 64, 1, 3]) + body

    try:
        packet = decode_packet(data)
    except SmpError:
        return

    assert all(isinstance(key, str) for key in packet.body)


@pytest.mark.parametrize(
    "body",
    [
        b"\xa1\x61a\x01\x00",
        b"\x80",
        b"\xa1\x01\x02",
        b"\xa1\x61a\xc1\x00",
        b"\x81" * 300,
        b"\xbf\x61a",
        b"\xa1\x61a\xf7",
    ],
    ids=["trailing", "list", "number-key", "tag", "deep", "open", "undefined"],
)
def test_body_that_is_not_one_plain_map_is_refused(body: bytes) -> None:
    data = bytes([0x0A, 0]) + len(body).to_bytes(2, "big") + bytes([0, 64, 1, 3]) + body

    with pytest.raises(SmpError):
        decode_packet(data)


@given(st.binary(max_size=wire.SMP_MAX_PACKET), st.integers(8, 255))
def test_peer_reads_our_lines(data: bytes, line_length: int) -> None:
    lines = encode_lines(data, line_length=line_length)

    decoder = peer.decode()
    next(decoder)
    *first, last = lines.splitlines(keepends=True)
    for line in first:
        decoder.send(line)
    with pytest.raises(StopIteration) as done:
        decoder.send(last)
    assert done.value.value == data
    assert max(map(len, (*first, last))) <= line_length


@given(st.binary(max_size=wire.SMP_MAX_PACKET), st.integers(8, 255))
def test_we_read_the_peers_lines(data: bytes, line_length: int) -> None:
    assert _assemble(b"".join(peer.encode(data, line_length))) == data


def test_peer_reads_our_header() -> None:
    data = encode_packet(Packet(Op.WRITE, Group.OS, OsCommand.ECHO, 7, {"d": "hello"}))

    header = PeerHeader.loads(data[:8])

    assert (int(header.op), header.group_id, header.command_id, header.sequence) == (2, 0, 0, 7)
    assert header.length == len(data) - 8
    assert EchoWriteRequest.loads(data).d == "hello"


def test_we_read_the_peers_request() -> None:
    request = ResetWriteRequest()

    packet = decode_packet(request.BYTES)

    assert (packet.op, packet.group, packet.command) == (Op.WRITE, Group.OS, OsCommand.RESET)


def test_damaged_line_loses_its_packet_but_not_the_next() -> None:
    packet = bytes(range(200))
    lines = encode_lines(packet).splitlines()
    assembler = LineAssembler()
    assembler.feed(lines[0])

    with pytest.raises(SmpError, match="base64"):
        assembler.feed(lines[1][:-1])

    assert _assemble(encode_lines(packet)) == packet
    with pytest.raises(SmpError, match="did not begin"):
        assembler.feed(lines[2])


def test_check_error_is_named() -> None:
    line = bytearray(encode_lines(b"12345678").rstrip(b"\n"))
    line[8] ^= 1

    with pytest.raises(SmpError, match="check"):
        LineAssembler().feed(bytes(line))


def test_refusals_of_both_versions_are_read() -> None:
    new = Packet(Op.WRITE_REPLY, 64, 0, 0, {"err": {"group": 64, "rc": 3}})
    old = Packet(Op.WRITE_REPLY, 64, 0, 0, {"rc": 8}, version=1)
    fine = Packet(Op.WRITE_REPLY, 64, 0, 0, {"rc": 0, "mode": 1})

    assert refusal(new) == Refusal(64, 3)
    assert refusal(old) == Refusal(64, 8)
    assert refusal(fine) is None
    with pytest.raises(SmpError):
        refusal(Packet(Op.WRITE_REPLY, 64, 0, 0, {"err": "no"}))


@given(st.none() | st.sampled_from(wire.Mode), st.none() | st.integers(0, 1000).map(lambda raw: raw / 1000))
def test_configuration_request_survives_the_round_trip(mode: wire.Mode | None, intensity: float | None) -> None:
    request = wire.ConfigurationRequest(mode, intensity)

    assert wire.ConfigurationRequest.from_map(request.to_map()) == request


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"mode": 3, "intensity": 0, "changes": 0}, "mode: 3 is unknown; expected 0 off, 1 anc, 2 transparency"),
        ({"mode": 1, "intensity": 1001, "changes": 0}, "intensity: 1001 is outside 0..1000"),
        ({"mode": 1, "intensity": True, "changes": 0}, "expected an integer"),
        ({"mode": 1, "changes": 0}, "key 'intensity' is missing"),
    ],
)
def test_configuration_reply_refuses_what_the_specification_does(body: dict[str, object], words: str) -> None:
    with pytest.raises(WireError, match=words):
        wire.ConfigurationReply.from_map(body)
