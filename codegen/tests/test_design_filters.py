"""The design of whole headsets: attenuation, flatness, models, refusals; by tolerance, for it computes in floats."""

import dataclasses
import math
from pathlib import Path

import numpy as np
import pytest
from hushkit.spec import (
    WARPED_LS_TRACKING,
    Filter,
    FxNlms,
    HeadsetSpec,
    Tracking,
    WarpedLs,
    load_spec,
    shipped_specs,
)
from hushkit_codegen.design import DesignError, design_headset
from hushkit_codegen.design.fixed import AMPLIFY_LIMIT_DB, design_feedforward, design_transparency, filter_response
from hushkit_codegen.design.quantize import biquad_response
from hushkit_codegen.design.spectra import (
    DesignScene,
    attenuation_db,
    design_scene,
    octave_attenuation_db,
    residual_power,
)
from hushkit_codegen.design.tracking import design_tracking, equaliser_response, weighting_taps
from hushkit_codegen.design.wiener import wiener_fir
from hushkit_codegen.ir import (
    BiquadIr,
    FirIr,
    FxNlmsIr,
    HeadsetIr,
    NoAdaptiveIr,
    SilentIr,
    WarpedLsIr,
    dump_ir,
    load_ir,
    parse_ir,
)
from hushkit_models.acoustics.paths import PathSet, load_paths

ROOT = Path(__file__).resolve().parents[2]
FXNLMS_FILE = Path(__file__).parent / "specs" / "fxnlms-m7.toml"


def stored(name: str) -> HeadsetIr:
    return load_ir(ROOT / "firmware" / "generated" / name / "design.json")


@pytest.fixture(scope="module")
def overear() -> DesignScene:
    return design_scene(load_paths("overear"), noise="aircraft", field="diffuse", latency_samples=3)


def small(spec: HeadsetSpec, **changes: object) -> HeadsetSpec:
    """A spec whose design is quick: few sections."""
    few = {"feedforward": Filter("fit", sections=4), "transparency": Filter("fit", sections=4)}
    return dataclasses.replace(spec, **{**few, **changes})  # type: ignore[arg-type]


@pytest.mark.parametrize("name", [name for name in shipped_specs() if load_spec(name).feedforward.kind != "none"])
def test_shipped_design_attenuates_and_amplifies_no_octave(name: str) -> None:
    ir = stored(name)
    spec = load_spec(name)
    scene = design_scene(
        load_paths(spec.acoustics.paths),
        noise=spec.acoustics.noise,
        field=spec.acoustics.field,
        latency_samples=ir.latency_samples,
        dc_pole=ir.dc_block_pole_q31 / 2**31,
    )

    response = filter_response(ir.feedforward, scene)

    assert min(octave_attenuation_db(scene, response).values()) >= -AMPLIFY_LIMIT_DB
    assert attenuation_db(scene, response) > (20.0 if spec.acoustics.paths == "overear" else 14.0)


@pytest.mark.parametrize("name", shipped_specs())
def test_shipped_transparency_is_flat_within_3_db(name: str) -> None:
    ir = stored(name)
    scene = design_scene(
        load_paths(ir.paths), noise="pink", field="direct", latency_samples=ir.latency_samples, dc_pole=0.9997
    )

    ear = scene.primary + scene.secondary * filter_response(ir.transparency, scene)

    inside = (scene.frequency >= 100) & (scene.frequency <= 6000)
    assert np.abs(20 * np.log10(np.abs(ear[inside]))).max() < 3.0


def test_designing_again_comes_close_to_the_stored_design() -> None:
    old = stored("compact-m4")

    new = design_headset(load_spec("compact-m4"))

    # The arithmetic of another machine may move coefficients, not what they achieve.
    for before, after in zip(old.quality, new.quality, strict=True):
        assert abs(before.attenuation_mdb - after.attenuation_mdb) < 500
        assert abs(before.worst_octave_mdb - after.worst_octave_mdb) < 500
    assert new.secondary == old.secondary
    assert new.adaptive == old.adaptive


def test_wiener_filter_beats_any_other_filter_of_its_length(overear: DesignScene) -> None:
    best = wiener_fir(overear, 64, np.ones(overear.frequency.size))
    rng = np.random.default_rng(seed=1)

    def power(taps: np.ndarray) -> float:  # type: ignore[type-arg]
        effort = 1e-3 * (np.abs(overear.secondary) ** 2).max() * overear.reference
        response = np.fft.rfft(taps, 2 * overear.frequency.size - 2)
        return float((residual_power(overear, response) + effort * np.abs(response) ** 2).sum())

    least = power(best)

    assert all(power(best + 1e-2 * rng.standard_normal(64)) > least for _ in range(10))


