"""A-weighting (IEC 61672-1) and octave bands (IEC 61260-1) as exact power sums over a spectrum.

Levels are measured over seconds of noise, so band powers are summed over Welch's power spectrum instead of filtered in
the time domain: the weighting is then the standard's formula itself, without the error a digital filter makes near half
the sample rate, and an octave band is an ideal one, which lies inside the class 1 limits of IEC 61260-1 table 1
(transmission 0 dB within the band, none outside). The price: transients within a band are not resolved in time.
"""

import numpy as np
import scipy.signal
from numpy.typing import NDArray

OCTAVES: dict[str, float] = {
    name: 1000.0 * 10 ** (0.3 * x)
    for x, name in enumerate(("63", "125", "250", "500", "1000", "2000", "4000", "8000"), start=-4)
}
"""Exact mid-band frequencies in hertz (base 10, IEC 61260-1 5.2) by nominal name."""

_BLOCK_S = 16384 / 48_000


def a_weighting_db(frequency: NDArray[np.float64]) -> NDArray[np.float64]:
    """A-weighting, in dB relative to 1 kHz.

    Args:
        frequency: In hertz, any shape; 0 gives minus infinity.

    Returns:
        Gain in dB, same shape.

    Source:
        IEC 61672-1:2013, equation E.2 with f1, f2, f3, f4 of annex E.
    """
    f2 = np.asarray(frequency, dtype=np.float64) ** 2
    squared = np.array([20.598997, 107.65265, 737.86223, 12194.217]) ** 2

    def gain(p: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray(
            squared[3] * p**2 / ((p + squared[0]) * np.sqrt((p + squared[1]) * (p + squared[2])) * (p + squared[3])),
            dtype=np.float64,
        )

    with np.errstate(divide="ignore"):
        return np.asarray(20 * np.log10(gain(f2) / gain(np.array(1e6))), dtype=np.float64)


def power_spectrum(samples: NDArray[np.float64], rate_hz: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean square per frequency bin (Welch, Hann blocks of 0.34 s, half overlapping).

    Args:
        samples: Shape (n,) or (ears, n); ears are added.
        rate_hz: Sample rate.

    Returns:
        Frequencies in hertz and power per bin, shape (bins,) each; the powers sum to the mean square of ``samples``.
    """
    block = min(samples.shape[-1], round(_BLOCK_S * rate_hz))
    frequency, density = scipy.signal.welch(samples, rate_hz, window="hann", nperseg=block, detrend=False, axis=-1)
    power = density * (frequency[1] - frequency[0])
    return frequency, np.asarray(power.reshape(-1, power.shape[-1]).sum(axis=0), dtype=np.float64)


def a_weighted_power(frequency: NDArray[np.float64], power: NDArray[np.float64]) -> float:
    """Sum of A-weighted power; arguments as :func:`power_spectrum` returns them."""
    return float(np.sum(power * 10 ** (a_weighting_db(frequency) / 10)))


def octave_powers(frequency: NDArray[np.float64], power: NDArray[np.float64]) -> dict[str, float]:
    """Power within each octave band.

    Args:
        frequency: In hertz, evenly spaced, shape (bins,).
        power: Power per bin, shape (bins,).

    Returns:
        Power by nominal mid-band frequency, 63 Hz to 8 kHz, as far as the rate reaches. A bin that a band edge divides
        counts with its share.
    """
    step = frequency[1] - frequency[0]
    powers = {}
    for name, middle in OCTAVES.items():
        low, high = middle * 10**-0.15, middle * 10**0.15
        if high > frequency[-1]:
            break
        share = np.clip(
            (np.minimum(frequency + step / 2, high) - np.maximum(frequency - step / 2, low)) / step, 0.0, 1.0
        )
        powers[name] = float(np.sum(power * share))
    return powers
