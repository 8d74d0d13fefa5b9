"""The two fixed filters of a headset: feedforward cancellation and hear-through, fitted to the path set and quantized.

Feedforward: a causal Wiener FIR is the ideal; vector fitting turns it into sections, and Gauss-Newton steps then
minimize what remains at the ear itself. A filter must not amplify any octave of its own design scene beyond
AMPLIFY_LIMIT_DB: where it would, the fit is repeated with more weight on that, then turned down; where nothing helps,
the filter is left out and the design says so.

Hear-through: the sum of what leaks in and what the driver plays should have the level of the open ear from 100 Hz to
6 kHz. Its phase is free, so the start is a delayed open ear and the refinement looks at levels only.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from hushkit.spec import Filter
from numpy.typing import NDArray

from hushkit_codegen.design.quantize import biquad_response, fir_response, quantize_fir, quantize_sos
from hushkit_codegen.design.rational import fit_sections, refine_sections
from hushkit_codegen.design.spectra import (
    GRID,
    OCTAVES_HZ,
    DesignScene,
    Response,
    Spectrum,
    attenuation_db,
    band,
    octave_attenuation_db,
)
from hushkit_codegen.design.wiener import wiener_fir
from hushkit_codegen.ir import BiquadIr, FilterIr, FilterQuality, FirIr, SilentIr

FLAT_FROM_HZ = 100.0
FLAT_TO_HZ = 6000.0
FLAT_TOLERANCE_DB = 3.0

_IDEAL_TAPS = 2048
_POINTS = 320
_ROUNDS = 8
_RAISE = 4.0
"""Factor on an octave's weight after a round in which the filter amplified there."""

_EVEN_SHARE = 0.03
"""Share of the weight spread evenly over the octaves: a scene without treble must not leave treble to chance. More
costs attenuation where the noise is, less needs more rounds."""

AMPLIFY_LIMIT_DB = 1.0
"""An octave may come out this much louder: the smallest step one hears. No causal filter attenuates low noise and
leaves every higher octave as it was: 0.5 dB costs 4 dB of attenuation in the ear canal, 0 dB more than 10."""

_SAFE_DB = 0.95
_CAUTION_DB = 0.6
_FEWEST = 4
_GROWTH = 2
_DERATINGS = (0.95, 0.9, 0.85, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2)
_PUNISHMENT = 0.02
"""Start of the weight on amplification: lower lets the first rounds amplify in vain, higher costs attenuation."""

_HINGE = 1.19
_LOWEST_HZ = 6.0
_HIGHEST = 0.4999
"""Range of the fits: below, nothing is heard; above, converters' filters hide what the driver does (of the rate)."""

_EFFORT = 1e-3


@dataclass(frozen=True, slots=True)
class _Band:
    """The frequencies a fit looks at: bins of the grid, angular frequencies, and the bins each one stands for."""

    bins: NDArray[np.intp]
    omega: NDArray[np.float64]
    width: NDArray[np.float64]


def design_feedforward(spec: Filter, scene: DesignScene) -> tuple[FilterIr, FilterQuality]:
    """Design the cancelling filter.

    Args:
        spec: What the headset spec wants.
        scene: Spectra of the design scene.

    Returns:
        The integer filter and what was found about it; silent, with a warning, where it would amplify.

    Raises:
        DesignError: Given rows cannot be quantized.
    """
    place = "filters.feedforward"
    if spec.kind == "none":
        return SilentIr(), FilterQuality("feedforward", 0, 0, 0)
    if spec.kind == "sos":
        design: FilterIr = quantize_sos(np.array(spec.rows), name=f"{place}.rows")
        return _judged(scene, design, ideal=None)
    ideal = wiener_fir(scene, spec.taps or _IDEAL_TAPS, np.ones(scene.frequency.size))
    if spec.kind == "fir":
        designs = list(_taps_tried(spec, scene))
    else:
        designs = [quantize_sos(sos, name=place) for sos in _sections_tried(scene, ideal, spec.sections)]
    judged = [_judged(scene, design, ideal=_on_grid(ideal)) for design in designs]
    return max(judged, key=_merit)


