"""Metrics against the standards' tables and against signals whose figures are known."""

import numpy as np
import pytest
from hushkit_models.acoustics import AcousticsError
from hushkit_models.acoustics.metrics import (
    attenuation,
    convergence_time,
    snr_db,
    thd_percent,
    worst_moment_db,
    worst_sustained_db,
)
from hushkit_models.acoustics.spectrum import OCTAVES, a_weighting_db, octave_powers, power_spectrum

# IEC 61672-1:2013 table 3: nominal frequency, A-weighting, class 1 limits (upper, lower).
IEC_61672_TABLE_3 = [
    (31.5, -39.4, 1.5, 1.5),
    (63.0, -26.2, 1.0, 1.0),
    (100.0, -19.1, 1.0, 1.0),
    (125.0, -16.1, 1.0, 1.0),
    (200.0, -10.9, 1.0, 1.0),
    (250.0, -8.6, 1.0, 1.0),
    (400.0, -4.8, 1.0, 1.0),
    (500.0, -3.2, 1.0, 1.0),
    (800.0, -0.8, 1.0, 1.0),
    (1000.0, 0.0, 0.7, 0.7),
    (2000.0, 1.2, 1.0, 1.0),
    (4000.0, 1.0, 1.0, 1.0),
    (8000.0, -1.1, 1.5, 2.5),
    (12500.0, -4.3, 2.0, 5.0),
    (16000.0, -6.6, 2.5, 16.0),
    (20000.0, -9.3, 3.0, np.inf),
]


@pytest.mark.parametrize(("nominal_hz", "weight_db", "upper_db", "lower_db"), IEC_61672_TABLE_3)
def test_a_weighting_equals_the_standards_table(
    nominal_hz: float, weight_db: float, upper_db: float, lower_db: float
) -> None:
    exact_hz = 1000 * 10 ** (round(10 * np.log10(nominal_hz / 1000)) / 10)

    weight = float(a_weighting_db(np.array([exact_hz]))[0])

    assert weight == pytest.approx(weight_db, abs=0.051)  # the table is rounded to 0.1 dB
    assert -lower_db <= weight - weight_db <= upper_db


def test_octave_mid_bands_are_base_ten() -> None:
    assert OCTAVES["63"] == pytest.approx(63.096, abs=1e-3)
    assert OCTAVES["8000"] == pytest.approx(7943.28, abs=1e-2)


def test_octave_bands_share_power_without_gap_or_overlap() -> None:
    frequency, power = power_spectrum(np.random.default_rng(1).standard_normal(480_000), 48_000)

    bands = octave_powers(frequency, power)

    low, high = OCTAVES["63"] * 10**-0.15, OCTAVES["8000"] * 10**0.15
    # White noise of unit power: each band holds its share of 24 kHz; neighbours meet at their common edge.
    assert sum(bands.values()) == pytest.approx((high - low) / 24_000, rel=0.01)


@pytest.mark.parametrize(
    ("offset_octaves", "inside"), [(-0.45, True), (0.0, True), (0.45, True), (-0.6, False), (0.6, False)]
)
def test_octave_band_passes_and_stops_tones_within_class_1(offset_octaves: float, inside: bool) -> None:
    # IEC 61260-1 table 1, class 1: within +-0.4 dB at the mid-band, at most 5.3 dB down inside the edges, and at least
    # 1.4 dB down just outside; a band of summed bins does it with margin, up to the leakage of the Hann window.
    tone_hz = 1000 * 2**offset_octaves
    tone = np.sqrt(2) * np.sin(2 * np.pi * tone_hz / 48_000 * np.arange(96_000))

    band_db = 10 * np.log10(octave_powers(*power_spectrum(tone, 48_000))["1000"])

    if inside:
        assert band_db == pytest.approx(0.0, abs=0.4)
    else:
        assert band_db < -40


def test_attenuation_of_a_known_filter() -> None:
    off = np.random.default_rng(2).standard_normal(96_000)

    figures = attenuation(off, 0.1 * off, rate_hz=48_000, window_s=(0.5, 2.0))

    assert figures.attenuation_db == pytest.approx(20.0)
    assert figures.attenuation_dba == pytest.approx(20.0)
    assert list(figures.octaves_db) == ["63", "125", "250", "500", "1000", "2000", "4000", "8000"]
    assert all(value == pytest.approx(20.0) for value in figures.octaves_db.values())


