"""Figures of one run, by the project's measuring protocol.

The protocol: attenuation over 10 to 30 s of a 30 s run; frames of 0.25 s for convergence; frames of 50 ms for the worst
moment. ``off`` is the disturbance without cancellation, ``on`` what was left with it, both at the error microphone.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hushkit_models.acoustics.errors import AcousticsError
from hushkit_models.acoustics.spectrum import OCTAVES, a_weighted_power, octave_powers, power_spectrum

Samples = NDArray[np.float64]

FRAME_S = 0.25
FRAMES_IN_A_ROW = 4
WITHIN_DB = 3.0
_FLOOR = 1e-30
_HOPS = 10


@dataclass(frozen=True, slots=True)
class Attenuation:
    """Attenuation over a window: positive is quieter.

    ``octaves_db`` is keyed by nominal mid-band frequency, ``"63"`` to ``"8000"``.
    """

    attenuation_db: float
    attenuation_dba: float
    octaves_db: dict[str, float]

    def worst_octave_amplification_db(self, below_hz: float = np.inf) -> float:
        """How much louder the worst octave became; negative when every octave became quieter."""
        return max(-value for name, value in self.octaves_db.items() if OCTAVES[name] < below_hz)


def default_window(seconds: float) -> tuple[float, float]:
    """The protocol's window, 10 to 30 s of 30 s, in proportion for other lengths."""
    return seconds / 3, seconds


def attenuation(off: Samples, on: Samples, *, rate_hz: int, window_s: tuple[float, float]) -> Attenuation:
    """Attenuation over a window, broadband, A-weighted and per octave.

    Args:
        off: Without cancellation, shape (n,) or (ears, n); powers of the ears are added.
        on: With cancellation, same shape.
        rate_hz: Sample rate.
        window_s: (from, to), in seconds.

    Returns:
        The figures.

    Raises:
        AcousticsError: Shapes differ, or the window lies outside or is shorter than 0.1 s.
    """
    _same_shape(off, on)
    start, stop = (round(t * rate_hz) for t in window_s)
    if start < 0 or stop > off.shape[-1] or stop - start < rate_hz // 10:
        raise AcousticsError(
            f"window {window_s[0]:g} to {window_s[1]:g} s of {off.shape[-1] / rate_hz:g} s, expected 0.1 s within it"
        )
    off, on = off[..., start:stop], on[..., start:stop]
    frequency, power_off = power_spectrum(off, rate_hz)
    _, power_on = power_spectrum(on, rate_hz)
    bands_off, bands_on = octave_powers(frequency, power_off), octave_powers(frequency, power_on)
    return Attenuation(
        ratio_db(float(np.sum(off**2)), float(np.sum(on**2))),
        ratio_db(a_weighted_power(frequency, power_off), a_weighted_power(frequency, power_on)),
        {name: ratio_db(bands_off[name], bands_on[name]) for name in bands_off},
    )


def ratio_db(before: float, after: float) -> float:
    """Power ratio in dB."""
    return float(10 * np.log10((before + _FLOOR) / (after + _FLOOR)))


def frame_powers(samples: Samples, *, rate_hz: int, frame_s: float = FRAME_S) -> Samples:
    """Mean square of consecutive frames.

    Args:
        samples: Shape (n,) or (ears, n); ears are averaged.
        rate_hz: Sample rate.
        frame_s: Length of a frame; an incomplete last frame is left out.

    Returns:
        Shape (frames,).
    """
    size = round(frame_s * rate_hz)
    rows = np.atleast_2d(samples)
    frames = rows.shape[1] // size
    return np.asarray(
        (rows[:, : frames * size] ** 2).reshape(rows.shape[0], frames, size).mean(axis=(0, 2)), dtype=np.float64
    )


def convergence_time(on: Samples, best: Samples, *, rate_hz: int, start_s: float = 0.0) -> float | None:
    """When a run has reached the bound: t3, or recovery time after a change.

    Args:
        on: What the run left, shape (n,) or (ears, n).
        best: What the bound's filter leaves of the same disturbance, same shape.
        rate_hz: Sample rate.
        start_s: Instant of the change; 0 for t3. Frames start there.

    Returns:
        Seconds from ``start_s`` to the start of the first 0.25 s frame from which four consecutive frames lie within
        3 dB of the bound's frames; None when there is none.

    Raises:
        AcousticsError: Shapes differ.
    """
    _same_shape(on, best)
    start = round(start_s * rate_hz)
    run = frame_powers(on[..., start:], rate_hz=rate_hz)
    bound = frame_powers(best[..., start:], rate_hz=rate_hz)
    good = run <= bound * 10 ** (WITHIN_DB / 10) + _FLOOR
    for frame in range(good.size - FRAMES_IN_A_ROW + 1):
        if good[frame : frame + FRAMES_IN_A_ROW].all():
            return frame * FRAME_S
    return None


