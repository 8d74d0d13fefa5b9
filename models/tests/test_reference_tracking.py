"""The tracking filter: both paths identified, a change of the fit survived that the frozen model does not survive."""

from typing import Any

import numpy as np
import pytest
import scipy.signal
from hushkit_models.acoustics.bound import causal_bound
from hushkit_models.acoustics.metrics import attenuation, convergence_time, worst_moment_db
from hushkit_models.acoustics.scenario import PathChange, PlantSignals, Scenario, render
from hushkit_models.reference import ControllerError, make_controller
from hushkit_models.reference.controller import Run
from hushkit_models.reference.plant import Plant, plant_of
from hushkit_models.reference.tracking import WarpedLsTracking
from hushkit_models.reference.two_paths import as_if_silent, best_filter, fit_paths
from hushkit_models.reference.warped_design import bulk_delay, equation_weight, leak_equaliser, through, warp
from numpy.typing import NDArray

Vector = NDArray[np.float64]

RATE_HZ, LATENCY, CHANGE_S, SECONDS = 48_000, 4, 3.0, 6.0
SECONDARY = np.array([0.0, 0.0, 0.6, 0.3, -0.1])


def _signals(change: PathChange) -> PlantSignals:
    return render(Scenario("pink", "overear", "direct", seconds=SECONDS, changes=(change,)), rate_hz=RATE_HZ)


def _run(signals: PlantSignals, algorithm: str) -> Run:
    plant = plant_of(signals, 0, LATENCY)
    model = plant.secondary[0][: LATENCY + 1024]
    power = float(np.mean(plant.reference**2))
    return make_controller(algorithm, rate_hz=RATE_HZ, model=model, reference_power=power).run(plant)


@pytest.mark.parametrize(
    "change",
    [
        PathChange(CHANGE_S, gain_db=6.0),
        PathChange(CHANGE_S, gain_db=-6.0),
        PathChange(CHANGE_S, leak_hz=(60.0, 250.0)),
        PathChange(CHANGE_S, shift_samples=2),
    ],
    ids=["gain+6", "gain-6", "leak", "shift"],
)
def test_recovers_from_a_change_within_two_seconds_without_harm(change: PathChange) -> None:
    signals = _signals(change)
    bound = causal_bound(signals, latency_samples=LATENCY, taps=2048)

    run = _run(signals, "warped_ls_tracking")

    recovery_s = convergence_time(run.error, bound.residual[0], rate_hz=RATE_HZ, start_s=CHANGE_S)
    assert recovery_s is not None
    assert recovery_s <= 2.0
    assert worst_moment_db(signals.disturbance[0], run.error, rate_hz=RATE_HZ, frame_s=0.1) < 1.0


def test_frozen_model_stays_lost_where_tracking_recovers() -> None:
    signals = _signals(PathChange(CHANGE_S, leak_hz=(60.0, 250.0)))

    reached = {
        algorithm: attenuation(
            signals.disturbance[0],
            _run(signals, algorithm).error,
            rate_hz=RATE_HZ,
            window_s=(CHANGE_S + 1.5, SECONDS),
        ).attenuation_db
        for algorithm in ("warped_ls", "warped_ls_tracking")
    }

    assert reached["warped_ls_tracking"] > reached["warped_ls"] + 10.0


