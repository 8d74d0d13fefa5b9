"""Building blocks of synthesised scenes: noises, tones, strikes, slow variation, rooms.

All functions work at one sample rate given in hertz, draw from the generator they are given, and return float64 arrays
of shape (n,). Levels are relative; :func:`hushkit_models.classifier.synthesis.synthesise` sets the final one.
"""

from collections.abc import Sequence

import numpy as np
from numba import njit
from numpy.typing import ArrayLike, NDArray
from scipy import signal

Samples = NDArray[np.float64]


def unit(x: Samples) -> Samples:
    """Scale to an RMS of 1; silence stays silent."""
    rms = float(np.sqrt(np.mean(x**2)))
    return x / rms if rms > 0 else x


def coloured(rng: np.random.Generator, n: int, rate: int, slope_db: float, *, low_hz: float = 20.0) -> Samples:
    """Gaussian noise whose power density falls by ``-slope_db`` per octave above ``low_hz``; RMS 1."""
    spectrum = np.fft.rfft(rng.standard_normal(n))
    f = np.maximum(np.fft.rfftfreq(n, 1.0 / rate), low_hz)
    shaped = np.fft.irfft(spectrum * (f / low_hz) ** (slope_db / 20.0 / np.log10(2.0)), n)
    return unit(shaped)


def band(rng: np.random.Generator, n: int, rate: int, low_hz: float, high_hz: float, order: int = 2) -> Samples:
    """Band-limited Gaussian noise (Butterworth), RMS 1."""
    return unit(filtered(rng.standard_normal(n), rate, low_hz, high_hz, order))


def filtered(x: Samples, rate: int, low_hz: float, high_hz: float, order: int = 2) -> Samples:
    """Butterworth band-pass; an edge outside 5 Hz..0.49 rate is left open."""
    low, high = low_hz > 5.0, high_hz < 0.49 * rate
    if low and high:
        sos = signal.butter(order, (low_hz, high_hz), "bandpass", fs=rate, output="sos")
    elif low:
        sos = signal.butter(order, low_hz, "highpass", fs=rate, output="sos")
    elif high:
        sos = signal.butter(order, high_hz, "lowpass", fs=rate, output="sos")
    else:
        return x
    return np.asarray(signal.sosfilt(sos, x))


def resonance(x: Samples, rate: int, centre_hz: float, q: float) -> Samples:
    """Second-order resonance of unit peak gain."""
    b, a = signal.iirpeak(min(centre_hz, 0.45 * rate), q, fs=rate)
    return np.asarray(signal.lfilter(b, a, x))


def wander(rng: np.random.Generator, n: int, rate: int, cutoff_hz: float) -> Samples:
    """Slow random control signal, zero mean, RMS 1, nothing above about ``cutoff_hz``."""
    n_knots = max(4, int(np.ceil(n / rate * cutoff_hz * 2.0)) + 4)
    knots = rng.standard_normal(n_knots)
    return unit(np.asarray(signal.resample_poly(knots, 64, 1))[_positions(n, n_knots * 64)])


