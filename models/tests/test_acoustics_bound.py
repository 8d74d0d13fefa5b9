"""The causal bound: against closed forms, against causality, and against the reference figures."""

from pathlib import Path

import numpy as np
import pytest
import scipy.signal
from hushkit_models.acoustics import AcousticsError
from hushkit_models.acoustics.bound import causal_bound, wiener_filter
from hushkit_models.acoustics.scenario import PathChange, PlantSignals, Scenario, Segment, latency_samples, render
from numpy.typing import NDArray

PATHS = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "paths"


def _plant(
    reference: NDArray[np.float64], disturbance: NDArray[np.float64], secondary: NDArray[np.float64]
) -> PlantSignals:
    s = secondary[None]
    segments = (Segment(0, s, None),)
    return PlantSignals(48_000, reference[None], disturbance[None], s, None, segments, 120.0, 85.0, "test")


def test_wiener_filter_finds_a_known_filter() -> None:
    rng = np.random.default_rng(1)
    truth = rng.standard_normal(24)
    filtered = rng.standard_normal(48_000)

    weights = wiener_filter(filtered, -np.convolve(filtered, truth)[:48_000], 32)

    np.testing.assert_allclose(weights, np.concatenate([truth, np.zeros(8)]), atol=1e-3)


def test_bound_reaches_the_prediction_error_of_autoregressive_noise() -> None:
    # x is AR(1) with pole a; the ear hears x with no lead, the driver answers k samples late. The best prediction of x
    # over k samples leaves the variance share 1 - a^(2k), whatever the filter's length.
    a, k = 0.97, 3
    x = scipy.signal.lfilter([1.0], [1.0, -a], np.random.default_rng(2).standard_normal(960_000))
    signals = _plant(x, x, np.concatenate([[1.0], np.zeros(15)]))

    bound = causal_bound(signals, latency_samples=k, taps=64)
    # x forgets over 33 samples: its power over 640000 of them is known to sqrt(2 * 33 / 640000) = 1 % (0.045 dB).

    assert bound.attenuation_db == pytest.approx(-10 * np.log10(1 - a ** (2 * k)), abs=0.15)


def test_white_noise_without_lead_cannot_be_cancelled() -> None:
    x = np.random.default_rng(3).standard_normal(480_000)
    signals = _plant(x, x, np.concatenate([[0.0, 1.0], np.zeros(14)]))

    bound = causal_bound(signals, latency_samples=0, taps=128)

    # 128 weights fitted to 480000 samples of noise pretend 10 log10(1 + 128 / 480000) = 0.001 dB.
    assert abs(bound.attenuation_db) < 0.01


def test_bound_grows_with_length_and_falls_with_latency() -> None:
    signals = render(Scenario("aircraft", "overear", field="diffuse", seconds=6.0))

    by_length = [causal_bound(signals, latency_samples=4, taps=taps).attenuation_db for taps in (64, 512, 2048)]
    by_latency = [causal_bound(signals, latency_samples=k, taps=2048).attenuation_db for k in (1, 8, 48)]

    assert by_length == sorted(by_length)
    assert by_latency == sorted(by_latency, reverse=True)


def test_each_stretch_between_changes_has_its_own_optimum() -> None:
    changed = render(Scenario("pink", "overear", seconds=6.0, changes=(PathChange(3.0, gain_db=-6.0),)))

    bound = causal_bound(changed, latency_samples=4, taps=1024)

    # Half the gain wants twice the weights; each fit sees its own 3 s of noise, hence a few percent.
    ratio = np.linalg.norm(bound.weights[1, 0]) / np.linalg.norm(bound.weights[0, 0])
    assert ratio == pytest.approx(2.0, rel=0.1)


def test_error_is_disturbance_plus_filtered_output() -> None:
    signals = render(Scenario("engine", "inear", seconds=4.0))

    bound = causal_bound(signals, latency_samples=4, taps=512)

    output = scipy.signal.oaconvolve(signals.reference[0], bound.weights[0, 0])
    late = np.concatenate([np.zeros(4), output])
    error = signals.disturbance[0] + scipy.signal.oaconvolve(late, signals.secondary[0])[: signals.disturbance.shape[1]]
    np.testing.assert_allclose(bound.residual[0], error, atol=1e-9)


def test_too_long_a_filter_is_refused() -> None:
    signals = render(Scenario("pink", "overear", seconds=0.5))

    with pytest.raises(AcousticsError, match="expected 1 to 6000"):
        causal_bound(signals, latency_samples=4, taps=6001)
    with pytest.raises(AcousticsError, match="latency"):
        causal_bound(signals, latency_samples=-1, taps=64)


# Reference figures for the given path files: scene, paths, field, {(latency_us, taps): dB}, tolerance. Pink noise has
# one spectrum whoever makes it; aircraft, engine and street are this project's own recipes.
REFERENCE = [
    (
        "pink",
        "inear_a",
        "direct",
        {(100, 512): 7.6, (100, 4096): 10.5, (20, 4096): 20.4, (330, 4096): 6.2, (500, 4096): 4.8, (1000, 4096): 2.6},
        0.3,
    ),
    ("pink", "inear_a", "diffuse", {(100, 1024): 9.1, (100, 4096): 9.8, (20, 4096): 11.9, (500, 4096): 4.8}, 0.35),
    ("aircraft", "inear_a", "direct", {(100, 512): 11.0, (100, 1024): 18.1, (100, 4096): 24.7, (20, 4096): 42.9}, 1.0),
    ("aircraft", "inear_a", "diffuse", {(100, 512): 10.8, (100, 4096): 21.4, (20, 4096): 23.5, (500, 4096): 10.0}, 1.0),
    ("aircraft", "overear_b", "direct", {(100, 512): 8.6, (100, 4096): 42.3, (20, 4096): 47.0, (500, 4096): 18.5}, 1.0),
    ("aircraft", "overear_b", "diffuse", {(100, 4096): 25.8, (20, 4096): 25.9, (330, 4096): 22.8}, 1.0),
    ("engine", "inear_a", "diffuse", {(100, 512): 7.3, (100, 1024): 25.1, (100, 4096): 25.9, (20, 4096): 26.2}, 1.0),
    ("street", "inear_a", "diffuse", {(100, 512): 13.0, (100, 1024): 14.2, (100, 4096): 14.3, (500, 4096): 6.2}, 1.0),
]


@pytest.mark.shared_data
@pytest.mark.parametrize(("noise", "paths", "field", "figures", "tolerance_db"), REFERENCE)
def test_bound_agrees_with_the_reference_figures(
    noise: str, paths: str, field: str, figures: dict[tuple[float, int], float], tolerance_db: float
) -> None:
    file = PATHS / f"{paths}.npz"
    if not file.exists():
        pytest.skip("the development path files (../shared/data/paths) are not on this machine")
    signals = render(Scenario(noise, str(file), field=field))

    for (latency_us, taps), expected_db in figures.items():
        bound = causal_bound(signals, latency_samples=latency_samples(latency_us, 48_000), taps=taps)
        assert bound.attenuation_db == pytest.approx(expected_db, abs=tolerance_db), (latency_us, taps)