def test_identifies_the_path_from_a_wrong_start() -> None:
    # White reference, S doubled against its model: the estimate must end nearer to the truth than to where it began.
    rng = np.random.default_rng(5)
    n = 3 * RATE_HZ
    x = 0.1 * rng.standard_normal(n)
    truth = np.array([0.3, -0.2, 0.1])
    d = np.convolve(np.convolve(x, truth), SECONDARY)[:n] + 1e-3 * rng.standard_normal(n)
    plant = Plant(
        RATE_HZ,
        x,
        d,
        np.zeros(1, dtype=np.int64),
        np.asarray(2.0 * SECONDARY[None], dtype=np.float64),
        np.zeros((1, 0)),
    )
    controller = WarpedLsTracking(coefficients=16, secondary=8, model=SECONDARY, pole=0.0, change_ratio=1e9)

    run = controller.run(plant)

    # With pole 0 the chain is a delay line: its coefficients are the impulse response itself.
    np.testing.assert_allclose(controller.secondary[:5], 2 * SECONDARY, atol=0.1)
    assert 10 * np.log10(np.mean(d[-n // 6 :] ** 2) / np.mean(run.error[-n // 6 :] ** 2)) > 20.0


@pytest.mark.parametrize("factor", [4.0, -1.0])
@pytest.mark.parametrize(("change_ratio", "change_alike"), [(10.0, 0.4), (1e9, 1.0)])
def test_harmful_filter_backs_off(factor: float, change_ratio: float, change_alike: float) -> None:
    # What cancelled adds 10 or 6 dB from one sample to the next. At 1e9 no change is detected: the harm alone acts.
    rng = np.random.default_rng(6)
    n, turn = 2 * RATE_HZ, RATE_HZ
    x = 0.1 * rng.standard_normal(n)
    d = np.convolve(np.convolve(x, [0.3, -0.2, 0.1]), SECONDARY)[:n] + 1e-3 * rng.standard_normal(n)
    starts = np.array([0, turn], dtype=np.int64)
    plant = Plant(RATE_HZ, x, d, starts, np.stack([SECONDARY, factor * SECONDARY]), np.zeros((2, 0)))
    controller = WarpedLsTracking(
        coefficients=16,
        secondary=8,
        model=SECONDARY,
        pole=0.0,
        change_ratio=change_ratio,
        change_alike=change_alike,
    )

    run = controller.run(plant)

    # A window of 100 ms, from 100 ms after the change on: 4800 samples know their power to 0.1 dB.
    for first in range(turn + RATE_HZ // 10, n, 4800):
        part = slice(first, first + 4800)
        assert np.mean(run.error[part] ** 2) < 10**0.1 * np.mean(d[part] ** 2)
    assert run.health["changes" if change_ratio < 1e9 else "back_offs"] >= 1


def test_steady_cost_of_tracking_is_small() -> None:
    signals = render(Scenario("pink", "overear", "direct", seconds=4.0), rate_hz=RATE_HZ)

    frozen, tracking = (
        attenuation(
            signals.disturbance[0], _run(signals, algorithm).error, rate_hz=RATE_HZ, window_s=(2.0, 4.0)
        ).attenuation_db
        for algorithm in ("warped_ls", "warped_ls_tracking")
    )

    assert frozen - tracking < 1.5


def test_silence_is_answered_with_silence() -> None:
    plant = Plant(
        RATE_HZ, np.zeros(9600), np.zeros(9600), np.zeros(1, dtype=np.int64), SECONDARY[None], np.zeros((1, 0))
    )

    run = WarpedLsTracking(model=SECONDARY).run(plant)

    assert not run.output.any()
    assert run.health["failed_solves"] == 0


@pytest.mark.parametrize("pole", [0.0, 0.95])
def test_warp_reproduces_what_the_chain_can_play(pole: float) -> None:
    coefficients = np.array([0.2, -0.4, 0.3, 0.1])
    link, model = np.zeros(4000), np.zeros(4000)
    link[0] = 1.0
    for coefficient in coefficients:
        model += coefficient * link
        passed = np.zeros_like(link)
        for n in range(link.size):
            passed[n] = -pole * link[n] + (link[n - 1] + pole * passed[n - 1] if n else 0.0)
        link = passed

    # 0.95^4000 is nothing; the fit's ridge of 1e-9 biases by that times the Gram matrix's condition, below 1e5.
    np.testing.assert_allclose(warp(model, pole, 4), coefficients, atol=1e-4)


@pytest.mark.parametrize("corner_hz", [25.0, 60.0, 110.0])
def test_leak_equaliser_flattens_a_leak_it_was_not_told_of(corner_hz: float) -> None:
    b, a = scipy.signal.butter(2, corner_hz, "highpass", fs=RATE_HZ)
    leak = scipy.signal.lfilter(b, a, np.eye(1, 16_384)[0])

    equalised = through(leak_equaliser(leak, RATE_HZ), leak)

    frequency = np.geomspace(30.0, 250.0, 20)
    level_db = 20 * np.log10(np.abs(scipy.signal.freqz(equalised, worN=frequency, fs=RATE_HZ)[1]))
    # What the poles leave, a second-order high-pass at 22 Hz for a leak of 110 Hz, is 1.1 dB down at 30 Hz.
    assert np.ptp(level_db) < 1.2


@pytest.mark.parametrize("pole", [0.91, 0.93, 0.95])
def test_equation_weight_lifts_the_2_khz_octave_alone(pole: float) -> None:
    weight = equation_weight(pole, RATE_HZ)

    z = np.exp(-2j * np.pi * np.array([100.0, 1900.0, 12_000.0]) / RATE_HZ)
    link = (z - pole) / (1 - pole * z)
    bass, middle, top = 20 * np.log10(np.abs(sum(h * link**k for k, h in enumerate(weight))))
    assert abs(bass) < 1.0
    assert abs(top) < 2.0
    assert 6.0 < middle < 10.0


def test_bulk_delay_ends_before_the_onset() -> None:
    assert bulk_delay(np.array([0.0, 1e-3, 1e-3, 0.0, 0.5, 0.4])) == 3
    assert bulk_delay(np.array([1.0, 0.5])) == 0


def _evidence(p: Vector, s: Vector, rows: int) -> Vector:
    rng = np.random.default_rng(9)
    chains = rng.standard_normal((rows, p.size + s.size))
    error = chains @ np.concatenate([p, s])
    equations = np.column_stack([chains, error])
    return np.asarray(equations.T @ equations)


def test_both_paths_are_fitted_and_the_filter_cancels_one_by_the_other() -> None:
    s, w = np.array([1.0, 0.3]), np.array([0.5, -0.2, 0.1])
    p = -np.convolve(s, w)

    evidence = np.tril(_evidence(p, s, 200))

    found_p, found_s = fit_paths(evidence, p.size, np.zeros(2), ridge=1e-12, hold=1e-12)
    np.testing.assert_allclose(found_p, p, atol=1e-9)
    np.testing.assert_allclose(found_s, s, atol=1e-9)
    np.testing.assert_allclose(best_filter(evidence, p.size, found_s, ridge=1e-12), w, atol=1e-9)


def test_after_silence_is_assumed_the_primary_path_stands_and_the_secondary_is_free() -> None:
    p, before, after = np.array([0.4, -0.1, 0.2]), np.array([1.0, 0.3]), np.array([-0.5, 0.8])
    evidence = np.tril(_evidence(p, before, 2000))

    as_if_silent(evidence, p, 0.3)
    silent_p, silent_s = fit_paths(evidence, 3, before, ridge=1e-12, hold=1e-6)
    evidence += np.tril(_evidence(p, after, 20))
    new_p, new_s = fit_paths(evidence, 3, before, ridge=1e-12, hold=1e-6)

    np.testing.assert_allclose(silent_p, p, atol=1e-9)
    np.testing.assert_array_equal(silent_s, before)
    np.testing.assert_allclose(new_p, p, atol=1e-4)
    np.testing.assert_allclose(new_s, after, atol=1e-4)


@pytest.mark.parametrize(
    "settings",
    [
        {"coefficients": 1},
        {"secondary": 1},
        {"every": 0},
        {"pole": 1.0},
        {"memory_s": 0.0},
        {"ridge_path": -1.0},
        {"change_ratio": 1.0},
        {"change_keeps": 0.0},
        {"change_alike": 0.0},
        {"delay": 32},
        {"solve_every": 0},
        {"equaliser": np.array([1.0, 0.0, 0.0, -2.1, 1.0])},
    ],
)
def test_unusable_tracking_settings_are_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(ControllerError, match="expected"):
        WarpedLsTracking(model=SECONDARY, **settings)