def worst_moment_db(off: Samples, on: Samples, *, rate_hz: int, frame_s: float = 0.05, skip_s: float = 0.0) -> float:
    """Worst amplification of any frame.

    Args:
        off: Without cancellation, shape (n,) or (ears, n).
        on: With cancellation, same shape.
        rate_hz: Sample rate.
        frame_s: Length of a frame.
        skip_s: Start-up that does not count.

    Returns:
        Largest ratio of ``on`` to ``off`` in dB; negative when every frame became quieter. A frame in which ``off`` is
        more than 30 dB below its mean is compared with that floor: a pause is not amplified by what it cannot mask.
    """
    _same_shape(off, on)
    skip = round(skip_s * rate_hz)
    before = frame_powers(off[..., skip:], rate_hz=rate_hz, frame_s=frame_s)
    after = frame_powers(on[..., skip:], rate_hz=rate_hz, frame_s=frame_s)
    before = np.maximum(before, before.mean() * 1e-3)
    return float(10 * np.log10(np.max((after + _FLOOR) / (before + _FLOOR))))


def worst_sustained_db(
    off: Samples, on: Samples, *, rate_hz: int, changes_s: tuple[float, ...] = (), window_s: float = 0.1
) -> float:
    """How much louder cancellation made any stretch of 100 ms, once it had 100 ms to notice.

    Args:
        off: Without cancellation, shape (n,) or (ears, n).
        on: With cancellation, same shape.
        rate_hz: Sample rate.
        changes_s: Instants at which the plant changed. Like the start, each is followed by one window that does not
            count.
        window_s: Length of the stretch and of the grace.

    Returns:
        Largest ratio of ``on`` to ``off`` in dB over all windows and ears, moved by a tenth of their length; negative
        when every one became quieter. Pauses count as in :func:`worst_moment_db`.

    Raises:
        AcousticsError: Shapes differ, or no window is left.
    """
    _same_shape(off, on)
    hop = round(window_s * rate_hz / _HOPS)
    before, after = (
        np.stack([frame_powers(ear, rate_hz=rate_hz, frame_s=hop / rate_hz) for ear in np.atleast_2d(signal)])
        for signal in (off, on)
    )
    if before.shape[1] < 2 * _HOPS:
        raise AcousticsError(f"{off.shape[-1] / rate_hz:g} s, expected {2 * window_s:g} s or more")
    before, after = (np.lib.stride_tricks.sliding_window_view(x, _HOPS, axis=1).mean(axis=2) for x in (before, after))
    starts_s = np.arange(before.shape[1]) * hop / rate_hz
    counts = np.ones(starts_s.size, dtype=np.bool_)
    for instant in (0.0, *changes_s):
        counts &= (starts_s + window_s <= instant) | (starts_s >= instant + window_s)
    before = np.maximum(before, before.mean(axis=1, keepdims=True) * 1e-3)
    return float(10 * np.log10(np.max((after + _FLOOR)[:, counts] / (before + _FLOOR)[:, counts])))


def thd_percent(samples: Samples, *, rate_hz: int, fundamental_hz: float, harmonics: int = 10) -> float:
    """Total harmonic distortion of a steady tone.

    Args:
        samples: Shape (n,), at least ten periods.
        rate_hz: Sample rate.
        fundamental_hz: The tone.
        harmonics: Highest harmonic counted, as far as the rate reaches.

    Returns:
        RMS of harmonics 2 and up over RMS of the fundamental, in percent, each fitted by least squares (so the length
        need not be a whole number of periods).

    Raises:
        AcousticsError: Too short, or no tone there.
    """
    powers, _ = _tone_fit(samples, rate_hz, fundamental_hz, harmonics)
    if powers[0] <= _FLOOR:
        raise AcousticsError(f"no tone of {fundamental_hz:g} Hz in the signal; is the driver connected?")
    return float(100 * np.sqrt(powers[1:].sum() / powers[0]))


def snr_db(samples: Samples, *, rate_hz: int, fundamental_hz: float) -> float:
    """Signal to noise ratio of a steady tone: fundamental over everything that is neither it nor a harmonic.

    Args:
        samples: Shape (n,), at least ten periods.
        rate_hz: Sample rate.
        fundamental_hz: The tone.

    Returns:
        Ratio in dB.

    Raises:
        AcousticsError: Too short.
    """
    powers, rest = _tone_fit(samples, rate_hz, fundamental_hz, 10)
    return ratio_db(float(powers[0]), rest)


def _tone_fit(samples: Samples, rate_hz: int, fundamental_hz: float, harmonics: int) -> tuple[Samples, float]:
    if samples.size < 10 * rate_hz / fundamental_hz:
        raise AcousticsError(f"{samples.size} samples of a {fundamental_hz:g} Hz tone, expected ten periods or more")
    count = max(1, min(harmonics, int(0.499 * rate_hz / fundamental_hz)))
    angle = 2 * np.pi * fundamental_hz / rate_hz * np.outer(np.arange(samples.size), np.arange(1, count + 1))
    basis = np.concatenate([np.cos(angle), np.sin(angle), np.ones((samples.size, 1))], axis=1)
    solution = np.linalg.lstsq(basis, samples, rcond=None)[0]
    rest = samples - basis @ solution
    return (solution[:count] ** 2 + solution[count : 2 * count] ** 2) / 2, float(np.mean(rest**2))


def _same_shape(first: Samples, second: Samples) -> None:
    if first.shape != second.shape:
        raise AcousticsError(f"signals of shapes {first.shape} and {second.shape}, expected the same")
