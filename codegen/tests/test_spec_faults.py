"""Reading headset specs: shipped ones are sound, and every fault is listed at once with its place, line and advice."""

import dataclasses
from pathlib import Path

import pytest
from hushkit.spec import SPEC_DIRECTORY, Fault, FxNlms, SpecError, check_spec, load_spec, parse_spec, shipped_specs
from hushkit.spec_cost import estimate

FXNLMS_FILE = Path(__file__).parent / "specs" / "fxnlms-m7.toml"
FXNLMS = FXNLMS_FILE.read_text(encoding="utf-8")


def faults_of(*changes: tuple[str, str]) -> tuple[Fault, ...]:
    """Faults of the FxNLMS headset with some of its text replaced; each text must be there."""
    text = FXNLMS
    for old, new in changes:
        assert old in text
        text = text.replace(old, new, 1)
    return parse_spec(text, "changed")[1]


def test_shipped_specs_are_the_four_products_and_sound() -> None:
    clocks = {name: load_spec(name).core.clock_hz for name in shipped_specs()}

    assert clocks == {
        "balanced-m33": 160_000_000,
        "compact-m4": 168_000_000,
        "flagship-m7": 480_000_000,
        "helium-m55": 400_000_000,
    }


@pytest.mark.parametrize("name", shipped_specs())
def test_shipped_spec_stays_within_100_us_and_its_load(name: str) -> None:
    spec = load_spec(name)

    cost = estimate(spec)

    assert cost.latency_us <= 100.0
    assert cost.cpu_percent <= spec.budgets.cpu_percent <= 98.0
    assert spec.adaptive.taps <= cost.largest_taps


@pytest.mark.parametrize(
    ("old", "new", "place", "words"),
    [
        ("[adaptive]", "[adaptve]", "adaptve", "did you mean `adaptive`?"),
        ("taps = 256", "tap = 256", "adaptive.tap", "did you mean `taps`?"),
        ("clock_hz = 480_000_000", "", "core.clock_hz", "missing"),
        ("block = 1", "block = 0", "audio.block", "0 is not one of 1, 4, 8"),
        ("block = 1", "block = true", "audio.block", "True is not one of 1, 4, 8"),
        ("adc_us = 20.0", "adc_us = nan", "converters.adc_us", "nan is out of range"),
        ("adc_us = 20.0", 'adc_us = "20"', "converters.adc_us", '"20" is not a number'),
        ("taps = 256", "taps = 256.0", "adaptive.taps", "256.0 is not a whole number"),
        ("taps = 256", "taps = 250", "adaptive.taps", "use 224 or 256"),
        ('type = "cortex-m7"', 'type = "cortex-m8"', "core.type", "did you mean cortex-m7?"),
        ('["reference", "error"]', '["reference"]', "audio.microphones", "fxnlms needs an error microphone"),
        ('["reference", "error"]', '["error"]', "audio.microphones", "no reference microphone"),
        ("schema = 1", "schema = 2", "schema", "this Hushkit reads schema 1"),
        ('name = "fxnlms-m7"', 'name = "Flag Ship"', "name", "cannot be used"),
        ("update_block = 32", "update_block = 24", "adaptive.update_block", "24 is not one of 8, 16, 32, 64"),
        ("step = 0.0003", "step = 0.01", "adaptive.step", "use at most 0.0078125"),
        ("ram_bytes = 131_072", "ram_bytes = 16_384", "budgets.ram_bytes", "cannot hold the state"),
        ("ram_bytes = 131_072", "ram_bytes = 1_048_576", "budgets.ram_bytes", "the core has 524288"),
        ("flash_bytes = 262_144", "flash_bytes = 16_384", "budgets.flash_bytes", "cannot hold the program"),
        ("latency_us = 100.0", "latency_us = 50.0", "budgets.latency_us", "allow 61"),
        ("latency_us = 100.0", "latency_us = 600.0", "budgets.latency_us", "500 us is the ceiling"),
        ("[modes]", "modes = 3\n[mode]", "adaptive.modes", "unknown key"),
    ],
)
def test_fault_is_listed_with_place_and_advice(old: str, new: str, place: str, words: str) -> None:
    found = [fault for fault in faults_of((old, new)) if fault.place == place]

    assert len(found) == 1
    assert words in str(found[0])


def test_fault_names_the_line_it_is_on() -> None:
    line = FXNLMS.splitlines().index("block = 1") + 1

    (fault,) = faults_of(("block = 1", "block = 3"))

    assert fault.line == line
    assert str(fault).startswith(f"audio.block (line {line}): 3 is not one of 1, 4, 8; ")


def test_every_fault_is_listed_at_once_in_the_order_of_the_file() -> None:
    changes = [("clock_hz = 480_000_000", ""), ("ears = 2", "ears = 3"), ("dac_us = 20.0", "dac_us = -1.0")]
    changes += [("step = 0.0003", "step = inf"), ("[limiter]", "[limter]"), ("release_ms = 50.0", "release_ms = 50.0")]

    found = [fault.place for fault in faults_of(*changes)]

    assert found == ["core.clock_hz", "audio.ears", "converters.dac_us", "adaptive.step", "limter"]