def test_worst_octave_amplification_looks_below_its_limit() -> None:
    time = np.arange(96_000) / 48_000
    low, high = (np.sin(2 * np.pi * f * time) for f in (500, 4000))
    floor = 1e-6 * np.random.default_rng(1).standard_normal(96_000)

    figures = attenuation(low + high + floor, 0.5 * low + 2 * high + floor, rate_hz=48_000, window_s=(0, 2))

    assert figures.worst_octave_amplification_db() == pytest.approx(6.02, abs=0.05)
    assert figures.worst_octave_amplification_db(below_hz=3000) < 1.0


def test_convergence_time_is_the_first_of_four_good_frames() -> None:
    frames_db = [20.0, 10.0, 2.0, 8.0, 2.9, 1.0, 0.0, 0.0, 0.0]
    best = np.repeat(1.0, len(frames_db) * 1000)
    on = np.repeat(10 ** (np.array(frames_db) / 20), 1000)

    assert convergence_time(on, best, rate_hz=4000) == 1.0
    assert convergence_time(on, best, rate_hz=4000, start_s=0.75) == 0.25
    assert convergence_time(on[:7000], best[:7000], rate_hz=4000) is None


def test_worst_moment_finds_one_loud_frame_and_ignores_pauses() -> None:
    off = np.random.default_rng(3).standard_normal(48_000)
    off[10_000:20_000] *= 1e-5
    on = 0.1 * off
    on[31_200:33_600] = 2 * off[31_200:33_600]

    assert worst_moment_db(off, on, rate_hz=48_000) == pytest.approx(6.02, abs=0.5)
    assert worst_moment_db(off, 0.1 * off, rate_hz=48_000) < -19.0


def test_worst_sustained_judges_each_ear_once_it_had_time_to_notice() -> None:
    rate_hz = 48_000
    off = np.random.default_rng(3).standard_normal((2, 2 * rate_hz))
    on = 0.1 * off
    on[:, :4_000] = 5 * off[:, :4_000]
    on[1, rate_hz : rate_hz + 4_800] = 4 * off[1, rate_hz : rate_hz + 4_800]

    unannounced = worst_sustained_db(off, on, rate_hz=rate_hz)
    announced = worst_sustained_db(off, on, rate_hz=rate_hz, changes_s=(1.0,))

    assert unannounced == pytest.approx(20 * np.log10(4), abs=0.01)
    assert announced == pytest.approx(-20.0, abs=0.01)


def test_worst_sustained_refuses_a_run_without_any_window() -> None:
    with pytest.raises(AcousticsError, match=r"expected 0\.2 s or more"):
        worst_sustained_db(np.ones(8_000), np.ones(8_000), rate_hz=48_000)


def test_thd_and_snr_of_a_distorted_tone() -> None:
    time = np.arange(48_123) / 48_000
    noise = 1e-3 * np.random.default_rng(4).standard_normal(time.size)
    tone = (
        np.sin(2 * np.pi * 997 * time)
        + 0.03 * np.sin(4 * np.pi * 997 * time + 1)
        + 0.04 * np.cos(6 * np.pi * 997 * time)
    )

    assert thd_percent(tone + noise, rate_hz=48_000, fundamental_hz=997) == pytest.approx(5.0, abs=0.02)
    assert snr_db(tone + noise, rate_hz=48_000, fundamental_hz=997) == pytest.approx(56.99, abs=0.1)


def test_impossible_requests_are_refused() -> None:
    signal = np.ones(48_000)

    with pytest.raises(AcousticsError, match="window"):
        attenuation(signal, signal, rate_hz=48_000, window_s=(0.5, 2.0))
    with pytest.raises(AcousticsError, match="shapes"):
        attenuation(signal, signal[1:], rate_hz=48_000, window_s=(0, 1))
    with pytest.raises(AcousticsError, match="ten periods"):
        thd_percent(signal[:100], rate_hz=48_000, fundamental_hz=1000)
    with pytest.raises(AcousticsError, match="no tone"):
        thd_percent(np.zeros(48_000), rate_hz=48_000, fundamental_hz=1000)
