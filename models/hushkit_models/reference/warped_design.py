"""What the tracking warped filter is given by design: driver equaliser, weighting of its equations, delay, first path.

All four come from the nominal secondary path and the chain's pole, and none changes while the headset runs.
"""

import numpy as np
import scipy.linalg
import scipy.optimize
import scipy.signal
from numpy.typing import NDArray

from hushkit_models.reference.controller import ControllerError

Vector = NDArray[np.float64]

_WEIGHT_HZ = 1900.0
_WEIGHT_DB = 10.0
_WEIGHT_Q = 1.5
"""The causal optimum amplifies the 2 kHz octave by 5 to 7 dB, for which this peak leaves 3 and costs 0.5 dB in all. A
shelf over everything above 1 kHz does the opposite: it moves the amplification down into that octave."""

_CORNERS_HZ = np.arange(15.0, 151.0, 1.0)
_EQUALISED_HZ = (30.0, 250.0)
_BELOW_CORNER = 5.0
"""The equaliser's poles lie this far below the leak's corner: it plays 0 Hz by 28 dB, with 10 by 40 dB."""


def leak_equaliser(model: Vector, rate_hz: int) -> Vector:
    """The biquad that undoes the leak of cushion or ear tip at the bottom of the secondary path.

    A filter that cancels through a second-order high-pass has to be its inverse, far below where an all-pass chain
    resolves. One section on the driver's side does it, and conditions the equations: a ridge of 1e-6 costs nothing.

    Args:
        model: Nominal secondary path, shape (m,).
        rate_hz: Sample rate.

    Returns:
        ``b0 b1 b2 a1 a2`` (feedback signs as SciPy's), gain 1 at half the rate: ``(s^2 + sqrt(2) w s + w^2)`` over the
        same a fifth as high, by the bilinear transform, with the corner that makes the path flattest from 30 to 250 Hz.
    """
    frequency = np.geomspace(*_EQUALISED_HZ, 40)
    path_db = _decibels(scipy.signal.freqz(model, worN=frequency, fs=rate_hz)[1])
    ripples = []
    for corner_hz in _CORNERS_HZ:
        b, a = _unleak(corner_hz, rate_hz)
        ripples.append(np.std(path_db + _decibels(scipy.signal.freqz(b, a, worN=frequency, fs=rate_hz)[1])))
    b, a = _unleak(float(_CORNERS_HZ[int(np.argmin(ripples))]), rate_hz)
    return np.concatenate([b, a[1:]])


def equation_weight(pole: float, rate_hz: int, taps: int = 8) -> Vector:
    """The weighting of equations by frequency, as coefficients on the same all-pass chain.

    Args:
        pole: All-pass coefficient.
        rate_hz: Sample rate.
        taps: Coefficients; 6 reach within 1.1 dB rms of the wanted peak at a pole of 0.93, 8 within 0.8 dB.

    Returns:
        Shape (taps,), rounded to 1e-4 so that every machine finds the same.
    """
    frequency = np.geomspace(50.0, 20e3, 120) * (rate_hz / 48_000)
    w = 2 * np.pi * _WEIGHT_HZ
    peak = scipy.signal.bilinear(
        [1.0, 10 ** (_WEIGHT_DB / 20) * w / _WEIGHT_Q, w * w], [1.0, w / _WEIGHT_Q, w * w], rate_hz
    )
    wanted_db = _decibels(scipy.signal.freqz(*peak, worN=frequency, fs=rate_hz)[1])
    chain = _all_pass(frequency, pole, rate_hz)[:, None] ** np.arange(taps)
    start = np.zeros(taps)
    start[0] = 1.0
    found = scipy.optimize.least_squares(lambda h: _decibels(chain @ h) - wanted_db, start)
    rounded: Vector = np.round(found.x, 4)
    return rounded


def bulk_delay(model: Vector) -> int:
    """Samples before a secondary path begins: one less than its first tap within 26 dB of the largest."""
    size = np.abs(model)
    return max(0, int(np.argmax(size > 0.05 * size.max())) - 1)


def warp(model: Vector, pole: float, sections: int) -> Vector:
    """Fit an impulse response by an all-pass chain, low frequencies first.

    Args:
        model: Impulse response, shape (m,).
        pole: All-pass coefficient.
        sections: Length of the chain.

    Returns:
        The chain's coefficients, shape (sections,), that come closest in response to a red noise, whose corners are 100
        Hz and 5 kHz at 48 kHz: an unweighted fit spends itself at the top, where nothing is cancelled.
    """
    length = model.size + 4096
    impulse = np.zeros(length)
    impulse[0] = 1.0
    link = scipy.signal.lfilter([1.0], np.convolve([1.0, -0.987], [1.0, -0.5]), impulse)
    wanted = scipy.signal.lfilter(model, [1.0], link)
    chain = np.empty((sections, length))
    for k in range(sections):
        chain[k] = link
        link = scipy.signal.lfilter([-pole, 1.0], [1.0, -pole], link)
    gram = chain @ chain.T
    gram += 1e-9 * np.trace(gram) / sections * np.eye(sections)
    fitted: Vector = scipy.linalg.solve(gram, chain @ wanted, assume_a="pos")
    return fitted


def through(section: Vector, model: Vector, tail: int = 8192) -> Vector:
    """Impulse response of a biquad (``b0 b1 b2 a1 a2``) and a path in series, shape (m + tail,)."""
    padded = np.concatenate([model, np.zeros(tail)])
    response: Vector = scipy.signal.lfilter(section[:3], np.concatenate([[1.0], section[3:]]), padded)
    return response


def check_section(section: Vector) -> Vector:
    """A biquad ``b0 b1 b2 a1 a2`` that is stable.

    Raises:
        ControllerError: Another shape, or poles on or outside the unit circle.
    """
    section = np.asarray(section, dtype=np.float64)
    # The triangle of stability of a second-order denominator.
    if section.shape != (5,) or not (abs(section[4]) < 1.0 and abs(section[3]) < 1.0 + section[4]):
        raise ControllerError(f"equaliser {section}, expected b0 b1 b2 a1 a2 with poles within the unit circle")
    return section


def _unleak(corner_hz: float, rate_hz: int) -> tuple[Vector, Vector]:
    zeros, poles = (
        [1.0, np.sqrt(2.0) * 2 * np.pi * f, (2 * np.pi * f) ** 2] for f in (corner_hz, corner_hz / _BELOW_CORNER)
    )
    b, a = scipy.signal.bilinear(zeros, poles, rate_hz)
    return np.asarray(b, dtype=np.float64), np.asarray(a, dtype=np.float64)


def _all_pass(frequency: Vector, pole: float, rate_hz: int) -> NDArray[np.complex128]:
    z = np.exp(-2j * np.pi * frequency / rate_hz)
    return np.asarray((z - pole) / (1.0 - pole * z), dtype=np.complex128)


def _decibels(response: NDArray[np.complex128]) -> Vector:
    return np.asarray(20 * np.log10(np.abs(response) + 1e-9), dtype=np.float64)
