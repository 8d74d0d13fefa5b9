"""The warped filter that keeps up with the secondary path.

:mod:`hushkit_models.reference.warped` believes in the path's model it was given. Here both paths are fitted together:
with X the all-pass chain of the reference (K + Ks - 1 sections) and U the chain of what was played (Ks sections), the
error is ``e = p.X + s.U``, one least-squares problem for the primary path p and the secondary path s. Chains with one
pole compose, ``A^j A^k = A^(j+k)``, so a control filter w passes s as the Toeplitz product ``T(s) w``, and the filter
that suits both estimates minimises the energy of ``(p + T(s) w).X``.

Parts of the design that carry much of the result (:mod:`~hushkit_models.reference.warped_design`):

* An equaliser behind the filter undoes the leak at the bottom of the secondary path; everything here, chains and s
  included, stands before it and sees the equalised path.
* The chains of ``delay`` samples ago meet the error of now: s need not spend itself on a pure delay, which an all-pass
  chain cannot play at the top.
* Each equation falls on a random sample of its D: at a steady beat harmonics of an engine alias, and the filter plays
  treble to cancel bass.
* Equations are weighted by frequency, by the same few coefficients on chains and error.

What is played hardly differs from a filtered reference, so s is known only through a faint auxiliary noise and a hold
on the last estimate. When the fit of the headset changes, though, a wrong filter plays loudly. A jump of the prediction
error then rewrites the evidence as if the last seconds had been silence with the primary path p: p stays as certain as
it was, s is free, and the next solves find it within tenths of a second. A second jump within a second says that p has
changed too: then all evidence is dropped.

Error over what it would be in silence (e - s.U) tells of a filter that does harm: it is silenced and starts again.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numba
import numpy as np
import scipy.signal
from numpy.typing import NDArray

from hushkit_models.reference.controller import Controller, ControllerError
from hushkit_models.reference.lms import check_model
from hushkit_models.reference.ring import dot
from hushkit_models.reference.two_paths import as_if_silent, best_filter, fit_paths
from hushkit_models.reference.warped import advance
from hushkit_models.reference.warped_design import check_section, through, warp

Vector = NDArray[np.float64]

FORGETTING, EVERY, SINCE, DELAY, COLOUR, LEVEL, FAST, SLOW, RATIO, QUIET, INSTANT = range(11)
(VALUE, MIXED, PLAYED, ERROR_FAST, ERROR_SLOW, PREDICTION_FAST, PREDICTION_SLOW, SILENCE_FAST, SILENCE_SLOW, HEARD_FAST,
 HEARD_SLOW, PLAYED_FAST, ALIKE_FAST) = range(13)  # fmt: skip

_FAST_S = 0.02
_SLOW_S = 1.0
"""The slow level's way up; down it is four times faster, or the error of the start hides a change 5 s later."""
_USUAL = 1.6
"""Twenty milliseconds of noise vary by about 2 dB in power: 1.0 would stop a filter that cancels only 2 dB."""
_HOLD_S = 0.25
"""After the start the watches wait for the filter: with 0.1 s the start itself is taken for a change."""
_PATIENCE_S = 0.1
"""What a change has been answered with needs as long to act."""
_TWICE_S = 1.0
_DROPPED = 0.02
"""Share of the evidence that stays where both paths have changed: 0 leaves the solve without a direction."""
_EAGER_S = 1.0
"""For so long after start or change every interval is solved for."""
_GROWTH = 0.5
"""Memory over age at the start: what the chains played while they filled is forgotten; without, 14 dB are missing
over-ear after half a second of cabin noise, with 1.0 one more case in sixteen needs over half a second."""
_LEAST_MEMORY_S = 0.05
_OVERLOAD_S = 0.1
"""Equations entered while a limited sample is in the chain would be wrong."""
_FULL_SCALE = 0.999


class TrackingState(NamedTuple):
    """Arrays of one controller.

    ``x``, ``u`` and ``e``: the chains, J - 1 sections longer than their weighted regressors; ``path``: p, then s;
    ``weight``: J coefficients; ``section``: the equaliser's b0 b1 b2 a1 a2 and its two states; ``row``: the equation
    [X, U, e]; ``covariance``: lower triangle of the rows' products; ``watch``: the auxiliary noise's value, filter's
    output before and behind the equaliser, running powers; ``random``: the noise generator's state.
    """

    weights: Vector
    moving: Vector
    path: Vector
    settings: Vector
    poles: Vector
    x: Vector
    u: Vector
    e: Vector
    weight: Vector
    section: Vector
    row: Vector
    covariance: Vector
    watch: Vector
    random: NDArray[np.uint64]


