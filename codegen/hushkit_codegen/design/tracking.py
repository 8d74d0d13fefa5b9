"""What the warped controller needs to identify the secondary path while it runs."""

import math

import numpy as np
import scipy.signal
from hushkit.spec import Tracking, WarpedLs
from numpy.typing import NDArray

from hushkit_codegen.design.categories import PPB
from hushkit_codegen.design.quantize import biquad_response, quantize_sos, to_q31
from hushkit_codegen.ir import BiquadIr, SilentIr, TrackingIr

_PLATEAU_HZ = (100.0, 300.0)
_FAST_S = 0.02
_SLOW_S = 1.0
"""Time constants of the running powers. Slower than 20 ms a change is seen too late; the slow level must not follow a
burst, and forgets the start within a few seconds."""

_BLIND_S = 0.1
"""After a change the first new estimate needs this; a second change in it would be the same one."""

_LEAST_MEMORY_S = 0.05
"""The memory at the start: half as long as there was anything to remember, but this at least."""

_ONSET = 0.01
"""Of the path's peak: what comes earlier is no onset."""

_FADE_S = 0.02
"""Faster would click; slower leaves a filter that does harm playing."""

_NOISE_HZ = 500.0
"""Corner of the auxiliary noise: above, a headset's S passes ever more of it and noise at the ear ever less."""

_NOISE_BITS = 4
"""hk_tracker.c shifts its white noise right by this: 1 / (1 - pole) is 16, and more would overflow."""

_WEIGHTING_TAPS = 8
_GRID = 1024


def design_tracking(settings: WarpedLs, path: NDArray[np.float64], *, rate_hz: int) -> TrackingIr:
    """Equaliser, weighting, thresholds and the auxiliary noise, as integers.

    Args:
        settings: The spec's [adaptive], with its tracking table.
        path: Impulse response from output sample to error sample, shape (n,), dimensionless.
        rate_hz: Sample rate of ``path``.

    Returns:
        The design; the equaliser is left out where the path has no roll-off to equalise.

    Raises:
        DesignError: The equaliser does not fit the number format.
    """
    tracking = settings.tracking
    assert tracking is not None
    equaliser, inverse = _equaliser(tracking, path, rate_hz)
    equations_hz = rate_hz / settings.update_block
    pole = math.exp(-2 * math.pi * _NOISE_HZ / rate_hz)
    white = 2.0**-_NOISE_BITS / math.sqrt(3.0)
    return TrackingIr(
        weighting_q28=tuple(round(tap * 2**28) for tap in weighting_taps(tracking, settings.warping, rate_hz)),
        equaliser=equaliser,
        inverse=inverse,
        hold_ppb=round(tracking.hold * PPB),
        change_ratio_ppb=round(10 ** (tracking.change_db / 10) * PPB),
        change_keeps_ppb=round(tracking.change_keeps * PPB),
        harm_ratio_ppb=round(10 ** (tracking.harm_db / 10) * PPB),
        harm_keeps_ppb=round(tracking.harm_keeps * PPB),
        fast_ppb=round(PPB / (_FAST_S * equations_hz)),
        slow_ppb=round(PPB / (_SLOW_S * equations_hz)),
        least_memory_ppb=round(2 * _LEAST_MEMORY_S * equations_hz * PPB),
        delay=onset(path),
        hurry_jobs=round(tracking.hurry_s * equations_hz),
        hurry_solve_jobs=max(4, round(tracking.hurry_solve_ms / 1000 * equations_hz / 4) * 4),
        blind_jobs=round(_BLIND_S * equations_hz),
        fade_jobs=max(1, round(_FADE_S * equations_hz)),
        auxiliary_ppb=round(10 ** (tracking.auxiliary_db / 20) * PPB),
        auxiliary_pole_q31=to_q31(pole, name="auxiliary noise"),
        auxiliary_rms_ppb=round(white / math.sqrt(1 - pole**2) * PPB),
        auxiliary_correlation_ppb=_correlation(settings, pole, rate_hz),
    )


def equaliser_response(tracking: TrackingIr, omega: NDArray[np.float64]) -> NDArray[np.complex128]:
    """Response of the integer equaliser at angular frequencies in radians per sample; 1 where it is left out."""
    if isinstance(tracking.equaliser, SilentIr):
        return np.ones(omega.size, dtype=np.complex128)
    return biquad_response(tracking.equaliser, omega)


