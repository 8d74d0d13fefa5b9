"""The fixed feedback controller: error microphone to driver, robust over everything a fit can do to the path.

With S the path from the controller's output to its input and C the controller, noise d at the ear becomes

    e = d / (1 - S C),

so the sensitivity 1 / |1 - S C| says per frequency what feedback does. C is shaped for the design scene: it makes least
what the causal optimum of the feedforward filter leaves, under the condition that in every fit of the set the
sensitivity stays below a limit. A Nyquist curve that keeps 1 / limit away from the critical point has margins of
20 log10(1 / (1 - 1 / limit)) dB and 2 asin(1 / (2 limit)): 10.7 dB and 41 degrees for a waterbed of 3 dB, more than is
asked for, which leaves room for what no set contains.

The sections' coefficients are found by direct search (Nelder and Mead, from fixed starts, so every run finds the same):
five per section, a cost with a corner at every limit, and no path through an unstable loop.

Programme must not be cancelled: the controller hears the error microphone less what programme is meant to sound like,
by a model of the path in a few sections. The ear then hears it as (1 - M C) / (1 - S C) times what it would without
feedback, which the design reports.
"""

import math
from dataclasses import dataclass, replace

import numpy as np
import scipy.optimize
import scipy.signal
from hushkit.spec import Feedback
from numpy.typing import NDArray

from hushkit_codegen.design.quantize import biquad_response, quantize_sos
from hushkit_codegen.design.rational import fit_sections, parameters_of, sections_of
from hushkit_codegen.design.spectra import DesignScene, Response, residual_power
from hushkit_codegen.design.wiener import wiener_fir
from hushkit_codegen.errors import DesignError
from hushkit_codegen.ir import BiquadIr, FilterIr, FilterQuality, SilentIr

GAINS_DB = (-6.0, -3.0, 0.0, 3.0, 6.0)
"""Of the path, as ears and cushions differ. Beyond +-3 dB a fit is not comfortable but must stay stable: there the
margins count, and the waterbed is let go."""

WATERBED_GAIN_DB = 3.0
LEAKS_HZ = (None, (60.0, 250.0))
"""Second-order cut-off of the cushion's leak: as measured, and with spectacles under it."""

SHIFTS = (0, 1, 2)
"""Samples of delay added: the driver sits deeper, the ear further away."""

LOOP_GAINS = (0.1, 0.2, 0.35, 0.5, 0.7, 0.85, 1.0)
"""Ramps, intensity and the limiter turn the loop down, never up: the loop must be stable at each on the way."""

LEAST_GAIN_DB = 0.5
"""A controller that brings less is left out: its programme model and its noise are not worth it."""

_END_SHIFTS = (0, len(SHIFTS) - 1)
_IDEAL_TAPS = 2048
_GRID = 1 << 14
_POINTS = 100
_DENSE = 900
_LOWEST_HZ = 0.5
_HIGHEST_HZ = 23_000.0
_STARTS_HZ = ((20.0, 300.0), (60.0, 600.0))
_START_LOOP = 0.3
_RESTARTS = 5
_EVALUATIONS = 120
"""Per coefficient and restart."""

_EFFORT = 1e-3
_PRICE = 5.0
"""Decibels of cost per decibel over a limit: below 2, searches end outside; much above, they stick to the limit."""

_DERATING = 0.98
_SHY_DB = 0.1
"""The fit aims this much below the limits: quantizing and the denser grid of the check take some of it."""

_UNSTABLE = 1e3
"""Cost of a loop that encircles the critical point: no step there is ever taken."""

_MODEL_FROM_HZ, _MODEL_TO_HZ = 25.0, 6000.0


@dataclass(frozen=True, slots=True)
class Fits:
    """Every fit of the set on one frequency grid, and the sensitivity it may reach.

    Attributes:
        responses: From the controller's output to its input, shape (fits, m); the first is the measured one.
        limits: Largest sensitivity of each, shape (fits,), dimensionless.
    """

    responses: Response
    limits: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Plant:
    """The measured path as the controller meets it.

    Attributes:
        taps: From the driver to the error microphone, shape (n,), dimensionless.
        latency_samples: From the error microphone's sample to the driver.
        dc_pole: Of the blocker that the error microphone passes; 0: none.
    """

    taps: NDArray[np.float64]
    latency_samples: int
    dc_pole: float

    def response(self, omega: NDArray[np.float64]) -> Response:
        """From the controller's output to its input, at radians per sample, shape (m,)."""
        delay = np.exp(-1j * omega)
        blocked = (1 - delay) / (1 - self.dc_pole * delay) if self.dc_pole else 1.0
        _, path = scipy.signal.freqz(self.taps, worN=omega)
        return np.asarray(path * delay**self.latency_samples * blocked, dtype=np.complex128)


