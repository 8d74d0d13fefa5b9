"""Each documented behaviour of the Device Shadow service, one by one, against the pure core."""

import json
from collections.abc import Mapping
from typing import Any

import pytest
from hushkit_iot.localcore.shadow_service import KEEP_DELETED_VERSION_S, Outcome, Shadow, ShadowKey, handle

KEY = ShadowKey("hs-001")
T0 = 1_700_000_000


class Desk:
    """One shadow and the requests made of it."""

    def __init__(self, key: ShadowKey = KEY) -> None:
        self.key = key
        self.now = T0
        self.stored: Shadow | None = None

    def ask(self, operation: str, payload: bytes = b"") -> Outcome:
        outcome = handle(operation, self.key, payload, self.stored, self.now)
        self.stored = outcome.stored or self.stored
        return outcome

    def update(self, state: object, **extra: object) -> Outcome:
        return self.ask("update", json.dumps({"state": state, **extra}).encode())

    def get(self) -> dict[str, Any]:
        return body(self.ask("get"))


def body(outcome: Outcome) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(outcome.answer.payload)
    return document


def sent(outcome: Outcome) -> Mapping[str, Any]:
    return {message.topic: json.loads(message.payload) for message in (outcome.answer, *outcome.others)}


@pytest.fixture
def desk() -> Desk:
    return Desk()


def test_update_creates_the_shadow_with_version_1(desk: Desk) -> None:
    outcome = desk.update({"desired": {"mode": "anc"}})

    assert outcome.code == 200
    assert body(outcome)["version"] == 1
    assert desk.get()["state"]["desired"] == {"mode": "anc"}


def test_update_raises_the_version_by_one_even_without_a_change(desk: Desk) -> None:
    versions = [body(desk.update({"desired": {"mode": "anc"}}))["version"] for _ in range(3)]

    assert versions == [1, 2, 3]


def test_update_of_an_empty_state_is_accepted(desk: Desk) -> None:
    assert body(desk.update({}))["state"] == {}
    assert desk.get()["state"] == {}


def test_update_affects_only_the_fields_specified(desk: Desk) -> None:
    desk.update({"desired": {"color": {"r": 255, "g": 255}, "engine": "ON"}})

    desk.update({"desired": {"color": {"r": 10}}})

    assert desk.get()["state"]["desired"] == {"color": {"r": 10, "g": 255}, "engine": "ON"}


def test_update_may_carry_both_sections(desk: Desk) -> None:
    accepted = body(desk.update({"desired": {"a": 1}, "reported": {"b": 2}}))

    assert accepted["state"] == {"desired": {"a": 1}, "reported": {"b": 2}}
    assert set(accepted["metadata"]) == {"desired", "reported"}


def test_accepted_carries_only_the_requested_fields(desk: Desk) -> None:
    desk.update({"desired": {"a": 1}, "reported": {"a": 1}})

    accepted = body(desk.update({"desired": {"b": 2}}))

    assert accepted["state"] == {"desired": {"b": 2}}
    assert accepted["metadata"] == {"desired": {"b": {"timestamp": T0}}}


def test_accepted_carries_time_version_and_client_token(desk: Desk) -> None:
    accepted = body(desk.update({"desired": {"a": 1}}, clientToken="t-1"))

    assert (accepted["timestamp"], accepted["version"], accepted["clientToken"]) == (T0, 1, "t-1")


@pytest.mark.parametrize("operation", ["get", "update", "delete"])
def test_answer_has_no_client_token_when_the_request_had_none(desk: Desk, operation: str) -> None:
    desk.update({"desired": {"a": 1}})

    assert "clientToken" not in body(desk.ask(operation, b'{"state":{}}'))


def test_accepted_echoes_null_of_a_removed_field(desk: Desk) -> None:
    desk.update({"desired": {"a": 1, "b": 1}})

    assert body(desk.update({"desired": {"a": None}}))["state"] == {"desired": {"a": None}}


def test_null_removes_a_field_and_its_metadata(desk: Desk) -> None:
    desk.update({"desired": {"a": 1, "b": {"c": 1, "d": 2}}})

    desk.update({"desired": {"a": None, "b": {"c": None}}})

    shadow = desk.get()
    assert shadow["state"]["desired"] == {"b": {"d": 2}}
    assert shadow["metadata"]["desired"] == {"b": {"d": {"timestamp": T0}}}


