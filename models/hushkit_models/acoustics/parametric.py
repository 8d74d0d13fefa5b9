"""Path sets computed from formulae, so that everything works on a machine without measurements.

Each response is a product of textbook analogue sections, evaluated on ``s = j 2 pi f`` and turned into an impulse
response by an inverse Fourier transform:

=====================  ==================================================================================
``highpass(f0, q)``    ``s^2 / (s^2 + w0 s / q + w0^2)``: the leak of a cushion or ear tip
``lowpass(f0, q)``     ``w0^2 / (s^2 + w0 s / q + w0^2)``: mass against the compliance of the enclosed air
``rolloff(f0)``        ``w0 / (s + w0)``: losses and the driver's mass at the top
``peak(f0, q, g)``     ``(s^2 + 10^(g/20) w0 s / q + w0^2) / (s^2 + w0 s / q + w0^2)``: a cavity resonance of g dB
``delay(t)``           ``exp(-s t)``: travel of sound and the driver's own delay
=====================  ==================================================================================

``overear`` (circumaural, 60 Hz leak)
    primary   = delay(60 us) (lowpass(300 Hz, 0.75) + 0.016 delay(30 us) rolloff(9 kHz))
    secondary = delay(80 us) highpass(60 Hz, 0.707) peak(4.5 kHz, 2, +5 dB) rolloff(9 kHz)

``inear`` (vented ear tip, 45 Hz leak)
    primary   = delay(40 us) (0.8 lowpass(450 Hz, 1.1) + 0.18 peak(4 kHz, 2, +6 dB) rolloff(6 kHz))
    secondary = delay(62 us) highpass(45 Hz, 0.8) peak(140 Hz, 0.7, +4 dB) peak(700 Hz, 1, -10 dB)
                peak(3.8 kHz, 1.5, +9 dB) lowpass(7 kHz, 0.8)

Corner frequencies and levels are those of published measurements of such headsets in rounded figures; they stand for
no product. The delay of ``primary`` is the lead of the reference microphone over the ear in a direct field.
"""

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

_SECONDS = 2048 / 48_000
"""Length of every response; the 45 Hz leak has decayed by more than 90 dB after it."""

_OVERSAMPLED = 8
"""The grid is this many times longer than the response, so that what wraps around in time is below -120 dB."""

_Response = NDArray[np.complex128]


def _highpass(s: _Response, f0: float, q: float) -> _Response:
    w = 2 * np.pi * f0
    return np.asarray(s**2 / (s**2 + w * s / q + w**2), dtype=np.complex128)


def _lowpass(s: _Response, f0: float, q: float) -> _Response:
    w = 2 * np.pi * f0
    return np.asarray(w**2 / (s**2 + w * s / q + w**2), dtype=np.complex128)


def _rolloff(s: _Response, f0: float) -> _Response:
    w = 2 * np.pi * f0
    return w / (s + w)


def _peak(s: _Response, f0: float, q: float, gain_db: float) -> _Response:
    w = 2 * np.pi * f0
    return (s**2 + 10 ** (gain_db / 20) * w * s / q + w**2) / (s**2 + w * s / q + w**2)


def _delay(s: _Response, seconds: float) -> _Response:
    return np.asarray(np.exp(-s * seconds), dtype=np.complex128)


def _overear_primary(s: _Response) -> _Response:
    through = _lowpass(s, 300, 0.75) + 0.016 * _delay(s, 30e-6) * _rolloff(s, 9000)
    return np.asarray(_delay(s, 60e-6) * through, dtype=np.complex128)


def _overear_secondary(s: _Response) -> _Response:
    return _delay(s, 80e-6) * _highpass(s, 60, 0.707) * _peak(s, 4500, 2, 5) * _rolloff(s, 9000)


def _inear_primary(s: _Response) -> _Response:
    return _delay(s, 40e-6) * (0.8 * _lowpass(s, 450, 1.1) + 0.18 * _peak(s, 4000, 2, 6) * _rolloff(s, 6000))


def _inear_secondary(s: _Response) -> _Response:
    low = _highpass(s, 45, 0.8) * _peak(s, 140, 0.7, 4) * _peak(s, 700, 1, -10)
    return _delay(s, 62e-6) * low * _peak(s, 3800, 1.5, 9) * _lowpass(s, 7000, 0.8)


_Formula = Callable[[_Response], _Response]

FORMULAE: Mapping[str, tuple[_Formula, _Formula]] = {
    "overear": (_overear_primary, _overear_secondary),
    "inear": (_inear_primary, _inear_secondary),
}
"""Primary and secondary response of each built-in set, as functions of ``s``."""


def parametric_responses(name: str, rate_hz: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Compute the impulse responses of one built-in set.

    Args:
        name: A key of :data:`FORMULAE`.
        rate_hz: Sample rate, in hertz.

    Returns:
        Primary and secondary, shape (taps,), dimensionless (pressure per pressure at the reference microphone; pressure
        at the ear per driver input, both in units of full scale). Spectra end in a half-cosine between 0.42 and 0.5 of
        the rate; what a fractional delay would put before time zero is cut off, so the responses are causal.
    """
    taps = round(_SECONDS * rate_hz)
    grid = taps * _OVERSAMPLED
    frequency = np.fft.rfftfreq(grid, 1 / rate_hz)
    edge = np.clip((frequency / rate_hz - 0.42) / 0.08, 0.0, 1.0)
    window = 0.5 * (1 + np.cos(np.pi * edge))
    s = 2j * np.pi * frequency
    primary, secondary = (np.fft.irfft(formula(s) * window, grid)[:taps] for formula in FORMULAE[name])
    return primary, secondary