@numba.njit(fastmath=True)
def _output(state: TrackingState, x: float) -> float:
    settings, watch, section = state.settings, state.watch, state.section
    advance(state.x, state.poles, x)
    number = state.random[0]
    number ^= number << np.uint64(13)
    number ^= number >> np.uint64(7)
    number ^= number << np.uint64(17)
    state.random[0] = number
    white = np.float64(number >> np.uint64(11)) * 2.0**-53 - 0.5
    watch[VALUE] = settings[COLOUR] * watch[VALUE] + white
    mixed = dot(state.weights, state.x, 0) + settings[LEVEL] * watch[VALUE]
    played: float = section[0] * mixed + section[5]
    section[5] = section[1] * mixed - section[3] * played + section[6]
    section[6] = section[2] * mixed - section[4] * played
    watch[MIXED], watch[PLAYED] = mixed, played
    if abs(x) >= _FULL_SCALE:
        settings[QUIET] = settings[EVERY]
    return played


@numba.njit(fastmath=True)
def _weigh(chain: Vector, weight: Vector, row: Vector) -> None:
    """Weighted regressors, as many as ``row`` holds."""
    for k in range(row.size):
        total = 0.0
        for j in range(weight.size):
            total += weight[j] * chain[k + j]
        row[k] = total


@numba.njit(fastmath=True)
def _adapt(state: TrackingState, e: float, u: float) -> None:
    settings, watch, row = state.settings, state.watch, state.row
    advance(state.u, state.poles, watch[MIXED])
    advance(state.e, state.poles, e)
    us = state.u.size - state.weight.size + 1
    xs = row.size - 1 - us
    if abs(e) >= _FULL_SCALE or abs(u - watch[PLAYED]) > 1e-6:
        settings[QUIET] = _OVERLOAD_S * 48000.0
    settings[SINCE] += 1.0
    settings[QUIET] -= 1.0
    if settings[SINCE] == settings[INSTANT] - settings[DELAY]:
        _weigh(state.x, state.weight, row[:xs])
        _weigh(state.u, state.weight, row[xs : xs + us])
    if settings[SINCE] == settings[INSTANT]:
        _weigh(state.e, state.weight, row[xs + us :])
        if settings[QUIET] <= 0.0:
            _watch_powers(state, xs, us)
            _enter(state.covariance, row, settings[FORGETTING])
    if settings[SINCE] >= settings[EVERY]:
        settings[SINCE] = 0.0
        choice = state.random[0] % np.uint64(settings[EVERY] - settings[DELAY])
        settings[INSTANT] = settings[DELAY] + 1.0 + np.float64(choice)
        for j in range(state.weights.size):
            state.weights[j] += state.moving[j]


@numba.njit(fastmath=True)
def _enter(covariance: Vector, row: Vector, forget: float) -> None:
    for j in range(row.size):
        line, own = covariance[j], row[j]
        for i in range(j + 1):
            line[i] = forget * line[i] + own * row[i]


@numba.njit(fastmath=True)
def _watch_powers(state: TrackingState, xs: int, us: int) -> None:
    settings, watch, row = state.settings, state.watch, state.row
    e = row[xs + us]
    silence = e - dot(state.path[xs:], row[xs : xs + us], 0)
    prediction = silence - dot(state.path[:xs], row[:xs], 0)
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
    played = e - silence
    watch[PLAYED_FAST] += fast * (played * played - watch[PLAYED_FAST])
    watch[ALIKE_FAST] += fast * (played * prediction - watch[ALIKE_FAST])