def test_null_of_an_absent_field_changes_nothing(desk: Desk) -> None:
    desk.update({"desired": {"a": 1}})

    desk.update({"desired": {"x": None, "y": {"z": None}}})

    assert desk.get()["state"]["desired"] == {"a": 1}


@pytest.mark.parametrize("section", ["desired", "reported"])
def test_null_removes_a_section(desk: Desk, section: str) -> None:
    desk.update({"desired": {"a": 1}, "reported": {"a": 1}})

    desk.update({section: None})

    assert section not in desk.get()["state"]
    assert section not in desk.get()["metadata"]


def test_section_without_fields_is_left_out(desk: Desk) -> None:
    desk.update({"desired": {"a": 1}, "reported": {"b": 1}})

    desk.update({"desired": {"a": None}})

    assert set(desk.get()["state"]) == {"reported"}


def test_shadow_without_sections_still_exists(desk: Desk) -> None:
    desk.update({"desired": {"a": 1}})
    desk.update({"desired": None})

    shadow = desk.get()

    assert (shadow["state"], shadow["metadata"], shadow["version"]) == ({}, {}, 2)


def test_array_is_replaced_whole(desk: Desk) -> None:
    desk.update({"reported": {"colors": ["RED", "GREEN", "BLUE"]}})

    desk.update({"reported": {"colors": ["RED"]}})

    assert desk.get()["state"]["reported"]["colors"] == ["RED"]


def test_array_has_metadata_for_each_element(desk: Desk) -> None:
    desk.update({"reported": {"bands": [1, {"q": 2}]}})

    stamp = {"timestamp": T0}
    assert desk.get()["metadata"]["reported"] == {"bands": [stamp, {"q": stamp}]}


@pytest.mark.parametrize("value", [[None], [1, None], [[None]], [{"a": [None]}], {"deep": [None]}])
def test_null_inside_an_array_is_rejected(desk: Desk, value: object) -> None:
    outcome = desk.update({"desired": {"colors": value}})

    assert (outcome.code, body(outcome)["message"]) == (400, "State contains an invalid node")


def test_object_replaces_a_scalar_and_a_scalar_an_object(desk: Desk) -> None:
    desk.update({"desired": {"a": 1, "b": {"c": 1}}})

    desk.update({"desired": {"a": {"x": 1}, "b": 2}})

    shadow = desk.get()
    assert shadow["state"]["desired"] == {"a": {"x": 1}, "b": 2}
    assert shadow["metadata"]["desired"] == {"a": {"x": {"timestamp": T0}}, "b": {"timestamp": T0}}


def test_field_named_timestamp_is_not_taken_for_metadata(desk: Desk) -> None:
    desk.update({"reported": {"clock": {"timestamp": 5}}})
    desk.now += 10
    desk.update({"reported": {"clock": {"zone": "utc"}}})

    metadata = desk.get()["metadata"]["reported"]["clock"]
    assert metadata == {"timestamp": {"timestamp": T0}, "zone": {"timestamp": T0 + 10}}


def test_metadata_keeps_the_time_of_untouched_fields(desk: Desk) -> None:
    desk.update({"reported": {"a": 1, "b": 1}})
    desk.now += 60

    desk.update({"reported": {"b": 1}})

    assert desk.get()["metadata"]["reported"] == {"a": {"timestamp": T0}, "b": {"timestamp": T0 + 60}}


def test_delta_holds_desired_fields_that_differ(desk: Desk) -> None:
    delta = sent(desk.update({"desired": {"a": 1, "b": 2}, "reported": {"a": 1, "b": 3}}))["update/delta"]

    assert delta["state"] == {"b": 2}


def test_delta_holds_desired_fields_absent_from_reported(desk: Desk) -> None:
    assert sent(desk.update({"desired": {"a": 1}}))["update/delta"]["state"] == {"a": 1}


def test_delta_leaves_out_fields_only_reported(desk: Desk) -> None:
    desk.update({"desired": {"a": 1}, "reported": {"a": 2, "b": 3}})

    assert desk.get()["state"]["delta"] == {"a": 1}


