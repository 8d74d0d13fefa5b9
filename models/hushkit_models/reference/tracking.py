"""The warped filter that keeps up with the secondary path.

:mod:`hushkit_models.reference.warped` believes in the path's model it was given. Here both paths are fitted together:
with X the all-pass chain of the reference, long enough for path and filter (K + Ks - 1 sections), and U the chain of
what was really played (Ks sections), the error is ``e = p.X + s.U``, one least-squares problem for the primary path p
and the secondary path s. Chains with one pole compose, ``A^j A^k = A^(j+k)``, so a control filter w passes s as the
Toeplitz product ``T(s) w``, and the filter that suits both estimates minimises the energy of ``(p + T(s) w).X``.

What is played hardly differs from a filtered reference, so s is identifiable only through an auxiliary noise, kept far
below the residual, and only slowly: each solve starts from the last estimate and is held there by a ridge. A jump of
the prediction error is a change of the fit: then the evidence is scaled down, the filter fades and starts again.

Two watches work on the same samples. Prediction error over its own slow level tells of a change; the error over what
it would be in silence (e - s.U) tells of a filter that does harm. Either makes the filter back off by itself.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numba
import numpy as np
import scipy.linalg
import scipy.signal
from numpy.typing import NDArray

from hushkit_models.reference.controller import Controller, ControllerError
from hushkit_models.reference.lms import check_model
from hushkit_models.reference.ring import dot
from hushkit_models.reference.warped import advance

Vector = NDArray[np.float64]

FORGETTING, EVERY, SINCE, POLE, COLOUR, LEVEL, FAST, SLOW, RATIO = range(9)
VALUE, ERROR_FAST, ERROR_SLOW, PREDICTION_FAST, PREDICTION_SLOW, SILENCE_FAST, SILENCE_SLOW, HEARD_FAST, HEARD_SLOW = (
    range(9)
)

_FAST_S = 0.02
_SLOW_S = 1.0
"""The slow level's way up; down it is four times faster, or the error of the start hides a change 5 s later."""
_USUAL = 1.6
"""Twenty milliseconds of noise vary by about 2 dB in power: 1.0 would stop a filter that cancels only 2 dB."""
_HOLD_S = 0.25
"""After a back-off the watches wait for the new filter: with 0.1 s the start itself is taken for a change."""


class TrackingState(NamedTuple):
    """Arrays of one controller.

    ``x`` and ``u``: the chains, shapes (K + Ks - 1,) and (Ks,); ``path``: p, then s; ``row``: the equation [X, U, e];
    ``covariance``: lower triangle of the rows' products; ``watch``: the auxiliary noise's value and running powers;
    ``random``: the noise generator's state.
    """

    weights: Vector
    moving: Vector
    path: Vector
    settings: Vector
    poles: Vector
    x: Vector
    u: Vector
    row: Vector
    covariance: Vector
    watch: Vector
    random: NDArray[np.uint64]


@numba.njit(fastmath=True)
def _output(state: TrackingState, x: float) -> float:
    settings, watch = state.settings, state.watch
    advance(state.x, state.poles, x)
    number = state.random[0]
    number ^= number << np.uint64(13)
    number ^= number >> np.uint64(7)
    number ^= number << np.uint64(17)
    state.random[0] = number
    white = np.float64(number >> np.uint64(11)) * 2.0**-53 - 0.5
    watch[VALUE] = settings[COLOUR] * watch[VALUE] + white
    total: float = dot(state.weights, state.x, 0) + settings[LEVEL] * watch[VALUE]
    return total