def fit_set(path: Response, frequency: NDArray[np.float64], spec: Feedback, *, rate_hz: int) -> Fits:
    """The measured path, and what the set makes of it.

    Args:
        path: Measured response, latency included, shape (m,).
        frequency: Hertz, shape (m,).
        spec: Limits.
        rate_hz: Sample rate, for shifts.
    """
    s = 2j * np.pi * frequency
    responses, limits = [path], [10 ** (spec.waterbed_db / 20)]
    for gain_db in GAINS_DB:
        within = abs(gain_db) <= WATERBED_GAIN_DB
        for leak in LEAKS_HZ:
            moved = path if leak is None else path * highpass_ratio(s, *leak)
            for shift in SHIFTS:
                responses.append(moved * 10 ** (gain_db / 20) * np.exp(-s * shift / rate_hz))
                limits.append(10 ** (spec.waterbed_db / 20) if within else _margin_limit(spec))
    return Fits(np.array(responses), np.array(limits))


def highpass_ratio(s: Response, from_hz: float, to_hz: float) -> Response:
    """Second-order Butterworth high-pass at one frequency in place of that at another."""
    below, above = ([1.0, 2 * np.pi * f * math.sqrt(2), (2 * np.pi * f) ** 2] for f in (from_hz, to_hz))
    return np.asarray(np.polyval(below, s) / np.polyval(above, s), dtype=np.complex128)


def _margin_limit(spec: Feedback) -> float:
    """Sensitivity below which a Nyquist curve has both margins whatever its shape."""
    distance = max(1 - 10 ** (-spec.margin_db / 20), 2 * math.sin(math.radians(spec.margin_deg) / 2))
    return 1 / distance


def encirclements(loop: Response) -> NDArray[np.int64]:
    """How often each loop S C goes round the critical point, shape (fits,): 0 means stable, as S and C are.

    Args:
        loop: S C from near 0 Hz to near the Nyquist frequency, shape (fits, m), fine enough that no step turns by half.
    """
    distance = 1 - loop
    steps = np.angle(distance[:, 1:] / distance[:, :-1]).sum(axis=1)
    turns = (steps + np.angle(distance[:, 0]) - np.angle(distance[:, -1])) / (2 * np.pi)
    return np.asarray(np.round(turns), dtype=np.int64)


@dataclass(frozen=True, slots=True)
class LoopQuality:
    """What a controller does over the set.

    Attributes:
        stable: In every fit and at every gain from 0 to its own.
        gain_db: What feedforward leaves, over what is left with feedback, in the measured fit.
        waterbed_db: Worst amplification of any frequency, fits within WATERBED_GAIN_DB.
        margin_db, margin_deg: Least gain and phase margin over all fits.
    """

    stable: bool
    gain_db: float
    waterbed_db: float
    margin_db: float
    margin_deg: float

    def keeps(self, spec: Feedback) -> bool:
        """Whether every limit is kept."""
        return (
            self.stable
            and self.waterbed_db <= spec.waterbed_db
            and self.margin_db >= spec.margin_db
            and self.margin_deg >= spec.margin_deg
        )


def judge_loop(controller: Response, fits: Fits, left: NDArray[np.float64]) -> LoopQuality:
    """Judge a controller's response, shape (m,), over a set, given the power that feedforward leaves, shape (m,)."""
    loop = fits.responses * controller
    stable = all(not encirclements(loop * gain).any() for gain in LOOP_GAINS)
    sensitivity = 1 / np.abs(1 - loop)
    strict = fits.limits <= fits.limits[0]
    margins = [_margins(row) for row in loop]
    return LoopQuality(
        stable=stable,
        gain_db=10 * math.log10(float(left.sum() / (left * sensitivity[0] ** 2).sum())),
        waterbed_db=20 * math.log10(float(sensitivity[strict].max())),
        margin_db=min(gain for gain, _ in margins),
        margin_deg=min(phase for _, phase in margins),
    )


def _margins(loop: Response) -> tuple[float, float]:
    """Gain margin in dB and phase margin in degrees of one stable loop; 99 and 180 where it never crosses."""
    real, imag = loop.real, loop.imag
    crossing = np.flatnonzero((imag[1:] * imag[:-1] < 0) & (real[1:] > 0))
    reach = np.abs(loop[crossing]) if crossing.size else np.array([1e-5])
    reach = np.maximum(reach, np.abs(loop[crossing + 1])) if crossing.size else reach
    inside = reach[reach < 1]
    gain_db = -20 * math.log10(float(inside.max())) if inside.size else 99.0
    unit = np.flatnonzero((np.abs(loop[1:]) - 1) * (np.abs(loop[:-1]) - 1) < 0)
    phase = float(np.degrees(np.abs(np.angle(loop[unit]))).min()) if unit.size else 180.0
    return gain_db, phase