def _merit(item: tuple[FilterIr, FilterQuality]) -> tuple[bool, int]:
    return not isinstance(item[0], SilentIr), item[1].attenuation_mdb


def _taps_tried(spec: Filter, scene: DesignScene) -> Iterator[FilterIr]:
    """Causal optima with more and more weight on the octaves in which the one before amplified."""
    weight = _even_weight(scene)
    for _ in range(_ROUNDS):
        taps = wiener_fir(scene, spec.taps, weight)
        yield quantize_fir(taps, name="filters.feedforward", fmt=spec.format)
        levels = octave_attenuation_db(scene, _on_grid(taps))
        for centre in (centre for centre, level in levels.items() if level < -_CAUTION_DB):
            weight = weight * np.where(band(scene.frequency, centre), _RAISE, 1.0)


def _sections_tried(scene: DesignScene, ideal: NDArray[np.float64], n_sections: int) -> list[NDArray[np.float64]]:
    """Fits punished harder and harder for amplifying, from two starts: vector fitting, and the best of fewer sections.

    The problem has many local minima; growing from fewer sections makes sure that more sections are never worse.
    """
    starts = [_start_cancelling(scene, ideal, n_sections)]
    if n_sections > _FEWEST:
        fewer = max(1, n_sections - _GROWTH)
        starts += [_grown(sos, n_sections) for sos in _sections_tried(scene, ideal, fewer)]
    found = []
    for start in starts:
        sos = start
        for number in range(_ROUNDS):
            sos = _refine_cancelling(scene, sos, _PUNISHMENT * _RAISE**number)
            levels = octave_attenuation_db(scene, _response_of(sos, scene))
            if min(levels.values()) >= -_SAFE_DB:
                found.append(sos)
                break
        else:
            found.append(_derated(scene, sos))
    return [max(found, key=lambda sos: _sections_merit(scene, sos))]


def _derated(scene: DesignScene, sos: NDArray[np.float64]) -> NDArray[np.float64]:
    """Turn a filter down until no octave is amplified; unchanged where that does not help."""
    for gain in _DERATINGS:
        quieter = sos.copy()
        quieter[0, :3] *= gain
        if _sections_merit(scene, quieter)[0]:
            return quieter
    return sos


def _sections_merit(scene: DesignScene, sos: NDArray[np.float64]) -> tuple[bool, float]:
    response = _response_of(sos, scene)
    safe = min(octave_attenuation_db(scene, response).values()) >= -_SAFE_DB
    return safe, attenuation_db(scene, response)


def _grown(sos: NDArray[np.float64], n_sections: int) -> NDArray[np.float64]:
    """Add sections that do nothing yet: a pole pair on a zero pair, spread over the middle octaves."""
    missing = n_sections - len(sos)
    angles = np.geomspace(0.02, 0.3, missing) if missing > 1 else np.array([0.1])
    radii = 1 - angles
    neutral = np.column_stack([np.ones(missing), -2 * radii * np.cos(angles), radii**2])
    return np.concatenate([sos, np.concatenate([neutral, neutral], axis=1)])


def _response_of(sos: NDArray[np.float64], scene: DesignScene) -> Response:
    delays = np.exp(-1j * np.outer([0, 1, 2], _omega(scene)))
    return np.asarray(np.prod((sos[:, :3] @ delays) / (sos[:, 3:] @ delays), axis=0), dtype=np.complex128)


