"""Log-mel front end in integers: the same bits here, on the host and on the headset.

Samples at 48 kHz are decimated by three all-pass branches. Recordings at 16 kHz go without: up to 7.6 kHz the decimator
is flat within 0.001 dB, and what folds back lies 39.9 dB lower, so features are the same but for rounding.

A frame of 512 samples at 16 kHz is windowed, scaled up to full use of its word (block floating point), transformed by
CMSIS-DSP's q31 real FFT, gathered in 40 mel bands and taken to a base-2 logarithm. No noise suppression and no gain
control: steady noise is what the classifier has to hear.

Numbers: samples Q1.31 in int32; logarithms in 1/256 of an octave of power (3.01 dB / 256); features in 1/8 octave.
Twin: firmware/src/classify/hk_frontend.c, equal bit for bit.
"""

from functools import cache

import cmsisdsp
import numpy as np
from numba import njit
from numpy.typing import NDArray

RATE_HZ = 16_000
FRAME = 512
N_MELS = 40
N_FRAMES = 96
WINDOW = FRAME * N_FRAMES
LOW_HZ, HIGH_HZ = 40.0, 7600.0
POWER_SHIFT = 16
WEIGHT_BITS = 15
FEATURE_SHIFT = 5

DECIMATION = 3
BRANCHES = ((0.1189, 0.7525), (0.3179, 0.8914), (0.5766, 0.9604))
"""All-pass coefficients of the decimator's branches: a minimax fit of the stopband 8.4 to 23.6 kHz. At 24 kHz a filter
of this kind passes 1/3; that folds to 8 kHz, above the highest band."""
DECIMATOR_SHIFT = 4
"""Headroom in the branches: two all-passes in a row can peak at 6.3 times their input."""


@cache
def hann_q31() -> NDArray[np.int64]:
    """Periodic Hann window in Q1.31, shape (512,)."""
    w = 0.5 - 0.5 * np.cos(2.0 * np.pi * np.arange(FRAME) / FRAME)
    return np.asarray(np.minimum(np.round(w * 2.0**31), 2**31 - 1), dtype=np.int64)


@cache
def branches_q31() -> NDArray[np.int64]:
    """Coefficients of the decimator in Q1.31, shape (3, 2)."""
    return np.asarray(np.round(np.array(BRANCHES) * 2.0**31), dtype=np.int64)


