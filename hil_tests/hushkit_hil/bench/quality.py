"""Acoustic figures of a run, by the project's measuring protocol."""

from dataclasses import dataclass

import numpy as np
from hushkit_models.acoustics.bound import Bound, causal_bound
from hushkit_models.acoustics.metrics import (
    attenuation,
    convergence_time,
    default_window,
    snr_db,
    thd_percent,
    worst_moment_db,
    worst_sustained_db,
)
from hushkit_models.acoustics.scenario import SELF_NOISE_DB_SPL, PlantSignals
from numpy.typing import NDArray

from hushkit_hil.bench.result import MODELLED, Acoustics, EarResult
from hushkit_hil.targets.plant import PlantRun

BOUND_TAPS = 4096
TONE_HZ = 1000.0
_TONE_LEVEL = 0.1  # -20 dBFS: above the self-noise, far below the limiter
_TONE_S = 2.0


@dataclass(frozen=True, slots=True)
class Tone:
    """Distortion and noise of a programme tone of -20 dBFS at the ear, in silence, with the firmware cancelling."""

    thd_percent: float
    snr_db: float


def bound_of(signals: PlantSignals, latency_samples: int) -> Bound:
    """The best causal filter for the signals: 4096 taps, or what a short run can carry."""
    starts = [segment.start for segment in signals.segments] + [signals.reference.shape[1]]
    taps = min(BOUND_TAPS, int(min(np.diff(starts))) // 4)
    return causal_bound(signals, latency_samples=latency_samples, taps=taps)


def acoustics(signals: PlantSignals, error: NDArray[np.int32], bound: Bound, tone: Tone | None) -> Acoustics:
    """Judge what the error microphones heard.

    Args:
        signals: What the plant played.
        error: Error microphones with cancellation, Q1.31, shape (ears, n); n may lack the last incomplete block.
        bound: The causal bound of the same signals.
        tone: Distortion figures, or None.

    Returns:
        The figures.
    """
    n, rate_hz = error.shape[1], signals.rate_hz
    on = error / 2.0**31
    off, best = signals.disturbance[:, :n], bound.residual[:, :n]
    window = default_window(n / rate_hz)
    reached = attenuation(off, on, rate_hz=rate_hz, window_s=window)
    possible = attenuation(off, best, rate_hz=rate_hz, window_s=window)
    ears = [attenuation(a, b, rate_hz=rate_hz, window_s=window) for a, b in zip(off, on, strict=True)]
    ears_possible = [attenuation(a, b, rate_hz=rate_hz, window_s=window) for a, b in zip(off, best, strict=True)]
    changes = tuple(segment.start / rate_hz for segment in signals.segments[1:])
    return Acoustics(
        attenuation_db=reached.attenuation_db,
        attenuation_dba=reached.attenuation_dba,
        octaves_db=reached.octaves_db,
        bound_db=possible.attenuation_db,
        bound_octaves_db=possible.octaves_db,
        bound_taps=bound.taps,
        distance_db=possible.attenuation_db - reached.attenuation_db,
        t3_s=convergence_time(on, best, rate_hz=rate_hz),
        worst_octave_amplification_db=reached.worst_octave_amplification_db(),
        worst_octave_amplification_below_4khz_db=reached.worst_octave_amplification_db(below_hz=4000.0),
        worst_moment_db=worst_moment_db(off, on, rate_hz=rate_hz),
        worst_sustained_db=worst_sustained_db(off, on, rate_hz=rate_hz, changes_s=changes),
        recovery_s=convergence_time(on, best, rate_hz=rate_hz, start_s=changes[-1]) if changes else None,
        thd_percent=None if tone is None else tone.thd_percent,
        snr_db=None if tone is None else tone.snr_db,
        window_s=window,
        ears=tuple(
            EarResult(ear.attenuation_db, ear.attenuation_dba, limit.attenuation_db)
            for ear, limit in zip(ears, ears_possible, strict=True)
        ),
        evidence=MODELLED,
    )


def tone_run(run: PlantRun, *, full_scale_db_spl: float, seed: int) -> PlantRun:
    """The same plant in a silent room, its microphones' self-noise only, with a tone of 1 kHz as programme.

    Args:
        run: The plant; its first paths are taken.
        full_scale_db_spl: Level of a sine of amplitude 1.0.
        seed: Of the self-noise.
    """
    n = round(_TONE_S * run.rate_hz) // run.block * run.block
    wave = _TONE_LEVEL * np.sin(2 * np.pi * TONE_HZ / run.rate_hz * np.arange(n))
    hiss = np.sqrt(0.5) * 10 ** ((SELF_NOISE_DB_SPL - full_scale_db_spl) / 20)
    rng = np.random.default_rng(seed)
    return PlantRun(
        rate_hz=run.rate_hz,
        block=run.block,
        latency_samples=run.latency_samples,
        reference=hiss * rng.standard_normal((run.n_ears, n)),
        disturbance=hiss * rng.standard_normal((run.n_ears, n)),
        secondary=run.secondary[:1],
        feedback=None if run.feedback is None else run.feedback[:1],
        programme=np.tile(np.round(wave * 2.0**31).astype(np.int32), (run.n_ears, 1)),
    )


def judge_tone(error: NDArray[np.int32], rate_hz: int) -> Tone:
    """Distortion and noise of the last second at the error microphones, the worse ear."""
    ears = [row[-rate_hz:] / 2.0**31 for row in error]
    return Tone(
        thd_percent=max(thd_percent(ear, rate_hz=rate_hz, fundamental_hz=TONE_HZ) for ear in ears),
        snr_db=min(snr_db(ear, rate_hz=rate_hz, fundamental_hz=TONE_HZ) for ear in ears),
    )
