"""Laws that hold for every document, checked on generated ones."""

import json

from hushkit_iot.localcore import shadow_document as documents
from hushkit_iot.localcore.shadow_document import Annotated, JsonObject, JsonValue
from hushkit_iot.localcore.shadow_service import Shadow, ShadowKey, handle
from hypothesis import given, settings
from hypothesis import strategies as st

SOLID: st.SearchStrategy[JsonValue] = st.booleans() | st.integers(-5, 5) | st.floats(-5, 5) | st.text("ab", max_size=3)
SCALARS: st.SearchStrategy[JsonValue] = st.none() | SOLID
NAMES = st.sampled_from(["a", "b", "c", "timestamp"])


def grow(inner: st.SearchStrategy[JsonValue]) -> st.SearchStrategy[JsonValue]:
    return st.dictionaries(NAMES, inner, max_size=3).map(dict)


def objects(scalars: st.SearchStrategy[JsonValue]) -> st.SearchStrategy[JsonObject]:
    arrays: st.SearchStrategy[JsonValue] = st.lists(SOLID, max_size=2).map(list)
    return st.dictionaries(NAMES, st.recursive(scalars | arrays, grow), max_size=4)


STATES = objects(SOLID)
PATCHES = objects(SCALARS)


def annotate(value: JsonObject, now: int = 1) -> Annotated:
    return documents.merge(Annotated({}, {}), value, now)


def shape(value: JsonValue) -> JsonValue:
    return documents.stamp(value, 7)


def timeless(metadata: JsonValue, value: JsonValue) -> JsonValue:
    """Metadata with all its times set to 7, guided by the state it belongs to."""
    if isinstance(value, dict):
        assert isinstance(metadata, dict)
        assert metadata.keys() == value.keys()
        return {name: timeless(metadata[name], value[name]) for name in value}
    if isinstance(value, list):
        assert isinstance(metadata, list)
        return [timeless(stamp, child) for stamp, child in zip(metadata, value, strict=True)]
    assert isinstance(metadata, dict)
    assert metadata.keys() == {"timestamp"}
    return {"timestamp": 7}


@given(STATES, STATES)
def test_reporting_the_delta_clears_it(desired: JsonObject, reported: JsonObject) -> None:
    delta = documents.delta(annotate(desired), reported)

    after = documents.merge(annotate(reported), delta.value, 2)

    assert documents.delta(annotate(desired), after.value).value == {}


@given(STATES)
def test_delta_against_itself_is_empty(state: JsonObject) -> None:
    assert documents.delta(annotate(state), state).value == {}


@given(STATES, STATES)
def test_delta_only_holds_what_desired_holds(desired: JsonObject, reported: JsonObject) -> None:
    delta = documents.delta(annotate(desired), reported).value

    assert documents.same(documents.merge(annotate(desired), delta, 2).value, desired)


@given(STATES, PATCHES)
def test_metadata_has_the_shape_of_the_state(state: JsonObject, patch: JsonObject) -> None:
    merged = documents.merge(annotate(state), patch, 2)

    assert timeless(merged.metadata, merged.value) == shape(merged.value)


@given(STATES, STATES)
def test_delta_metadata_has_the_shape_of_the_delta(desired: JsonObject, reported: JsonObject) -> None:
    delta = documents.delta(annotate(desired), reported)

    assert timeless(delta.metadata, delta.value) == shape(delta.value)


@given(STATES, PATCHES)
def test_merging_twice_is_merging_once(state: JsonObject, patch: JsonObject) -> None:
    once = documents.merge(annotate(state), patch, 2)

    assert documents.merge(once, patch, 2) == once


@given(STATES, PATCHES)
def test_merged_state_holds_no_null(state: JsonObject, patch: JsonObject) -> None:
    assert "null" not in documents.encode(documents.merge(annotate(state), patch, 2).value).decode()


@given(STATES, PATCHES)
def test_merging_leaves_its_arguments_alone(state: JsonObject, patch: JsonObject) -> None:
    current = annotate(state)
    before = json.dumps([current.value, current.metadata, patch])

    documents.merge(current, patch, 9)

    assert json.dumps([current.value, current.metadata, patch]) == before


REQUESTS = st.tuples(
    st.sampled_from(["update", "update", "update", "get", "delete"]),
    st.fixed_dictionaries(
        {
            "state": st.fixed_dictionaries(
                {}, optional={"desired": st.none() | PATCHES, "reported": st.none() | PATCHES}
            )
        },
        optional={"version": st.integers(0, 4)},
    ),
)


@settings(max_examples=200)
@given(st.lists(REQUESTS, max_size=12))
def test_versions_only_grow_and_count_accepted_updates(requests: list[tuple[str, JsonObject]]) -> None:
    stored: Shadow | None = None
    expected = 0
    for now, (operation, document) in enumerate(requests):
        outcome = handle(operation, ShadowKey("t"), documents.encode(document), stored, now)
        expected += outcome.code == 200 and operation == "update"
        stored = outcome.stored or stored
        assert (stored.version if stored else 0) == expected


@given(st.sampled_from(["get", "update", "delete"]), st.binary(max_size=60))
def test_any_bytes_get_an_answer(operation: str, payload: bytes) -> None:
    outcome = handle(operation, ShadowKey("t"), payload, None, 0)

    document = json.loads(outcome.answer.payload)
    assert outcome.answer.topic.startswith(f"{operation}/")
    assert outcome.code in {200, 400, 404, 409, 415}
    assert document.get("code", 200) == outcome.code
