"""The table of controllers: scenarios with and without recordings, one short run, and what the page says of it."""

from pathlib import Path

import pytest
from hushkit.errors import InputError
from hushkit.sources import require_sources
from hushkit_hil.controllerbench.__main__ import main
from hushkit_hil.controllerbench.cases import CASES, CORES, headset
from hushkit_hil.controllerbench.rows import Cost, Row, Stage, cost
from hushkit_hil.controllerbench.scenarios import development_scenarios, label
from hushkit_hil.controllerbench.table import markdown
from hushkit_models.acoustics.scenario import Scenario


def row(**changes: object) -> Row:
    values: dict[str, object] = {
        "algorithm": "hybrid",
        "subject": "target",
        "scenario": {"noise": "noise48/pink.flac", "paths": "inear", "field": "direct"},
        "db_at": {"1": 4.0, "3": 5.0, "10": 6.0, "30": None},
        "attenuation_db": 6.5,
        "bound_db": 8.0,
        "distance_db": 1.5,
        "t3_s": 0.5,
        "worst_octave_amplification_below_4khz_db": 2.0,
        "worst_sustained_db": -1.0,
    }
    return Row(**{**values, **changes})  # type: ignore[arg-type]


def test_scenarios_without_recordings_are_the_built_in_ones(tmp_path: Path) -> None:
    found = [label(scenario) for scenario in development_scenarios(tmp_path, 30.0)]

    assert len(found) == 16
    assert found[0] == "inear direct pink"
    assert found[-1] == "overear diffuse street"


def test_scenarios_take_recordings_and_paths_where_they_are(tmp_path: Path) -> None:
    for name in ("paths/overear_b.npz", "noise48/busy_street.flac"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()

    found = [label(scenario) for scenario in development_scenarios(tmp_path, 30.0)]

    assert found[0] == "inear direct pink"
    assert found[-1] == "overear_b diffuse busy_street"
    assert found[2] == "inear direct aircraft"


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
@pytest.mark.parametrize("core", CORES)
def test_every_case_is_a_readable_headset_on_every_core(case: object, core: str) -> None:
    spec, _ = headset(case, core)  # type: ignore[arg-type]

    assert spec.core.type == core
    assert spec.feedforward.kind == "none"
    assert spec.adaptive.update_block == 32


def test_case_too_long_for_a_core_is_estimated_and_says_so() -> None:
    longest = next(case for case in CASES if case.name == "fxnlms-1024")

    found = cost(longest, "cortex-m4", seconds=1.0, say=lambda _: None)

    assert not found.fits
    assert found.evidence == "estimated"
    assert found.cpu_percent > 100.0


def test_short_run_of_target_and_reference_on_one_stage() -> None:
    try:
        require_sources()
    except InputError as err:
        pytest.skip(str(err))
    stage = Stage(Scenario("pink", "inear", "direct", 100.0, 2.0), rate_hz=48_000, full_scale_db_spl=120.0)
    hybrid = next(case for case in CASES if case.name == "hybrid")

    target, reference = stage.on_target(hybrid), stage.in_reference("hybrid")

    assert target.subject == "target"
    assert reference.subject == "reference"
    assert target.bound_db == reference.bound_db
    assert 2.0 < target.attenuation_db < target.bound_db
    assert target.db_at["30"] is None


def test_page_says_what_is_not_on_the_target_and_what_does_not_fit() -> None:
    rows = [row(), row(subject="reference", t3_s=None)]
    costs = [
        Cost("hybrid", "cortex-m7", 480_000_000, 2000.0, 20.0, True, "modelled", "gcc"),
        Cost("hybrid", "cortex-m4", 168_000_000, 4000.0, 114.3, False, "estimated"),
    ]
    peers = [{"subject": "padasip NLMS", "samples_per_s": 50_000.0, "work": "512 taps"}]

    page = markdown(rows, costs, peers, "Commit abc; gcc.")

    assert "| hybrid | target | 1.5 | 1.5 | 1 of 1 | -1.0 | too long | 20 % |" in page
    assert "| hybrid | reference | 1.5 | 1.5 | 0 of 1 | -1.0 |  |  |" in page
    assert "| hybrid | cortex-m4 | 168 | 4000 | 114.3 % | estimated, does not fit |" in page
    assert "| hybrid | target | 4.0 | 5.0 | 6.0 | - | 6.5 | 1.5 | 0.50 | +2.0 |" in page
    assert "| padasip NLMS | 50000 | 20000 | 512 taps |" in page


def test_unknown_reference_is_one_clear_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--reference", "magic", "--no-cost"]) == 2

    assert "--reference magic: expected all, none or any of lms" in capsys.readouterr().err
