"""Desired state: the agent's rules equal the published schema, and refusals carry reasons."""

import json
from pathlib import Path

import pytest
from hushkit_agent.core.desired import judge
from hushkit_agent.core.documents import difference, merged
from hushkit_link.wire import Mode
from hypothesis import given
from hypothesis import strategies as st

jsonschema = pytest.importorskip("jsonschema")

_SCHEMA = Path(__file__).parents[2] / "iot" / "schemas" / "headset_shadow.schema.json"
_VALUE = st.one_of(
    st.sampled_from(["off", "anc", "transparency", "turbo", "ANC", ""]),
    st.integers(-2, 4000),
    st.floats(allow_nan=False, allow_infinity=False),
    st.booleans(),
    st.lists(st.integers(), max_size=2),
)
_DESIRED = st.fixed_dictionaries(
    {},
    optional={
        "mode": _VALUE,
        "intensity": _VALUE,
        "telemetry": _VALUE | st.fixed_dictionaries({}, optional={"period_s": _VALUE, "rate": _VALUE}),
        "volume": _VALUE,
    },
)
_LEAF = st.booleans() | st.integers() | st.text(max_size=3) | st.lists(st.integers(), max_size=2)
_OBJECT = st.dictionaries(
    st.sampled_from("abc"),
    st.recursive(_LEAF, lambda inner: st.dictionaries(st.sampled_from("xyz"), inner)),
    max_size=3,
)


@given(_DESIRED)
def test_agent_accepts_exactly_what_the_schema_does(desired: dict[str, object]) -> None:
    schema = json.loads(_SCHEMA.read_text(encoding="utf-8"))
    valid = jsonschema.Draft202012Validator(schema).is_valid(desired)

    judgement = judge(desired)

    assert (not judgement.rejected) == valid


def test_refusals_name_property_value_and_reason_and_leave_the_rest_in_force() -> None:
    judgement = judge({"mode": "turbo", "intensity": 7, "telemetry": {"period_s": 2}})

    assert judgement.settings.period_s == 2.0
    assert judgement.settings.mode is None
    assert judgement.rejected["mode"].value == "turbo"
    assert judgement.rejected["mode"].reason == "unknown mode; expected off, anc, transparency"
    assert judgement.rejected["intensity"].value == 7
    assert judgement.rejected["intensity"].reason == "out of range; expected 0 to 1"


def test_good_state_is_taken_over() -> None:
    settings = judge({"mode": "transparency", "intensity": 0.25}).settings

    assert (settings.mode, settings.intensity, settings.period_s) == (Mode.TRANSPARENCY, 0.25, None)


def test_a_refusal_always_fits_a_shadow() -> None:
    judgement = judge({"mode": "x" * 5000, "volume": {"deep": {"deeper": [1] * 500}}})

    assert all(len(json.dumps(rejection.value)) < 250 for rejection in judgement.rejected.values())


@given(_OBJECT, _OBJECT)
def test_difference_leads_from_old_to_new(old: dict[str, object], new: dict[str, object]) -> None:
    def without_empty(value: object) -> object:
        if isinstance(value, dict):
            inner = {key: without_empty(item) for key, item in value.items()}
            return {key: item for key, item in inner.items() if item != {}}
        return value

    assert without_empty(merged(old, difference(old, new))) == without_empty(new)
    assert difference(new, new) == {}
