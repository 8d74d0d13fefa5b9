"""Sound fields: how one noise arrives at the reference microphone and at the ear.

Direct: one direction; the reference microphone hears the noise, the ear hears it through the primary path, whose onset
delay is the lead of the microphone.

Diffuse: :data:`DIRECTIONS` uncorrelated directions k at angles (k + 0.5) / 12 * 180 degrees. Each brings an
independently offset copy of the noise, at equal power; the microphone hears it 60 us * cos(angle) earlier than in the
direct field (later where negative), and the ear with the primary path times a random spectral tilt of its own: a smooth
random gain over frequency of 1 dB rms below 2 kHz, growing to 2 dB above 4 kHz.

All of it happens in the frequency domain on noise that repeats (:class:`hushkit_models.acoustics.noise.Noise`), so
fractional leads are exact and signals are in their steady state from the first sample.
"""

import numpy as np
from numpy.typing import NDArray

DIRECTIONS = 12
LEAD_S = 60e-6
FIELDS = ("direct", "diffuse")

_TILT_AT_HZ = (0.0, 2000.0, 4000.0)
_TILT_RMS_DB = (0.0, 3.0**0.5, 2.0)
"""A straight line from 0 dB at 0 Hz to sqrt(3) dB at 2 kHz has 1 dB rms over that band. A gain of 1 dB rms at all low
frequencies would cap attenuation at 19 dB; with the tilt it is the spread of leads that does, near 26 dB."""


def field_spectra(
    spectrum: NDArray[np.complex128],
    frequency: NDArray[np.float64],
    *,
    field: str,
    rng: np.random.Generator,
    period_s: float,
) -> tuple[NDArray[np.complex128], NDArray[np.complex128]]:
    """Spectra at one ear's reference microphone and, before the primary path, at that ear.

    Args:
        spectrum: One-sided spectrum of the noise, shape (bins,).
        frequency: Its frequencies in hertz, shape (bins,).
        field: ``"direct"`` or ``"diffuse"``.
        rng: Source of offsets and tilts; each ear has its own.
        period_s: Length of the noise, from which offsets are drawn.

    Returns:
        Reference and ear, shape (bins,) each; the reference has the power of ``spectrum``.
    """
    if field == "direct":
        return spectrum, spectrum
    reference_gain = np.zeros_like(spectrum)
    ear_gain = np.zeros_like(spectrum)
    for k in range(DIRECTIONS):
        lead_s = LEAD_S * np.cos((k + 0.5) / DIRECTIONS * np.pi)
        arrival = np.exp(-2j * np.pi * frequency * rng.uniform(0.0, period_s))
        reference_gain += arrival * np.exp(2j * np.pi * frequency * lead_s)
        ear_gain += arrival * 10 ** (random_tilt_db(frequency, rng) / 20)
    power = np.sum(np.abs(spectrum) ** 2)
    scale = np.sqrt(power / np.sum(np.abs(spectrum * reference_gain) ** 2))
    return spectrum * reference_gain * scale, spectrum * ear_gain * scale


def random_tilt_db(frequency: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.float64]:
    """One direction's deviation from the primary path: a random tilt over frequency.

    Args:
        frequency: In hertz, shape (bins,).
        rng: Source of the deviation.

    Returns:
        Gain in dB, shape (bins,): 0 at 0 Hz, a normal value of sqrt(3) dB rms at 2 kHz (1 dB rms over the band below),
        an independent one of 2 dB rms from 4 kHz on, joined by straight lines.
    """
    low, high = rng.standard_normal(2)
    gains = np.array(_TILT_RMS_DB) * np.array([0.0, low, high])
    return np.interp(frequency, _TILT_AT_HZ, gains)
