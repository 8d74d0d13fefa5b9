"""Uploading a network in pieces to a simulated headset."""

import hashlib

from hushkit_link import wire
from hushkit_link.network_upload import PIECE, NetworkUpload
from hushkit_link.simulated_classifier import MOST_BYTES, SimulatedClassifier
from hushkit_link.simulator import SimulatedHeadset
from hushkit_link.smp import Op

_FILE = b"HKNN" + bytes(range(256)) * 9


def _ask(device: SimulatedHeadset, upload: NetworkUpload) -> str | None:
    assert device.classifier is not None
    request = upload.request()
    answer = device.classifier.answer(request.COMMAND, Op.WRITE, request.to_map())
    if isinstance(answer, wire.Error):
        return upload.refusal(answer)
    upload.take(wire.NetworkReply.from_map(answer))
    return None


def _run(device: SimulatedHeadset, upload: NetworkUpload, *, most: int = 100) -> str | None:
    for _ in range(most):
        if upload.is_done:
            return None
        reason = _ask(device, upload)
        if reason is not None:
            return reason
    return "unfinished"


def test_upload_arrives_whole_and_runs() -> None:
    device = SimulatedHeadset(classifier=SimulatedClassifier())

    reason = _run(device, NetworkUpload(_FILE))

    assert reason is None
    assert device.classifier is not None
    assert device.classifier.found.model == int.from_bytes(hashlib.sha256(_FILE).digest()[:4])
    assert device.classifier.previous == 0x1234ABCD
    assert device.classifier.uploads == 1


def test_upload_goes_on_where_it_was_cut_off() -> None:
    device = SimulatedHeadset(classifier=SimulatedClassifier())
    first = NetworkUpload(_FILE)
    _ask(device, first)
    _ask(device, first)

    second = NetworkUpload(_FILE)
    _ask(device, second)

    assert second.sent == 2 * PIECE
    assert _run(device, second) is None


def test_refused_file_leaves_what_runs_and_says_so() -> None:
    device = SimulatedHeadset(classifier=SimulatedClassifier())

    reason = _run(device, NetworkUpload(b"none" + _FILE))

    assert reason is not None
    assert "refused the file (malformed)" in reason
    assert device.classifier is not None
    assert device.classifier.found.model == 0x1234ABCD
    assert device.classifier.refused == 8


def test_file_too_long_for_the_slot_is_refused_at_once() -> None:
    device = SimulatedHeadset(classifier=SimulatedClassifier())

    reason = _run(device, NetworkUpload(bytes(MOST_BYTES + 1)), most=1)

    assert reason is not None
    assert "from 0 on (range)" in reason
