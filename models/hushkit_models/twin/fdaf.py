"""Twin of the frequency-domain controller (firmware/src/dsp/hk_fdaf.c, hk_fft.c), bit for bit: integers in the control
filter, single precision in the update, every operation in the firmware's order."""

from dataclasses import dataclass

import numba
import numpy as np
from numpy.typing import NDArray

from hushkit_models.twin.fir import FirQ31Twin

Ints = NDArray[np.int32]
Floats = NDArray[np.float32]

BLOCK = 128
FRAME = 2 * BLOCK
BINS = BLOCK + 1
_STAGES = 4
_SPLIT = _STAGES
_PAIR = _SPLIT + 1 + 4
_STEPS_OF_PAIR = 2 + _STAGES + 2
_POWER_SHARE = np.float32(0.1)
_DELTA_LIMIT = np.float32(1 << 30)


@dataclass(frozen=True, slots=True)
class FdafSettings:
    """Integers of the design (hk_fdaf_design_t and its settings), and the update block's length in samples.

    ``secondary`` and ``prior`` are taps in Q1.31, last in time first, with their exponents.
    """

    secondary: tuple[int, ...]
    secondary_exponent: int
    prior: tuple[int, ...]
    exponent: int
    step_q31: int
    leak_q31: int
    regularisation_q48: int
    weight_sum_limit: int
    update_block: int


