"""Causal Wiener filter from spectra: the best any causal filter of a given length can do in a design scene."""

import numpy as np
import scipy.linalg
from numpy.typing import NDArray

from hushkit_codegen.design.spectra import GRID, DesignScene, Spectrum

_EFFORT = 1e-3
"""Weight of the driver's effort: where the secondary path is below -30 dB, pushing harder is not worth it."""

_CONDITION = 1e-7
"""Ridge on the mean diagonal; smaller makes the Toeplitz solve lose digits, larger costs tenths of a decibel."""


def wiener_fir(scene: DesignScene, taps: int, weight: Spectrum) -> NDArray[np.float64]:
    """Minimize the weighted power at the ear over all causal FIR filters of a length.

    Args:
        scene: Spectra.
        taps: Length.
        weight: Importance of each frequency, shape of the grid, positive.

    Returns:
        Impulse response from the reference microphone to the driver, shape (taps,); its sign cancels.

    Source:
        Normal equations of Elliott, Signal Processing for Active Control, 2001, section 3.3; solved by Levinson
        recursion.
    """
    power = weight * scene.reference
    plant = np.abs(scene.secondary) ** 2
    own = np.fft.irfft(power * (plant + _EFFORT * plant.max()), GRID)[:taps]
    own[0] *= 1 + _CONDITION
    toward = np.fft.irfft(power * np.conj(scene.secondary) * scene.cross, GRID)[:taps]
    return -np.asarray(scipy.linalg.solve_toeplitz(own, toward), dtype=np.float64)
