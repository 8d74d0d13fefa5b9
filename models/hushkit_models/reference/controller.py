"""The one interface of all reference controllers, and the closed loop around them."""

import functools
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

from hushkit_models.reference.plant import Plant
from hushkit_models.reference.ring import dot, push

Vector = NDArray[np.float64]


class ControllerError(Exception):
    """A controller that cannot be built: says what was found, what was expected and what to do."""


@dataclass(frozen=True, slots=True)
class Run:
    """One closed loop.

    Attributes:
        error: What the error microphone heard, shape (n,).
        output: What the driver was given, shape (n,), limited to full scale.
        weights: The control filter at the end, as the algorithm holds it.
        health: The algorithm's own figures (resets, conditioning, mixing weight, ...).
    """

    error: Vector
    output: Vector
    weights: Vector
    health: dict[str, float]


class Controller(ABC):
    """An adaptive controller of one ear.

    As a library: :meth:`output` with each sample of the reference microphone, then :meth:`adapt` with the error
    microphone's sample of the same instant. On a simulated plant: :meth:`run`. Both are the same compiled functions
    and can be mixed.

    A subclass gives ``state`` (a named tuple of arrays), its compiled functions ``(state, x) -> y`` and
    ``(state, e, u) -> None`` with u the sample really played, and, where it has background work, ``interval`` and
    :meth:`background`.
    """

    state: Any
    interval: int = 1 << 30
    """Samples between two calls of :meth:`background`."""

    def __init__(self) -> None:
        self._samples = 0
        self._played = 0.0

    @staticmethod
    @abstractmethod
    def functions() -> tuple[Callable[..., Any], Callable[..., Any]]:
        """The compiled output and adaptation functions."""

    @property
    @abstractmethod
    def weights(self) -> Vector:
        """A copy of the control filter, as the algorithm holds it."""

    def health(self) -> dict[str, float]:
        """The algorithm's own figures."""
        return {}

    def background(self, samples: int) -> None:  # noqa: B027 - most algorithms have none
        """Work done every ``interval`` samples; its result acts from the next sample on."""

    def output(self, reference: float) -> float:
        """Next sample for the driver, within full scale.

        Args:
            reference: The reference microphone's sample, full scale 1.0, feedback removed.

        Returns:
            The driver's sample.
        """
        self._played = min(1.0, max(-1.0, self.functions()[0](self.state, reference)))
        return self._played

    def adapt(self, error: float) -> None:
        """Learn from the error microphone's sample that belongs to the last :meth:`output`."""
        self.functions()[1](self.state, error, self._played)
        self._samples += 1
        if self._samples % self.interval == 0:
            self.background(self._samples)

    def compile(self) -> None:
        """Compile what :meth:`run` needs, so that its time can be measured; run does so itself otherwise."""
        nothing = np.zeros(0)
        steady = np.zeros(1, dtype=np.int64)
        loop = _closed_loop(*self.functions())
        loop(
            self.state, 0, nothing, nothing, steady, np.zeros((1, 1)), np.zeros((1, 0)), nothing, np.zeros(2), steady,
            nothing, nothing,
        )  # fmt: skip

    def run(self, plant: Plant, *, feedback_model: Vector | None = None) -> Run:
        """Close the loop over a whole scenario.

        Args:
            plant: Signals and paths of one ear.
            feedback_model: Taps of the path from driver to reference microphone, latency included, that is subtracted
                from the reference; none when None. The first is not used.

        Returns:
            The run.
        """
        loop = _closed_loop(*self.functions())
        n = plant.reference.size
        error, output = np.empty(n), np.empty(n)
        model = np.zeros(0) if feedback_model is None else np.ascontiguousarray(feedback_model, dtype=np.float64)
        history = np.zeros(2 * max(plant.secondary.shape[1], plant.feedback.shape[1], model.size, 1))
        at = np.zeros(1, dtype=np.int64)
        first = 0
        while first < n:
            last = min(n, first + self.interval - self._samples % self.interval)
            loop(
                self.state,
                first,
                plant.reference[first:last],
                plant.disturbance[first:last],
                plant.starts,
                plant.secondary,
                plant.feedback,
                model,
                history,
                at,
                error[first:last],
                output[first:last],
            )
            self._samples += last - first
            first = last
            if self._samples % self.interval == 0:
                self.background(self._samples)
        return Run(error, output, self.weights, self.health())


@functools.cache
def _closed_loop(speak: Callable[..., Any], learn: Callable[..., Any]) -> Callable[..., Any]:
    """Compile the loop around one algorithm (a second or two, once per process and algorithm)."""

    @numba.njit(fastmath=True)
    def loop(  # noqa: PLR0917
        state: Any,
        first: int,
        reference: Vector,
        disturbance: Vector,
        starts: NDArray[np.int64],
        secondary: Vector,
        feedback: Vector,
        feedback_model: Vector,
        history: Vector,
        at: NDArray[np.int64],
        error: Vector,
        output: Vector,
    ) -> None:
        newest = at[0]
        segment = 0
        for i in range(reference.size):
            while segment + 1 < starts.size and starts[segment + 1] <= first + i:
                segment += 1
            x = reference[i]
            # Tap 0 is skipped: the newest sample in the history is the previous output.
            x += dot(feedback[segment, 1:], history, newest) - dot(feedback_model[1:], history, newest)
            y = min(1.0, max(-1.0, speak(state, x)))
            newest = push(history, newest, y)
            e = disturbance[i] + dot(secondary[segment], history, newest)
            learn(state, e, y)
            error[i] = e
            output[i] = y
        at[0] = newest

    return loop
