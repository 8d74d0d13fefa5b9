"""The acoustic plant of one ear, as the compiled loops play it."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hushkit_models.acoustics.scenario import PlantSignals

Vector = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Plant:
    """One ear's signals and paths, with the controller's latency in front of every path.

    Attributes:
        rate_hz: Sample rate.
        reference: What the reference microphone hears without feedback, shape (n,).
        disturbance: What the error microphone hears without cancellation, shape (n,).
        starts: First sample of each stretch of constant paths, shape (segments,); the first is 0.
        secondary: Shape (segments, taps).
        feedback: Shape (segments, taps); zero taps where there is none. Tap 0 is zero: sound cannot reach the reference
            microphone before it is played.
    """

    rate_hz: int
    reference: Vector
    disturbance: Vector
    starts: NDArray[np.int64]
    secondary: Vector
    feedback: Vector


def plant_of(signals: PlantSignals, ear: int, latency_samples: int) -> Plant:
    """Take one ear out of a scenario's signals.

    Args:
        signals: The scenario.
        ear: 0 or 1.
        latency_samples: Controller latency; put in front of secondary and feedback path.

    Returns:
        The plant.
    """
    padding = ((0, 0), (latency_samples, 0))
    secondary = np.pad(np.stack([segment.secondary[ear] for segment in signals.segments]), padding)
    present = [segment.feedback[ear] for segment in signals.segments if segment.feedback is not None]
    feedback = np.pad(np.stack(present), padding) if present else np.zeros((len(signals.segments), 0))
    if feedback.shape[1]:
        feedback[:, 0] = 0.0
    return Plant(
        signals.rate_hz,
        np.ascontiguousarray(signals.reference[ear]),
        np.ascontiguousarray(signals.disturbance[ear]),
        np.array([segment.start for segment in signals.segments], dtype=np.int64),
        secondary,
        feedback,
    )