class WarpedLsTracking(Controller):
    """Warped FIR by least squares, secondary path identified online.

    Args:
        coefficients: Sections K of the control filter.
        model: Secondary path at the start, latency included; only its warped fit is used.
        rate_hz: Sample rate.
        pole: All-pass coefficient, one for all sections: only then do the chains compose. With 96 sections 0.93 loses
            0.3 dB on average, 1 dB on a street in-ear; 64 sections, best at 0.95, lose 1 and 2 dB.
        secondary: Sections Ks of the secondary path.
        equaliser: Biquad ``b0 b1 b2 a1 a2`` behind the filter; none when None.
        weight: Weighting of the equations on the chain, shape (J,); none when None.
        delay: Samples by which the error lags the chains' states it is paired with; below ``every``, and at most the
            delay of any secondary path that may come.
        memory_s: Time constant of forgetting.
        every: Samples per equation.
        solve_s: Interval of the background's watch, and of its solves in the first second after start or change.
        solve_every: Intervals per solve after that.
        ridge: Regularisation of p and w, of the mean diagonal.
        ridge_path: Hold of s on its last estimate, of the mean diagonal of its own evidence: 1e-4 lets it walk at
            random until nothing is cancelled, 0.1 follows a change too slowly.
        ridge_start: Regularisation of w at the start, on top: it fades the filter in while there is little evidence.
        ridge_decay_s: Its time constant.
        auxiliary_db: Auxiliary noise over the residual at the error microphone.
        change_ratio: Prediction-error power over its slow level that counts as a change; 3 costs 1.3
            dB on a street, by false alarms.
        change_alike: Squared correlation of the prediction's error with what the driver is thought to add that does so
            too: where only bass is cancelled, 6 dB less gain hardly lift the error as a whole. 1 switches it off.
        change_keeps: Share of p's evidence that survives a change.
        harm_db: Error over silence, both over 20 ms, from which the filter backs off.
    """

    def __init__(
        self,
        *,
        coefficients: int = 96,
        model: Vector,
        rate_hz: int = 48_000,
        pole: float = 0.91,
        secondary: int = 48,
        equaliser: Vector | None = None,
        weight: Vector | None = None,
        delay: int = 0,
        memory_s: float = 2.0,
        every: int = 32,
        solve_s: float = 0.025,
        solve_every: int = 4,
        ridge: float = 1e-6,
        ridge_path: float = 1e-2,
        ridge_start: float = 1.0,
        ridge_decay_s: float = 0.025,
        auxiliary_db: float = -30.0,
        change_ratio: float = 4.0,
        change_alike: float = 0.4,
        change_keeps: float = 0.3,
        harm_db: float = 1.0,
    ) -> None:
        super().__init__()
        if not (2 <= coefficients <= 512 and 2 <= secondary <= 512 and every >= 1 and solve_every >= 1):
            raise ControllerError(
                f"coefficients {coefficients}, secondary {secondary}, every {every}, solve_every {solve_every}; "
                "expected 2..512, 2..512, 1 or more, 1 or more"
            )
        if not (0.0 <= pole < 1.0 and min(memory_s, solve_s, ridge, ridge_path, ridge_decay_s) > 0.0):
            raise ControllerError(
                f"pole {pole}, memory {memory_s} s, solve every {solve_s} s, ridges {ridge} and {ridge_path}, decay "
                f"{ridge_decay_s} s; expected 0 to below 1, and above 0"
            )
        if not (change_ratio > 1.0 and 0.0 < change_alike <= 1.0 and 0.0 < change_keeps <= 1.0):
            raise ControllerError(
                f"change at {change_ratio}, alike {change_alike}, keeps {change_keeps}; expected above 1, 0 to 1 both"
            )
        model = check_model(model)
        if not 0 <= delay < min(every, model.size):
            raise ControllerError(f"delay {delay}, expected 0 to below {min(every, model.size)} (every, model's taps)")
        section = np.array([1.0, 0.0, 0.0, 0.0, 0.0]) if equaliser is None else check_section(equaliser)
        weighting = np.ones(1) if weight is None else check_model(weight)
        rate = rate_hz / every
        self.interval = max(1, round(solve_s * rate)) * every
        self._rate_hz, self._equations_hz, self._memory_s, self._solve_every = rate_hz, rate, memory_s, solve_every
        self._ridge, self._ridge_path, self._alike, self._change_keeps = ridge, ridge_path, change_alike, change_keeps
        self._ridge_start, self._ridge_decay_s = ridge_start, ridge_decay_s
        self._auxiliary, self._harm = 10 ** (auxiliary_db / 20), 10 ** (harm_db / 10)
        self._started = self._changed = 0
        self._suspected = False
        self._counts = {"changes": 0.0, "back_offs": 0.0, "failed_solves": 0.0}
        xs, us, more = coefficients + secondary - 1, secondary, weighting.size - 1
        settings = np.zeros(11)
        settings[[EVERY, INSTANT, DELAY, RATIO]] = every, every, delay, change_ratio
        settings[[FAST, SLOW]] = 1 / (_FAST_S * rate), 1 / (_SLOW_S * rate)
        settings[COLOUR] = np.exp(-2 * np.pi * 500.0 / rate_hz)
        self.state = TrackingState(
            np.zeros(coefficients),
            np.zeros(coefficients),
            np.concatenate([np.zeros(xs), warp(through(section, model[delay:]), pole, us)]),
            settings,
            np.full(xs + more, pole),
            np.zeros(xs + more),
            np.zeros(us + more),
            np.zeros(1 + more),
            weighting,
            np.concatenate([section, np.zeros(2)]),
            np.zeros(xs + us + 1),
            np.zeros((xs + us + 1, xs + us + 1)),
            np.zeros(13),
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
    def primary_sections(self) -> int:
        """K + Ks - 1."""
        return int(self.state.x.size - self.state.weight.size + 1)

    @property
    def secondary(self) -> Vector:
        """The secondary path, equalised and without its bulk delay, as it is estimated now, shape (Ks,)."""
        return np.array(self.state.path[self.primary_sections :])

    def health(self) -> dict[str, float]:
        """Changes of the fit seen, back-offs for harm, solves that failed (the filter stayed)."""
        return dict(self._counts)

    def background(self, samples: int) -> None:
        """Watch, then solve for both paths and the filter, which is reached when the next solve is due."""
        state, settings = self.state, self.state.settings
        memory_s = min(self._memory_s, max(_LEAST_MEMORY_S, _GROWTH * self._seconds_since(self._started, samples)))
        settings[FORGETTING] = np.exp(-1 / (memory_s * self._equations_hz))
        target = self._watch(samples)
        eager = self._seconds_since(max(self._started, self._changed), samples) < _EAGER_S
        due = eager or samples // self.interval % self._solve_every == 0
        if target is None and due:
            target = self._solve(samples)
        if target is not None:
            # Over all the time there is: weights move in steps, and a steep stair is heard as a tone of its rate.
            steps = self.interval / settings[EVERY] * (1 if eager else self._solve_every)
            state.moving[:] = (target - state.weights) / steps
        elif due:
            state.moving[:] = 0.0

    def _seconds_since(self, then: int, now: int) -> float:
        return (now - then) / self._rate_hz

    def _watch(self, samples: int) -> Vector | None:
        """Silence, where the filter must back off."""
        watch = self.state.watch
        if self._seconds_since(self._started, samples) < _HOLD_S:
            watch[PREDICTION_SLOW] = max(watch[PREDICTION_SLOW], watch[PREDICTION_FAST])
            return None
        since_s = self._seconds_since(self._changed, samples) if self._changed else np.inf
        # A burst of the noise lifts the error of the prediction too, with the reference or for an instant.
        louder = max(1.0, watch[HEARD_FAST] / max(watch[HEARD_SLOW], 1e-30))
        suspect = watch[PREDICTION_FAST] > self.state.settings[RATIO] * louder * watch[PREDICTION_SLOW]
        suspect |= watch[ALIKE_FAST] ** 2 > self._alike * watch[PREDICTION_FAST] * watch[PLAYED_FAST]
        changed = suspect and self._suspected and since_s > _HOLD_S
        self._suspected = bool(suspect)
        # With a wrong s the silence of now is wrong too; what it usually is at this reference level is not yet.
        usual = _USUAL * watch[SILENCE_SLOW] * watch[HEARD_FAST]
        harmful = watch[ERROR_FAST] > self._harm * watch[SILENCE_FAST]
        harmful |= watch[ERROR_FAST] * watch[HEARD_SLOW] > self._harm * usual
        if not (changed or (harmful and since_s > _PATIENCE_S)):
            return None
        self._counts["changes" if suspect else "back_offs"] += 1
        self._changed = samples
        if since_s > _TWICE_S:
            as_if_silent(self.state.covariance, self.state.path[: self.primary_sections], self._change_keeps)
            return None
        self.state.covariance[:] *= _DROPPED
        self._started = samples
        return np.zeros_like(self.state.weights) if harmful else None

    def _solve(self, samples: int) -> Vector | None:
        """The filter that suits the evidence; updates the estimate of both paths."""
        covariance, path, xs = self.state.covariance, self.state.path, self.primary_sections
        if np.trace(covariance[:xs, :xs]) <= 0.0:
            return None
        age_s = self._seconds_since(self._started, samples)
        ridge = self._ridge + self._ridge_start * np.exp(-age_s / self._ridge_decay_s)
        try:
            p, s = fit_paths(covariance, xs, path[xs:], ridge=self._ridge, hold=self._ridge_path)
            weights = best_filter(covariance, xs, s, ridge=ridge)
        except np.linalg.LinAlgError:
            self._counts["failed_solves"] += 1
            return None
        path[:xs], path[xs:] = p, s
        self._set_auxiliary()
        return weights

    def _set_auxiliary(self) -> None:
        """Set the auxiliary noise by the residual and by what the estimated path makes of it."""
        settings, watch = self.state.settings, self.state.watch
        pole = self.state.poles[0]
        impulse = np.zeros(2048)
        impulse[0] = 1.0
        link = scipy.signal.lfilter([1.0], [1.0, -settings[COLOUR]], impulse)
        heard = np.zeros(2048)
        for coefficient in self.secondary:
            heard += coefficient * link
            link = scipy.signal.lfilter([-pole, 1.0], [1.0, -pole], link)
        # A uniform number of width 1 has the power 1/12.
        gain = np.sqrt(np.sum(heard**2) / 12)
        residual = np.sqrt(min(watch[ERROR_FAST], watch[ERROR_SLOW]))
        settings[LEVEL] = self._auxiliary * residual / gain if gain > 0.0 else 0.0