def design_feedback(
    spec: Feedback, scene: DesignScene, plant: Plant
) -> tuple[FilterIr, FilterIr, FilterQuality | None]:
    """Design the controller and the model that keeps programme out of it.

    Args:
        spec: What the headset spec wants.
        scene: Spectra of the design scene.
        plant: The measured path: the scene's, but at any frequency, as a loop's low end lies below the scene's grid.

    Returns:
        Controller, model of the path without that delay, and what was found; silent, with a warning, where feedback
        brings less than LEAST_GAIN_DB.

    Raises:
        DesignError: Rows given in the spec that break its own margins, or cannot be quantized.
    """
    if spec.kind == "none":
        return SilentIr(), SilentIr(), None
    left = residual_power(scene, np.fft.rfft(wiener_fir(scene, _IDEAL_TAPS, np.ones(scene.frequency.size)), _GRID))
    grid = _grid(scene, plant, left, _DENSE)
    fits = fit_set(grid.path, grid.frequency, spec, rate_hz=scene.rate_hz)
    if spec.kind == "sos":
        design = quantize_sos(np.array(spec.rows), name="filters.feedback.rows")
        found = judge_loop(biquad_response(design, grid.omega), fits, grid.left)
        if not found.keeps(spec):
            raise DesignError(f'filters.feedback.rows: {_describe(found)}; turn the gain down, or use kind = "fit"')
    else:
        tried = [_derated(sos, spec, fits, grid) for sos in _shaped(spec, scene, plant, left)]
        design, found = max(tried, key=lambda item: (item[1].keeps(spec), item[1].gain_db))
        if not found.keeps(spec) or found.gain_db < LEAST_GAIN_DB:
            warning = f"left out: {found.gain_db:.1f} dB would be all it brings beside the feedforward optimum"
            return SilentIr(), SilentIr(), FilterQuality("feedback", 0, 0, 0, warning)
    model, colour_db = _programme_model(spec, design, plant, rate_hz=scene.rate_hz)
    quality = FilterQuality(
        "feedback",
        round(colour_db * 1000),
        round(found.gain_db * 1000),
        -round(found.waterbed_db * 1000),
        margin_mdb=round(found.margin_db * 1000),
        margin_mdeg=round(found.margin_deg * 1000),
    )
    return design, model, quality


def _describe(found: LoopQuality) -> str:
    if not found.stable:
        return "unstable in a fit of the set"
    return f"waterbed {found.waterbed_db:.1f} dB, margins {found.margin_db:.1f} dB and {found.margin_deg:.0f} degrees"


def _derated(sos: NDArray[np.float64], spec: Feedback, fits: Fits, grid: "_Grid") -> tuple[BiquadIr, LoopQuality]:
    """Quantize, check on the dense grid, and turn down until every limit is kept."""
    quieter = sos.copy()
    while True:
        design = quantize_sos(quieter, name="filters.feedback")
        found = judge_loop(biquad_response(design, grid.omega), fits, grid.left)
        if found.keeps(spec) or found.gain_db < LEAST_GAIN_DB:
            return design, found
        quieter[0, :3] *= _DERATING


@dataclass(frozen=True, slots=True)
class _Grid:
    """Frequencies a loop is shaped or checked on.

    Attributes:
        frequency, omega: Hertz, and radians per sample, shape (m,).
        left: Power that feedforward leaves around each.
        path: The measured path.
    """

    frequency: NDArray[np.float64]
    omega: NDArray[np.float64]
    left: NDArray[np.float64]
    path: Response


def _grid(scene: DesignScene, plant: Plant, left: NDArray[np.float64], points: int) -> _Grid:
    top = min(_HIGHEST_HZ, 0.48 * scene.rate_hz)
    frequency = np.geomspace(_LOWEST_HZ, top, points)
    edges = np.concatenate([[frequency[0]], np.sqrt(frequency[1:] * frequency[:-1]), [frequency[-1]]])
    power = np.interp(edges, scene.frequency, np.cumsum(left))
    omega = 2 * np.pi * frequency / scene.rate_hz
    return _Grid(frequency, omega, np.diff(power), plant.response(omega))


