"""Noise at the reference microphone: a built-in scene or a recording, levelled and ready to be repeated."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hushkit_models.acoustics.audio_file import read_audio, resample
from hushkit_models.acoustics.errors import AcousticsError
from hushkit_models.acoustics.synthesis import SCENES

HIGHPASS_HZ = 40.0
"""The measuring protocol removes what lies below: no headset driver answers there."""

_HIGHPASS_ORDER = 6
"""Butterworth; agrees with the project's reference bounds for pink noise at 10 latencies and lengths within 0.2 dB."""

RECORDING_LEVEL_DB_SPL = 85.0
"""Level given to a recording, whose file does not say how loud it was."""

_SEAM_S = 0.05
_SHORTEST_S = 0.5
_LONGEST_S = 600.0


@dataclass(frozen=True, slots=True)
class Noise:
    """Noise of unit RMS that repeats without a seam.

    ``samples``: shape (n,), float64, RMS 1.0; ``level_db_spl``: what RMS 1.0 stands for at the reference microphone.
    """

    name: str
    rate_hz: int
    samples: NDArray[np.float64]
    level_db_spl: float


def load_noise(name_or_file: str, *, seconds: float, rate_hz: int = 48_000, seed: int = 1) -> Noise:
    """Make a built-in scene or read a recording.

    Args:
        name_or_file: A key of :data:`~hushkit_models.acoustics.synthesis.SCENES`, or any audio file libsndfile reads.
            Stereo is averaged to one channel. A recording shorter than ``seconds`` is repeated, with 50 ms cross-faded
            at each seam; a longer one is cut.
        seconds: Wanted duration, 0.5 to 600.
        rate_hz: Wanted rate, in hertz.
        seed: Same seed, same scene; a recording does not depend on it.

    Returns:
        The noise, high-passed at 40 Hz (Butterworth, sixth order), unit RMS.

    Raises:
        AcousticsError: Unknown name, unreadable, silent or too short file, or a duration out of range.
    """
    if not _SHORTEST_S <= seconds <= _LONGEST_S:
        raise AcousticsError(f"{seconds} s of noise, expected {_SHORTEST_S} to {_LONGEST_S} s")
    n = round(seconds * rate_hz)
    if name_or_file in SCENES:
        scene = SCENES[name_or_file]
        samples = highpass(scene.synthesize(n, rate_hz, _generator(name_or_file, seed)), rate_hz)
        return Noise(name_or_file, rate_hz, samples / _rms(samples), scene.level_db_spl)
    file = Path(name_or_file)
    if not file.exists():
        raise AcousticsError(
            f"noise {name_or_file!r}: no such file or built-in scene; name one of {', '.join(sorted(SCENES))}, "
            "or an audio file"
        )
    recorded, file_rate = read_audio(file)
    if recorded.shape[1] < _SHORTEST_S * file_rate:
        raise AcousticsError(
            f"noise {file}: {recorded.shape[1] / file_rate:.2f} s long, expected at least {_SHORTEST_S} s; record more"
        )
    mono = resample(recorded.mean(axis=0), file_rate, rate_hz)
    samples = highpass(loop(mono, n, rate_hz), rate_hz)
    level = _rms(samples)
    if level < 1e-6:
        raise AcousticsError(
            f"noise {file}: silent above {HIGHPASS_HZ:.0f} Hz (RMS {level:.1e} of full scale); record again"
        )
    return Noise(file.stem, rate_hz, samples / level, RECORDING_LEVEL_DB_SPL)


def highpass(samples: NDArray[np.float64], rate_hz: int) -> NDArray[np.float64]:
    """The protocol's 40 Hz high-pass of a signal taken as periodic, so that it leaves no transient and no seam.

    Args:
        samples: Shape (..., n).
        rate_hz: Sample rate.

    Returns:
        Shape like ``samples``. Magnitude and phase are those of an analogue Butterworth of sixth order.
    """
    n = samples.shape[-1]
    frequency = np.fft.rfftfreq(n, 1 / rate_hz)
    poles = HIGHPASS_HZ * np.exp(
        1j * np.pi * (2 * np.arange(_HIGHPASS_ORDER) + _HIGHPASS_ORDER + 1) / (2 * _HIGHPASS_ORDER)
    )
    s = 1j * frequency
    response = np.prod([s / (s - pole) for pole in poles], axis=0)
    return np.fft.irfft(np.fft.rfft(samples, axis=-1) * response, n, axis=-1)


def loop(samples: NDArray[np.float64], n: int, rate_hz: int) -> NDArray[np.float64]:
    """Cut or repeat to n samples such that the end leads into the beginning.

    Args:
        samples: Shape (..., m).
        n: Wanted length.
        rate_hz: Sample rate, for the 50 ms cross-fade of equal power.

    Returns:
        Shape (..., n).
    """
    fade = min(round(_SEAM_S * rate_hz), samples.shape[-1] // 4)
    angle = 0.5 * np.pi * (np.arange(fade) + 0.5) / fade
    rise, fall = np.sin(angle), np.cos(angle)
    piece = samples[..., : n + fade]
    body = piece.copy()
    looped = body[..., :-fade]
    looped[..., :fade] = rise * piece[..., :fade] + fall * piece[..., -fade:]
    repeats = -(-n // looped.shape[-1])
    if repeats == 1:
        return looped[..., :n]
    # The last round would be cut in the middle: stretch the seam to the end by fading the tail into the beginning.
    whole = np.tile(looped, repeats)[..., : n + fade]
    if whole.shape[-1] < n + fade:
        whole = np.concatenate([whole, looped[..., : n + fade - whole.shape[-1]]], axis=-1)
    closed = whole[..., :n].copy()
    closed[..., :fade] = rise * whole[..., :fade] + fall * whole[..., n : n + fade]
    return closed


def _generator(name: str, seed: int) -> np.random.Generator:
    return np.random.default_rng([seed, *name.encode()])


def _rms(samples: NDArray[np.float64]) -> float:
    return float(np.sqrt(np.mean(samples**2)))
