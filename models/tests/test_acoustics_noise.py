"""Noise: scenes are reproducible and shaped as documented; files are read, levelled, repeated, or refused."""

from pathlib import Path

import numpy as np
import pytest
import soundfile
from hushkit_models.acoustics import AcousticsError
from hushkit_models.acoustics.noise import highpass, load_noise, loop
from hushkit_models.acoustics.spectrum import octave_powers, power_spectrum
from hushkit_models.acoustics.synthesis import SCENES


@pytest.mark.parametrize("name", sorted(SCENES))
def test_scene_is_deterministic_and_of_unit_rms(name: str) -> None:
    first, again = (load_noise(name, seconds=2.0, seed=3) for _ in range(2))
    other = load_noise(name, seconds=2.0, seed=4)

    np.testing.assert_array_equal(first.samples, again.samples)
    assert not np.array_equal(first.samples, other.samples)
    assert np.sqrt(np.mean(first.samples**2)) == pytest.approx(1.0)
    assert 80 <= first.level_db_spl <= 90


@pytest.mark.parametrize("name", sorted(SCENES))
def test_scene_repeats_without_a_seam(name: str) -> None:
    samples = load_noise(name, seconds=2.0, rate_hz=16_000).samples

    seam = abs(samples[0] - samples[-1])

    assert seam <= np.abs(np.diff(samples)).max()


@pytest.mark.parametrize(("name", "slope_db"), [("white", 3.0), ("pink", 0.0), ("brown", -3.0)])
def test_coloured_noise_has_its_slope_per_octave(name: str, slope_db: float) -> None:
    noise = load_noise(name, seconds=10.0)

    bands = 10 * np.log10(list(octave_powers(*power_spectrum(noise.samples, 48_000)).values())[1:7])

    # 125 Hz to 4 kHz; the 125 Hz band holds 10 s * 88 Hz * 2 = 1760 degrees of freedom: +-0.3 dB for 2 sigma.
    assert np.polyfit(np.arange(6), bands, 1)[0] == pytest.approx(slope_db, abs=0.2)


def test_siren_sweeps_between_500_and_1500_hz() -> None:
    samples = load_noise("siren", seconds=4.5).samples

    start, middle = (np.abs(np.fft.rfft(samples[at : at + 4800] * np.hanning(4800))) for at in (0, 105_600))

    assert 480 <= 10 * start.argmax() <= 560
    assert 1450 <= 10 * middle.argmax() <= 1510


def test_tones_are_lines_at_120_and_240_hz() -> None:
    power = np.abs(np.fft.rfft(load_noise("tones", seconds=2.0).samples)) ** 2

    assert set(np.argsort(power)[-2:]) == {240, 480}


def test_highpass_is_a_sixth_order_butterworth_at_40_hz() -> None:
    impulse = np.zeros(48_000)
    impulse[0] = 1.0

    gain_db = 20 * np.log10(np.abs(np.fft.rfft(highpass(impulse, 48_000)))[[20, 40, 1000]])

    np.testing.assert_allclose(gain_db, [-36.12, -3.01, 0.0], atol=0.02)


def test_recording_of_any_rate_and_stereo_is_read(tmp_path: Path) -> None:
    time = np.arange(44_100) / 44_100
    stereo = np.stack([np.sin(2 * np.pi * 441 * time), np.zeros_like(time)], axis=1)
    soundfile.write(tmp_path / "tone.wav", stereo, 44_100)

    noise = load_noise(str(tmp_path / "tone.wav"), seconds=0.9)

    assert noise.name == "tone"
    assert noise.samples.shape == (43_200,)
    assert np.abs(np.fft.rfft(noise.samples[:38_400])).argmax() == round(441 * 0.8)


def test_short_recording_is_repeated_without_steps() -> None:
    piece = np.cumsum(np.random.default_rng(1).standard_normal(48_000))

    for n in (40_000, 47_000, 48_000, 100_000, 144_000):
        looped = loop(piece, n, 48_000)

        assert looped.size == n
        around = np.concatenate([looped, looped[:1]])
        # Fades of equal power over 2400 samples change by at most pi / 2 / 2400 per sample.
        assert np.abs(np.diff(around)).max() < 6.0 + np.abs(piece).max() * np.pi / 2400


@pytest.mark.parametrize("kind", ["absent", "text", "folder", "empty", "silent", "short", "nan"])
def test_unusable_file_is_refused(tmp_path: Path, kind: str) -> None:
    file = tmp_path / "file.wav"
    content = {
        "empty": np.zeros(0),
        "silent": np.zeros(96_000),
        "short": np.ones(100),
        "nan": np.full(96_000, np.nan),
    }
    if kind == "text":
        file.write_text("this is no audio file")
    elif kind == "folder":
        file.mkdir()
    elif kind != "absent":
        soundfile.write(file, content[kind], 48_000, subtype="FLOAT")

    with pytest.raises(AcousticsError):
        load_noise(str(file), seconds=1.0)


@pytest.mark.parametrize("seconds", [0.0, -1.0, float("nan"), 1e9])
def test_duration_out_of_range_is_refused(seconds: float) -> None:
    with pytest.raises(AcousticsError, match=r"expected 0\.5 to 600"):
        load_noise("pink", seconds=seconds)
