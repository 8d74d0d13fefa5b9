"""A reference controller on every ear of a scenario, and the figures of the run."""

import time
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hushkit_models.acoustics.bound import Bound
from hushkit_models.acoustics.metrics import (
    attenuation,
    convergence_time,
    default_window,
    worst_moment_db,
    worst_sustained_db,
)
from hushkit_models.acoustics.scenario import PlantSignals
from hushkit_models.reference.plant import plant_of
from hushkit_models.reference.registry import make_controller


@dataclass(frozen=True, slots=True)
class Simulation:
    """What a simulated run left.

    Attributes:
        error: Error microphones, shape (ears, n), full scale.
        health: Each ear's figures of the algorithm.
        samples_per_s: Samples of one ear per second of this machine's time, compilation left out.
    """

    error: NDArray[np.float64]
    health: tuple[dict[str, float], ...]
    samples_per_s: float


def simulate(
    signals: PlantSignals,
    algorithm: str,
    *,
    latency_samples: int,
    model_taps: int,
    taps: int | None = None,
    step: float | None = None,
) -> Simulation:
    """Run one algorithm on every ear, each with a controller of its own.

    The secondary path's model is the plant's path at the start, cut to ``model_taps``, and stays so when the path
    changes; a path from driver to reference microphone is subtracted with its exact model of the start.

    Args:
        signals: The scenario.
        algorithm: Name, see :data:`hushkit_models.reference.registry.ALGORITHMS`.
        latency_samples: Controller latency.
        model_taps: Length of the secondary path's model, latency not counted.
        taps: Length of the control filter; None takes the algorithm's own.
        step: Step size; None takes the algorithm's own.

    Returns:
        The run.

    Raises:
        ControllerError: Unknown algorithm or settings it cannot use.
    """
    error = np.empty_like(signals.disturbance)
    health = []
    spent_s = 0.0
    for ear in range(error.shape[0]):
        plant = plant_of(signals, ear, latency_samples)
        controller = make_controller(
            algorithm,
            rate_hz=signals.rate_hz,
            model=plant.secondary[0, : latency_samples + model_taps],
            reference_power=float(np.mean(plant.reference**2)),
            taps=taps,
            step=step,
        )
        neutraliser = plant.feedback[0] if plant.feedback.shape[1] else None
        controller.compile()
        start = time.perf_counter()
        run = controller.run(plant, feedback_model=neutraliser)
        spent_s += time.perf_counter() - start
        error[ear] = run.error
        health.append(run.health)
    return Simulation(error, tuple(health), error.size / spent_s)


def acoustic_figures(signals: PlantSignals, error: NDArray[np.float64], bound: Bound) -> dict[str, Any]:
    """The ``acoustics`` section of ``hushkit bench --json`` for a simulated run.

    Args:
        signals: The scenario.
        error: Error microphones, shape (ears, n).
        bound: The causal bound of the same signals.

    Returns:
        Figures by the measuring protocol; ``recovery_s`` is that of the last change of the fit. Distortion is null: the
        simulated plant is linear.
    """
    rate_hz, n = signals.rate_hz, error.shape[1]
    off, window = signals.disturbance, default_window(n / rate_hz)
    reached = attenuation(off, error, rate_hz=rate_hz, window_s=window)
    changes_s = tuple(segment.start / rate_hz for segment in signals.segments[1:])
    recovery = convergence_time(error, bound.residual, rate_hz=rate_hz, start_s=changes_s[-1]) if changes_s else None
    return {
        "attenuation_db": reached.attenuation_db,
        "attenuation_dba": reached.attenuation_dba,
        "octaves_db": reached.octaves_db,
        "bound_db": bound.attenuation_db,
        "bound_octaves_db": bound.octaves_db,
        "bound_taps": bound.taps,
        "distance_db": bound.attenuation_db - reached.attenuation_db,
        "t3_s": convergence_time(error, bound.residual, rate_hz=rate_hz),
        "worst_octave_amplification_db": reached.worst_octave_amplification_db(),
        "worst_octave_amplification_below_4khz_db": reached.worst_octave_amplification_db(below_hz=4000.0),
        "worst_moment_db": worst_moment_db(off, error, rate_hz=rate_hz),
        "worst_sustained_db": worst_sustained_db(off, error, rate_hz=rate_hz, changes_s=changes_s),
        "recovery_s": recovery,
        "thd_percent": None,
        "snr_db": None,
        "window_s": list(window),
        "ears": [
            {
                "attenuation_db": attenuation(a, b, rate_hz=rate_hz, window_s=window).attenuation_db,
                "bound_db": limit.attenuation_db,
            }
            for a, b, limit in zip(off, error, bound.ears, strict=True)
        ],
        "evidence": "modelled",
    }
