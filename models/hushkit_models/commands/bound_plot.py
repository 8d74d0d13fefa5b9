"""The picture ``hushkit bound`` draws."""

from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import NDArray

from hushkit_models.acoustics.bound import Bound
from hushkit_models.acoustics.errors import AcousticsError
from hushkit_models.acoustics.metrics import default_window
from hushkit_models.acoustics.scenario import PlantSignals
from hushkit_models.acoustics.spectrum import power_spectrum

ENDINGS = (".svg", ".png", ".pdf")
_BAND_OCTAVES = 1 / 12


def plot_bound(file: Path, signals: PlantSignals, bound: Bound, title: str) -> None:
    """Draw spectra with and without the optimum filter, and attenuation per octave.

    Args:
        file: Where to; the ending says the format.
        signals: What the bound was computed from.
        bound: The bound.
        title: One line over the picture.

    Raises:
        AcousticsError: Unknown ending, or the file cannot be written.
    """
    if file.suffix.lower() not in ENDINGS:
        raise AcousticsError(f"plot {file}: ending {file.suffix!r}, expected one of {', '.join(ENDINGS)}")
    rate_hz = signals.rate_hz
    start, stop = (round(t * rate_hz) for t in default_window(signals.disturbance.shape[1] / rate_hz))
    figure = Figure(figsize=(10, 4.2), layout="constrained")
    FigureCanvasAgg(figure)
    spectra, octaves = figure.subplots(1, 2, width_ratios=(3, 2))
    for samples, label, colour in (
        (signals.disturbance, "off", "#8a8f98"),
        (bound.residual, f"optimum, {bound.taps} taps", "#0b6e99"),
    ):
        centre, level = _twelfth_octaves(samples[:, start:stop], rate_hz, signals.full_scale_db_spl)
        spectra.semilogx(centre, level, label=label, color=colour, linewidth=1.4)
    spectra.set(xlabel="frequency / Hz", ylabel="1/12-octave level at the ear / dB SPL", xlim=(30, 0.45 * rate_hz))
    spectra.legend(frameon=False)
    names, values = list(bound.octaves_db), list(bound.octaves_db.values())
    octaves.bar(names, values, color=["#0b6e99" if value >= 0 else "#c2502e" for value in values])
    octaves.axhline(0, color="#444", linewidth=0.8)
    octaves.set(xlabel="octave / Hz", ylabel="attenuation / dB")
    for axes in (spectra, octaves):
        axes.grid(alpha=0.3, which="major")
        axes.spines[["top", "right"]].set_visible(False)
    figure.suptitle(title, fontsize=10)
    # Same input, same bytes: neither a date nor random element ids.
    with mpl.rc_context({"svg.hashsalt": "hushkit", "svg.fonttype": "none"}):
        try:
            figure.savefig(file, metadata={"Date": None} if file.suffix.lower() == ".svg" else None, dpi=130)
        except OSError as err:
            raise AcousticsError(f"plot {file}: cannot be written ({err.strerror}); name a place that can") from err


def _twelfth_octaves(
    samples: NDArray[np.float64], rate_hz: int, full_scale_db_spl: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    frequency, power = power_spectrum(samples, rate_hz)
    power /= samples.shape[0]
    edges = 30.0 * 2 ** (np.arange(int(np.log2(0.45 * rate_hz / 30.0) / _BAND_OCTAVES) + 1) * _BAND_OCTAVES)
    summed = np.concatenate([[0.0], np.cumsum(power)])
    step = frequency[1] - frequency[0]
    at_edge = np.interp(edges, np.append(frequency - step / 2, frequency[-1] + step / 2), summed)
    band = np.maximum(np.diff(at_edge), 1e-30)
    level = 10 * np.log10(band / 0.5) + full_scale_db_spl
    return np.sqrt(edges[:-1] * edges[1:]), level