def design_transparency(spec: Filter, scene: DesignScene) -> tuple[FilterIr, FilterQuality]:
    """Design the hear-through filter.

    Args:
        spec: What the headset spec wants.
        scene: Spectra of the design scene; the direct primary path is what leaks in.

    Returns:
        The integer filter and what was found about it; a warning where 3 dB of flatness is not reached.

    Raises:
        DesignError: Given rows cannot be quantized.
    """
    place = "filters.transparency"
    if spec.kind == "none":
        return SilentIr(), FilterQuality("transparency", 0, 0, 0)
    if spec.kind == "sos":
        design: FilterIr = quantize_sos(np.array(spec.rows), name=f"{place}.rows")
        return design, _flatness(scene, design)
    candidates = []
    for delay in _open_ear_delays(scene):
        wanted = np.exp(-1j * _omega(scene) * delay)
        taps = _hear_through_fir(scene, wanted, spec.taps or 512)
        if spec.kind == "fir":
            design = quantize_fir(taps, name=place, fmt=spec.format)
        else:
            design = quantize_sos(_fit_hear_through(scene, taps, spec.sections), name=place)
        candidates.append((design, _flatness(scene, design)))
    return min(candidates, key=lambda item: item[1].worst_octave_mdb)


def filter_response(design: FilterIr, scene: DesignScene) -> Response:
    """Response of an integer filter on the scene's grid."""
    if isinstance(design, BiquadIr):
        return biquad_response(design, _omega(scene))
    if isinstance(design, FirIr):
        return fir_response(design, _omega(scene))
    return np.zeros(scene.frequency.size, dtype=np.complex128)


def _judged(scene: DesignScene, design: FilterIr, *, ideal: Response | None) -> tuple[FilterIr, FilterQuality]:
    response = filter_response(design, scene)
    octaves = octave_attenuation_db(scene, response)
    worst_hz = min(octaves, key=lambda centre: octaves[centre])
    worst = octaves[worst_hz]
    error_db = 0.0
    if ideal is not None:
        power = scene.reference * np.abs(scene.secondary) ** 2
        error = float(np.sum(power * np.abs(response - ideal) ** 2) / np.sum(power * np.abs(ideal) ** 2))
        error_db = 10 * math.log10(max(error, 1e-15))
    if worst < -AMPLIFY_LIMIT_DB:
        warning = f"left out: it would amplify the octave at {worst_hz} Hz by {-worst:.1f} dB"
        return SilentIr(), FilterQuality("feedforward", _mdb(error_db), 0, 0, warning)
    total = attenuation_db(scene, response)
    return design, FilterQuality("feedforward", _mdb(error_db), _mdb(total), _mdb(worst))


def _even_weight(scene: DesignScene) -> Spectrum:
    """1 plus, per octave, what brings the octave at least its even share of the disturbance."""
    power = scene.disturbance
    total = float(power.sum())
    weight = np.ones(power.size)
    for centre in OCTAVES_HZ:
        inside = band(scene.frequency, centre)
        if inside.any():
            share = float(power[inside].sum()) / total
            weight[inside] += _EVEN_SHARE / len(OCTAVES_HZ) / max(share, 1e-12)
    return weight


def _fit_band(scene: DesignScene, low_hz: float, high_hz: float) -> _Band:
    step = scene.frequency[1]
    wanted = np.geomspace(low_hz, high_hz, _POINTS)
    bins = np.unique(np.round(wanted / step).astype(np.intp))
    bins = bins[(bins > 0) & (bins < scene.frequency.size - 1)]
    edges = np.sqrt(bins[1:].astype(np.float64) * bins[:-1])
    edges = np.concatenate([[bins[0] - 0.5], edges, [bins[-1] + 0.5]])
    return _Band(bins, _omega(scene)[bins], np.diff(edges))


def _band_mean(values: Spectrum, fit: _Band) -> Spectrum:
    """Power that each frequency of a fit stands for: bins are summed where they are sparse."""
    return np.asarray(values[fit.bins] * fit.width, dtype=np.float64)


