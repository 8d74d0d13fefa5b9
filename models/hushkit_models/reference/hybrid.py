"""A long NLMS filter and a short RLS filter together.

Two ways to join them:

``documents``
    The platform's documents: ``w = alpha w_nlms + (1 - alpha) w_rls``, alpha within 0.3 and 0.9, moved by the
    convergence rate. While the error's power still falls (its 20 ms mean below its 500 ms mean) alpha goes toward 0.3,
    where the fast filter leads; once the two agree it goes toward 0.9, where the long one does. The documents name no
    formula for the rate; this one is ours.

``convex``
    alpha = sigmoid(a) with a moved down the gradient of the joint error: the mixture is, in the mean, at least as good
    as the better of the two.

Both filters see the modified filtered-x error of their own weights, so neither waits for the other.

Source: J. Arenas-Garcia, A. R. Figueiras-Vidal, A. H. Sayed, Mean-Square Performance of a Convex Combination of Two
Adaptive Filters, IEEE Trans. SP 54(3), 2006.
"""

from collections.abc import Callable
from typing import Any, Literal, NamedTuple

import numba
import numpy as np
from numpy.typing import NDArray

from hushkit_models.reference.controller import Controller, ControllerError
from hushkit_models.reference.lms import check_model, check_taps, push_with_power
from hushkit_models.reference.ring import dot, push
from hushkit_models.reference.rls import CONDITION, RESETS, RlsCore, make_core, rls_update

Vector = NDArray[np.float64]

STEP, REGULARISATION, CONVEX, FAST_SHARE, SLOW_SHARE, MIX_STEP = range(6)
ALPHA, LOGIT, FAST, SLOW, MIX_POWER = range(5)

_ALPHA_RANGE = (0.3, 0.9)
_ALPHA_SHARE = 1e-3
"""How far alpha moves toward its goal per sample: 21 ms to 63 %; 1e-2 is audible, 1e-4 outlasts converging."""

_FALLING = 0.9
"""Ratio of fast to slow error power below which the error counts as falling."""

_LOGIT_LIMIT = 4.0
"""|a| at most 4, as in the source: alpha within 0.018 and 0.982, so that the gradient never dies."""


class HybridState(NamedTuple):
    """Arrays of one controller; ``mix``: alpha, a, fast and slow error power, power of the errors' difference."""

    long: Vector
    core: RlsCore
    model: Vector
    settings: Vector
    mix: Vector
    x: Vector
    r: Vector
    u: Vector
    at: NDArray[np.int64]
    power: Vector


@numba.njit(fastmath=True)
def _output(state: HybridState, x: float) -> float:
    state.at[0] = push(state.x, state.at[0], x)
    alpha = state.mix[ALPHA]
    slow, fast = dot(state.long, state.x, state.at[0]), dot(state.core.weights, state.x, state.at[0])
    mixed: float = alpha * slow + (1.0 - alpha) * fast
    return mixed


@numba.njit(fastmath=True)
def _mix_by_rate(settings: Vector, mix: Vector, e: float) -> None:
    mix[FAST] += settings[FAST_SHARE] * (e * e - mix[FAST])
    mix[SLOW] += settings[SLOW_SHARE] * (e * e - mix[SLOW])
    goal = _ALPHA_RANGE[0] if mix[FAST] < _FALLING * mix[SLOW] else _ALPHA_RANGE[1]
    mix[ALPHA] += _ALPHA_SHARE * (goal - mix[ALPHA])


@numba.njit(fastmath=True)
def _mix_by_gradient(settings: Vector, mix: Vector, e_long: float, e_short: float) -> None:
    alpha, difference = mix[ALPHA], e_long - e_short
    e = alpha * e_long + (1.0 - alpha) * e_short
    mix[MIX_POWER] += settings[FAST_SHARE] * (difference * difference - mix[MIX_POWER])
    slope = e * difference * alpha * (1.0 - alpha) / (mix[MIX_POWER] + settings[REGULARISATION] * 1e-3)
    mix[LOGIT] = min(_LOGIT_LIMIT, max(-_LOGIT_LIMIT, mix[LOGIT] - settings[MIX_STEP] * slope))
    mix[ALPHA] = 1.0 / (1.0 + np.exp(-mix[LOGIT]))


@numba.njit(fastmath=True)
def _adapt(state: HybridState, e: float, u: float) -> None:
    at, settings = state.at, state.settings
    at[1] = push_with_power(state.r, at[1], dot(state.model, state.x, at[0]), state.power)
    at[2] = push(state.u, at[2], u)
    known = e - dot(state.model, state.u, at[2])
    e_long = known + dot(state.long, state.r, at[1])
    e_short = known + dot(state.core.weights, state.r, at[1])
    if settings[CONVEX] > 0.0:
        _mix_by_gradient(settings, state.mix, e_long, e_short)
    else:
        _mix_by_rate(settings, state.mix, e)
    gain = settings[STEP] * e_long / (settings[REGULARISATION] + state.power[0])
    weights = state.long
    r = state.r[at[1] : at[1] + weights.size]
    for k in range(weights.size):
        weights[k] -= gain * r[k]
    rls_update(state.core, state.r, at[1], e_short)


class Hybrid(Controller):
    """NLMS and RLS in parallel.

    Args:
        taps: Length of the NLMS filter.
        short_taps: Length of the RLS filter.
        model: Secondary path's model, latency included.
        rate_hz: Sample rate.
        step: Step of the NLMS filter, 0 to 2.
        regularisation: Added to r.r, in full scale squared.
        forgetting: Of the RLS filter, per sample.
        initial: Starting value of the RLS filter's P.
        rule: ``"convex"`` or ``"documents"``.
    """

    def __init__(
        self,
        *,
        taps: int,
        short_taps: int,
        model: Vector,
        rate_hz: int = 48_000,
        step: float = 0.5,
        regularisation: float = 1e-9,
        forgetting: float = 0.9999,
        initial: float = 1e4,
        rule: Literal["convex", "documents"] = "convex",
    ) -> None:
        super().__init__()
        check_taps(taps)
        model = check_model(model)
        if short_taps > taps:
            raise ControllerError(f"short filter of {short_taps} taps, expected at most the long one's {taps}")
        shares = 1 / (0.02 * rate_hz), 1 / (0.5 * rate_hz)
        self.state = HybridState(
            np.zeros(taps),
            make_core(
                short_taps, forgetting=forgetting, initial=initial, form="ud", worst_condition=1e12, reset_every=0
            ),
            model,
            np.array([step, regularisation, float(rule == "convex"), *shares, 0.01]),
            np.array([0.5 if rule == "convex" else _ALPHA_RANGE[0], 0.0, 0.0, 0.0, 0.0]),
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
        """The mixture as one filter, shape (taps,)."""
        alpha = self.state.mix[ALPHA]
        joint = alpha * self.state.long
        joint[: self.state.core.weights.size] += (1 - alpha) * self.state.core.weights
        return np.array(joint)

    def health(self) -> dict[str, float]:
        """Weight of the NLMS filter, restarts and conditioning of the RLS filter."""
        watch = self.state.core.watch
        return {
            "nlms_weight": float(self.state.mix[ALPHA]),
            "resets": float(watch[RESETS]),
            "condition": float(watch[CONDITION]),
        }