def _shaped(spec: Feedback, scene: DesignScene, plant: Plant, left: NDArray[np.float64]) -> list[NDArray[np.float64]]:
    """Controllers of up to the spec's sections, grown from one, from two starts."""
    grid = _grid(scene, plant, left, _POINTS)
    shy = replace(spec, waterbed_db=spec.waterbed_db - _SHY_DB)
    fits = _corners(fit_set(grid.path, grid.frequency, shy, rate_hz=scene.rate_hz))
    cost = _LoopCost(fits, grid.left / grid.left.sum(), np.exp(-1j * np.outer([0, 1, 2], grid.omega)))
    found = []
    for low_hz, high_hz in _STARTS_HZ:
        sos = _start(fits.responses[0], grid.frequency, low_hz, high_hz, rate_hz=scene.rate_hz)
        for n_sections in range(1, spec.sections + 1):
            if n_sections > 1:
                sos = np.concatenate([sos, _neutral(n_sections)])
            for _ in range(_RESTARTS):
                start = parameters_of(sos)
                options = {"maxfev": _EVALUATIONS * start.size, "adaptive": True, "xatol": 1e-6, "fatol": 1e-5}
                best = scipy.optimize.minimize(cost, start, method="Nelder-Mead", options=options)
                sos = sections_of(best.x)
            found.append(sos)
    return found


def _corners(fits: Fits) -> Fits:
    """The measured fit and the set's extremes: what lies between is met by the check."""
    per_gain = len(LEAKS_HZ) * len(SHIFTS)
    kept = [0]
    for index in range(1, len(fits.limits)):
        gain, rest = divmod(index - 1, per_gain)
        if GAINS_DB[gain] in {GAINS_DB[0], WATERBED_GAIN_DB, GAINS_DB[-1]} and rest % len(SHIFTS) in _END_SHIFTS:
            kept.append(index)
    return Fits(fits.responses[kept], fits.limits[kept])


def _start(
    path: Response, frequency: NDArray[np.float64], low_hz: float, high_hz: float, *, rate_hz: int
) -> NDArray[np.float64]:
    """A band-pass whose loop is gentle and of the sign that cancels at the band's middle."""
    sos = np.asarray(scipy.signal.butter(1, [low_hz, high_hz], "bandpass", fs=rate_hz, output="sos"), dtype=np.float64)
    middle = int(np.argmin(np.abs(frequency - math.sqrt(low_hz * high_hz))))
    _, response = scipy.signal.sosfreqz(sos, [2 * np.pi * frequency[middle] / rate_hz])
    loop = complex(path[middle] * response[0])
    sos[0, :3] *= -math.copysign(_START_LOOP / abs(loop), loop.real)
    return sos


def _neutral(number: int) -> NDArray[np.float64]:
    """A section that does nothing yet: its poles on its zeros, higher for each further section."""
    angle = 0.01 * 3.0 ** (number - 2)
    radius = 1 - angle
    half = [1.0, -2 * radius * math.cos(angle), radius**2]
    return np.array([[*half, *half]])


@dataclass(frozen=True, slots=True)
class _LoopCost:
    """What is left at the ear in the measured fit, in dB, and a steep price on every limit that is broken.

    ``left`` sums to 1; ``delays`` are z^0, z^-1, z^-2, shape (3, m).
    """

    fits: Fits
    left: NDArray[np.float64]
    delays: Response

    def __call__(self, parameters: NDArray[np.float64]) -> float:
        """Cost of sections in the parameters of design.rational."""
        rows = sections_of(parameters)
        controller = np.prod((rows[:, :3] @ self.delays) / (rows[:, 3:] @ self.delays), axis=0)
        loop = self.fits.responses * controller
        if not np.isfinite(loop).all() or encirclements(loop).any():
            return _UNSTABLE
        sensitivity = 1 / np.abs(1 - loop)
        over_db = 20 * math.log10(float((sensitivity / self.fits.limits[:, None]).max()))
        effort = _EFFORT * float(np.mean(np.abs(loop[0]) ** 2))
        left_db = 10 * math.log10(float(np.sum(self.left * sensitivity[0] ** 2)))
        return left_db + effort + _PRICE * max(over_db, 0.0)


def _programme_model(spec: Feedback, controller: BiquadIr, plant: Plant, *, rate_hz: int) -> tuple[BiquadIr, float]:
    """Sections for the path without its whole samples of latency, and how much they let feedback colour programme."""
    omega = 2 * np.pi * np.geomspace(_MODEL_FROM_HZ, _MODEL_TO_HZ, _POINTS) / rate_hz
    whole, answer = plant.response(omega), biquad_response(controller, omega)
    delay = np.exp(-1j * omega * plant.latency_samples)
    sos = fit_sections(whole / delay, omega, np.abs(answer), spec.model_sections)
    design = quantize_sos(sos, name="filters.feedback.model_sections")
    colour = np.abs((1 - biquad_response(design, omega) * delay * answer) / (1 - whole * answer))
    return design, float(np.abs(20 * np.log10(colour)).max())