@numba.njit(fastmath=True)
def _adapt(state: TrackingState, e: float, u: float) -> None:
    settings, watch, row = state.settings, state.watch, state.row
    advance(state.u, state.poles, u)
    settings[SINCE] += 1.0
    if settings[SINCE] < settings[EVERY]:
        return
    settings[SINCE] = 0.0
    xs, us = state.x.size, state.u.size
    row[:xs] = state.x
    row[xs : xs + us] = state.u
    row[xs + us] = e
    silence = e - dot(state.path[xs:], state.u, 0)
    prediction = silence - dot(state.path[:xs], state.x, 0)
    fast, slow = settings[FAST], settings[SLOW]
    watch[ERROR_FAST] += fast * (e * e - watch[ERROR_FAST])
    watch[ERROR_SLOW] += slow * (e * e - watch[ERROR_SLOW])
    watch[SILENCE_FAST] += fast * (silence * silence - watch[SILENCE_FAST])
    watch[SILENCE_SLOW] += slow * (silence * silence - watch[SILENCE_SLOW])
    watch[HEARD_FAST] += fast * (row[0] * row[0] - watch[HEARD_FAST])
    watch[HEARD_SLOW] += slow * (row[0] * row[0] - watch[HEARD_SLOW])
    watch[PREDICTION_FAST] += fast * (prediction * prediction - watch[PREDICTION_FAST])
    # Clipped, so that a change does not lift the level it is measured by; faster down, for a filter that still learns.
    step = min(watch[PREDICTION_FAST], settings[RATIO] * watch[PREDICTION_SLOW]) - watch[PREDICTION_SLOW]
    watch[PREDICTION_SLOW] += (slow if step > 0.0 else 4.0 * slow) * step
    forget = settings[FORGETTING]
    for j in range(row.size):
        line, own = state.covariance[j], row[j]
        for i in range(j + 1):
            line[i] = forget * line[i] + own * row[i]
    for j in range(state.weights.size):
        state.weights[j] += state.moving[j]


def warp(model: Vector, pole: float, sections: int) -> Vector:
    """Fit an impulse response by an all-pass chain, low frequencies first.

    Args:
        model: Impulse response, shape (m,).
        pole: All-pass coefficient.
        sections: Length of the chain.

    Returns:
        The chain's coefficients, shape (sections,), that come closest in response to a red noise, whose corner is 100
        Hz at 48 kHz: an unweighted fit spends itself above 4 kHz, where nothing is cancelled.
    """
    length = model.size + 4096
    impulse = np.zeros(length)
    impulse[0] = 1.0
    link = scipy.signal.lfilter([1.0], [1.0, -0.987], impulse)
    wanted = scipy.signal.lfilter(model, [1.0], link)
    chain = np.empty((sections, length))
    for k in range(sections):
        chain[k] = link
        link = scipy.signal.lfilter([-pole, 1.0], [1.0, -pole], link)
    gram = chain @ chain.T
    gram += 1e-9 * np.trace(gram) / sections * np.eye(sections)
    fitted: Vector = scipy.linalg.solve(gram, chain @ wanted, assume_a="pos")
    return fitted