@dataclass(frozen=True, slots=True)
class _LevelCost:
    """Level of leak + path * response in dB, weighted; outside the flat band the response itself, in 1 / effort."""

    leak: Response
    path: Response
    weight: NDArray[np.float64]
    effort: NDArray[np.float64]

    def residuals(self, response: Response) -> NDArray[np.float64]:
        """Residuals, shape (3 m,)."""
        ear = self.leak + self.path * response
        level = 20 * np.log10(np.maximum(np.abs(ear), 1e-9))
        quiet = self.effort * response
        return np.concatenate([self.weight * level, quiet.real, quiet.imag])

    def slopes(self, response: Response, change: Response) -> NDArray[np.float64]:
        """Their derivatives, shape (3 m, p)."""
        ear = self.leak + self.path * response
        per_db = 20 / math.log(10)
        relative = (self.path / np.where(np.abs(ear) < 1e-9, 1e-9, ear))[:, None] * change
        quiet = self.effort[:, None] * change
        return np.concatenate([per_db * self.weight[:, None] * relative.real, quiet.real, quiet.imag])


def _start_cancelling(scene: DesignScene, ideal: NDArray[np.float64], n_sections: int) -> NDArray[np.float64]:
    fit = _fit_band(scene, _LOWEST_HZ, _HIGHEST * scene.rate_hz)
    power = _band_mean(_even_weight(scene) * scene.reference, fit)
    weight = np.sqrt(power) * np.abs(scene.secondary[fit.bins])
    return fit_sections(_on_grid(ideal)[fit.bins], fit.omega, weight, n_sections)


def _refine_cancelling(scene: DesignScene, sos: NDArray[np.float64], punishment: float) -> NDArray[np.float64]:
    fit = _fit_band(scene, _LOWEST_HZ, _HIGHEST * scene.rate_hz)
    before = _band_mean(scene.disturbance, fit)
    power = _band_mean(scene.reference, fit) / float(before.sum())
    # Where the scene is silent the driver still must not be pushed: wind and footsteps are in no design scene.
    driven = np.maximum(power, _EVEN_SHARE * power.sum() / power.size)
    frequency = scene.frequency[fit.bins]
    edges = [0.0, *(centre / math.sqrt(2) for centre in OCTAVES_HZ), OCTAVES_HZ[-1] * math.sqrt(2), math.inf]
    inside = [(frequency >= low) & (frequency < high) for low, high in pairwise(edges)]
    shares = np.array([mask * power / before[mask].sum() for mask in inside if mask.any()]) * before.sum()
    cost = _CancelCost(
        path=scene.secondary[fit.bins],
        cross=scene.cross[fit.bins],
        amplitude=np.sqrt(power),
        effort=np.sqrt(driven * _EFFORT) * float(np.abs(scene.secondary).max()),
        octaves=shares,
        punishment=math.sqrt(punishment),
    )
    return refine_sections(sos, fit.omega, cost)


@dataclass(frozen=True, slots=True)
class _CancelCost:
    """Power left at the ear over the power without a filter, the driver's effort, and a hinge on amplified octaves.

    ``octaves`` has a row per octave: what each frequency's |loop|^2 adds to the octave's power, over its power without
    a filter. The hinge is that ratio where it exceeds _HINGE.
    """

    path: Response
    cross: Response
    amplitude: NDArray[np.float64]
    effort: NDArray[np.float64]
    octaves: NDArray[np.float64]
    punishment: float

    def residuals(self, response: Response) -> NDArray[np.float64]:
        """Residuals, shape (4 m + octaves,)."""
        left = self.amplitude * (self.cross + self.path * response)
        push = self.effort * response
        hinge = self.punishment * np.maximum(self._ratio(response) - _HINGE, 0.0)
        return np.concatenate([left.real, left.imag, push.real, push.imag, hinge])

    def slopes(self, response: Response, change: Response) -> NDArray[np.float64]:
        """Their derivatives, shape (4 m + octaves, p)."""
        left = (self.amplitude * self.path)[:, None] * change
        push = self.effort[:, None] * change
        active = self.punishment * (self._ratio(response) > _HINGE)
        toward = 2 * np.conj(self.cross + self.path * response) * self.path
        hinge = active[:, None] * (self.octaves @ (toward[:, None] * change).real)
        return np.concatenate([left.real, left.imag, push.real, push.imag, hinge])

    def _ratio(self, response: Response) -> NDArray[np.float64]:
        power = np.abs(self.cross + self.path * response) ** 2 - np.abs(self.cross) ** 2
        return np.asarray(1.0 + self.octaves @ power, dtype=np.float64)


