"""The gradient family: LMS, leaky LMS, NLMS, FxLMS, FxNLMS, plain and modified filtered-x.

One update covers all of them: ``w <- (1 - leak) w - mu e r`` with ``r`` the reference through the secondary path's
model (the reference itself for LMS and NLMS) and ``mu = step`` or, normalised, ``step / (regularisation + r.r)``.

Modified filtered-x replaces the error by what it would be had the present weights been in force all along,
``e - s_hat * u + w.r``: the delay of the secondary path leaves the loop, and step sizes of plain NLMS hold.

Sources:
    B. Widrow, S. D. Stearns, Adaptive Signal Processing, 1985. D. R. Morgan, IEEE Trans. ASSP 28(4), 1980 (filtered-x).
    M. Rupp, A. H. Sayed, IEEE Trans. SP 46(9), 1998, and I. Kim et al., J. Acoust. Soc. Am. 95(6), 1994 (modified).
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numba
import numpy as np
from numpy.typing import NDArray

from hushkit_models.reference.controller import Controller, ControllerError
from hushkit_models.reference.ring import dot, push

Vector = NDArray[np.float64]

STEP, LEAK, REGULARISATION, NORMALISED, MODIFIED = range(5)


class LmsState(NamedTuple):
    """Arrays of one controller; ``at`` holds the positions of x, r and u, ``power`` the running r.r."""

    weights: Vector
    model: Vector
    settings: Vector
    x: Vector
    r: Vector
    u: Vector
    at: NDArray[np.int64]
    power: Vector


@numba.njit(fastmath=True)
def _output(state: LmsState, x: float) -> float:
    state.at[0] = push(state.x, state.at[0], x)
    return dot(state.weights, state.x, state.at[0])


@numba.njit(fastmath=True)
def push_with_power(cells: Vector, at: int, value: float, power: Vector) -> int:
    """Store a value in a delay line and keep the line's sum of squares in ``power[0]``."""
    oldest = cells[at - 1 if at > 0 else cells.size // 2 - 1]
    at = push(cells, at, value)
    power[0] += value * value - oldest * oldest
    if at == 0:
        # A running sum gathers rounding errors; once per length it is made anew.
        total = 0.0
        for k in range(cells.size // 2):
            total += cells[k] * cells[k]
        power[0] = total
    return at


@numba.njit(fastmath=True)
def _adapt(state: LmsState, e: float, u: float) -> None:
    at = state.at
    settings = state.settings
    at[1] = push_with_power(state.r, at[1], dot(state.model, state.x, at[0]), state.power)
    if settings[MODIFIED] > 0.0:
        at[2] = push(state.u, at[2], u)
        e += dot(state.weights, state.r, at[1]) - dot(state.model, state.u, at[2])
    mu = settings[STEP]
    if settings[NORMALISED] > 0.0:
        mu /= settings[REGULARISATION] + state.power[0]
    keep, gain = 1.0 - settings[LEAK], mu * e
    weights = state.weights
    r = state.r[at[1] : at[1] + weights.size]
    for k in range(weights.size):
        weights[k] = keep * weights[k] - gain * r[k]


class Lms(Controller):
    """The gradient family.

    Args:
        taps: Length of the control filter.
        model: Secondary path's model, latency included, shape (m,); ``[1.0]`` makes it LMS or NLMS.
        step: Step size; normalised, 0 to 2 are stable without delay, and modified filtered-x keeps that range.
        leak: Share of each weight lost per sample; a steady ``leak`` equals white noise of power leak / mu added to r.
        regularisation: Added to r.r, in full scale squared.
        normalised: Whether the step is divided by r.r.
        modified: Whether the modified filtered-x structure is used.
    """

    def __init__(
        self,
        *,
        taps: int,
        model: Vector,
        step: float,
        leak: float = 0.0,
        regularisation: float = 1e-9,
        normalised: bool = True,
        modified: bool = False,
    ) -> None:
        super().__init__()
        check_taps(taps)
        model = check_model(model)
        if not (step > 0 and 0 <= leak < 1 and regularisation > 0):
            raise ControllerError(
                f"step {step}, leak {leak}, regularisation {regularisation}; expected step and regularisation above 0, "
                "leak in 0..1"
            )
        self.state = LmsState(
            np.zeros(taps),
            model,
            np.array([step, leak, regularisation, float(normalised), float(modified)]),
            np.zeros(2 * max(taps, model.size)),
            np.zeros(2 * taps),
            np.zeros(2 * model.size),
            np.zeros(3, dtype=np.int64),
            np.zeros(1),
        )

    @staticmethod
    def functions() -> tuple[Callable[..., Any], Callable[..., Any]]:
        """See the base class."""
        return _output, _adapt

    @property
    def weights(self) -> Vector:
        """Control filter, shape (taps,)."""
        return np.array(self.state.weights)


def check_taps(taps: int) -> None:
    """Refuse lengths that are no filter."""
    if not 1 <= taps <= 16_384:
        raise ControllerError(f"{taps} taps, expected 1 to 16384")


def check_model(model: Vector) -> Vector:
    """Refuse models that say nothing; return a contiguous copy."""
    model = np.array(model, dtype=np.float64)
    if model.ndim != 1 or not model.size or not np.all(np.isfinite(model)) or not np.any(model):
        raise ControllerError(f"model of shape {model.shape}, expected finite taps of a path that is not silent")
    return model