class WarpedLsTracking(Controller):
    """Warped FIR by least squares, secondary path identified online.

    Args:
        coefficients: Sections K of the control filter, as in :class:`~hushkit_models.reference.warped.WarpedLs`.
        model: Secondary path at the start, latency included; only its warped fit is used.
        rate_hz: Sample rate.
        pole: All-pass coefficient, one for all sections: only then do the chains compose.
        secondary: Sections Ks of the secondary path; with 32, pink noise over-ear loses 6 dB
            to the model, with 64 2 dB, with 96 nothing; 16 fail.
        memory_s: Time constant of forgetting.
        every: Samples per equation.
        solve_s: Interval of the background solve.
        ridge: Regularisation of p and w, of the mean diagonal, as in WarpedLs.
        ridge_path: Hold of s on its last estimate, of the mean diagonal of its own evidence: 1e-4 lets it walk at
            random until nothing is cancelled, 0.1 follows a change too slowly.
        ridge_start: Regularisation of w at the start and after a change, on top: it fades the filter until there is
            evidence; 0.1 amplifies while s is wrong.
        ridge_decay_s: Its time constant.
        auxiliary_db: Auxiliary noise relative to the residual, at the error microphone: -30 identifies nothing in
            time, above -20 it is heard.
        change_ratio: Prediction-error power over its slow level that counts as a change: at 100, 6 dB less gain on
            pink noise go unseen and cost 3 s; at 3 a recorded street still triggers nothing, but bursts may.
        change_keeps: Share of the evidence that survives a change, of 2 s: 0 leaves the solve without a direction, 0.02
            needs 0.75 s more for an aircraft over-ear.
        harm_db: Error over silence, both over 20 ms, from which the filter backs off.
    """

    def __init__(
        self,
        *,
        coefficients: int = 64,
        model: Vector,
        rate_hz: int = 48_000,
        pole: float = 0.95,
        secondary: int = 96,
        memory_s: float = 2.0,
        every: int = 32,
        solve_s: float = 0.05,
        ridge: float = 1e-6,
        ridge_path: float = 1e-2,
        ridge_start: float = 10.0,
        ridge_decay_s: float = 0.05,
        auxiliary_db: float = -20.0,
        change_ratio: float = 10.0,
        change_keeps: float = 0.005,
        harm_db: float = 1.0,
    ) -> None:
        super().__init__()
        if not (2 <= coefficients <= 512 and 2 <= secondary <= 512 and every >= 1):
            raise ControllerError(
                f"coefficients {coefficients}, secondary {secondary}, every {every}; expected 2..512, 2..512, 1 or more"
            )
        if not (0.0 <= pole < 1.0 and min(memory_s, solve_s, ridge, ridge_path, ridge_decay_s) > 0.0):
            raise ControllerError(
                f"pole {pole}, memory {memory_s} s, solve every {solve_s} s, ridges {ridge} and {ridge_path}, decay "
                f"{ridge_decay_s} s; expected 0 to below 1, and above 0"
            )
        if not (change_ratio > 1.0 and 0.0 < change_keeps <= 1.0):
            raise ControllerError(f"change at {change_ratio} keeps {change_keeps}; expected above 1, and 0 to 1")
        rate = rate_hz / every
        self.interval = max(1, round(solve_s * rate)) * every
        self._rate_hz, self._ridge, self._ridge_path = rate_hz, ridge, ridge_path
        self._ridge_start, self._ridge_decay_s = ridge_start, ridge_decay_s
        self._auxiliary, self._change_keeps = 10 ** (auxiliary_db / 20), change_keeps
        self._harm = 10 ** (harm_db / 10)
        self._restarted = 0
        self._counts = {"changes": 0.0, "back_offs": 0.0, "failed_solves": 0.0}
        chain = coefficients + secondary - 1
        colour = float(np.exp(-2 * np.pi * 500.0 / rate_hz))
        self.state = TrackingState(
            np.zeros(coefficients),
            np.zeros(coefficients),
            np.concatenate([np.zeros(chain), warp(check_model(model), pole, secondary)]),
            np.array(
                [
                    np.exp(-1 / (memory_s * rate)),
                    every,
                    0.0,
                    pole,
                    colour,
                    0.0,
                    1 / (_FAST_S * rate),
                    1 / (_SLOW_S * rate),
                    change_ratio,
                ]
            ),
            np.full(max(chain, secondary), pole),
            np.zeros(chain),
            np.zeros(secondary),
            np.zeros(chain + secondary + 1),
            np.zeros((chain + secondary + 1, chain + secondary + 1)),
            np.zeros(9),
            np.array([0x9E3779B97F4A7C15], dtype=np.uint64),
        )

    @staticmethod
    def functions() -> tuple[Callable[..., Any], Callable[..., Any]]:
        """See the base class."""
        return _output, _adapt

    @property
    def weights(self) -> Vector:
        """Coefficients on the all-pass chain, shape (K,)."""
        return np.array(self.state.weights)

    @property
    def secondary(self) -> Vector:
        """The secondary path as it is estimated now: coefficients on the all-pass chain, shape (Ks,)."""
        return np.array(self.state.path[self.state.x.size :])

    def health(self) -> dict[str, float]:
        """Changes of the fit seen, back-offs for harm, solves that failed (the filter stayed)."""
        return dict(self._counts)

    def background(self, samples: int) -> None:
        """Watch, then solve for both paths and the filter, which is reached at the end of the coming interval."""
        self._watch(samples)
        try:
            target = self._solve(samples)
        except np.linalg.LinAlgError:
            self._counts["failed_solves"] += 1
            target = self.state.weights
        self.state.moving[:] = (target - self.state.weights) * (self.state.settings[EVERY] / self.interval)
        self._set_auxiliary()

    def _watch(self, samples: int) -> None:
        watch = self.state.watch
        if samples - self._restarted < _HOLD_S * self._rate_hz + self.interval:
            watch[PREDICTION_SLOW] = max(watch[PREDICTION_SLOW], watch[PREDICTION_FAST])
            return
        changed = watch[PREDICTION_FAST] > self.state.settings[RATIO] * watch[PREDICTION_SLOW]
        # With a wrong s the silence of now is wrong too; what it usually is at this reference level is not yet.
        usual = _USUAL * watch[SILENCE_SLOW] * watch[HEARD_FAST]
        harmful = watch[ERROR_FAST] > self._harm * watch[SILENCE_FAST]
        harmful |= watch[ERROR_FAST] * watch[HEARD_SLOW] > self._harm * usual
        if not (changed or harmful):
            return
        self._counts["changes" if changed else "back_offs"] += 1
        self.state.covariance[:] *= self._change_keeps
        self._restarted = samples

    def _solve(self, samples: int) -> Vector:
        """The filter that suits the evidence; updates the estimate of both paths."""
        state = self.state
        k, n = state.weights.size, state.x.size
        whole = np.tril(state.covariance) + np.tril(state.covariance, -1).T
        xx, xu, xe = whole[:n, :n], whole[:n, n:-1], whole[:n, -1]
        if np.trace(xx) <= 0.0:
            return np.zeros(k)
        chain = scipy.linalg.cho_factor(xx + self._ridge * np.trace(xx) / n * np.eye(n), lower=True)
        through, direct = scipy.linalg.cho_solve(chain, xu), scipy.linalg.cho_solve(chain, xe)
        # What of U is no filtered reference: the only evidence on s.
        own = whole[n:-1, n:-1] - xu.T @ through
        before = state.path[n:]
        hold = self._ridge_path * np.trace(whole[n:-1, n:-1]) / before.size
        s = before
        if hold > 0.0:
            evidence = scipy.linalg.cho_factor(own + hold * np.eye(before.size), lower=True)
            s = before + scipy.linalg.cho_solve(evidence, whole[n:-1, -1] - xu.T @ direct - own @ before)
        state.path[n:] = s
        state.path[:n] = direct - through @ s
        # p is not needed for w: xx p is what is left of e when s.U is taken away.
        product = scipy.linalg.convolution_matrix(s, k)
        normal = product.T @ xx @ product
        since_s = (samples - self._restarted) / self._rate_hz
        ridge = self._ridge + self._ridge_start * np.exp(-since_s / self._ridge_decay_s)
        factor = scipy.linalg.cho_factor(normal + ridge * np.trace(normal) / k * np.eye(k), lower=True)
        weights: Vector = -scipy.linalg.cho_solve(factor, product.T @ (xe - xu @ s))
        return weights

    def _set_auxiliary(self) -> None:
        """Set the auxiliary noise by the residual and by what the estimated path makes of it."""
        settings, n = self.state.settings, self.state.x.size
        impulse = np.zeros(2048)
        impulse[0] = 1.0
        link = scipy.signal.lfilter([1.0], [1.0, -settings[COLOUR]], impulse)
        heard = np.zeros(2048)
        for coefficient in self.state.path[n:]:
            heard += coefficient * link
            link = scipy.signal.lfilter([-settings[POLE], 1.0], [1.0, -settings[POLE]], link)
        # A uniform number of width 1 has the power 1/12.
        gain = np.sqrt(np.sum(heard**2) / 12)
        residual = np.sqrt(min(self.state.watch[ERROR_FAST], self.state.watch[ERROR_SLOW]))
        settings[LEVEL] = self._auxiliary * residual / gain if gain > 0.0 else 0.0
