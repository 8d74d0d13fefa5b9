"""The flagship: a warped FIR filter fitted by regularised recursive least squares.

A chain of K all-pass sections, ``X_0 = x``, ``X_k(t) = X_{k-1}(t-1) + a (X_k(t-1) - X_{k-1}(t))``, replaces the delays
of an FIR filter; with a = 0.95 at 48 kHz it resolves low frequencies as finely as thousands of taps do. The control
filter is ``y = w.X``. The same chain driven by the filtered reference gives the regressors R, and ``d = e - s_hat *
u`` is the disturbance, so that ``d + w.R`` is the error of any w: ordinary least squares, whatever the delay of the
secondary path.

Every D samples one equation enters covariance C and right side b, both forgetting exponentially; in the background
``(C + ridge mean(diag C) I) w = -b`` is solved, and the weights in force move to the solution over the next interval.
The ridge starts large and decays: before there is a second of evidence it is what keeps the filter from amplifying
noise.

Source: A. Haerma et al., Frequency-Warped Signal Processing for Audio Applications, J. Audio Eng. Soc. 48(11), 2000.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numba
import numpy as np
import scipy.linalg
from numpy.typing import NDArray

from hushkit_models.reference.controller import Controller, ControllerError
from hushkit_models.reference.lms import check_model
from hushkit_models.reference.ring import dot, push

Vector = NDArray[np.float64]

FORGETTING, EVERY, SINCE = range(3)


class WarpedState(NamedTuple):
    """Arrays of one controller.

    ``chain``: rows X and R, shape (2, K); ``poles``: all-pass coefficient of each section, the first not used;
    ``settings``: forgetting per equation, samples per equation, samples since the last; ``moving``: what the weights
    gain per equation; ``at``: positions of x and u.
    """

    weights: Vector
    moving: Vector
    model: Vector
    settings: Vector
    poles: Vector
    chain: Vector
    x: Vector
    u: Vector
    at: NDArray[np.int64]
    covariance: Vector
    right: Vector


@numba.njit(fastmath=True)
def advance(chain: Vector, poles: Vector, value: float) -> None:
    """Push one sample through a chain of all-pass sections, in place."""
    before = chain[0]
    chain[0] = value
    for k in range(1, chain.size):
        kept = chain[k]
        chain[k] = before + poles[k] * (kept - chain[k - 1])
        before = kept


@numba.njit(fastmath=True)
def _output(state: WarpedState, x: float) -> float:
    state.at[0] = push(state.x, state.at[0], x)
    advance(state.chain[0], state.poles, x)
    return dot(state.weights, state.chain[0], 0)


@numba.njit(fastmath=True)
def _adapt(state: WarpedState, e: float, u: float) -> None:
    at, settings = state.at, state.settings
    regressors = state.chain[1]
    advance(regressors, state.poles, dot(state.model, state.x, at[0]))
    at[1] = push(state.u, at[1], u)
    settings[SINCE] += 1.0
    if settings[SINCE] < settings[EVERY]:
        return
    settings[SINCE] = 0.0
    d = e - dot(state.model, state.u, at[1])
    forget = settings[FORGETTING]
    for j in range(regressors.size):
        row, own = state.covariance[j], regressors[j]
        for i in range(j + 1):
            row[i] = forget * row[i] + own * regressors[i]
        state.right[j] = forget * state.right[j] + own * d
        state.weights[j] += state.moving[j]


class WarpedLs(Controller):
    """Warped FIR, regularised recursive least squares.

    Args:
        coefficients: Sections K; 48 to 64 come within 3 dB of a 4096-tap optimum, 32 lose up to 8 dB.
        model: Secondary path's model, latency included. 256 taps suffice but for engine noise over-ear.
        rate_hz: Sample rate.
        pole: All-pass coefficient a, or one for each section, shape (K,). 0.95 fits 40 Hz to 2 kHz at 48 kHz; with 64
            sections 0.9 loses 9 to 25 dB. Sections from exp(-2 pi 1500 Hz / rate) down to 100 Hz, evenly in log
            frequency, gain up to 1.2 dB on 0.95 for every one; 96 sections at 0.92 gain 1.7 dB on busy streets in-ear.
        memory_s: Time constant of forgetting; 30 ms follows a siren, 2 s fit steady noise best.
        every: Samples per equation D; 32 lose nothing, 128 up to 0.5 dB.
        solve_s: Interval of the background solve.
        ridge: Steady regularisation, of C's mean diagonal. 1e-5 costs 4 dB on engine noise; 1e-8 gains
            2 dB there, but only in double precision, and below 1e-9 the solve fails.
        ridge_start: Regularisation at the start, on top.
        ridge_decay_s: Its time constant.
    """

    def __init__(
        self,
        *,
        coefficients: int = 64,
        model: Vector,
        rate_hz: int = 48_000,
        pole: float | Vector = 0.95,
        memory_s: float = 2.0,
        every: int = 32,
        solve_s: float = 0.02,
        ridge: float = 1e-6,
        ridge_start: float = 0.1,
        ridge_decay_s: float = 0.06,
    ) -> None:
        super().__init__()
        if not (2 <= coefficients <= 512 and every >= 1 and memory_s > 0 and solve_s > 0 and ridge > 0):
            raise ControllerError(
                f"coefficients {coefficients}, every {every}, memory {memory_s} s, solve every {solve_s} s, "
                f"ridge {ridge}; expected 2..512, 1 or more, and above 0"
            )
        poles = np.asarray(pole, dtype=np.float64)
        if poles.shape not in {(), (coefficients,)} or not np.all((poles >= 0.0) & (poles < 1.0)):
            raise ControllerError(f"pole {pole}, expected one number, or {coefficients}, from 0 to below 1")
        poles = np.array(np.broadcast_to(poles, (coefficients,)))
        model = check_model(model)
        self.interval = max(1, round(solve_s * rate_hz / every)) * every
        self._rate_hz, self._ridge = rate_hz, ridge
        self._ridge_start, self._ridge_decay_s = ridge_start, ridge_decay_s
        self._failed_solves = 0
        self.state = WarpedState(
            np.zeros(coefficients),
            np.zeros(coefficients),
            model,
            np.array([np.exp(-every / (memory_s * rate_hz)), float(every), 0.0]),
            poles,
            np.zeros((2, coefficients)),
            np.zeros(2 * model.size),
            np.zeros(2 * model.size),
            np.zeros(2, dtype=np.int64),
            np.zeros((coefficients, coefficients)),
            np.zeros(coefficients),
        )

    @staticmethod
    def functions() -> tuple[Callable[..., Any], Callable[..., Any]]:
        """See the base class."""
        return _output, _adapt

    @property
    def weights(self) -> Vector:
        """Coefficients on the all-pass chain, shape (K,)."""
        return np.array(self.state.weights)

    def health(self) -> dict[str, float]:
        """Solves that failed (the covariance was not positive definite; the weights stayed)."""
        return {"failed_solves": float(self._failed_solves)}

    def background(self, samples: int) -> None:
        """Solve for the weights; they are reached at the end of the coming interval."""
        state = self.state
        k = state.weights.size
        mean = np.trace(state.covariance) / k
        if mean <= 0.0:
            return
        ridge = self._ridge + self._ridge_start * np.exp(-samples / self._rate_hz / self._ridge_decay_s)
        try:
            factor = scipy.linalg.cho_factor(state.covariance + ridge * mean * np.eye(k), lower=True)
        except np.linalg.LinAlgError:
            self._failed_solves += 1
            state.moving[:] = 0.0
            return
        target = -scipy.linalg.cho_solve(factor, state.right)
        state.moving[:] = (target - state.weights) * (state.settings[EVERY] / self.interval)