def test_filter_that_would_amplify_is_left_out_and_says_so(overear: DesignScene) -> None:
    rows = ((-20.0, 0.0, 0.0, 1.0, 0.0, 0.0),)

    design, quality = design_feedforward(Filter("sos", sections=1, rows=rows), overear)

    assert isinstance(design, SilentIr)
    assert quality.warning.startswith("left out: it would amplify the octave at ")


def test_transversal_filters_are_fitted_too(overear: DesignScene) -> None:
    cancel, first = design_feedforward(Filter("fir", taps=256), overear)
    through, second = design_transparency(Filter("fir", taps=128, format="q15"), overear)

    assert isinstance(cancel, FirIr)
    assert first.attenuation_mdb > 4000
    assert isinstance(through, FirIr)
    assert through.format == "q15"
    assert second.worst_octave_mdb < 3000


def test_latency_moves_the_design_and_too_little_is_refused() -> None:
    spec = small(load_spec("compact-m4"))

    later = design_headset(spec, latency_us=300.0)

    assert later.latency_samples == 14
    with pytest.raises(DesignError, match=r"latency 50 us: compact-m4 needs 60\.8 us .* allow at least that"):
        design_headset(spec, latency_us=50.0)


@pytest.mark.parametrize(
    ("latency_us", "words"),
    [
        (math.nan, "latency nan us: compact-m4 needs"),
        (math.inf, "latency inf us: expected at most 20000"),
        (8000.0, r"adaptive\.secondary_taps: 384 taps cannot hold 384 samples of latency .* use at least 416"),
    ],
)
def test_latency_that_no_design_can_bear_is_refused(latency_us: float, words: str) -> None:
    with pytest.raises(DesignError, match=words):
        design_headset(small(load_spec("compact-m4")), latency_us=latency_us)


def test_paths_of_another_rate_are_refused() -> None:
    paths = PathSet("slow", 44_100, np.ones(8), np.ones(8))

    with pytest.raises(DesignError, match=r"paths slow: 44100 Hz, but audio\.rate_hz is 48000"):
        design_headset(load_spec("compact-m4"), paths)


def test_unknown_paths_and_noise_are_refused() -> None:
    spec = small(load_spec("compact-m4"))

    for key in ("paths", "noise"):
        changed = dataclasses.replace(spec.acoustics, **{key: "nonesuch"})
        with pytest.raises(DesignError, match=rf"^acoustics\.{key}: .*nonesuch"):
            design_headset(dataclasses.replace(spec, acoustics=changed))


def test_algorithm_none_leaves_the_adaptive_filter_out_and_keeps_the_model() -> None:
    spec = small(load_spec("compact-m4"))

    ir = design_headset(spec, algorithm="none")

    assert isinstance(ir.adaptive, NoAdaptiveIr)
    assert isinstance(ir.secondary, FirIr)
    with pytest.raises(DesignError, match="algorithm lms: unknown; choose one of fxnlms, "):
        design_headset(spec, algorithm="lms")


def test_given_sections_and_no_filter_are_taken_as_they_are() -> None:
    rows = ((0.5, -0.5, 0.0, 1.0, -0.9, 0.0),)
    spec = small(load_spec("compact-m4"), transparency=Filter("sos", sections=1, rows=rows), feedforward=Filter("none"))

    ir = design_headset(spec)

    assert isinstance(ir.transparency, BiquadIr)
    assert len(ir.transparency.sections) == 1
    assert isinstance(ir.feedforward, SilentIr)


def test_parameters_become_the_integers_they_should() -> None:
    spec = small(load_spec(FXNLMS_FILE))
    ir = design_headset(spec)
    assert isinstance(spec.adaptive, FxNlms)
    assert isinstance(ir.adaptive, FxNlmsIr)

    assert ir.limiter_threshold_q31 == round(10 ** (-3 / 20) * 2**31)
    assert ir.limiter_release_q31 == round(2**31 / 2400)
    assert ir.ramp_samples == 960
    assert ir.watch_ratio_q16 == round(10**0.6 * 65536)
    assert ir.dc_block_pole_q31 == round(math.exp(-2 * math.pi * 2 / 48_000) * 2**31)
    assert ir.adaptive.step_q31 == round(spec.adaptive.step * 2**31)
    assert ir.adaptive.regularisation_q48 == round(spec.adaptive.taps * 1e-7 * 2**48)
    assert len(ir.adaptive.prior.taps) == spec.adaptive.taps


def test_secondary_model_holds_the_latency_and_the_path() -> None:
    ir = stored("flagship-m7")
    assert isinstance(ir.secondary, FirIr)
    secondary = load_paths("overear").secondary

    taps = np.array(ir.secondary.taps[::-1]) * 2.0 ** (ir.secondary.exponent - 31)

    np.testing.assert_array_equal(taps[: ir.latency_samples], 0.0)
    kept = taps[ir.latency_samples :]
    np.testing.assert_allclose(kept, secondary[: kept.size], atol=2.0 ** (ir.secondary.exponent - 31))


