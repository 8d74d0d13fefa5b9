"""Controllers by name, with defaults that suit a headset."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hushkit_models.reference.controller import Controller, ControllerError
from hushkit_models.reference.frequency import FrequencyDomain
from hushkit_models.reference.hybrid import Hybrid
from hushkit_models.reference.lms import Lms
from hushkit_models.reference.rls import Rls
from hushkit_models.reference.tracking import WarpedLsTracking
from hushkit_models.reference.warped import WarpedLs
from hushkit_models.reference.warped_design import bulk_delay, equation_weight, leak_equaliser

Vector = NDArray[np.float64]

_IDENTITY = np.ones(1)


@dataclass(frozen=True, slots=True)
class Settings:
    """What the defaults are made from.

    Attributes:
        rate_hz: Sample rate.
        model: Secondary path's model, latency included, shape (m,).
        reference_power: Expected mean square of the reference, full scale squared: scales what is not normalised.
        taps: Length of the control filter; None takes the algorithm's own.
        step: Step size; None takes the algorithm's own.
    """

    rate_hz: int
    model: Vector
    reference_power: float
    taps: int | None = None
    step: float | None = None

    @property
    def filtered_power(self) -> float:
        """Mean square of the filtered reference, were the reference white."""
        return self.reference_power * float(np.sum(self.model**2))


def _lms(settings: Settings, *, leak: float = 0.0, normalised: bool = False) -> Controller:
    taps = settings.taps or 512
    step = settings.step or 0.01
    if not normalised:
        step /= taps * settings.reference_power
    return Lms(
        taps=taps,
        model=_IDENTITY,
        step=step,
        leak=leak,
        normalised=normalised,
        regularisation=1e-3 * taps * settings.reference_power,
    )


def _filtered(settings: Settings, *, normalised: bool, modified: bool) -> Controller:
    taps = settings.taps or 512
    step = settings.step or 0.005
    if not normalised:
        # r is coloured: its largest eigenvalue, not its power, bounds the step; headset paths need a tenth.
        step /= taps * settings.filtered_power * 10
    return Lms(
        taps=taps,
        model=settings.model,
        step=step,
        normalised=normalised,
        modified=modified,
        regularisation=1e-3 * taps * settings.filtered_power,
    )


def _rls(settings: Settings) -> Controller:
    return Rls(
        taps=settings.taps or 64,
        model=settings.model,
        forgetting=1 - 1 / (0.5 * settings.rate_hz),
        initial=1.0 / settings.filtered_power,
    )


def _hybrid(settings: Settings, rule: str) -> Controller:
    taps = settings.taps or 512
    return Hybrid(
        taps=taps,
        short_taps=min(48, taps),
        model=settings.model,
        rate_hz=settings.rate_hz,
        step=settings.step or 0.005,
        regularisation=1e-3 * taps * settings.filtered_power,
        forgetting=1 - 1 / (0.5 * settings.rate_hz),
        initial=1.0 / settings.filtered_power,
        rule="convex" if rule == "convex" else "documents",
    )


def _frequency(settings: Settings) -> Controller:
    return FrequencyDomain(
        taps=settings.taps or 1024,
        model=settings.model,
        step=settings.step or 0.2,
        regularisation=1e-6 * settings.filtered_power,
    )


def _warped(settings: Settings) -> Controller:
    return WarpedLs(coefficients=settings.taps or 64, model=settings.model, rate_hz=settings.rate_hz)


def _tracking(settings: Settings) -> Controller:
    pole, every = 0.91, 32
    return WarpedLsTracking(
        coefficients=settings.taps or 96,
        model=settings.model,
        rate_hz=settings.rate_hz,
        pole=pole,
        equaliser=leak_equaliser(settings.model, settings.rate_hz),
        weight=equation_weight(pole, settings.rate_hz),
        delay=min(bulk_delay(settings.model), every - 1),
        every=every,
    )


@dataclass(frozen=True, slots=True)
class Algorithm:
    """One entry: what it is in a line, and how it is built."""

    summary: str
    build: Callable[[Settings], Controller]


ALGORITHMS: Mapping[str, Algorithm] = {
    "lms": Algorithm("gradient descent, no path model", _lms),
    "leaky_lms": Algorithm("LMS that forgets 1e-5 per sample", lambda s: _lms(s, leak=1e-5)),
    "nlms": Algorithm("normalised LMS, no path model", lambda s: _lms(s, normalised=True)),
    "fxlms": Algorithm("filtered-x LMS", lambda s: _filtered(s, normalised=False, modified=False)),
    "fxnlms": Algorithm("filtered-x NLMS", lambda s: _filtered(s, normalised=True, modified=False)),
    "mfxlms": Algorithm("modified filtered-x LMS", lambda s: _filtered(s, normalised=False, modified=True)),
    "mfxnlms": Algorithm("modified filtered-x NLMS", lambda s: _filtered(s, normalised=True, modified=True)),
    "rls": Algorithm("recursive least squares, UD form, modified filtered-x", _rls),
    "hybrid": Algorithm("NLMS + RLS, convex combination", lambda s: _hybrid(s, "convex")),
    "hybrid_documents": Algorithm("NLMS + RLS, NLMS weight 0.3 to 0.9 by rate", lambda s: _hybrid(s, "documents")),
    "fdaf": Algorithm("delayless partitioned-block frequency domain", _frequency),
    "warped_ls": Algorithm("warped FIR by regularised recursive least squares", _warped),
    "warped_ls_tracking": Algorithm("warped_ls that identifies the secondary path as it goes", _tracking),
}
"""Every reference algorithm by the name specs and commands use."""


def make_controller(
    algorithm: str,
    *,
    rate_hz: int,
    model: Vector,
    reference_power: float,
    taps: int | None = None,
    step: float | None = None,
) -> Controller:
    """Build a controller with the project's defaults.

    Args:
        algorithm: A key of :data:`ALGORITHMS`.
        rate_hz: Sample rate.
        model: Secondary path's model, controller latency included, shape (m,).
        reference_power: Expected mean square of the reference microphone, full scale squared.
        taps: Length of the control filter (warped: coefficients); None takes the algorithm's own.
        step: Step size; None takes the algorithm's own.

    Returns:
        The controller, weights at zero.

    Raises:
        ControllerError: Unknown algorithm, or settings it cannot use.
    """
    if algorithm not in ALGORITHMS:
        raise ControllerError(f"algorithm {algorithm!r}, expected one of {', '.join(ALGORITHMS)}")
    if not reference_power > 0.0:
        raise ControllerError(f"reference power {reference_power}, expected above 0; is the noise silent?")
    return ALGORITHMS[algorithm].build(Settings(rate_hz, model, reference_power, taps, step))
