"""The device's side of a shadow: get, delta, report, refusals, retries, versions."""

import json

from hushkit_agent.core.effects import Effect, Publish, Say
from hushkit_agent.core.shadow import Shadow, topics

_PREFIX = "$aws/things/hs/shadow/"


def _sent(effects: list[Effect]) -> list[tuple[str, dict[str, object]]]:
    return [(e.topic.removeprefix(_PREFIX), json.loads(e.payload)) for e in effects if isinstance(e, Publish)]


def _answer(shadow: Shadow, topic: str, now_s: float = 0.0, **document: object) -> list[Effect]:
    return shadow.receive(_PREFIX + topic, json.dumps(document).encode(), now_s)


def _connected(*, desired: dict[str, object], reported: dict[str, object], version: int = 4) -> Shadow:
    shadow = Shadow("hs", session="s")
    shadow.connected(0.0)
    ((_, request),) = _sent(shadow.poll(0.0))
    state = {"desired": desired, "reported": reported}
    _answer(shadow, "get/accepted", state=state, version=version, clientToken=request["clientToken"])
    return shadow


def test_subscriptions_fit_one_request() -> None:
    assert len(topics("hs")) <= 8
    assert f"{_PREFIX}update/delta" in topics("hs")


def test_connection_begins_with_the_whole_shadow() -> None:
    shadow = _connected(desired={"mode": "off"}, reported={"mode": "anc", "old": 1})

    shadow.report({"mode": "off", "link": "up"})
    ((operation, request),) = _sent(shadow.poll(1.0))

    assert shadow.desired == {"mode": "off"}
    assert operation == "update"
    assert request["state"] == {"reported": {"mode": "off", "link": "up", "old": None}}
    assert not shadow.is_settled


def test_accepted_report_settles() -> None:
    shadow = _connected(desired={}, reported={})
    shadow.report({"link": "up"})
    ((_, request),) = _sent(shadow.poll(0.0))

    _answer(shadow, "update/accepted", state=request["state"], version=5, clientToken=request["clientToken"])

    assert shadow.is_settled
    assert shadow.poll(1.0) == []
    assert shadow.deadline_s() == float("inf")


def test_missing_shadow_is_made_by_the_first_report() -> None:
    shadow = Shadow("hs", session="s")
    shadow.report({"link": "up"})
    shadow.connected(0.0)
    ((_, request),) = _sent(shadow.poll(0.0))

    _answer(shadow, "get/rejected", code=404, message="No shadow", clientToken=request["clientToken"])

    assert _sent(shadow.poll(0.0))[0][1]["state"] == {"reported": {"link": "up"}}


def test_delta_merges_and_an_older_one_is_ignored() -> None:
    shadow = _connected(desired={"mode": "off", "telemetry": {"period_s": 1}}, reported={}, version=10)

    _answer(shadow, "update/delta", state={"telemetry": {"period_s": 2}}, version=12)
    _answer(shadow, "update/delta", state={"mode": "anc"}, version=11)

    assert shadow.desired == {"mode": "off", "telemetry": {"period_s": 2}}


def test_removed_wish_is_forgotten_though_no_delta_tells() -> None:
    shadow = _connected(desired={"mode": "turbo", "intensity": 0.5}, reported={}, version=10)

    _answer(shadow, "update/accepted", state={"desired": {"mode": None}}, version=11, clientToken="operator")

    assert shadow.desired == {"intensity": 0.5}


def test_unanswered_request_is_asked_again_with_growing_waits() -> None:
    shadow = Shadow("hs", session="s")
    shadow.connected(0.0)
    sent_at: list[float] = []
    now_s = 0.0

    while len(sent_at) < 4:
        if _sent(shadow.poll(now_s)):
            sent_at.append(now_s)
        now_s = max(now_s, shadow.deadline_s())

    assert sent_at == [0.0, 6.0, 13.0, 22.0]


def test_hopeless_report_is_told_once_and_not_repeated() -> None:
    shadow = _connected(desired={}, reported={})
    shadow.report({"x": "y"})
    ((_, request),) = _sent(shadow.poll(0.0))

    effects = _answer(shadow, "update/rejected", code=413, message="too large", clientToken=request["clientToken"])

    assert [type(effect) for effect in effects] == [Say]
    assert shadow.poll(100.0) == []
    shadow.report({"x": "z"})
    assert len(_sent(shadow.poll(100.0))) == 1


def test_passing_error_leads_to_asking_for_the_whole_shadow() -> None:
    shadow = _connected(desired={}, reported={})
    shadow.report({"x": "y"})
    ((_, request),) = _sent(shadow.poll(0.0))

    _answer(shadow, "update/rejected", code=500, message="internal", clientToken=request["clientToken"])

    assert shadow.poll(0.5) == []
    assert _sent(shadow.poll(1.0))[0][0] == "get"


def test_reconnection_keeps_the_last_wishes_until_the_new_ones_are_known() -> None:
    shadow = _connected(desired={"mode": "off"}, reported={})
    shadow.disconnected()
    shadow.report({"link": "down"})

    assert shadow.poll(5.0) == []
    assert shadow.desired == {"mode": "off"}
    shadow.connected(6.0)
    assert _sent(shadow.poll(6.0))[0][0] == "get"


def test_answers_to_others_and_garbage_change_nothing() -> None:
    shadow = _connected(desired={"mode": "off"}, reported={})

    _answer(shadow, "get/accepted", state={"desired": {"mode": "anc"}}, version=99, clientToken="other")
    said = shadow.receive(f"{_PREFIX}update/delta", b"\xff{", 0.0) + shadow.receive(
        f"{_PREFIX}update/delta", b"[]", 0.0
    )

    assert shadow.desired == {"mode": "off"}
    assert len(said) == 2
