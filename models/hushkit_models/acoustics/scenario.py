"""A scenario and the signals a plant needs to play it."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import scipy.signal
from numpy.typing import NDArray

from hushkit_models.acoustics.audio_file import read_audio, resample
from hushkit_models.acoustics.errors import AcousticsError
from hushkit_models.acoustics.field import FIELDS, field_spectra
from hushkit_models.acoustics.noise import RECORDING_LEVEL_DB_SPL, highpass, load_noise
from hushkit_models.acoustics.paths import PathSet, load_paths

SELF_NOISE_DB_SPL = 30.0
"""White noise of each microphone, unweighted, over the whole band (a MEMS microphone of 64 dB SNR at 94 dB SPL)."""

FULL_SCALE_DB_SPL = 120.0

_SINE_RMS = np.sqrt(0.5)


@dataclass(frozen=True, slots=True)
class PathChange:
    """What happens to the headset's fit at one instant; effects add up with those of earlier changes.

    Attributes:
        at_s: When, from the start of the run.
        gain_db: Added to the secondary path.
        leak_hz: (from, to): cut-off of the cushion's leak; the secondary path's second-order high-pass moves.
        shift_samples: Delay added to the secondary path; negative removes leading taps 60 dB below the peak.
        paths: Another path set (name or file) takes over, secondary and primary.
    """

    at_s: float
    gain_db: float = 0.0
    leak_hz: tuple[float, float] | None = None
    shift_samples: int = 0
    paths: str | None = None


@dataclass(frozen=True, slots=True)
class Scenario:
    """Everything that decides the signals of one run.

    Attributes:
        noise: Built-in scene or audio file, see :func:`hushkit_models.acoustics.noise.load_noise`.
        paths: Built-in set or file, see :func:`hushkit_models.acoustics.paths.load_paths`.
        field: ``"direct"`` or ``"diffuse"``, see :mod:`hushkit_models.acoustics.field`.
        latency_us: Whole delay of the controller, from the reference microphone's sample to the driver's input.
        seconds: Length of the run.
        seed: Same seed, same signals.
        self_noise: Whether microphones add their own noise (30 dB SPL).
        recording: Audio file that replaces noise, primary path and field: reference microphone and error microphone
            with cancellation off (two channels), or both for the left, then for the right (four). S still comes from
            ``paths``.
        changes: Changes of the fit, in the order of time.
        level_db_spl: Level at the reference microphone; None takes the scene's own.
    """

    noise: str
    paths: str
    field: str = "direct"
    latency_us: float = 100.0
    seconds: float = 30.0
    seed: int = 1
    self_noise: bool = True
    recording: str | None = None
    changes: tuple[PathChange, ...] = ()
    level_db_spl: float | None = None


@dataclass(frozen=True, slots=True)
class Segment:
    """Paths in force from sample ``start`` on; shapes as in :class:`PlantSignals`."""

    start: int
    secondary: NDArray[np.float64]
    feedback: NDArray[np.float64] | None


@dataclass(frozen=True, slots=True)
class PlantSignals:
    """What a plant plays, float64, in units of full scale.

    With the driver's input ``u``, the error microphone of each ear hears ``disturbance + secondary * u`` and the
    reference microphone ``reference + feedback * u``, convolved with the taps in force at the output's sample.

    Attributes:
        rate_hz: Sample rate.
        reference: Shape (ears, n); self-noise included.
        disturbance: Shape (ears, n), at the error microphone without cancellation; self-noise included.
        secondary: Shape (ears, taps), at the start.
        feedback: Shape (ears, taps), at the start, or None.
        segments: At least one, the first from sample 0; every ``secondary`` (and ``feedback``) has the same shape.
        full_scale_db_spl: Level of a sine of amplitude 1.0.
        level_db_spl: Level of the noise at the reference microphone.
        name: What was rendered, for a report.
    """

    rate_hz: int
    reference: NDArray[np.float64]
    disturbance: NDArray[np.float64]
    secondary: NDArray[np.float64]
    feedback: NDArray[np.float64] | None
    segments: tuple[Segment, ...]
    full_scale_db_spl: float
    level_db_spl: float
    name: str


def latency_samples(latency_us: float, rate_hz: int) -> int:
    """Whole samples in a latency: rounded down, as only whole samples that still fit can be padded.

    Args:
        latency_us: Delay in microseconds; 0 or more.
        rate_hz: Sample rate.

    Returns:
        Samples: 100 us at 48 kHz are 4 (83.3 us), 20 us are 0.

    Raises:
        AcousticsError: Negative or not a number.
    """
    if not 0.0 <= latency_us < 1e6:
        raise AcousticsError(f"latency {latency_us} us, expected 0 to 1000000")
    return int(latency_us * 1e-6 * rate_hz + 1e-6)


def render(
    scenario: Scenario, *, rate_hz: int = 48_000, n_ears: int = 1, full_scale_db_spl: float = FULL_SCALE_DB_SPL
) -> PlantSignals:
    """Compute a scenario's signals.

    In a direct field both ears hear the same noise; in a diffuse field each has its own arrivals. Self-noise is
    independent for every microphone. The first ear's signals do not depend on ``n_ears``.

    Args:
        scenario: What to render.
        rate_hz: Sample rate.
        n_ears: 1 or 2.
        full_scale_db_spl: Sound pressure level of a sine of amplitude 1.0; a signal of L dB SPL has an RMS of
            ``sqrt(0.5) * 10**((L - full_scale_db_spl) / 20)``.

    Returns:
        The signals, ``round(seconds * rate_hz)`` samples.

    Raises:
        AcousticsError: Unusable noise, paths, field, recording, duration or change.
    """
    if n_ears not in {1, 2}:
        raise AcousticsError(f"{n_ears} ears, expected 1 or 2")
    if scenario.field not in FIELDS:
        raise AcousticsError(f"field {scenario.field!r}, expected direct or diffuse")
    fits = _fits(scenario, rate_hz)
    if scenario.recording is None:
        clean, level, name = _synthetic_ears(scenario, fits, rate_hz, n_ears)
    else:
        clean, level, name = _recorded_ears(scenario, rate_hz, n_ears)
    unit = _SINE_RMS * 10 ** ((level - full_scale_db_spl) / 20)
    signals = clean * unit
    if scenario.self_noise and scenario.recording is None:
        hiss = _SINE_RMS * 10 ** ((SELF_NOISE_DB_SPL - full_scale_db_spl) / 20)
        for ear in range(n_ears):
            rng = np.random.default_rng([scenario.seed, 77, ear])
            signals[:, ear] += hiss * rng.standard_normal(signals[:, ear].shape)
    secondary = _stack([fit.secondary for _, fit in fits])
    feedback = _stack([fit.feedback for _, fit in fits]) if all(fit.feedback is not None for _, fit in fits) else None
    segments = tuple(
        Segment(
            start, np.tile(secondary[k], (n_ears, 1)), None if feedback is None else np.tile(feedback[k], (n_ears, 1))
        )
        for k, (start, _) in enumerate(fits)
    )
    first = segments[0]
    return PlantSignals(
        rate_hz, signals[0], signals[1], first.secondary, first.feedback, segments, full_scale_db_spl, level, name
    )


def _synthetic_ears(
    scenario: Scenario, fits: list[tuple[int, PathSet]], rate_hz: int, n_ears: int
) -> tuple[NDArray[np.float64], float, str]:
    noise = load_noise(scenario.noise, seconds=scenario.seconds, rate_hz=rate_hz, seed=scenario.seed)
    n = noise.samples.size
    spectrum = np.fft.rfft(noise.samples)
    frequency = np.fft.rfftfreq(n, 1 / rate_hz)
    signals = np.empty((2, n_ears, n))
    for ear in range(n_ears):
        rng = np.random.default_rng([scenario.seed, 12, ear])
        reference, arriving = field_spectra(spectrum, frequency, field=scenario.field, rng=rng, period_s=n / rate_hz)
        signals[0, ear] = np.fft.irfft(reference, n)
        for start, fit in fits:
            taps = fit.primary[:n]
            heard = np.fft.irfft(arriving * np.fft.rfft(taps, n), n)
            signals[1, ear, start:] = heard[start:]
    level = noise.level_db_spl if scenario.level_db_spl is None else scenario.level_db_spl
    return signals, level, noise.name


def _recorded_ears(scenario: Scenario, rate_hz: int, n_ears: int) -> tuple[NDArray[np.float64], float, str]:
    assert scenario.recording is not None
    file = Path(scenario.recording)
    recorded, file_rate = read_audio(file)
    needed = 2 * n_ears
    if recorded.shape[0] not in {2, 4} or recorded.shape[0] < needed:
        raise AcousticsError(
            f"recording {file}: {recorded.shape[0]} channels, expected {needed}: reference microphone, error "
            f"microphone with cancellation off{', for the left, then for the right' if n_ears == 2 else ''}"
        )
    n = round(scenario.seconds * rate_hz)
    seconds = recorded.shape[1] / file_rate
    if seconds < scenario.seconds:
        raise AcousticsError(
            f"recording {file}: {seconds:.1f} s long, {scenario.seconds:.1f} s wanted; a pair is not repeated, so ask "
            "for fewer seconds"
        )
    pairs = highpass(resample(recorded[:needed], file_rate, rate_hz)[:, :n], rate_hz)
    levels = np.sqrt(np.mean(pairs**2, axis=1))
    if levels.min() < 1e-7:
        channel = int(levels.argmin()) + 1
        raise AcousticsError(
            f"recording {file}: channel {channel} is silent above 40 Hz; was the microphone connected?"
        )
    signals = pairs.reshape(n_ears, 2, n).transpose(1, 0, 2) / levels[0::2].mean()
    level = RECORDING_LEVEL_DB_SPL if scenario.level_db_spl is None else scenario.level_db_spl
    return np.ascontiguousarray(signals), level, file.stem


def _fits(scenario: Scenario, rate_hz: int) -> list[tuple[int, PathSet]]:
    fit = load_paths(scenario.paths, rate_hz)
    fits = [(0, fit)]
    for change in scenario.changes:
        start = round(change.at_s * rate_hz)
        if not fits[-1][0] < start < round(scenario.seconds * rate_hz):
            raise AcousticsError(
                f"change at {change.at_s} s, expected times that grow and lie within 0 to {scenario.seconds} s"
            )
        fit = _changed(fit if change.paths is None else load_paths(change.paths, rate_hz), change)
        fits.append((start, fit))
    return fits


def _changed(fit: PathSet, change: PathChange) -> PathSet:
    secondary = fit.secondary * 10 ** (change.gain_db / 20)
    if change.leak_hz is not None:
        secondary = _move_leak(secondary, *change.leak_hz, rate_hz=fit.rate_hz)
    if change.shift_samples >= 0:
        secondary = np.concatenate([np.zeros(change.shift_samples), secondary])
    else:
        lost, secondary = np.split(secondary, [-change.shift_samples])
        if np.abs(lost).max() > 1e-3 * np.abs(secondary).max():
            raise AcousticsError(
                f"change at {change.at_s} s: shift of {change.shift_samples} samples would cut into the secondary "
                "path's onset; shift by less"
            )
    return PathSet(fit.name, fit.rate_hz, fit.primary, secondary, fit.feedback)


def _move_leak(secondary: NDArray[np.float64], from_hz: float, to_hz: float, *, rate_hz: int) -> NDArray[np.float64]:
    if not (5.0 <= from_hz <= 2000.0 and 5.0 <= to_hz <= 2000.0):
        raise AcousticsError(f"leak moves from {from_hz} to {to_hz} Hz, expected 5 to 2000 Hz both")
    zeros, poles = (
        [1.0, 2 * np.pi * f * np.sqrt(2), (2 * np.pi * f) ** 2] for f in (from_hz, to_hz)
    )  # the ratio of two second-order Butterworth high-passes
    b, a = scipy.signal.bilinear(zeros, poles, rate_hz)
    # The longest memory of either high-pass: e^-9 (-78 dB) after nine time constants of its poles.
    tail = int(9 * np.sqrt(2) / (2 * np.pi * min(from_hz, to_hz)) * rate_hz)
    return np.asarray(scipy.signal.lfilter(b, a, np.concatenate([secondary, np.zeros(tail)])), dtype=np.float64)


def _stack(responses: list[NDArray[np.float64] | None]) -> NDArray[np.float64]:
    present = [response for response in responses if response is not None]
    taps = max(response.size for response in present)
    return np.stack([np.pad(response, (0, taps - response.size)) for response in present])
