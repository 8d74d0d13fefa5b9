"""Scenarios: levels, fields, ears, self-noise, recordings and mid-run changes of the fit."""

from pathlib import Path

import numpy as np
import pytest
import scipy.signal
import soundfile
from hushkit_models.acoustics import AcousticsError
from hushkit_models.acoustics.changes import parse_change
from hushkit_models.acoustics.field import random_tilt_db
from hushkit_models.acoustics.paths import load_paths
from hushkit_models.acoustics.scenario import PathChange, Scenario, latency_samples, render
from numpy.typing import NDArray


def _rms(samples: NDArray[np.float64]) -> float:
    return float(np.sqrt(np.mean(samples**2)))


def test_level_is_relative_to_a_full_scale_sine() -> None:
    signals = render(Scenario("pink", "overear", seconds=2.0, self_noise=False), full_scale_db_spl=120.0)

    assert 20 * np.log10(_rms(signals.reference) * np.sqrt(2)) == pytest.approx(85.0 - 120.0, abs=0.01)


def test_direct_disturbance_is_the_primary_path_of_the_reference() -> None:
    signals = render(Scenario("aircraft", "inear", seconds=2.0, self_noise=False))

    heard = scipy.signal.oaconvolve(signals.reference[0], load_paths("inear").primary)[4096:96_000]

    np.testing.assert_allclose(heard, signals.disturbance[0, 4096:], atol=1e-9)


def test_self_noise_is_30_db_spl_and_independent_for_each_microphone() -> None:
    clean = render(Scenario("pink", "overear", seconds=2.0, self_noise=False), n_ears=2)
    noisy = render(Scenario("pink", "overear", seconds=2.0), n_ears=2)

    hiss = np.concatenate([noisy.reference - clean.reference, noisy.disturbance - clean.disturbance])

    assert 20 * np.log10(_rms(hiss) * np.sqrt(2)) == pytest.approx(30.0 - 120.0, abs=0.1)
    # Correlation of independent noise over n samples has a standard deviation of 1/sqrt(n); five of them.
    assert np.abs(np.corrcoef(hiss) - np.eye(4)).max() < 5 / np.sqrt(96_000)


@pytest.mark.parametrize("field", ["direct", "diffuse"])
def test_first_ear_does_not_depend_on_the_second(field: str) -> None:
    scenario = Scenario("pink", "overear", field=field, seconds=1.0)

    one, two = render(scenario), render(scenario, n_ears=2)

    np.testing.assert_array_equal(one.reference[0], two.reference[0])
    np.testing.assert_array_equal(one.disturbance[0], two.disturbance[0])


def test_ears_share_a_direct_field_and_not_a_diffuse_one() -> None:
    ears = {
        field: render(Scenario("pink", "overear", field=field, seconds=4.0), n_ears=2).reference
        for field in ("direct", "diffuse")
    }

    assert np.corrcoef(ears["direct"])[0, 1] > 0.99
    assert abs(np.corrcoef(ears["diffuse"])[0, 1]) < 0.3


def test_diffuse_field_keeps_the_level_and_loses_coherence_with_frequency() -> None:
    signals = render(Scenario("white", "overear", field="diffuse", seconds=8.0, self_noise=False))

    assert 20 * np.log10(_rms(signals.reference) * np.sqrt(2)) == pytest.approx(-35.0, abs=0.01)
    frequency, coherence = scipy.signal.coherence(signals.reference[0], signals.disturbance[0], 48_000, nperseg=4096)
    # Leads of 60 us * cos(angle) over 12 directions: |mean of exp(j 2 pi f lead)| = J0(2 pi f 60 us) up to the tilts;
    # its square is 0.99 at 400 Hz and 0.24 at 4 kHz.
    assert coherence[np.abs(frequency - 400).argmin()] > 0.95
    assert 0.03 < coherence[np.abs(frequency - 4000).argmin()] < 0.6


def test_tilt_has_1_db_rms_below_2_khz_and_2_db_above_4_khz() -> None:
    rng = np.random.default_rng(5)
    frequency = np.arange(0.0, 20_000.0, 20.0)

    tilts = np.array([random_tilt_db(frequency, rng) for _ in range(4000)])

    # 4000 draws: the standard error of an rms is 1.1 %.
    assert _rms(tilts[:, frequency < 2000]) == pytest.approx(1.0, rel=0.05)
    assert _rms(tilts[:, frequency >= 4000]) == pytest.approx(2.0, rel=0.05)


@pytest.mark.parametrize(
    ("latency_us", "samples"), [(0, 0), (20, 0), (100, 4), (125, 6), (330, 15), (500, 24), (1000, 48)]
)
def test_latency_counts_whole_samples_that_fit(latency_us: float, samples: int) -> None:
    assert latency_samples(latency_us, 48_000) == samples