def _equaliser(
    tracking: Tracking, path: NDArray[np.float64], rate_hz: int
) -> tuple[BiquadIr | SilentIr, BiquadIr | SilentIr]:
    """Section that extends the driver's second-order roll-off down to ``equaliser_hz``, and its inverse.

    A headset's leak makes S fall at 12 dB per octave. What the control filter has to undo there needs many of its
    weights; one section behind them does it, and the plant they see is flat.
    """
    corner_hz = _corner_hz(path, rate_hz)
    if tracking.equaliser_hz <= 0.0 or corner_hz <= 1.5 * tracking.equaliser_hz:
        return SilentIr(), SilentIr()
    rows = [
        scipy.signal.bilinear(
            *([1.0, 2 * math.pi * hz * math.sqrt(2), (2 * math.pi * hz) ** 2] for hz in pair), fs=rate_hz
        )
        for pair in ((corner_hz, tracking.equaliser_hz), (tracking.equaliser_hz, corner_hz))
    ]
    forward, backward = (np.concatenate([b / a[0], a / a[0]])[None, :] for b, a in rows)
    return (
        quantize_sos(forward, name="adaptive.tracking.equaliser_hz"),
        quantize_sos(backward, name="adaptive.tracking.equaliser_hz"),
    )


def _corner_hz(path: NDArray[np.float64], rate_hz: int) -> float:
    """Where the path first comes within 3 dB of its plateau, going up; 0 when it is there at 15 Hz."""
    frequency = np.geomspace(15.0, _PLATEAU_HZ[1], 400)
    level = np.abs(np.polyval(path[::-1], np.exp(-2j * np.pi * frequency / rate_hz)))
    plateau = float(np.median(level[frequency >= _PLATEAU_HZ[0]]))
    first = int(np.argmax(level >= plateau * math.sqrt(0.5)))
    return float(frequency[first]) if first else 0.0


def weighting_taps(tracking: Tracking, warping: float, rate_hz: int) -> NDArray[np.float64]:
    """The equations' weighting as taps on the chain: a peak, of minimum phase in the chain's own frequency.

    Args:
        tracking: Height, centre and width.
        warping: All-pass coefficient of the chain.
        rate_hz: Sample rate.

    Returns:
        Shape (8,), or (1,) without a peak.
    """
    if tracking.weighting_db == 0.0:
        return np.ones(1)
    theta = 2 * np.pi * np.arange(_GRID) / _GRID
    # A section turns frequency omega into its own phase: the inverse map has the opposite coefficient.
    omega = theta - 2 * np.arctan2(warping * np.sin(theta), 1 + warping * np.cos(theta))
    gain = 10 ** (tracking.weighting_db / 20)
    with np.errstate(divide="ignore"):
        s = 1j * np.tan(np.minimum(omega, 2 * np.pi - omega) / 2) / math.tan(math.pi * tracking.weighting_hz / rate_hz)
    width = s / tracking.weighting_q
    peak = np.abs((s**2 + gain * width + 1) / (s**2 + width + 1))
    peak[_GRID // 2] = 1.0
    # Minimum phase by the cepstrum: its energy comes first, so that few taps hold it.
    cepstrum = np.fft.ifft(np.log(peak)).real
    cepstrum[1 : _GRID // 2] *= 2
    cepstrum[_GRID // 2 + 1 :] = 0.0
    return np.asarray(np.fft.ifft(np.exp(np.fft.fft(cepstrum))).real[:_WEIGHTING_TAPS], dtype=np.float64)


def onset(path: NDArray[np.float64]) -> int:
    """Samples before the path first passes anything, less one: a chain's state is heard no earlier.

    Args:
        path: Impulse response from output sample to error sample, shape (n,).
    """
    return max(1, int(np.argmax(np.abs(path) > _ONSET * np.abs(path).max())) - 1)


def _correlation(settings: WarpedLs, pole: float, rate_hz: int) -> tuple[int, ...]:
    """Correlation of the coloured noise between sections d apart: all-pass sections keep its power."""
    omega = np.linspace(0.0, np.pi, 1 << 15)
    delay = np.exp(-1j * omega)
    power = 1 / np.abs(1 - pole * delay) ** 2
    section = (delay - settings.warping) / (1 - settings.warping * delay)
    rows = [np.sum(power * np.real(section**d)) for d in range(settings.warped_secondary_taps)]
    return tuple(round(float(row / rows[0]) * PPB) for row in rows)
