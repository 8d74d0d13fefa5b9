"""Augmentation: what a microphone, a room and other sounds do to a recording before a headset hears it."""

from dataclasses import dataclass

import numpy as np
import soxr
from numpy.typing import NDArray
from scipy import signal

from hushkit_models.classifier.synthesis.primitives import coloured, room, unit

Samples = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Augmentation:
    """Ranges to draw from; probabilities are per clip.

    Attributes:
        speed: Playback speed, lowest and highest.
        equalise_db: Standard deviation of the gain at the knots of a random response, in decibels.
        reverberate: Probability of a room.
        band_limit: Probability of a low-pass, as of a codec or a distant source.
    """

    speed: tuple[float, float] = (0.87, 1.15)
    equalise_db: float = 4.0
    reverberate: float = 0.35
    band_limit: float = 0.2


def fit_length(rng: np.random.Generator, x: Samples, n: int) -> Samples:
    """Cut a random stretch of n samples; a shorter clip is repeated after a short pause, or stands alone in quiet."""
    if len(x) >= n:
        at = int(rng.integers(0, len(x) - n + 1))
        return x[at : at + n]
    out: Samples = 10.0 ** (rng.uniform(-55.0, -35.0) / 20.0) * float(np.abs(x).max()) * coloured(rng, n, 16_000, -4.0)
    if len(x) < n // 2 and rng.uniform() < 0.7:
        pause = np.zeros(int(rng.uniform(0.0, 0.4) * 16_000))
        x = np.tile(np.concatenate([x, pause]), n // max(1, len(x)) + 1)[:n]
    at = int(rng.integers(0, n - len(x) + 1))
    out[at : at + len(x)] += x
    return out


def equalise(rng: np.random.Generator, x: Samples, spread_db: float) -> Samples:
    """Apply a smooth random magnitude response (nine knots over the band, log frequency)."""
    f = np.fft.rfftfreq(len(x), 1.0)
    knots = np.geomspace(0.002, 0.5, 9)
    gains = rng.normal(0.0, spread_db, 9) + rng.normal(0.0, spread_db / 4.0) * np.linspace(-1.0, 1.0, 9) * 2.0
    response = np.interp(np.log(np.maximum(f, 1e-4)), np.log(knots), gains)
    return np.asarray(np.fft.irfft(np.fft.rfft(x) * 10.0 ** (response / 20.0), len(x)))


def augment(rng: np.random.Generator, x: Samples, n: int, what: Augmentation) -> Samples:
    """Draw one variant of a clip.

    Args:
        rng: Source of every choice.
        x: The clip at 16 kHz, shape (any,).
        n: Length wanted, in samples.
        what: Ranges and probabilities.

    Returns:
        Shape (n,), RMS 1.
    """
    speed = rng.uniform(*what.speed)
    x = np.asarray(soxr.resample(x, 16_000.0 * speed, 16_000.0, quality="LQ")) if len(x) > 64 else x
    x = equalise(rng, fit_length(rng, x, n), what.equalise_db)
    if rng.uniform() < what.reverberate:
        x = room(rng, x, 16_000, rng.uniform(0.15, 1.5), rng.uniform(0.1, 0.6))
    if rng.uniform() < what.band_limit:
        sos = signal.butter(2, rng.uniform(2500.0, 7000.0), "lowpass", fs=16_000, output="sos")
        x = np.asarray(signal.sosfilt(sos, x))
    return unit(x)
