"""Twin of the hybrid controller (firmware/src/dsp/hk_hybrid.c, hk_mix.c, hk_rls.c), bit for bit: integers in the two
filters, single precision in the background, every operation in the firmware's order."""

from dataclasses import dataclass

import numba
import numpy as np
from numpy.typing import NDArray

from hushkit_models.twin.fir import FirQ31Twin

Ints = NDArray[np.int32]
Longs = NDArray[np.int64]
Floats = NDArray[np.float32]

CONVEX, RATE = 0, 1
_GUARD_BITS = 5
_SHIFT = 31 - _GUARD_BITS
_GROUP = 128
_MEASURE = 8
_MAX_EXPONENT = 10
_FULL = np.float32(2.0**31)
_NEARLY_FULL = np.float32(2147480000.0)
_WITHIN = np.float32(0.999)
_FIRST_MEMORY = np.float32(32.0)
_ONE = np.float32(1.0)


@dataclass(frozen=True, slots=True)
class HybridSettings:
    """Integers of the design (hk_hybrid_design_t and its settings), and what turns them into times.

    ``prior`` is in Q1.31, last tap first; ``secondary`` the path's weights on the chain, first section first.
    """

    prior: tuple[int, ...]
    exponent: int
    step_q31: int
    leak_q31: int
    regularisation_q48: int
    weight_sum_limit: int
    short_taps: int
    one_minus_lambda_q32: int
    secondary: tuple[int, ...]
    secondary_exponent: int
    forget_ppb: int
    ridge_ppb: int
    start_ridge_ppb: int
    rule: int
    worst_condition: int
    reset_jobs: int
    update_block: int
    rate_hz: int