class FdafTwin:
    """One ear's controller: the filter of the interrupt and the jobs of the background.

    An update is spread over the jobs of the block after the one it learns from; here it is computed whole in the job
    that finishes it. The caller says when results act, by ``commit``.
    """

    def __init__(self, settings: FdafSettings) -> None:
        taps = len(settings.prior)
        self._settings = settings
        self._jobs = BLOCK // settings.update_block
        steps = _PAIR + _STEPS_OF_PAIR * (taps // FRAME) + 1
        self._finishing_job = (steps - 1) // -(-steps // self._jobs)
        self.weights: Ints = np.array(settings.prior, dtype=np.int32)
        self._next: Ints | None = None
        self._control = FirQ31Twin(settings.prior, settings.exponent)
        self._secondary = FirQ31Twin(settings.secondary, settings.secondary_exponent)
        self._filtered: Ints = np.zeros(FRAME, dtype=np.int32)
        self._error: Ints = np.zeros(BLOCK, dtype=np.int32)
        self._job = 0
        self._adapt = True
        self._trust_q16 = 1 << 16
        self._loaded = False
        self._updating = False
        self._frame: Floats = np.zeros((FRAME, 2), dtype=np.float32)
        self._scale = np.float32(0)
        self._spectra: Floats = np.zeros((taps // BLOCK, BINS, 2), dtype=np.float32)
        self._newest = 0
        self._power: Floats = np.zeros(BINS, dtype=np.float32)
        self.clipped = 0

    def filter(self, x: Ints) -> Ints:
        """Control filter with the weights that act now, any number of samples."""
        return self._control.run(x, self.weights)

    def commit(self) -> None:
        """Let the finished update act."""
        if self._next is not None:
            self.weights = self._next
            self._next = None

    def update(self, reference: Ints, error: Ints, *, adapt: bool = True, trust_q16: int = 1 << 16) -> None:
        """One job: an update block of the reference and of the error microphone, Q1.31, and the worth of a step."""
        if self._loaded and self._job == self._finishing_job:
            self._learn()
        at = self._job * self._settings.update_block
        end = at + self._settings.update_block
        self._filtered[BLOCK + at : BLOCK + end] = self._secondary.run(reference)
        self._error[at:end] = error
        first = self._job == 0
        self._adapt = adapt and (first or self._adapt)
        self._trust_q16 = trust_q16 if first else min(trust_q16, self._trust_q16)
        self._job = (self._job + 1) % self._jobs
        if self._job == 0:
            self._load()

    def _load(self) -> None:
        xf_bits, e_bits = _bits(self._filtered), _bits(self._error)
        raised = xf_bits - e_bits
        self._frame[:, 0] = self._filtered
        self._frame[:BLOCK, 1] = 0
        self._frame[BLOCK:, 1] = self._error.astype(np.float32) * _power_of_two(raised)
        self._updating = self._adapt and xf_bits > 0 and e_bits > 0
        scale = _power_of_two(31 - self._settings.exponent) / np.float32(FRAME) * _power_of_two(-raised)
        trust = np.float32(self._trust_q16) * np.float32(1 / 65536)
        self._scale = np.float32(scale * trust)
        partitions = self._spectra.shape[0]
        self._newest = (self._newest - 1) % partitions
        self._loaded = True
        self._filtered[:BLOCK] = self._filtered[BLOCK:]

    def _learn(self) -> None:
        settings = self._settings
        weighted = _analyse(self._frame, self._spectra[self._newest])
        step = np.float32(settings.step_q31) * np.float32(2.0**-31)
        _weigh(self._spectra, self._power, weighted, step, np.float32(settings.regularisation_q48 << 14))
        if not self._updating:
            return
        delta = _gradients(self._frame, self._spectra, self._newest, weighted) * self._scale
        delta = np.clip(delta, -_DELTA_LIMIT, _DELTA_LIMIT)[::-1]  # last tap first
        weights = [
            _saturate(w - (w * settings.leak_q31 >> 31) - int(d))
            for w, d in zip(self.weights.tolist(), delta.tolist(), strict=True)
        ]
        self._next = np.array(self._bounded(weights), dtype=np.int32)

    def _bounded(self, weights: list[int]) -> list[int]:
        limit = self._settings.weight_sum_limit
        total = sum(abs(w) for w in weights)
        if total <= limit:
            return weights
        self.clipped += 1
        factor = (limit << 31) // (total + 1)
        return [(abs(w) * factor >> 31) * (1 if w >= 0 else -1) for w in weights]


def _bits(values: Ints) -> int:
    """Bits of the largest magnitude."""
    return int(np.abs(values.astype(np.int64)).max()).bit_length()


def _power_of_two(exponent: int) -> np.float32:
    return np.float32(2.0**exponent)


def _saturate(value: int) -> int:
    return min(max(value, -(1 << 31)), (1 << 31) - 1)


def _twiddles() -> Floats:
    """The table of CMSIS-DSP, which has nine decimals: cos and sin of 2 pi i / 256."""
    angle = 2 * np.pi * np.arange(FRAME) / FRAME
    table: Floats = np.stack([np.cos(angle), np.sin(angle)], axis=1).round(9).astype(np.float32)
    return table


_TWIDDLES = _twiddles()


@numba.njit(cache=True)
def _place(k: int) -> int:
    return ((k & 3) << 6) | ((k & 12) << 2) | ((k >> 2) & 12) | (k >> 6)


@numba.njit(cache=True)
def _rotate(z: Floats, at: int, turn: int, sign: np.float32, twiddles: Floats) -> tuple[np.float32, np.float32]:
    """z[at] times e^(sign 2 pi i turn / 256)."""
    re, im = z[at, 0], z[at, 1]
    c, s = twiddles[turn, 0], twiddles[turn, 1]
    return re * c - sign * (im * s), im * c + sign * (re * s)


@numba.njit(cache=True)
def _transform(z: Floats, inverse: bool, twiddles: Floats) -> None:
    """hk_fft_forward (rotations behind the butterfly), or hk_fft_inverse (before it), all stages."""
    sign = np.float32(1.0) if inverse else np.float32(-1.0)
    for stage in range(4):
        quarter = 1 << (2 * stage) if inverse else 64 >> (2 * stage)
        turn = 64 // quarter
        for j in range(quarter):
            for at in range(j, 256, 4 * quarter):
                if inverse:
                    for part in range(1, 4):
                        place = at + part * quarter
                        z[place, 0], z[place, 1] = _rotate(z, place, part * j * turn, sign, twiddles)
                even_re, even_im = z[at, 0] + z[at + 2 * quarter, 0], z[at, 1] + z[at + 2 * quarter, 1]
                left_re, left_im = z[at, 0] - z[at + 2 * quarter, 0], z[at, 1] - z[at + 2 * quarter, 1]
                odd_re = z[at + quarter, 0] + z[at + 3 * quarter, 0]
                odd_im = z[at + quarter, 1] + z[at + 3 * quarter, 1]
                turn_re = sign * (z[at + quarter, 0] - z[at + 3 * quarter, 0])
                turn_im = sign * (z[at + quarter, 1] - z[at + 3 * quarter, 1])
                z[at, 0], z[at, 1] = even_re + odd_re, even_im + odd_im
                z[at + quarter, 0], z[at + quarter, 1] = left_re - turn_im, left_im + turn_re
                z[at + 2 * quarter, 0], z[at + 2 * quarter, 1] = even_re - odd_re, even_im - odd_im
                z[at + 3 * quarter, 0], z[at + 3 * quarter, 1] = left_re + turn_im, left_im - turn_re
                if not inverse:
                    for part in range(1, 4):
                        place = at + part * quarter
                        z[place, 0], z[place, 1] = _rotate(z, place, part * j * turn, sign, twiddles)


@numba.njit(cache=True)
def _split(z: Floats, reference: Floats, error: Floats) -> None:
    half = np.float32(0.5)
    for k in range(BINS):
        here, there = _place(k), _place((FRAME - k) % FRAME)
        reference[k, 0] = half * (z[here, 0] + z[there, 0])
        reference[k, 1] = half * (z[here, 1] - z[there, 1])
        error[k, 0] = half * (z[here, 1] + z[there, 1])
        error[k, 1] = half * (z[there, 0] - z[here, 0])


@numba.njit(cache=True)
def _weigh(spectra: Floats, power: Floats, weighted: Floats, step: np.float32, floor: np.float32) -> None:
    share = _POWER_SHARE
    for k in range(BINS):
        latest = np.float32(0.0)
        for p in range(spectra.shape[0]):
            re, im = spectra[p, k, 0], spectra[p, k, 1]
            latest += re * re + im * im
        power[k] += share * (latest - power[k])
        larger = latest if latest > power[k] else power[k]
        gain = step / (larger + floor)
        weighted[k, 0] *= gain
        weighted[k, 1] *= gain


def _analyse(frame: Floats, reference: Floats) -> Floats:
    """Spectra of reference (into its row) and error (returned) out of one transform."""
    _transform(frame, False, _TWIDDLES)
    weighted = np.empty((BINS, 2), dtype=np.float32)
    _split(frame, reference, weighted)
    return weighted


@numba.njit(cache=True)
def _correlate(z: Floats, x: Floats, older: Floats, e: Floats) -> None:
    for k in range(BINS):
        a_re = x[k, 0] * e[k, 0] + x[k, 1] * e[k, 1]
        a_im = x[k, 0] * e[k, 1] - x[k, 1] * e[k, 0]
        b_re = older[k, 0] * e[k, 0] + older[k, 1] * e[k, 1]
        b_im = older[k, 0] * e[k, 1] - older[k, 1] * e[k, 0]
        here, there = _place(k), _place((FRAME - k) % FRAME)
        z[there, 0], z[there, 1] = a_re + b_im, b_re - a_im
        z[here, 0], z[here, 1] = a_re - b_im, b_re + a_im


def _gradients(frame: Floats, spectra: Floats, newest: int, weighted: Floats) -> Floats:
    """The first half of every partition's gradient, first tap first, times 256."""
    partitions = spectra.shape[0]
    found = []
    for pair in range(partitions // 2):
        rows = [(newest + 2 * pair + part) % partitions for part in (0, 1)]
        _correlate(frame, spectra[rows[0]], spectra[rows[1]], weighted)
        _transform(frame, True, _TWIDDLES)
        found += [frame[:BLOCK, 0].copy(), frame[:BLOCK, 1].copy()]
    return np.concatenate(found)
