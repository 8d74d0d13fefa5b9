"""Noise scenes computed from a seed.

Broadband parts are made in the frequency domain: Gaussian noise times the square root of a power spectrum, so a scene
has no seam when it is repeated and its spectrum is exactly the formula's. Periodic parts are placed on whole periods
of the scene for the same reason.

Every function returns samples of shape (n,), float64, of arbitrary level: :mod:`~hushkit_models.acoustics.noise`
filters and scales.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Samples = NDArray[np.float64]
Generator = np.random.Generator


def shaped_noise(power: Callable[[Samples], Samples], n: int, rate_hz: int, rng: Generator) -> Samples:
    """Gaussian noise of a given power spectrum.

    Args:
        power: Power density over frequency in hertz, any unit; called with frequencies of at least 1 Hz.
        n: Samples.
        rate_hz: Sample rate.
        rng: Source of the noise.

    Returns:
        Samples, shape (n,), periodic in n.
    """
    spectrum = np.fft.rfft(rng.standard_normal(n))
    frequency = np.maximum(np.fft.rfftfreq(n, 1 / rate_hz), 1.0)
    return np.fft.irfft(spectrum * np.sqrt(power(frequency)), n)


def _slow_level(n: int, rate_hz: int, rng: Generator, *, below_hz: float, rms_db: float) -> Samples:
    """Slow random gain, as a factor, periodic in n."""
    drift = shaped_noise(lambda f: 1 / (1 + (f / below_hz) ** 8), n, rate_hz, rng)
    return np.asarray(10 ** (drift / drift.std() * rms_db / 20), dtype=np.float64)


def _whole_periods(frequency_hz: float, n: int, rate_hz: int) -> float:
    return max(1, round(frequency_hz * n / rate_hz)) * rate_hz / n


def white(n: int, rate_hz: int, rng: Generator) -> Samples:
    """Equal power per hertz."""
    return rng.standard_normal(n)


def pink(n: int, rate_hz: int, rng: Generator) -> Samples:
    """Equal power per octave: power as 1/f."""
    return shaped_noise(lambda f: 1 / f, n, rate_hz, rng)


def brown(n: int, rate_hz: int, rng: Generator) -> Samples:
    """Power as 1/f^2."""
    return shaped_noise(lambda f: 1 / f**2, n, rate_hz, rng)


def aircraft(n: int, rate_hz: int, rng: Generator) -> Samples:
    """Cabin of a jet in cruise: boundary-layer noise, flat to 235 Hz, then falling by 8.4 dB an octave.

    Around 110 Hz there are 1.8 dB more, the hum of the fans.
    """

    def power(frequency: Samples) -> Samples:
        hum = 1 + 0.5 * np.exp(-((np.log2(frequency / 110) / 0.5) ** 2))
        return np.asarray(hum * (1 + (frequency / 235) ** 2) ** -1.4, dtype=np.float64)

    return shaped_noise(power, n, rate_hz, rng)


def engine(n: int, rate_hz: int, rng: Generator) -> Samples:
    """Reciprocating engine at 2700 rpm under a changing load.

    Harmonics 1 to 20 of 45 Hz, amplitude falling 3.9 dB an octave; speed wanders by 0.5 % and load by 2 dB, both
    within seconds; intake noise (to 2.5 kHz) lies 26 dB below.
    """
    base_hz = _whole_periods(45.0, n, rate_hz)
    wander = shaped_noise(lambda f: 1 / (1 + (f / 0.3) ** 8), n, rate_hz, rng)
    wander -= wander.mean()
    phase = 2 * np.pi * np.cumsum(base_hz * (1 + 0.005 * wander / wander.std())) / rate_hz
    load = _slow_level(n, rate_hz, rng, below_hz=0.5, rms_db=2.0)
    tone: Samples = np.zeros(n)
    for k in range(1, 21):
        tone += k**-0.65 * np.sin(k * phase + rng.uniform(0, 2 * np.pi))
    tone *= load
    intake = shaped_noise(lambda f: 1 / (1 + (f / 2500) ** 2), n, rate_hz, rng)
    return np.asarray(tone + intake * (tone.std() / intake.std() * 10 ** (-26 / 20)), dtype=np.float64)


def street(n: int, rate_hz: int, rng: Generator) -> Samples:
    """Busy street: engines and tyres around 210 Hz, 6 dB an octave to both sides, with vehicles passing."""
    traffic = shaped_noise(lambda f: (f / 210) ** 2 / (1 + (f / 210) ** 4), n, rate_hz, rng)
    return traffic * _slow_level(n, rate_hz, rng, below_hz=0.25, rms_db=3.0)


def train(n: int, rate_hz: int, rng: Generator) -> Samples:
    """Inside a train: rolling noise, 100 Hz hum of the traction, rail joints about once a second."""
    rolling = shaped_noise(lambda f: 1 / (1 + (f / 90) ** 2) / (1 + (f / 1500) ** 2), n, rate_hz, rng)
    rolling /= rolling.std()
    time = np.arange(n) / rate_hz
    hum_hz = _whole_periods(100.0, n, rate_hz)
    hum = sum(a * np.sin(2 * np.pi * k * hum_hz * time) for k, a in ((1, 0.25), (2, 0.15), (3, 0.08)))
    joints = np.zeros(n)
    period = n // max(1, round(n / rate_hz / 1.1))
    for start in range(0, n - period // 2, period):
        for axle in (0.0, 0.18):
            at = (start + round((axle + 0.01 * rng.standard_normal()) * rate_hz)) % n
            length = min(round(0.12 * rate_hz), n)
            t = np.arange(length) / rate_hz
            strength = 1 + 0.2 * rng.standard_normal()
            joints[(at + np.arange(length)) % n] += strength * np.exp(-t / 0.025) * np.sin(2 * np.pi * 85 * t)
    return np.asarray(rolling + hum + 2.0 * joints, dtype=np.float64)


def siren(n: int, rate_hz: int, rng: Generator) -> Samples:
    """Emergency siren, wail: 500 to 1500 Hz and back in about 4.5 s, two harmonics, street noise 25 dB below."""
    cycles = max(1, round(n / rate_hz / 4.5))
    sweep = 0.5 - 0.5 * np.cos(2 * np.pi * cycles * np.arange(n) / n)
    instant_hz = 500.0 * 3.0**sweep
    turns = np.cumsum(instant_hz) / rate_hz
    turns *= round(turns[-1]) / turns[-1]
    wail = np.sin(2 * np.pi * turns) + 0.3 * np.sin(4 * np.pi * turns) + 0.15 * np.sin(6 * np.pi * turns)
    background = pink(n, rate_hz, rng)
    return np.asarray(wail + background * (wail.std() / background.std() * 10 ** (-25 / 20)), dtype=np.float64)


def tones(n: int, rate_hz: int, rng: Generator) -> Samples:
    """Mains or rotor hum: 120 and 240 Hz, the second 6 dB below, random phases."""
    time = np.arange(n) / rate_hz
    low, high = (_whole_periods(f, n, rate_hz) for f in (120.0, 240.0))
    first, second = rng.uniform(0, 2 * np.pi, 2)
    return np.asarray(
        np.sin(2 * np.pi * low * time + first) + 0.5 * np.sin(2 * np.pi * high * time + second), dtype=np.float64
    )


def helicopter(n: int, rate_hz: int, rng: Generator) -> Samples:
    """Rotor: 18 Hz blade passing, broadband noise in pulses, harmonics to 300 Hz."""
    blade_hz = _whole_periods(18.0, n, rate_hz)
    phase = 2 * np.pi * blade_hz * np.arange(n) / rate_hz
    pulse = np.exp(4 * (np.cos(phase) - 1))
    broadband = shaped_noise(lambda f: 1 / (1 + (f / 150) ** 2) / (1 + (f / 1200) ** 2), n, rate_hz, rng)
    harmonics = np.zeros(n)
    for k in range(2, 17):
        harmonics += k**-0.7 * np.sin(k * phase + rng.uniform(0, 2 * np.pi))
    return np.asarray((0.4 + pulse) * broadband / broadband.std() + 0.6 * harmonics / harmonics.std(), dtype=np.float64)


def hvac(n: int, rate_hz: int, rng: Generator) -> Samples:
    """Ventilation: duct noise falling 5 dB an octave above 60 Hz, a weak fan tone at 145 Hz."""
    duct = shaped_noise(lambda f: 1 / (1 + (f / 60) ** 1.7), n, rate_hz, rng)
    fan = np.sin(2 * np.pi * _whole_periods(145.0, n, rate_hz) * np.arange(n) / rate_hz)
    return np.asarray(duct / duct.std() + 0.15 * fan, dtype=np.float64)


@dataclass(frozen=True, slots=True)
class Scene:
    """One built-in scene: how it is made, and how loud it is at the reference microphone, in dB SPL."""

    synthesize: Callable[[int, int, Generator], Samples]
    level_db_spl: float


SCENES: dict[str, Scene] = {
    "white": Scene(white, 85.0),
    "pink": Scene(pink, 85.0),
    "brown": Scene(brown, 85.0),
    "aircraft": Scene(aircraft, 85.0),
    "engine": Scene(engine, 88.0),
    "street": Scene(street, 82.0),
    "train": Scene(train, 84.0),
    "helicopter": Scene(helicopter, 90.0),
    "hvac": Scene(hvac, 80.0),
    "siren": Scene(siren, 90.0),
    "tones": Scene(tones, 85.0),
}
"""Built-in scenes by name."""