class HybridTwin:
    """One ear's controller: the filters of the interrupt and the job of the background.

    What ``update`` makes of block k acts from the first sample of block k + 2: the caller says when, by ``commit``,
    which also hands the chain over to the next ``update``.
    """

    def __init__(self, settings: HybridSettings) -> None:
        self._settings = settings
        short, model, taps = settings.short_taps, len(settings.secondary), len(settings.prior)
        self._control = FirQ31Twin(settings.prior, settings.exponent)
        self.weights: Ints = np.array(settings.prior, dtype=np.int32)
        self.warped: Ints = np.zeros(short, dtype=np.int32)
        self._warped_exponent = 0
        self._next: tuple[Ints, Ints, int] | None = None
        self._chain: Longs = np.zeros(short + model - 1, dtype=np.int64)
        self._snapshot: Longs = self._chain.copy()
        self._path: Longs = np.zeros(model, dtype=np.int64)
        self._model: Longs = np.array(settings.secondary, dtype=np.int64)
        self._filtered: Ints = np.zeros(taps, dtype=np.int32)
        self._w: Floats = self.weights.astype(np.float32) * (np.float32(2**settings.exponent) * (_ONE / _FULL))
        self._v: Floats = np.zeros(short, dtype=np.float32)
        self._rls = _Rls(short)
        self._mix = _Mix(settings.rule, settings.update_block, settings.rate_hz)
        self._power = np.float32(0)
        self._age = 0
        self._reset_in = 0
        self._longest = _ONE / (_ONE - np.float32(settings.forget_ppb / 1e9))
        self.clipped = 0

    @property
    def share(self) -> float:
        """Of the long filter in the mixture."""
        return float(self._mix.share)

    def filter(self, x: Ints) -> Ints:
        """Both filters with the weights that act now, any number of samples."""
        y = self._control.run(x, self.weights).astype(np.int64)
        lambda_ = self._settings.one_minus_lambda_q32
        sums = _chain_outputs(self._chain, self.warped.astype(np.int64), lambda_, np.asarray(x, dtype=np.int64))
        return _saturated(y + _saturated(sums >> (_SHIFT - self._warped_exponent)))

    def commit(self) -> None:
        """Let the finished update act, and hand the chain over."""
        if self._next is not None:
            self.weights, self.warped, self._warped_exponent = self._next
            self._next = None
        self._snapshot = self._chain.copy()

    def update(self, reference: Ints, target: int, *, adapt: bool = True, trust_q16: int = 1 << 16) -> None:
        """One job: an update block of the reference, Q1.31, the target at its end, and the worth of a step."""
        settings = self._settings
        sums = _chain_outputs(
            self._path, self._model, settings.one_minus_lambda_q32, np.asarray(reference, dtype=np.int64)
        )
        new = _saturated(sums >> (_SHIFT - settings.secondary_exponent))
        self._filtered = np.concatenate([self._filtered[settings.update_block :], new])
        if adapt:
            r, y_short = self._regressors()
            self._begin()
            self._learn(r, y_short, np.float32(target), np.float32(trust_q16) * np.float32(1 / 65536))

    def _regressors(self) -> tuple[Floats, np.float32]:
        short, model = self._v.size, self._model.size
        any_bits = int(np.bitwise_or.reduce(np.abs(self._snapshot))) | 1
        shift = any_bits.bit_length()
        sums = [int(self._model @ self._snapshot[k : k + model]) >> shift for k in range(short)]
        scale = np.float32(2**shift) * (np.float32(2**self._settings.secondary_exponent) * np.float32(2.0**-_SHIFT))
        r = np.array(sums, dtype=np.int32).astype(np.float32) * scale
        power, y = map(np.float32, _power_and_output(r, self._v))
        power *= _ONE / np.float32(short)
        share = _ONE / np.float32(self._age + 1) if self._age < _MEASURE else np.float32(1 / 256)
        self._power += share * (power - self._power)
        return r, y

    def _begin(self) -> None:
        self._age += 1
        if self._age == _MEASURE or self._reset_in == 1:
            self._restart()
        self._reset_in -= 1 if self._reset_in > 0 else 0
        grown = _FIRST_MEMORY + np.float32(self._age) * np.float32(1 / 3)
        memory = min(grown, self._longest)
        ridge = np.float32(self._settings.ridge_ppb / 1e9)
        self._rls.cap = _ONE / (ridge * memory * self._power + _ONE * np.float32(1e-6))
        self._rls.forget = _ONE - _ONE / memory

    def _restart(self) -> None:
        self._age = _MEASURE + 1
        self._reset_in = self._settings.reset_jobs
        ridge = np.float32(self._settings.start_ridge_ppb / 1e9)
        self._rls.restart(_ONE / (ridge * _FIRST_MEMORY * self._power + _ONE))

    def _learn(self, r: Floats, y_short: np.float32, target: np.float32, trust: np.float32) -> None:
        settings = self._settings
        y_long, power = map(np.float32, _long(self._w, self._filtered))
        runs = self._age > _MEASURE
        if runs:
            self._rls.enter(r)
        e_long, e_short = target + y_long, target + y_short
        self._mix.step(e_long, e_short)
        if runs:
            self._learn_short(e_short * trust)
        step = np.float32(settings.step_q31) * (_ONE / _FULL)
        floor = np.float32(settings.regularisation_q48 << 14)
        step = step * trust * e_long / (floor + power)
        keep = _ONE - np.float32(settings.leak_q31) * (_ONE / _FULL)
        self._round(np.float32(_update(self._w, self._filtered, keep, step)))

    def _learn_short(self, error: np.float32) -> None:
        rls = self._rls
        low, high = rls.diagonal.min(), rls.diagonal.max()
        condition = high / low if low > 0 else np.float32(-1)
        if not (0 < condition <= np.float32(self._settings.worst_condition) and rls.innovation > 0):
            self._restart()
            self.clipped += 1
            return
        self._v -= rls.gain * (error / rls.innovation)

    def _round(self, total: np.float32) -> None:
        settings, share = self._settings, self._mix.share
        unit = _FULL / np.float32(2**settings.exponent)
        allowed = np.float32(settings.weight_sum_limit >> 1) * np.float32(2) * _WITHIN
        found = total * share * unit
        clipping = not found <= allowed
        draw_back = allowed / found if clipping else _ONE
        scale = share * draw_back * unit
        weights = (self._w * scale).astype(np.int32)
        if clipping:
            self._w *= draw_back
        warped, exponent = _round_short(self._v, _ONE - share)
        if warped is None:
            self._v[:] = 0
            self._age = 0
            clipping = True
        self.clipped += clipping
        self._next = weights, np.zeros_like(self.warped) if warped is None else warped, exponent


class _Rls:
    """hk_rls.c."""

    def __init__(self, n: int) -> None:
        self.factor: Floats = np.zeros((n, n), dtype=np.float32)  # row j: column j of U
        self.diagonal: Floats = np.zeros(n, dtype=np.float32)
        self.gain: Floats = np.zeros(n, dtype=np.float32)
        self.forget = self.cap = self.innovation = _ONE

    def restart(self, start: np.float32) -> None:
        self.factor[:] = 0
        self.diagonal[:] = start

    def enter(self, r: Floats) -> None:
        self.innovation = np.float32(  # numba hands single precision over as double
            _enter(self.factor, self.diagonal, self.gain, r, self.forget, self.cap)
        )


