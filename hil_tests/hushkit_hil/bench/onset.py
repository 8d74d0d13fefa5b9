"""A noise that something sudden is added to: for how soon the headset notices."""

from dataclasses import replace

from hushkit_hil.errors import BenchError
from hushkit_hil.targets.plant import PlantRun


def with_onset(background: PlantRun, sudden: PlantRun, *, at_s: float, background_db: float = 0.0) -> PlantRun:
    """Play one run, and from a moment on another on top of it.

    Args:
        background: What plays from the start; its length is the result's.
        sudden: What is added; of the same headset and paths.
        at_s: When, in seconds.
        background_db: Gain of the background.

    Raises:
        BenchError: The runs are of different headsets, or the moment is behind the background's end.
    """
    start = round(at_s * background.rate_hz)
    if not 0 <= start < background.n_samples:
        raise BenchError(f"onset at {at_s:g} s: found {background.n_samples / background.rate_hz:g} s of background")
    same = (background.rate_hz, background.block, background.n_ears, background.latency_samples)
    if same != (sudden.rate_hz, sudden.block, sudden.n_ears, sudden.latency_samples):
        raise BenchError("onset: background and sudden sound are of different headsets; render both for one")
    n = min(sudden.n_samples, background.n_samples - start)
    parts = {}
    for name in ("reference", "disturbance"):
        signal = getattr(background, name) * 10.0 ** (background_db / 20.0)
        signal[:, start : start + n] += getattr(sudden, name)[:, :n]
        parts[name] = signal
    return replace(background, **parts)