def test_taps_that_cannot_fit_say_the_estimate_and_the_most_that_fits() -> None:
    (fault,) = faults_of(("taps = 256", "taps = 1024"))

    assert fault.place == "adaptive.taps"
    assert "of 10000 cycles per sample" in fault.message
    assert "the longest control filter that fits is 288 taps (now 1024)" in fault.advice


def test_largest_taps_fit_and_the_next_size_does_not() -> None:
    spec = load_spec(FXNLMS_FILE)
    assert isinstance(spec.adaptive, FxNlms)
    largest = estimate(spec).largest_taps

    fits = [
        estimate(dataclasses.replace(spec, adaptive=dataclasses.replace(spec.adaptive, taps=taps))).cpu_percent <= 70.0
        for taps in (largest, largest + 32)
    ]

    assert fits == [True, False]


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ("[1.0, 0.0, 0.0, 1.0, -2.0, 1.1]", "row 1 is unstable (largest pole 1.048809)"),
        ("[1.0, 0.0, 0.0, 1.0, -2.1, 1.0]", "row 1 is unstable"),
        ("[1.0, 0.0, 0.0, 2.0, 0.0, 0.0]", "row 1 has a0 = 2"),
        ("[0.0, 0.0, 0.0, 1.0, 0.0, 0.0]", "row 1 has no numerator"),
        ("[1.0, 0.0, 0.0, 1.0, 0.0]", "row 1 has 5 numbers"),
        ("[1.0, nan, 0.0, 1.0, 0.0, 0.0]", "row 1 holds nan"),
    ],
)
def test_faulty_section_is_named(row: str, words: str) -> None:
    part = FXNLMS[FXNLMS.index('kind = "fit"') : FXNLMS.index("sections = 8") + len("sections = 8")]

    (fault,) = faults_of((part, f'kind = "sos"\nrows = [{row}]'))

    assert fault.place == "filters.feedforward.rows"
    assert words in fault.message


def test_classifier_and_categories_are_read() -> None:
    tables = '[classifier]\nmodel = "scene57"\n[categories.aircraft_cruise]\nstep = 0.01\n'
    tables += '[categories.emergency]\nmode = "transparency"\n'

    spec, faults = parse_spec(FXNLMS + tables, "with tables")

    assert faults == ()
    assert spec is not None
    assert spec.classifier is not None
    assert spec.classifier.model == "scene57"
    assert [(c.name, c.step, c.mode) for c in spec.categories] == [
        ("aircraft_cruise", 0.01, None),
        ("emergency", None, "transparency"),
    ]


@pytest.mark.parametrize(
    ("tables", "words"),
    [
        ("[categories.aircraft_cruse]\n", "did you mean aircraft_cruise?"),
        ("[categories.train]\ntaps = 512\n[classifier]\nmodel = 'm'\n", "512 taps, longer than adaptive.taps = 256"),
        ("[classifier]\nhop_ms = 500\n", "classifier.model: missing"),
    ],
)
def test_faulty_classifier_and_categories_are_listed(tables: str, words: str) -> None:
    faults = parse_spec(FXNLMS + tables, "with tables")[1]

    assert any(words in str(fault) for fault in faults), [str(fault) for fault in faults]


def test_spec_without_adaptive_filter_needs_no_settings() -> None:
    start = FXNLMS.index("[adaptive]")
    end = FXNLMS.index("[modes]")

    spec, faults = parse_spec(FXNLMS[:start] + '[adaptive]\nalgorithm = "none"\n' + FXNLMS[end:], "none")

    assert faults == ()
    assert spec is not None
    assert spec.adaptive.taps == 0


def test_load_reports_the_first_fault_and_how_many_more(tmp_path: Path) -> None:
    file = tmp_path / "bad.toml"
    file.write_text(FXNLMS.replace("block = 1", "block = 2").replace("ears = 2", "ears = 5"), encoding="utf-8")

    with pytest.raises(SpecError, match=r"audio\.block \(line \d+\).*and 1 more: hushkit spec check") as caught:
        load_spec(file)

    assert len(caught.value.faults) == 2
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("content", "words"),
    [(None, "no such spec or file; give a TOML file or one of"), (b"[core\n", "not TOML"), (b"\xff\xfe", "not UTF-8")],
)
def test_unreadable_spec_is_one_clear_error(content: bytes | None, words: str, tmp_path: Path) -> None:
    file = tmp_path / "spec.toml"
    if content is not None:
        file.write_bytes(content)

    with pytest.raises(SpecError, match=words):
        check_spec(file)


def test_equal_specs_have_equal_digests_and_other_specs_others() -> None:
    spec = load_spec("compact-m4")

    assert spec.digest() == load_spec(SPEC_DIRECTORY / "compact-m4.toml").digest()
    assert spec.digest() != dataclasses.replace(spec, dc_block_hz=5.0).digest()
