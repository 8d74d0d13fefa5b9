"""Settings by noise category: from the spec's tables to rows of integers and their C."""

import dataclasses
from pathlib import Path

import pytest
from hushkit.spec import CATEGORIES, SPEC_DIRECTORY, HeadsetSpec, WarpedLs, parse_spec
from hushkit_codegen.design.categories import design_categories
from hushkit_codegen.emit import emit_headset
from hushkit_codegen.ir import CategoriesIr, WarpedIr, load_ir
from hushkit_models.classifier.taxonomy import SUPERCLASSES

ROOT = Path(__file__).resolve().parents[2]
TEXT = (SPEC_DIRECTORY / "compact-m4.toml").read_text(encoding="utf-8").replace("168_000_000", "480_000_000")
FXNLMS = """[adaptive]
algorithm = "fxnlms"
taps = 64
secondary_taps = 64
update_block = 32
step = 0.001
"""


def spec_of(tables: str, *, adaptive: str | None = None) -> HeadsetSpec:
    spec, faults = parse_spec(_text(tables, adaptive), "with categories")
    assert faults == ()
    assert spec is not None
    return spec


def _text(tables: str, adaptive: str | None) -> str:
    before, _, rest = TEXT.partition("[adaptive]")
    own, _, after = rest.partition("[modes]")
    categories, _, budgets = after.partition("[budgets]")
    after = f"{categories.partition('# What the headset does')[0]}[budgets]{budgets}"
    return f"{before}{adaptive or '[adaptive]' + own}[modes]{after}\n{tables}"


def test_superclass_sets_its_categories_and_a_category_has_the_last_word() -> None:
    spec = spec_of("[categories.rail]\nmemory_s = 4.0\nintensity = 0.5\n[categories.subway]\nmemory_s = 1.0\n")

    found = {category.name: (category.memory_s, category.intensity) for category in spec.categories}

    assert found == {"train": (4.0, 0.5), "subway": (1.0, 0.5)}


def test_rows_are_shared_by_categories_that_ask_for_the_same() -> None:
    spec = spec_of("[categories.rail]\nmemory_s = 4.0\n[categories.aircraft]\nmemory_s = 4.0\n")

    design = design_categories(spec)

    assert len(design.settings) == 1
    changed = {name for name, row in zip(CATEGORIES, design.row_of, strict=True) if row}
    assert changed == {*SUPERCLASSES["rail"], *SUPERCLASSES["aircraft"]}


def test_values_become_the_integers_they_should() -> None:
    spec = spec_of('[categories.wind]\nmemory_s = 0.5\nridge = 1e-4\nintensity = 0.25\nmode = "transparency"\n')
    assert isinstance(spec.adaptive, WarpedLs)

    (row,) = design_categories(spec).settings

    kept_after_memory = (row.forget_ppb / 1e9) ** (0.5 * spec.audio.rate_hz / spec.adaptive.update_block)
    assert kept_after_memory == pytest.approx(0.3679, abs=1e-3)
    assert row.ridge_ppb == 100_000
    assert row.start_ridge_ppb == round(spec.adaptive.start_ridge * 1e9)
    assert (row.intensity, row.mode, row.taps, row.step_q31) == (250, 2, 0, 0)


def test_fxnlms_changes_length_step_and_leak() -> None:
    spec = spec_of("[categories.office_quiet]\ntaps = 32\nstep = 0.002\nleak = 0.01\n", adaptive=FXNLMS)

    (row,) = design_categories(spec).settings

    assert (row.taps, row.step_q31, row.leak_q31) == (32, round(0.002 * 2**31), round(0.01 * 2**31))
    assert (row.forget_ppb, row.ridge_ppb) == (0, 0)


@pytest.mark.parametrize(
    ("tables", "adaptive", "words"),
    [
        ("[categories.rail]\ntaps = 32\n", None, "warped_ls cannot change taps while it runs"),
        ("[categories.rail]\nmemory_s = 1.0\n", FXNLMS, "fxnlms cannot change memory_s while it runs"),
        ("[categories.rail]\ntaps = 100\n", FXNLMS, "100 is not a multiple of 32"),
        ("[categories.train]\ntaps = 160\n", FXNLMS, "160 taps, longer than adaptive.taps = 64"),
        ("[categories.train]\nintensity = 1.5\n", None, "categories.train.intensity"),
        ("[categories.railway]\nintensity = 1.0\n", None, "unknown name `railway`"),
    ],
)
def test_what_cannot_be_is_one_fault_with_its_place(tables: str, adaptive: str | None, words: str) -> None:
    faults = parse_spec(_text(tables, adaptive), "with categories")[1]

    assert any(words in str(fault) for fault in faults), [str(fault) for fault in faults]


def test_emitted_rows_name_their_priors() -> None:
    ir = load_ir(ROOT / "firmware" / "generated" / "compact-m4" / "design.json")
    own = design_categories(spec_of("")).settings
    assert own == ()
    row = dataclasses.replace(design_categories(spec_of("[categories.rail]\nmemory_s = 4.0\n")).settings[0], prior=1)
    taps = len(ir.adaptive.prior.taps)  # type: ignore[union-attr]
    categories = CategoriesIr((row,), (1,) * 57, (WarpedIr((5,) * taps, 2),))

    text = emit_headset(dataclasses.replace(ir, categories=categories))["hk_design.c"]

    assert f".prior = {{.taps = hk_design_prior_1, .n_taps = {taps}, .exponent = 2}}," in text
    assert f"const int32_t hk_design_prior_1[{taps}] = {{" in text
    assert f".forget = 0.{row.forget_ppb:09d}F," in text


def test_a_fade_too_slow_for_an_emergency_is_a_fault() -> None:
    text = _text('[categories.emergency]\nmode = "transparency"\n', None)
    assert "ramp_ms = 20.0" in text

    (fault,) = parse_spec(text.replace("ramp_ms = 20.0", "ramp_ms = 150.0"), "slow")[1]

    assert fault.place == "modes.ramp_ms"
    assert "emergency must be heard within 100 ms" in fault.message
