"""The integer front end against its definition in floating point, and its invariance to level."""

from typing import Any

import numpy as np
import pytest
from hushkit_models.classifier import frontend
from numpy.typing import NDArray


def _noise(seed: int, n: int = frontend.WINDOW) -> NDArray[Any]:
    return np.random.default_rng(seed).standard_normal(n)


def test_log_mel_equals_its_definition_within_a_hundredth_of_an_octave() -> None:
    q31 = frontend.to_q31(_noise(1, 512), rms_dbfs=-30.0)
    x = q31 / 2.0**31

    actual = frontend.log_mel(q31)[0] / 256.0

    window = frontend.hann_q31() / 2.0**31
    power = np.abs(np.fft.rfft(x * window)) ** 2
    first, count, weights = frontend.mel_bands()
    ends = np.cumsum(count)
    bands = [
        power[first[m] : first[m] + count[m]] @ weights[ends[m] - count[m] : ends[m]] for m in range(frontend.N_MELS)
    ]
    # The FFT divides by 512 (2^-18 in power), samples are Q31 (2^62), products lose POWER_SHIFT bits.
    expected = np.log2(bands) + 62 - 18 - frontend.POWER_SHIFT
    np.testing.assert_allclose(actual, expected, atol=0.01)


@pytest.mark.parametrize("level_db", [-90.0, -60.0, -20.0])
def test_features_do_not_depend_on_level(level_db: float) -> None:
    x = _noise(2)
    reference = frontend.features(frontend.log_mel(frontend.to_q31(x, rms_dbfs=-40.0)))

    moved = frontend.features(frontend.log_mel(frontend.to_q31(x, rms_dbfs=level_db)))

    # At -90 dBFS a sample has 16 bits left; the spectrum's rounding moves a feature by a step at most.
    assert np.abs(reference.astype(int) - moved).max() <= 1


def test_digital_silence_gives_flat_features() -> None:
    log_mels = frontend.log_mel(np.zeros(frontend.WINDOW, np.int32))

    assert (frontend.features(log_mels) == 0).all()
    assert log_mels.max() < -15_000


def test_mel_bands_cover_every_bin_between_the_edges() -> None:
    first, count, weights = frontend.mel_bands()

    assert len(first) == frontend.N_MELS
    assert weights.max() <= 2**frontend.WEIGHT_BITS
    assert (np.diff(first) >= 0).all()
    assert ((first + count)[:-1] >= first[1:]).all()


def test_full_scale_square_wave_does_not_overflow() -> None:
    square = np.where(np.arange(frontend.WINDOW) % 16 < 8, 2**31 - 1, -(2**31)).astype(np.int32)

    log_mels = frontend.log_mel(square)

    peak_bin_band = int(np.argmax(log_mels[0]))
    first, count, _ = frontend.mel_bands()
    assert first[peak_bin_band] <= 32 < first[peak_bin_band] + count[peak_bin_band]  # 1 kHz is bin 32


def test_decimator_is_flat_where_bands_are_and_stops_what_folds() -> None:
    """Below half a step of a feature (1/16 octave of power, 0.19 dB) in the passband; 39.9 dB down from 8.4 kHz."""
    n = 48_000
    tones = [*range(100, 7_601, 500), 7_600, 8_400, 9_100, 11_300, 15_900, 19_700, 23_600]
    gains = {}
    for tone in tones:
        x = np.round(np.sin(2.0 * np.pi * tone / 48_000 * np.arange(n)) * 2.0**28).astype(np.int32)
        y = frontend.Decimator().run(x)[2_000:]
        gains[tone] = 20.0 * np.log10(np.sqrt(2.0 * np.mean((y / 2.0**28) ** 2)))

    assert max(abs(gain) for tone, gain in gains.items() if tone <= 7_600) < 0.01
    assert max(gain for tone, gain in gains.items() if tone >= 8_400) < -39.5


def test_decimated_noise_has_the_features_of_the_same_noise_at_16_khz() -> None:
    """Training reads recordings at 16 kHz, the headset hears 48 kHz: features differ by a step at most, and rarely."""
    fine = np.random.default_rng(3).standard_normal(3 * (frontend.WINDOW + 3_000))
    spectrum = np.fft.rfft(fine)
    frequency = np.fft.rfftfreq(len(fine), 1 / 48_000)
    spectrum[frequency >= 8_000] = 0
    low = np.fft.irfft(spectrum, len(fine))
    direct = frontend.to_q31(low[::3], rms_dbfs=-40.0)
    gain = direct[1_000] / low[3_000] / 2.0**31

    heard = frontend.Decimator().run(np.round(low * gain * 2.0**31).astype(np.int32))

    delays = [
        np.abs(
            frontend.features(frontend.log_mel(heard[at : at + frontend.WINDOW])).astype(int)
            - frontend.features(frontend.log_mel(direct[1_000 : 1_000 + frontend.WINDOW]))
        )
        for at in range(1_000, 1_008)
    ]
    best = min(delays, key=lambda d: float(d.mean()))
    assert best.max() <= 1
    assert best.mean() < 0.05
