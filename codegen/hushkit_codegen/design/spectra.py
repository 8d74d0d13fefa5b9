"""What a fixed filter is designed for: paths and noise as spectra on one frequency grid."""

import math
from dataclasses import dataclass

import numpy as np
import scipy.signal
from hushkit_models.acoustics import AcousticsError
from hushkit_models.acoustics.field import DIRECTIONS, LEAD_S
from hushkit_models.acoustics.noise import load_noise
from hushkit_models.acoustics.paths import PathSet
from numpy.typing import NDArray

from hushkit_codegen.errors import DesignError

GRID = 16_384
"""Length of the Fourier grid, in samples: 2.9 Hz apart at 48 kHz."""

OCTAVES_HZ = (63, 125, 250, 500, 1000, 2000, 4000, 8000)
SELF_NOISE_DB_SPL = 30.0

_NOISE_SECONDS = 20.0
_SMOOTHING_OCTAVES = 1 / 6

Spectrum = NDArray[np.float64]
Response = NDArray[np.complex128]


@dataclass(frozen=True, slots=True)
class DesignScene:
    """Spectra on the non-negative frequencies of the grid, shape (GRID / 2 + 1,) each.

    Attributes:
        rate_hz: Sample rate.
        frequency: In hertz.
        reference: Power at the reference microphone, its own noise included; sums to about 1.
        cross: Cross-spectrum from the reference microphone to the disturbance at the ear, over `reference`: the best
            linear guess of the disturbance's response.
        disturbance: Power at the ear without any filter, its microphone's own noise included.
        primary: Response of the primary path in a direct field.
        secondary: Response from a filter's output to the ear: secondary path, latency, and the DC blocker, which stands
            before the filter but commutes with it.
    """

    rate_hz: int
    frequency: Spectrum
    reference: Spectrum
    cross: Response
    disturbance: Spectrum
    primary: Response
    secondary: Response


def design_scene(paths: PathSet, *, noise: str, field: str, latency_samples: int, dc_pole: float = 0.0) -> DesignScene:
    """Compute the spectra of one scene.

    Args:
        paths: The headset's responses.
        noise: Scene or recording, as load_noise takes it.
        field: ``direct`` or ``diffuse`` (12 directions, 60 us of lead; random tilts average out of the cross-spectrum).
        latency_samples: Whole delay from the reference microphone's sample to the driver.
        dc_pole: Pole of the DC blocker every input passes first; 0 leaves it out.

    Returns:
        The spectra; noise is smoothed over a sixth of an octave, so that no filter chases one tone of one recording.

    Raises:
        DesignError: The noise cannot be loaded, or a path is longer than the grid.
    """
    try:
        loaded = load_noise(noise, seconds=_NOISE_SECONDS, rate_hz=paths.rate_hz, seed=1)
    except AcousticsError as err:
        raise DesignError(f"acoustics.noise: {err}") from err
    longest = max(paths.primary.size, paths.secondary.size)
    if longest > GRID // 2:
        raise DesignError(f"paths {paths.name}: {longest} taps, expected at most {GRID // 2}; cut the responses")
    frequency = np.fft.rfftfreq(GRID, 1 / paths.rate_hz)
    _, density = scipy.signal.welch(loaded.samples, fs=1.0, nperseg=GRID, window="hann", scaling="spectrum")
    scene = smooth_octaves(density, frequency, _SMOOTHING_OCTAVES)
    scene /= scene.sum()
    floor = 10 ** ((SELF_NOISE_DB_SPL - loaded.level_db_spl) / 10) / frequency.size
    primary = np.fft.rfft(paths.primary, GRID)
    delay = np.exp(-2j * np.pi * frequency * latency_samples / paths.rate_hz)
    coherence = _mean_lead(frequency) if field == "diffuse" else np.ones(frequency.size)
    reference = scene + floor
    if dc_pole:
        delayed = np.exp(-2j * np.pi * frequency / paths.rate_hz)
        delay *= (1 - delayed) / (1 - dc_pole * delayed)
    return DesignScene(
        rate_hz=paths.rate_hz,
        frequency=frequency,
        reference=reference,
        cross=primary * coherence * scene / reference,
        disturbance=np.abs(primary) ** 2 * scene + floor,
        primary=primary,
        secondary=np.fft.rfft(paths.secondary, GRID) * delay,
    )


def smooth_octaves(power: Spectrum, frequency: Spectrum, width_octaves: float) -> Spectrum:
    """Mean of a power spectrum over a band of constant relative width around each frequency."""
    total = np.concatenate([[0.0], np.cumsum(power)])
    step = frequency[1]
    half = 2 ** (width_octaves / 2)
    low = np.floor(frequency / half / step).astype(int)
    high = np.minimum(np.ceil(frequency * half / step).astype(int), frequency.size - 1)
    return np.asarray((total[high + 1] - total[low]) / (high + 1 - low), dtype=np.float64)


def band(frequency: Spectrum, centre_hz: float) -> NDArray[np.bool_]:
    """Which frequencies lie in the octave around a centre."""
    return (frequency >= centre_hz / math.sqrt(2)) & (frequency < centre_hz * math.sqrt(2))


def residual_power(scene: DesignScene, response: Response) -> Spectrum:
    """Power at the ear with a filter of this response, self-noise included."""
    loop = scene.secondary * response
    power = scene.disturbance + scene.reference * (np.abs(loop) ** 2 + 2 * np.real(np.conj(scene.cross) * loop))
    return np.asarray(power, dtype=np.float64)


def attenuation_db(scene: DesignScene, response: Response) -> float:
    """Noise at the ear with the filter off over on, in dB, whole band."""
    return 10 * math.log10(scene.disturbance.sum() / residual_power(scene, response).sum())


def octave_attenuation_db(scene: DesignScene, response: Response) -> dict[int, float]:
    """The same per octave below the Nyquist frequency."""
    after = residual_power(scene, response)
    inside = {centre: band(scene.frequency, centre) for centre in OCTAVES_HZ if 2 * centre <= scene.rate_hz / 2}
    return {
        centre: 10 * math.log10(scene.disturbance[mask].sum() / after[mask].sum()) for centre, mask in inside.items()
    }


def _mean_lead(frequency: Spectrum) -> Response:
    angles = (np.arange(DIRECTIONS) + 0.5) / DIRECTIONS * np.pi
    leads = LEAD_S * np.cos(angles)
    return np.asarray(np.exp(-2j * np.pi * frequency[:, None] * leads).mean(axis=1), dtype=np.complex128)
