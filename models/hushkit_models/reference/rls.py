"""Recursive least squares on the modified filtered-x structure.

Two forms of the same recursion: ``conventional`` keeps the inverse covariance P, which in finite precision loses its
symmetry and then its sign; ``ud`` keeps P = U D U' as unit triangular and diagonal factors, which stay a covariance
whatever is rounded. Either watches its conditioning (largest over smallest diagonal element, a lower bound of the
condition number), starts P afresh when it passes a limit, and does so periodically when asked; weights survive a reset.

Source: G. J. Bierman, Factorization Methods for Discrete Sequential Estimation, 1977 (UD update); S. Haykin, Adaptive
Filter Theory, chapter on RLS.
"""

from collections.abc import Callable
from typing import Any, Literal, NamedTuple

import numba
import numpy as np
from numpy.typing import NDArray

from hushkit_models.reference.controller import Controller, ControllerError
from hushkit_models.reference.lms import check_model, check_taps
from hushkit_models.reference.ring import dot, push

Vector = NDArray[np.float64]

FORGETTING, INITIAL, WORST_CONDITION, RESET_EVERY, FACTORED = range(5)
RESETS, CONDITION, AGE = range(3)

_CHECK_EVERY = 64
"""Samples between two looks at the conditioning."""


class RlsCore(NamedTuple):
    """The recursion without its delay lines.

    ``factor``: row j holds column j of U (unit diagonal not used), or P; ``diagonal``: D, or a copy of P's diagonal;
    ``scratch``: two rows of workspace; ``watch``: resets, last condition, samples since the last reset.
    """

    weights: Vector
    factor: Vector
    diagonal: Vector
    settings: Vector
    scratch: Vector
    watch: Vector


class RlsState(NamedTuple):
    """Arrays of one controller; ``at`` holds the positions of x, r and u."""

    core: RlsCore
    model: Vector
    x: Vector
    r: Vector
    u: Vector
    at: NDArray[np.int64]


@numba.njit(fastmath=True)
def _restart(core: RlsCore) -> None:
    n = core.weights.size
    start = core.settings[INITIAL]
    for j in range(n):
        for i in range(n):
            core.factor[j, i] = 0.0
        core.diagonal[j] = start
        core.factor[j, j] = start if core.settings[FACTORED] == 0.0 else 1.0
    core.watch[RESETS] += 1.0
    core.watch[AGE] = 0.0


# Without fastmath: reassociation is what the factored form is there to survive, not to provoke.
@numba.njit(fastmath=False)
def _gain_factored(core: RlsCore, r: Vector) -> None:
    """Bierman's update; leaves the gain in scratch row 0."""
    n = core.weights.size
    forget = core.settings[FORGETTING]
    gain, f = core.scratch[0], core.scratch[1]
    for j in range(n):
        f[j] = r[j] + dot(core.factor[j, :j], r, 0)
    alpha = forget
    for j in range(n):
        v = core.diagonal[j] * f[j]
        before = alpha
        alpha += f[j] * v
        core.diagonal[j] *= before / (alpha * forget)
        p = -f[j] / before
        column = core.factor[j]
        for i in range(j):
            u = column[i]
            column[i] = u + gain[i] * p
            gain[i] += u * v
        gain[j] = v
    for j in range(n):
        gain[j] /= alpha


@numba.njit(fastmath=False)
def _gain_conventional(core: RlsCore, r: Vector) -> None:
    """Textbook update of P; leaves the gain in scratch row 0."""
    n = core.weights.size
    forget = core.settings[FORGETTING]
    gain, pr = core.scratch[0], core.scratch[1]
    alpha = forget
    for j in range(n):
        pr[j] = dot(core.factor[j], r, 0)
        alpha += pr[j] * r[j]
    for j in range(n):
        gain[j] = pr[j] / alpha
    for j in range(n):
        row = core.factor[j]
        for i in range(n):
            row[i] = (row[i] - gain[j] * pr[i]) / forget
        core.diagonal[j] = row[j]