def test_warped_controller_models_the_path_on_its_chain() -> None:
    spec = small(load_spec(FXNLMS_FILE))

    ir = design_headset(spec, algorithm="warped_ls")

    assert isinstance(ir.adaptive, WarpedLsIr)
    settings = WarpedLs()
    omega = 2 * np.pi * np.array([60.0, 200.0, 1000.0]) / 48_000
    delay = np.exp(-1j * omega)
    section = (delay - settings.warping) / (1 - settings.warping * delay)
    weights = np.array(ir.adaptive.secondary.taps) * 2.0 ** (ir.adaptive.secondary.exponent - 31)
    model = section[:, None] ** np.arange(weights.size) @ weights
    path = np.exp(-1j * np.outer(omega, np.arange(2048) + ir.latency_samples)) @ load_paths("overear").secondary[:2048]
    blocked = path * (1 - delay) / (1 - ir.dc_block_pole_q31 / 2**31 * delay)
    assert np.abs(model / blocked - 1).max() < 0.1  # -20 dB; the firmware allows 90 degrees, and needs far less
    assert len(ir.adaptive.prior.taps) == settings.taps
    assert ir.adaptive.solve_jobs % (4 * ir.adaptive.equation_jobs) == 0
    assert parse_ir(dump_ir(ir), "again") == ir


def test_tracking_controller_models_the_equalised_path_from_its_onset_on() -> None:
    spec = load_spec("flagship-m7")

    ir = design_headset(spec)

    assert isinstance(ir.adaptive, WarpedLsIr)
    tracking = ir.adaptive.tracking
    assert tracking is not None
    assert isinstance(tracking.equaliser, BiquadIr)
    assert isinstance(tracking.inverse, BiquadIr)
    omega = 2 * np.pi * np.array([60.0, 200.0, 1000.0]) / 48_000
    delay = np.exp(-1j * omega)
    pole = 1 - ir.adaptive.one_minus_lambda_q32 / 2**32
    section = (delay - pole) / (1 - pole * delay)
    weights = np.array(ir.adaptive.secondary.taps) * 2.0 ** (ir.adaptive.secondary.exponent - 31)
    model = section[:, None] ** np.arange(weights.size) @ weights
    early = tracking.delay - ir.latency_samples
    path = np.exp(-1j * np.outer(omega, np.arange(2048) - early)) @ load_paths("overear").secondary[:2048]
    blocked = path * (1 - delay) / (1 - ir.dc_block_pole_q31 / 2**31 * delay)
    heard = blocked * biquad_response(tracking.equaliser, omega)
    # The equaliser's low poles ring longer than the chain reaches: -17 dB at 60 Hz, until the headset has listened.
    assert np.abs(model / heard - 1).max() < 0.2
    around = biquad_response(tracking.equaliser, omega) * biquad_response(tracking.inverse, omega)
    np.testing.assert_allclose(around, 1.0, atol=1e-3)
    assert parse_ir(dump_ir(ir), "again") == ir


def test_equaliser_lifts_what_a_leak_takes_and_nothing_above() -> None:
    path = np.concatenate([np.zeros(4), load_paths("overear").secondary])
    omega = 2 * np.pi * np.array([20.0, 1000.0]) / 48_000

    response = equaliser_response(design_tracking(WARPED_LS_TRACKING, path, rate_hz=48_000), omega)
    flat = equaliser_response(design_tracking(WARPED_LS_TRACKING, np.array([0.0, 1.0]), rate_hz=48_000), omega)

    assert 15.0 < 20 * np.log10(abs(response[0])) < 25.0
    assert abs(20 * np.log10(abs(response[1]))) < 0.1
    np.testing.assert_array_equal(flat, 1.0)


def test_weighting_peaks_where_it_should_and_leaves_the_low_end_alone() -> None:
    tracking = Tracking()
    taps = weighting_taps(tracking, 0.91, 48_000)
    hertz = np.array([50.0, 200.0, 1000.0, tracking.weighting_hz, 4000.0, 8000.0])
    delay = np.exp(-2j * np.pi * hertz / 48_000)
    section = (delay - 0.91) / (1 - 0.91 * delay)

    level_db = 20 * np.log10(np.abs(section[:, None] ** np.arange(taps.size) @ taps))

    assert int(np.argmax(level_db)) == 3
    assert level_db[3] > 0.8 * tracking.weighting_db
    assert np.abs(level_db[:2]).max() < 1.0
    np.testing.assert_array_equal(weighting_taps(dataclasses.replace(tracking, weighting_db=0.0), 0.91, 48_000), [1.0])