def _positions(n: int, n_available: int) -> NDArray[np.intp]:
    return np.minimum((np.arange(n) * (n_available - 64)) // n + 32, n_available - 1).astype(np.intp)


def phase(frequency_hz: Samples, rate: int) -> Samples:
    """Phase in radians of an oscillator whose frequency varies, shape as given."""
    return 2.0 * np.pi * np.cumsum(frequency_hz) / rate


def harmonics(f0_hz: Samples, rate: int, amplitudes: ArrayLike, rng: np.random.Generator) -> Samples:
    """Sum of harmonics of a varying fundamental with random phases; harmonics above 0.45 rate are left out."""
    top = float(f0_hz.max())
    kept = np.array([a if k * top < 0.45 * rate else 0.0 for k, a in enumerate(np.asarray(amplitudes, float), start=1)])
    used = kept != 0.0
    phases = np.zeros(len(kept))
    phases[used] = rng.uniform(0.0, 2.0 * np.pi, int(used.sum()))
    return _harmonic_sum(phase(f0_hz, rate), kept * np.cos(phases), kept * np.sin(phases))


@njit(cache=True)
def _harmonic_sum(angle: Samples, in_phase: Samples, quadrature: Samples) -> Samples:
    """Sum of ``in_phase[k - 1] sin(k angle) + quadrature[k - 1] cos(k angle)``; powers of one rotation a sample."""
    out = np.empty_like(angle)
    for i in range(len(angle)):
        c, s = np.cos(angle[i]), np.sin(angle[i])
        re, im, total = c, s, 0.0
        for k in range(len(in_phase)):
            total += in_phase[k] * im + quadrature[k] * re
            re, im = re * c - im * s, re * s + im * c
        out[i] = total
    return out


def moments(rng: np.random.Generator, seconds: float, per_second: float) -> Samples:
    """Times in seconds of a Poisson process, ascending."""
    count = rng.poisson(seconds * per_second)
    return np.sort(rng.uniform(0.0, seconds, count))


def periodic(rng: np.random.Generator, seconds: float, per_second: float, jitter: float = 0.05) -> Samples:
    """Times in seconds of a nearly periodic process; ``jitter`` is the relative deviation of an interval."""
    count = int(seconds * per_second * 1.5) + 2
    steps = np.maximum(1.0 + jitter * rng.standard_normal(count), 0.1) / per_second
    times = rng.uniform(0.0, 1.0 / per_second) + np.cumsum(steps) - steps[0]
    return times[times < seconds]


def place(n: int, rate: int, times: Samples, grains: Sequence[Samples], gains: Samples) -> Samples:
    """Add a grain at each time; ``grains`` are taken in turn."""
    out = np.zeros(n)
    for index, (time, gain) in enumerate(zip(times, gains, strict=True)):
        grain = grains[index % len(grains)]
        at = int(time * rate)
        length = min(len(grain), n - at)
        if length > 0:
            out[at : at + length] += gain * grain[:length]
    return out


def strike(rng: np.random.Generator, rate: int, modes_hz: ArrayLike, decay_s: float, *, noise: float = 0.1) -> Samples:
    """A struck body: damped modes (higher ones die sooner) and a short burst of contact noise."""
    modes = np.asarray(modes_hz, dtype=float)
    n = int(rate * min(6.0 * decay_s + 0.02, 4.0))
    t = np.arange(n) / rate
    out = np.zeros(n)
    for mode in modes:
        if mode < 0.45 * rate:
            decay = decay_s * (modes[0] / mode) ** 0.5
            out += rng.uniform(0.3, 1.0) * np.exp(-t / decay) * np.sin(2 * np.pi * mode * t + rng.uniform(0, 0.3))
    out += noise * rng.standard_normal(n) * np.exp(-t / 0.004)
    return out / max(1e-9, float(np.abs(out).max()))


def burst(rng: np.random.Generator, rate: int, seconds: float, low_hz: float, high_hz: float) -> Samples:
    """A burst of band noise with a fast attack and an exponential decay to -60 dB over ``seconds``."""
    n = max(16, int(rate * seconds))
    t = np.arange(n) / n
    return band(rng, n, rate, low_hz, high_hz) * np.exp(-6.9 * t) * np.minimum(1.0, t * n / (0.001 * rate + 1.0))


def room(rng: np.random.Generator, x: Samples, rate: int, rt60_s: float, wet: float) -> Samples:
    """Add a diffuse reverberation tail.

    Exponentially decaying Gaussian noise (Schroeder's statistical model), the upper half of the band decaying twice as
    fast, as air and furniture absorb it.
    """
    n = max(32, int(rate * rt60_s))
    t = np.arange(n) / rate
    tail = rng.standard_normal(n)
    low = filtered(tail, rate, 0.0, 1500.0) * 10.0 ** (-3.0 * t / rt60_s)
    high = filtered(tail, rate, 1500.0, rate) * 10.0 ** (-6.0 * t / rt60_s)
    response = unit(np.asarray(low + high)) / np.sqrt(n)
    wet_part = np.asarray(signal.fftconvolve(x, response))[: len(x)]
    return (1.0 - wet) * x + wet * wet_part * float(np.sqrt(np.mean(x**2)) / (np.sqrt(np.mean(wet_part**2)) + 1e-12))


def gate(n: int, rate: int, on: Sequence[tuple[float, float]], edge_s: float = 0.005) -> Samples:
    """Envelope that is 1 within the given intervals in seconds and 0 elsewhere, with linear edges."""
    out = np.zeros(n)
    for start, stop in on:
        out[max(0, int(start * rate)) : max(0, min(n, int(stop * rate)))] = 1.0
    width = max(1, int(edge_s * rate))
    return np.asarray(signal.fftconvolve(out, np.ones(width) / width, mode="same"))