def _open_ear_delays(scene: DesignScene) -> tuple[float, ...]:
    """Delays of the open ear to try, in samples: the driver's own delay and a little more."""
    impulse = np.fft.irfft(scene.secondary, GRID)
    onset = int(np.argmax(np.abs(impulse) > 0.2 * np.abs(impulse).max()))
    return tuple(float(onset + extra) for extra in (0, 1, 2, 4))


def _hear_through_fir(scene: DesignScene, wanted: Response, taps: int) -> NDArray[np.float64]:
    """Causal least squares of the open ear minus what leaks in, through the secondary path."""
    flat = (scene.frequency > FLAT_FROM_HZ / 1.5) & (scene.frequency < FLAT_TO_HZ * 1.3)
    pink = np.where(flat, 1.0 / np.maximum(scene.frequency, FLAT_FROM_HZ), 1e-6)
    stand_in = DesignScene(
        rate_hz=scene.rate_hz,
        frequency=scene.frequency,
        reference=pink,
        cross=scene.primary - wanted,
        disturbance=pink,
        primary=scene.primary,
        secondary=scene.secondary,
    )
    return wiener_fir(stand_in, taps, np.ones(pink.size))


def _fit_hear_through(scene: DesignScene, taps: NDArray[np.float64], n_sections: int) -> NDArray[np.float64]:
    fit = _fit_band(scene, 30.0, _HIGHEST * scene.rate_hz)
    frequency = scene.frequency[fit.bins]
    plant = scene.secondary[fit.bins]
    inside = (frequency >= FLAT_FROM_HZ * 0.9) & (frequency <= FLAT_TO_HZ * 1.1)
    weight = np.abs(plant) * np.where(inside, 1.0, 0.05)
    start = fit_sections(_on_grid(taps)[fit.bins], fit.omega, weight, n_sections)
    cost = _LevelCost(
        leak=scene.primary[fit.bins],
        path=plant,
        weight=np.where(inside, 1.0, 0.0),
        effort=np.where(inside, 0.0, 0.3),
    )
    return refine_sections(start, fit.omega, cost)


def _flatness(scene: DesignScene, design: FilterIr) -> FilterQuality:
    inside = (scene.frequency >= FLAT_FROM_HZ) & (scene.frequency <= FLAT_TO_HZ)
    ear = scene.primary + scene.secondary * filter_response(design, scene)
    level = 20 * np.log10(np.maximum(np.abs(ear[inside]), 1e-9))
    worst = float(np.abs(level).max())
    weight = 1.0 / scene.frequency[inside]
    rms = math.sqrt(float(np.sum(weight * level**2) / weight.sum()))
    warning = ""
    if worst > FLAT_TOLERANCE_DB:
        at_hz = scene.frequency[inside][int(np.abs(level).argmax())]
        warning = (
            f"not flat: {worst:.1f} dB off at {at_hz:.0f} Hz, {FLAT_TOLERANCE_DB:g} dB wanted; allow more sections"
        )
    return FilterQuality("transparency", _mdb(rms), 0, _mdb(worst), warning)


def _on_grid(taps: NDArray[np.float64]) -> Response:
    return np.asarray(np.fft.rfft(taps, GRID), dtype=np.complex128)


def _omega(scene: DesignScene) -> NDArray[np.float64]:
    return np.asarray(2 * np.pi * scene.frequency / scene.rate_hz, dtype=np.float64)


def _mdb(value_db: float) -> int:
    return round(value_db * 1000)