def test_changes_switch_secondary_and_disturbance() -> None:
    changes = (PathChange(1.0, gain_db=6.0), PathChange(1.5, shift_samples=2), PathChange(2.0, paths="inear"))

    signals = render(Scenario("pink", "overear", seconds=3.0, self_noise=False, changes=changes))

    first, louder, later, other = (segment.secondary[0] for segment in signals.segments)
    assert [segment.start for segment in signals.segments] == [0, 48_000, 72_000, 96_000]
    np.testing.assert_allclose(louder, first * 10**0.3, rtol=1e-9)
    np.testing.assert_allclose(later[2:], louder[:-2], rtol=1e-9)
    np.testing.assert_array_equal(other[:2048], load_paths("inear").secondary)
    heard = scipy.signal.oaconvolve(signals.reference[0], load_paths("inear").primary)[96_000:144_000]
    np.testing.assert_allclose(heard, signals.disturbance[0, 96_000:], atol=1e-9)


def test_leak_change_moves_the_low_corner_only() -> None:
    signals = render(Scenario("pink", "overear", seconds=2.0, changes=(PathChange(1.0, leak_hz=(60, 250)),)))

    before, after = (np.abs(np.fft.rfft(segment.secondary[0], 48_000)) for segment in signals.segments)

    assert 20 * np.log10(after[250] / before[250]) == pytest.approx(-3.0, abs=0.1)
    assert 20 * np.log10(after[60] / before[60]) == pytest.approx(-24.8 + 3.0, abs=0.2)
    assert 20 * np.log10(after[4000] / before[4000]) == pytest.approx(0.0, abs=0.1)


def test_recorded_pair_replaces_noise_and_primary_path(tmp_path: Path) -> None:
    rng = np.random.default_rng(6)
    left, right = rng.standard_normal((2, 60_000)) * 0.05
    pair = np.stack([left, 0.5 * np.roll(left, 3), right, 0.5 * np.roll(right, 3)], axis=1)
    soundfile.write(tmp_path / "pair.wav", pair, 48_000, subtype="FLOAT")

    signals = render(Scenario("", "overear", seconds=1.0, recording=str(tmp_path / "pair.wav")), n_ears=2)

    assert signals.name == "pair"
    for ear in range(2):
        assert _rms(signals.disturbance[ear]) == pytest.approx(0.5 * _rms(signals.reference[ear]), rel=0.01)
        lag = np.correlate(signals.disturbance[ear, 100:1100], signals.reference[ear, 90:1090], "full").argmax() - 999
        assert lag == 3 - 10


@pytest.mark.parametrize(
    ("shape", "message"), [((60_000,), "1 channels"), ((60_000, 3), "3 channels"), ((2000, 2), "not repeated")]
)
def test_unusable_recording_is_refused(tmp_path: Path, shape: tuple[int, ...], message: str) -> None:
    soundfile.write(tmp_path / "pair.wav", 0.1 * np.random.default_rng(1).standard_normal(shape), 48_000)

    with pytest.raises(AcousticsError, match=message):
        render(Scenario("", "overear", seconds=1.0, recording=str(tmp_path / "pair.wav")))


@pytest.mark.parametrize(
    "scenario",
    [
        Scenario("pink", "overear", field="sideways", seconds=1.0),
        Scenario("pink", "overear", seconds=1.0, changes=(PathChange(1.0),)),
        Scenario("pink", "overear", seconds=2.0, changes=(PathChange(1.0), PathChange(0.5))),
        Scenario("pink", "overear", seconds=2.0, changes=(PathChange(1.0, leak_hz=(0, 100)),)),
        Scenario("pink", "overear", seconds=2.0, changes=(PathChange(1.0, shift_samples=-8),)),
    ],
)
def test_impossible_scenario_is_refused(scenario: Scenario) -> None:
    with pytest.raises(AcousticsError):
        render(scenario)


def test_change_is_read_from_its_text() -> None:
    assert parse_change("10:gain=-6") == PathChange(10.0, gain_db=-6.0)
    assert parse_change("1.5:leak=60-250,shift=2,paths=a/b.npz") == PathChange(
        1.5, leak_hz=(60.0, 250.0), shift_samples=2, paths="a/b.npz"
    )


@pytest.mark.parametrize(
    "text", ["", "5", "5:", "gain=3", "5:gain", "5:gain=x", "5:gain=1,gain=2", "5:volume=3", "x:gain=1"]
)
def test_unreadable_change_is_refused(text: str) -> None:
    with pytest.raises(AcousticsError, match="change"):
        parse_change(text)