def test_delta_shows_the_path_to_the_root_and_no_siblings(desk: Desk) -> None:
    desk.update(
        {"desired": {"lights": {"color": "RED", "on": True}}, "reported": {"lights": {"color": "G", "on": True}}}
    )

    assert desk.get()["state"]["delta"] == {"lights": {"color": "RED"}}


def test_delta_takes_arrays_whole(desk: Desk) -> None:
    desk.update({"desired": {"c": [1, 2, 3]}, "reported": {"c": [1, 2, 4]}})

    assert desk.get()["state"]["delta"] == {"c": [1, 2, 3]}


def test_delta_has_the_metadata_of_desired(desk: Desk) -> None:
    desk.update({"desired": {"a": {"b": 1}}})
    desk.now += 5

    delta = sent(desk.update({"reported": {"a": {"b": 2}}}))["update/delta"]

    assert delta["metadata"] == {"a": {"b": {"timestamp": T0}}}
    assert delta["timestamp"] == T0 + 5


def test_delta_holds_differences_this_update_did_not_touch(desk: Desk) -> None:
    desk.update({"desired": {"a": 1, "b": 1}})

    delta = sent(desk.update({"reported": {"b": 1}}))["update/delta"]

    assert delta["state"] == {"a": 1}


def test_delta_is_not_sent_when_reported_equals_desired(desk: Desk) -> None:
    desk.update({"desired": {"a": 1, "n": {"x": [1]}}})

    messages = sent(desk.update({"reported": {"a": 1, "n": {"x": [1]}}}))

    assert set(messages) == {"update/accepted", "update/documents"}


def test_delta_is_not_sent_when_nothing_is_desired(desk: Desk) -> None:
    assert "update/delta" not in sent(desk.update({"reported": {"a": 1}}))


def test_delta_returns_when_a_field_is_deleted_from_reported(desk: Desk) -> None:
    desk.update({"desired": {"a": 1}, "reported": {"a": 1}})

    assert sent(desk.update({"reported": {"a": None}}))["update/delta"]["state"] == {"a": 1}


def test_delta_carries_version_and_client_token(desk: Desk) -> None:
    delta = sent(desk.update({"desired": {"a": 1}}, clientToken="t-2"))["update/delta"]

    assert (delta["version"], delta["clientToken"]) == (1, "t-2")


@pytest.mark.parametrize(("desired", "reported", "differs"), [(1, 1.0, False), (1, True, True), ("1", 1, True)])
def test_delta_compares_numbers_by_value_and_types_strictly(
    desk: Desk, desired: object, reported: object, *, differs: bool
) -> None:
    desk.update({"desired": {"a": desired, "l": [desired]}, "reported": {"a": reported, "l": [reported]}})

    assert ("delta" in desk.get()["state"]) is differs


def test_documents_shows_the_shadow_before_and_after(desk: Desk) -> None:
    desk.update({"desired": {"a": 1}})
    desk.now += 1

    documents = sent(desk.update({"desired": {"a": 2}}, clientToken="t"))["update/documents"]

    assert documents == {
        "previous": {
            "state": {"desired": {"a": 1}},
            "metadata": {"desired": {"a": {"timestamp": T0}}},
            "version": 1,
        },
        "current": {
            "state": {"desired": {"a": 2}},
            "metadata": {"desired": {"a": {"timestamp": T0 + 1}}},
            "version": 2,
        },
        "timestamp": T0 + 1,
        "clientToken": "t",
    }


def test_get_returns_the_whole_document(desk: Desk) -> None:
    desk.update({"desired": {"a": 1}, "reported": {"b": 1}})
    desk.now += 3

    document = body(desk.ask("get", b'{"clientToken":"g"}'))

    assert document == {
        "state": {"desired": {"a": 1}, "reported": {"b": 1}, "delta": {"a": 1}},
        "metadata": {"desired": {"a": {"timestamp": T0}}, "reported": {"b": {"timestamp": T0}}},
        "version": 1,
        "timestamp": T0 + 3,
        "clientToken": "g",
    }


def test_get_has_no_delta_when_there_is_none(desk: Desk) -> None:
    desk.update({"desired": {"a": 1}, "reported": {"a": 1}})

    assert "delta" not in desk.get()["state"]