@numba.njit(fastmath=False)
def rls_update(core: RlsCore, r: Vector, at: int, e: float) -> None:
    """One step.

    Args:
        core: The recursion.
        r: Filtered reference, a delay line.
        at: Its position.
        e: A-priori error ``d + w.r``.
    """
    watch, settings = core.watch, core.settings
    line = r[at : at + core.weights.size]
    watch[AGE] += 1.0
    if settings[FACTORED] > 0.0:
        _gain_factored(core, line)
    else:
        _gain_conventional(core, line)
    gain = core.scratch[0]
    for k in range(core.weights.size):
        core.weights[k] -= gain[k] * e
    if watch[AGE] % _CHECK_EVERY == 0.0:
        low, high = core.diagonal[0], core.diagonal[0]
        for k in range(core.diagonal.size):
            low, high = min(low, core.diagonal[k]), max(high, core.diagonal[k])
        watch[CONDITION] = high / low if low > 0.0 else np.inf
        periodic = settings[RESET_EVERY] > 0.0 and watch[AGE] >= settings[RESET_EVERY]
        if periodic or not watch[CONDITION] <= settings[WORST_CONDITION]:
            _restart(core)


@numba.njit(fastmath=True)
def _output(state: RlsState, x: float) -> float:
    state.at[0] = push(state.x, state.at[0], x)
    return dot(state.core.weights, state.x, state.at[0])


@numba.njit(fastmath=True)
def _adapt(state: RlsState, e: float, u: float) -> None:
    at = state.at
    at[1] = push(state.r, at[1], dot(state.model, state.x, at[0]))
    at[2] = push(state.u, at[2], u)
    known = e - dot(state.model, state.u, at[2])
    rls_update(state.core, state.r, at[1], known + dot(state.core.weights, state.r, at[1]))


def make_core(
    taps: int,
    *,
    forgetting: float,
    initial: float,
    form: Literal["ud", "conventional"],
    worst_condition: float,
    reset_every: int,
) -> RlsCore:
    """Build the recursion; arguments as :class:`Rls`."""
    check_taps(taps)
    if not (0.9 <= forgetting <= 1.0 and initial > 0 and worst_condition > 1 and reset_every >= 0):
        raise ControllerError(
            f"forgetting {forgetting}, initial {initial}, worst condition {worst_condition}, "
            f"reset every {reset_every}; expected 0.9..1, above 0, above 1, and 0 or more samples"
        )
    settings = np.array([forgetting, initial, worst_condition, float(reset_every), float(form == "ud")])
    core = RlsCore(np.zeros(taps), np.zeros((taps, taps)), np.zeros(taps), settings, np.zeros((2, taps)), np.zeros(3))
    _restart(core)
    core.watch[RESETS] = 0.0
    return core


class Rls(Controller):
    """Recursive least squares, modified filtered-x.

    Args:
        taps: Length of the control filter; arithmetic grows with its square.
        model: Secondary path's model, latency included.
        forgetting: Weight of the past per sample; ``1 - 1 / (memory_s * rate_hz)``.
        initial: Starting value of P's diagonal: large against 1 / (r's power), in 1 / full scale squared.
        form: ``"ud"`` (numerically safe) or ``"conventional"``.
        worst_condition: Conditioning beyond which P starts afresh.
        reset_every: Samples between periodic restarts of P; 0 for none.
    """

    def __init__(
        self,
        *,
        taps: int,
        model: Vector,
        forgetting: float = 0.9999,
        initial: float = 1e4,
        form: Literal["ud", "conventional"] = "ud",
        worst_condition: float = 1e12,
        reset_every: int = 0,
    ) -> None:
        super().__init__()
        model = check_model(model)
        self.state = RlsState(
            make_core(
                taps,
                forgetting=forgetting,
                initial=initial,
                form=form,
                worst_condition=worst_condition,
                reset_every=reset_every,
            ),
            model,
            np.zeros(2 * max(taps, model.size)),
            np.zeros(2 * taps),
            np.zeros(2 * model.size),
            np.zeros(3, dtype=np.int64),
        )

    @staticmethod
    def functions() -> tuple[Callable[..., Any], Callable[..., Any]]:
        """See the base class."""
        return _output, _adapt

    @property
    def weights(self) -> Vector:
        """Control filter, shape (taps,)."""
        return np.array(self.state.core.weights)

    def health(self) -> dict[str, float]:
        """Restarts of P so far and its last conditioning."""
        watch = self.state.core.watch
        return {"resets": float(watch[RESETS]), "condition": float(watch[CONDITION])}