class _Mix:
    """hk_mix.c."""

    def __init__(self, rule: int, update_block: int, rate_hz: int) -> None:
        block, rate = np.float32(update_block), np.float32(rate_hz)
        self._rule = rule
        self._fast_share = block / (np.float32(0.02) * rate)
        self._slow_share = block / (np.float32(0.5) * rate)
        self._rate_share = np.float32(0.001) * block
        self._logit_step = np.float32(0.01) * block
        self.share = np.float32(0.5) if rule == CONVEX else np.float32(0.3)
        self._logit = self._difference = self._fast = self._slow = np.float32(0)

    def step(self, e_long: np.float32, e_short: np.float32) -> None:
        e = self.share * e_long + (_ONE - self.share) * e_short
        if self._rule == CONVEX:
            self._by_gradient(e, e_long - e_short)
        else:
            self._fast += self._fast_share * (e * e - self._fast)
            self._slow += self._slow_share * (e * e - self._slow)
            falls = self._fast < np.float32(0.9) * self._slow
            goal = np.float32(0.3) if falls else np.float32(0.9)
            self.share += self._rate_share * (goal - self.share)

    def _by_gradient(self, e: np.float32, difference: np.float32) -> None:
        self._difference += self._fast_share * (difference * difference - self._difference)
        slope = self.share * (_ONE - self.share)
        logit = self._logit - self._logit_step * (e * difference * slope / (self._difference + _ONE))
        self._logit = max(min(logit, np.float32(4)), np.float32(-4))
        t = self._logit * np.float32(-1 / 16)
        inner = np.float32(0.5) + t * (np.float32(1 / 6) + t * np.float32(1 / 24))
        power = _ONE + t * (_ONE + t * inner)
        for _ in range(4):
            power = power * power
        self.share = _ONE / (_ONE + power)


def _round_short(v: Floats, share: np.float32) -> tuple[Ints | None, int]:
    """Integers with the least exponent that fits; None when none does."""
    scaled = share * v
    total = np.float32(0)
    for value in scaled:
        total += abs(value)
    exponent, scale = 0, _FULL
    while exponent < _MAX_EXPONENT and not total * scale < _NEARLY_FULL:
        exponent += 1
        scale *= np.float32(0.5)
    if not total * scale < _NEARLY_FULL:
        return None, 0
    return (scaled * scale).astype(np.int32), exponent


def _saturated(values: Longs) -> Ints:
    return np.clip(values, -(1 << 31), (1 << 31) - 1).astype(np.int32)


@numba.njit(cache=True)
def _chain_outputs(chain: Longs, weights: Longs, one_minus_lambda_q32: int, x: Longs) -> Longs:
    """Move an all-pass chain over samples and return its weighted sums (hk_warped_chain.c)."""
    y = np.empty(x.size, dtype=np.int64)
    for n in range(x.size):
        p = chain[0]
        t = x[n] >> _GUARD_BITS
        chain[0] = t
        for k in range(1, chain.size):
            u = chain[k]
            d = np.int64(np.int32(u - t))
            c = np.int64(np.int32(p + d))
            t = np.int64(np.int32((c * 4294967296 - one_minus_lambda_q32 * d + 2147483648) >> 32))
            chain[k] = t
            p = u
        total = np.int64(0)
        for k in range(weights.size):
            total += weights[k] * chain[k]
        y[n] = total
    return y


@numba.njit(cache=True)
def _power_and_output(r: Floats, v: Floats) -> tuple[np.float32, np.float32]:
    power = np.float32(0)
    y = np.float32(0)
    for k in range(r.size):
        power += r[k] * r[k]
        y += v[k] * r[k]
    return power, y


@numba.njit(cache=True)
def _long(w: Floats, xf: Ints) -> tuple[np.float32, np.float32]:
    """Output and power under the long filter, in groups of 128 with two sums each."""
    y = np.float32(0)
    power = np.float32(0)
    for first in range(0, w.size, _GROUP):
        y_even, y_odd = np.float32(0), np.float32(0)
        p_even, p_odd = np.float32(0), np.float32(0)
        for j in range(first, min(first + _GROUP, w.size), 2):
            even, odd = np.float32(xf[j]), np.float32(xf[j + 1])
            y_even += w[j] * even
            y_odd += w[j + 1] * odd
            p_even += even * even
            p_odd += odd * odd
        y += y_even + y_odd
        power += p_even + p_odd
    return y, power


@numba.njit(cache=True)
def _update(w: Floats, xf: Ints, keep: np.float32, step: np.float32) -> np.float32:
    """Leaky NLMS step; returns the sum of |w|, group by group."""
    total = np.float32(0)
    for first in range(0, w.size, _GROUP):
        part = np.float32(0)
        for j in range(first, min(first + _GROUP, w.size)):
            w[j] = keep * w[j] - step * np.float32(xf[j])
            part += abs(w[j])
        total += part
    return total


@numba.njit(cache=True)
def _enter(  # noqa: PLR0917 - numba takes positional arguments
    factor: Floats, diagonal: Floats, gain: Floats, r: Floats, forget: np.float32, cap: np.float32
) -> np.float32:
    """One equation into U D U^T; returns the innovation."""
    after = forget
    for j in range(r.size):
        column = factor[j]
        even, odd = r[j], np.float32(0)
        for i in range(0, j - 1, 2):
            even += column[i] * r[i]
            odd += column[i + 1] * r[i + 1]
        if j % 2:
            even += column[j - 1] * r[j - 1]
        f = even + odd
        v = diagonal[j] * f
        before = after
        after = before + f * v
        d = diagonal[j] * (before / (after * forget))
        diagonal[j] = d if d < cap else cap
        p = -f / before
        for i in range(j):
            u = column[i]
            column[i] = u + gain[i] * p
            gain[i] += u * v
        gain[j] = v
    return after