@pytest.mark.parametrize("operation", ["get", "delete"])
@pytest.mark.parametrize(("key", "name"), [(KEY, "hs-001"), (ShadowKey("hs-001", "audio"), "hs-001~audio")])
def test_absent_shadow_is_not_found(operation: str, key: ShadowKey, name: str) -> None:
    outcome = Desk(key).ask(operation, b'{"clientToken":"g"}')

    assert outcome.answer.topic == f"{operation}/rejected"
    assert body(outcome) == {
        "code": 404,
        "message": f"No shadow exists with name: '{name}'",
        "timestamp": T0,
        "clientToken": "g",
    }


def test_delete_answers_with_version_time_and_token(desk: Desk) -> None:
    desk.update({"desired": {"a": 1}})

    outcome = desk.ask("delete", b'{"clientToken":"d"}')

    assert outcome.answer.topic == "delete/accepted"
    assert body(outcome) == {"version": 1, "timestamp": T0, "clientToken": "d"}


def test_deleted_shadow_is_not_found(desk: Desk) -> None:
    desk.update({"desired": {"a": 1}})
    desk.ask("delete")

    assert desk.ask("get").code == 404
    assert desk.ask("delete").code == 404


def test_delete_does_not_reset_the_version(desk: Desk) -> None:
    desk.update({"desired": {"a": 1}})
    desk.update({"desired": {"a": 2}})
    desk.ask("delete")

    accepted = body(desk.update({"desired": {"b": 1}}))

    assert accepted["version"] == 3
    assert desk.get()["state"]["desired"] == {"b": 1}


@pytest.mark.parametrize(("age_s", "version"), [(KEEP_DELETED_VERSION_S, 2), (KEEP_DELETED_VERSION_S + 1, 1)])
def test_version_of_a_deleted_shadow_is_kept_for_48_hours(desk: Desk, age_s: int, version: int) -> None:
    desk.update({"desired": {"a": 1}})
    desk.ask("delete")
    desk.now += age_s

    assert body(desk.update({"desired": {"a": 1}}))["version"] == version


def test_update_with_the_current_version_is_accepted(desk: Desk) -> None:
    desk.update({"desired": {"a": 1}})

    assert desk.update({"desired": {"a": 2}}, version=1).code == 200


@pytest.mark.parametrize("version", [0, 2, 99])
def test_update_with_another_version_is_a_conflict(desk: Desk, version: int) -> None:
    desk.update({"desired": {"a": 1}})

    outcome = desk.update({"desired": {"a": 2}}, version=version, clientToken="t")

    assert body(outcome) == {"code": 409, "message": "Version conflict", "timestamp": T0, "clientToken": "t"}
    assert desk.get()["state"]["desired"] == {"a": 1}


def test_delete_with_another_version_is_a_conflict(desk: Desk) -> None:
    desk.update({"desired": {"a": 1}})

    assert desk.ask("delete", b'{"version":7}').code == 409
    assert desk.ask("delete", b'{"version":1}').code == 200


@pytest.mark.parametrize(
    ("payload", "message"),
    [
        (b"", "Invalid JSON"),
        (b"{", "Invalid JSON"),
        (b"[]", "Invalid JSON"),
        (b'{"state":{"desired":{"a":NaN}}}', "Invalid JSON"),
        (b'{"state":{"desired":{"a":1e999}}}', "Invalid JSON"),
        (b'{"state":{"desired":{"a":"\\ud800"}}}', "Invalid JSON"),
        (b"{}", "Missing required node: state"),
        (b'{"state":null}', "State node must be an object"),
        (b'{"state":[1]}', "State node must be an object"),
        (b'{"state":{"desired":1}}', "Desired node must be an object"),
        (b'{"state":{"reported":"x"}}', "Reported node must be an object"),
        (b'{"state":{},"version":"1"}', "Invalid version"),
        (b'{"state":{},"version":1.5}', "Invalid version"),
        (b'{"state":{},"version":true}', "Invalid version"),
        (b'{"state":{},"version":-1}', "Invalid version"),
        (b'{"state":{},"clientToken":7}', "Invalid clientToken"),
    ],
)
def test_malformed_update_is_rejected_with_the_documented_message(desk: Desk, payload: bytes, message: str) -> None:
    outcome = desk.ask("update", payload)

    assert outcome.answer.topic == "update/rejected"
    assert body(outcome) == {"code": 400, "message": message, "timestamp": T0}
    assert outcome.stored is None


