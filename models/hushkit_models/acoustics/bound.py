"""What a causal filter of a given length can reach: the Wiener optimum of the filtered-x problem.

With ``x`` the reference microphone, ``s`` the secondary path and ``L`` samples of controller latency, the error is
``e = d + w * v`` with ``v(t) = (s * x)(t - L)``: a linear problem in ``w``. The optimum of its mean square solves a
symmetric Toeplitz system (autocorrelation of ``v`` against its cross-correlation with ``d``), here by Levinson's
recursion. The filter is then applied to the very signals it was fitted to, so the figures hold for them and not for an
ideal spectrum. Feedback into the reference microphone is taken as perfectly cancelled.

Source: S. J. Elliott, Signal Processing for Active Control, Academic Press 2001, section 3.3.
"""

from dataclasses import dataclass

import numpy as np
import scipy.fft
import scipy.linalg
import scipy.signal
from numpy.typing import NDArray

from hushkit_models.acoustics.errors import AcousticsError
from hushkit_models.acoustics.metrics import Attenuation, attenuation, default_window
from hushkit_models.acoustics.scenario import PlantSignals

_RIDGE = 1e-12
"""Of the mean diagonal. The microphones' self-noise regularises the system; this only keeps Levinson's recursion finite
when self-noise is switched off. 1e-10 costs 1 dB on tones, none leaves it singular for them."""

_FADED = 0.1
"""Share of a stretch within the fades at its ends."""


@dataclass(frozen=True, slots=True)
class Bound:
    """The best causal filter of one length, per ear and fit.

    Attributes:
        attenuation_db: Over the window, all ears together.
        attenuation_dba: The same, A-weighted.
        octaves_db: Attenuation per octave, ears together, by the nominal mid-band frequency.
        residual: Error signals of the optimum over the whole run, shape (ears, n), full scale.
        weights: Optimum filters, shape (segments, ears, taps).
        taps: Length.
        latency_samples: Controller latency.
        ears: Figures of each ear.
    """

    attenuation_db: float
    attenuation_dba: float
    octaves_db: dict[str, float]
    residual: NDArray[np.float64]
    weights: NDArray[np.float64]
    taps: int
    latency_samples: int
    ears: tuple[Attenuation, ...]


def causal_bound(
    signals: PlantSignals, *, latency_samples: int, taps: int = 4096, window_s: tuple[float, float] | None = None
) -> Bound:
    """Solve for the best causal FIR filter and measure it.

    Each stretch between two path changes has its own optimum.

    Args:
        signals: What the plant plays.
        latency_samples: Controller latency, see :func:`hushkit_models.acoustics.scenario.latency_samples`.
        taps: Length of the filter; at most a quarter of the shortest stretch.
        window_s: (from, to) of the figures, in seconds; when None, the protocol's 10 to 30 s, in proportion for other
            lengths.

    Returns:
        The bound.

    Raises:
        AcousticsError: Too many taps for the signals, or a latency beyond them.
    """
    n = signals.reference.shape[1]
    starts = [segment.start for segment in signals.segments] + [n]
    shortest = min(np.diff(starts))
    if not 1 <= taps <= shortest // 4:
        raise AcousticsError(
            f"{taps} taps on {shortest / signals.rate_hz:.2f} s of steady paths, expected 1 to {shortest // 4}; ask "
            "for a shorter filter or more seconds"
        )
    if not 0 <= latency_samples < shortest // 4:
        raise AcousticsError(f"latency of {latency_samples} samples, expected 0 to {shortest // 4}")
    n_ears = signals.reference.shape[0]
    residual = np.empty_like(signals.disturbance)
    weights = np.empty((len(signals.segments), n_ears, taps))
    for k, (segment, end) in enumerate(zip(signals.segments, starts[1:], strict=True)):
        for ear in range(n_ears):
            reference, disturbance = signals.reference[ear, :end], signals.disturbance[ear, segment.start : end]
            filtered = scipy.signal.oaconvolve(reference, segment.secondary[ear])[: end - latency_samples]
            filtered = np.concatenate([np.zeros(latency_samples), filtered])
            weights[k, ear] = wiener_filter(filtered[segment.start :], disturbance, taps)
            anti = scipy.signal.oaconvolve(filtered, weights[k, ear])[segment.start : end]
            residual[ear, segment.start : end] = disturbance + anti
    window = window_s or default_window(n / signals.rate_hz)
    ears = tuple(
        attenuation(off, on, rate_hz=signals.rate_hz, window_s=window)
        for off, on in zip(signals.disturbance, residual, strict=True)
    )
    whole = attenuation(signals.disturbance, residual, rate_hz=signals.rate_hz, window_s=window)
    return Bound(
        whole.attenuation_db, whole.attenuation_dba, whole.octaves_db, residual, weights, taps, latency_samples, ears
    )


def wiener_filter(filtered: NDArray[np.float64], disturbance: NDArray[np.float64], taps: int) -> NDArray[np.float64]:
    """The FIR filter w that makes ``disturbance + w * filtered`` smallest in the mean square.

    Args:
        filtered: Shape (n,).
        disturbance: Shape (n,).
        taps: Length, at most n.

    Returns:
        Shape (taps,).
    """
    size = scipy.fft.next_fast_len(filtered.size + taps, real=True)
    # Both ends fade: an abrupt start would put an error into the sums that no filter can cancel; 0.1 s of it in 30 s
    # already hides what lies 25 dB down. Fading both signals alike leaves the relation between them intact.
    fade = scipy.signal.windows.tukey(filtered.size, _FADED)
    spectrum = scipy.fft.rfft(filtered * fade, size)
    auto = scipy.fft.irfft(np.abs(spectrum) ** 2, size)[:taps]
    cross = scipy.fft.irfft(scipy.fft.rfft(disturbance * fade, size) * spectrum.conj(), size)[:taps]
    if auto[0] <= 0.0:
        return np.zeros(taps)
    auto[0] *= 1 + _RIDGE
    return np.asarray(-scipy.linalg.solve_toeplitz(auto, cross), dtype=np.float64)
