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