@pytest.mark.parametrize(("token", "code"), [("a" * 64, 200), ("a" * 65, 400), ("ä" * 32, 200), ("ä" * 33, 400)])
def test_client_token_is_at_most_64_bytes(desk: Desk, token: str, code: int) -> None:
    assert desk.update({}, clientToken=token).code == code


@pytest.mark.parametrize(
    ("inner", "code"),
    [('{"a":' * 5 + "1" + "}" * 5, 200), ('{"a":' * 6 + "1" + "}" * 6, 200), ('{"a":' * 7 + "1" + "}" * 7, 400)],
)
def test_section_nests_at_most_six_levels(desk: Desk, inner: str, code: int) -> None:
    outcome = desk.ask("update", f'{{"state":{{"desired":{inner}}}}}'.encode())

    assert outcome.code == code
    if code == 400:
        assert body(outcome)["message"] == "JSON contains too many levels of nesting; maximum is 6"


@pytest.mark.parametrize("payload", [b"[" * 100_000, b'{"state":{"desired":' + b'{"a":' * 60_000])
def test_bottomless_nesting_is_rejected(desk: Desk, payload: bytes) -> None:
    assert desk.ask("update", payload[: 128 * 1024]).code == 400


def test_arrays_count_as_levels(desk: Desk) -> None:
    assert desk.update({"desired": {"a": [[[[[1]]]]]}}).code == 200
    assert desk.update({"desired": {"a": [[[[[[1]]]]]]}}).code == 400


def test_state_of_8_kb_is_accepted_and_one_byte_more_is_not(desk: Desk) -> None:
    frame = len('{"a":""}')

    assert desk.update({"desired": {"a": "x" * (8192 - frame)}}).code == 200
    outcome = desk.update({"desired": {"a": "x" * (8193 - frame)}})

    assert (outcome.code, body(outcome)["message"]) == (413, "The payload exceeds the maximum size allowed")


def test_size_counts_desired_and_reported_together_after_merging(desk: Desk) -> None:
    desk.update({"desired": {"a": "x" * 5000}})

    assert desk.update({"reported": {"a": "x" * 5000}}).code == 413
    assert desk.update({"desired": None, "reported": {"a": "x" * 5000}}).code == 200


def test_metadata_does_not_count_toward_the_size(desk: Desk) -> None:
    state = {f"k{number:03}": number for number in range(700)}  # 7.6 KB of state, 20 KB with metadata

    assert desk.update({"reported": state}).code == 200


def test_payload_beyond_128_kb_is_rejected(desk: Desk) -> None:
    payload = b'{"state":{}}' + b" " * (128 * 1024)

    assert desk.ask("update", payload).code == 413


@pytest.mark.parametrize("operation", ["get", "update", "delete"])
def test_payload_that_is_not_utf8_is_rejected(desk: Desk, operation: str) -> None:
    outcome = desk.ask(operation, b'{"state":{"desired":{"a":"\xff"}}}')

    assert (outcome.code, body(outcome)["message"]) == (
        415,
        "Unsupported documented encoding; supported encoding is UTF-8",
    )


def test_fields_outside_the_two_sections_are_ignored(desk: Desk) -> None:
    accepted = body(desk.update({"desired": {"a": 1}, "other": {"b": 1}}, color="RED"))

    assert accepted["state"] == {"desired": {"a": 1}}
    assert desk.get()["state"] == {"desired": {"a": 1}, "delta": {"a": 1}}


@pytest.mark.parametrize(
    ("key", "code"),
    [
        (ShadowKey("t" * 128), 200),
        (ShadowKey("t" * 129), 400),
        (ShadowKey("a b"), 400),
        (ShadowKey("t", "$n:_-" + "n" * 59), 200),
        (ShadowKey("t", "n" * 65), 400),
        (ShadowKey("t", "a.b"), 400),
    ],
)
def test_names_are_limited(key: ShadowKey, code: int) -> None:
    assert Desk(key).update({}).code == code


def test_rejected_update_leaves_nothing_to_store_and_sends_only_the_refusal(desk: Desk) -> None:
    outcome = desk.update({"desired": {"a": [None]}})

    assert outcome.stored is None
    assert set(sent(outcome)) == {"update/rejected"}