@cache
def split_q31() -> NDArray[np.int64]:
    """Coefficients that part the spectrum of 512 real samples from that of 256 complex ones, shape (256, 3).

    Columns: (1 - sin) / 2, -cos / 2, (1 + sin) / 2 of the bin's angle; CMSIS-DSP's ``realCoefAQ31`` and
    ``realCoefBQ31`` at every sixteenth entry.
    """
    angle = 2.0 * np.pi * np.arange(FRAME // 2) / FRAME
    rows = np.column_stack([0.5 - 0.5 * np.sin(angle), -0.5 * np.cos(angle), 0.5 + 0.5 * np.sin(angle)])
    return np.asarray(np.clip(np.round(rows * 2.0**31), -(2**31), 2**31 - 1), dtype=np.int64)


@cache
def mel_bands() -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Triangular mel bands as first bin (40,), number of bins (40,), and weights in Q15, concatenated.

    Source: the mel scale as 2595 log10(1 + f / 700). A band narrower than two bins keeps at least its nearest bin.
    """
    low, high = (2595.0 * np.log10(1.0 + f / 700.0) for f in (LOW_HZ, HIGH_HZ))
    edges = 700.0 * (10.0 ** (np.linspace(low, high, N_MELS + 2) / 2595.0) - 1.0)
    bins = np.arange(FRAME // 2 + 1) * RATE_HZ / FRAME
    first, count, weights = [], [], []
    for left, centre, right in zip(edges[:-2], edges[1:-1], edges[2:], strict=True):
        triangle = np.minimum((bins - left) / (centre - left), (right - bins) / (right - centre))
        row = np.round(np.maximum(triangle, 0.0) * 2.0**WEIGHT_BITS).astype(np.int64)
        if not row.any():
            row[int(np.argmin(np.abs(bins - centre)))] = 2**WEIGHT_BITS
        (used,) = np.nonzero(row)
        first.append(used[0])
        count.append(used[-1] - used[0] + 1)
        weights.append(row[used[0] : used[-1] + 1])
    return np.array(first), np.array(count), np.concatenate(weights)


@cache
def log2_table() -> NDArray[np.int64]:
    """256 log2(1 + i / 256), rounded, shape (256,)."""
    return np.asarray(np.round(256.0 * np.log2(1.0 + np.arange(256) / 256.0)), dtype=np.int64)


@njit(cache=True)
def _log2_q8(value: np.uint64, table: NDArray[np.int64]) -> int:
    msb = 0
    rest = value
    while rest > 1:
        rest >>= np.uint64(1)
        msb += 1
    if value == 0:
        return 0
    mantissa = value >> np.uint64(msb - 8) if msb >= 8 else value << np.uint64(8 - msb)
    return int(msb * 256 + table[np.int64(mantissa) & 255])


@njit(cache=True)
def _log_mel(
    spectrum: NDArray[np.int32],
    headroom: int,
    bands: tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]],
    table: NDArray[np.int64],
) -> NDArray[np.int32]:
    first, count, weights = bands
    power = np.empty(257, np.uint64)
    for k in range(257):
        re, im = np.int64(spectrum[2 * k]), np.int64(spectrum[2 * k + 1])
        power[k] = np.uint64(re * re + im * im) >> np.uint64(POWER_SHIFT)
    out = np.empty(len(first), np.int32)
    at = 0
    for m in range(len(first)):
        total = np.uint64(0)
        for j in range(count[m]):
            total += power[first[m] + j] * np.uint64(weights[at + j])
        at += count[m]
        out[m] = _log2_q8(total, table) - 512 * headroom
    return out


class Decimator:
    """48 kHz to 16 kHz; state carries over from call to call."""

    def __init__(self) -> None:
        self._state = np.zeros((DECIMATION, 3), np.int64)  # per branch: last input, last of either all-pass
        self._rest = np.zeros(0, np.int32)

    def run(self, samples: NDArray[np.int32]) -> NDArray[np.int32]:
        """Decimate Q1.31 samples, shape (n,); what does not fill three is kept for the next call."""
        whole = np.concatenate([self._rest, np.asarray(samples, np.int32)])
        n = len(whole) // DECIMATION
        self._rest = whole[n * DECIMATION :]
        return _decimate(self._state, branches_q31(), whole[: n * DECIMATION].reshape(n, DECIMATION))


_THIRD_Q31 = round(2**31 / 3)


@njit(cache=True)
def _decimate(
    state: NDArray[np.int64], coefficients: NDArray[np.int64], triples: NDArray[np.int32]
) -> NDArray[np.int32]:
    out = np.empty(len(triples), np.int32)
    for n in range(len(triples)):
        total = np.int64(0)
        for branch in range(3):  # the newest sample feeds the first branch
            x = np.int64(triples[n, 2 - branch]) >> DECIMATOR_SHIFT
            before = state[branch, 0]
            state[branch, 0] = x
            for k in range(2):
                y = before + ((coefficients[branch, k] * (x - state[branch, k + 1])) >> 31)
                before, x = state[branch, k + 1], y
                state[branch, k + 1] = y
            total += x
        value = (total * _THIRD_Q31) >> (31 - DECIMATOR_SHIFT)
        out[n] = min(max(value, -(2**31)), 2**31 - 1)
    return out


def frame_power_q48(samples: NDArray[np.int32]) -> NDArray[np.uint64]:
    """Sum of squares of each whole frame, in units of 2^-48 of full-scale power; shape (n // 512,)."""
    frames = samples[: len(samples) // FRAME * FRAME].reshape(-1, FRAME).astype(np.int64)
    return np.asarray(((frames * frames) >> 14).sum(axis=1), dtype=np.uint64)


def log_mel(samples: NDArray[np.int32]) -> NDArray[np.int32]:
    """Base-2 logarithm of the power in each mel band of each whole frame.

    Args:
        samples: Q1.31 at 16 kHz, shape (n,); what does not fill a frame is left out.

    Returns:
        Shape (n // 512, 40), in 1/256 octave of power; silence is near -15000.
    """
    fft = cmsisdsp.arm_rfft_instance_q31()
    cmsisdsp.arm_rfft_init_q31(fft, FRAME, 0, 1)
    window, bands, table = hann_q31(), mel_bands(), log2_table()
    frames = samples[: len(samples) // FRAME * FRAME].reshape(-1, FRAME)
    out = np.empty((len(frames), N_MELS), np.int32)
    for index, frame in enumerate(frames.astype(np.int64)):
        peak = int(np.abs(frame).max())
        headroom = max(0, 31 - peak.bit_length()) if peak else 30
        scaled = ((frame << headroom) * window) >> 31
        out[index] = _log_mel(cmsisdsp.arm_rfft_q31(fft, scaled.astype(np.int32)), headroom, bands, table)
    return out


def features(log_mels: NDArray[np.int32]) -> NDArray[np.int8]:
    """The network's input: one window of logarithms relative to their mean, so that level is no cue.

    Args:
        log_mels: Shape (96, 40), from :func:`log_mel`.

    Returns:
        Shape (96, 40), in 1/8 octave of power, clipped to the int8 range (48 dB either way).
    """
    mean = int(log_mels.sum(dtype=np.int64)) // log_mels.size
    relative = (log_mels - mean + (1 << (FEATURE_SHIFT - 1))) >> FEATURE_SHIFT
    return np.clip(relative, -128, 127).astype(np.int8)


def to_q31(samples: NDArray[np.float64], *, rms_dbfs: float) -> NDArray[np.int32]:
    """Scale samples to a level and quantise them to Q1.31, clipping as a converter would.

    Args:
        samples: Any scale, shape (n,).
        rms_dbfs: RMS level wanted, relative to full scale.
    """
    rms = float(np.sqrt(np.mean(samples**2)))
    gain = 10.0 ** (rms_dbfs / 20.0) / rms if rms > 0.0 else 0.0
    return np.asarray(np.clip(np.round(samples * gain * 2.0**31), -(2**31), 2**31 - 1), dtype=np.int32)
