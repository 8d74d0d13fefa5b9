"""Headset spec and path set to the integer design of the whole headset."""

import math

import numpy as np
from hushkit.spec import ALGORITHMS, MODES, Fdaf, FxNlms, HeadsetSpec, Hybrid, NoAdaptive, WarpedLs
from hushkit.spec_usual import with_usual_settings
from hushkit_models.acoustics import AcousticsError
from hushkit_models.acoustics.paths import PathSet, load_paths

from hushkit_codegen.design.categories import design_categories
from hushkit_codegen.design.classic import design_fdaf, design_fxnlms, design_hybrid
from hushkit_codegen.design.classifier import design_classifier
from hushkit_codegen.design.feedback import Plant, design_feedback
from hushkit_codegen.design.fixed import design_feedforward, design_transparency
from hushkit_codegen.design.prior import PriorTask, design_priors
from hushkit_codegen.design.quantize import quantize_fir, to_q31
from hushkit_codegen.design.spectra import DesignScene, design_scene
from hushkit_codegen.design.warped import design_warped_ls
from hushkit_codegen.errors import DesignError
from hushkit_codegen.ir import AdaptiveIr, FilterQuality, FirIr, HeadsetIr, NoAdaptiveIr, SilentIr

_IDLE_UPDATE_BLOCK = 32
_LONGEST_LATENCY_US = 20_000.0


def design_headset(
    spec: HeadsetSpec,
    paths: PathSet | None = None,
    algorithm: str | None = None,
    *,
    latency_us: float | None = None,
) -> HeadsetIr:
    """Design one headset.

    Args:
        spec: The headset spec.
        paths: Path set at the spec's sample rate; the spec's own when None.
        algorithm: Adaptive algorithm in place of the spec's, with that algorithm's usual settings
            (`hushkit.spec_usual`); ``none`` leaves the adaptive filter out.
        latency_us: Whole delay from the reference microphone's sample to the driver; what the spec needs when None.

    Returns:
        The integer design. Filters that had to be left out or miss their tolerance carry a warning in ``quality``.

    Raises:
        DesignError: The paths cannot be loaded or have another rate, the latency is less than the spec needs, or the
            algorithm is unknown.
    """
    spec = _with_algorithm(spec, algorithm)
    loaded = _paths(spec, paths)
    latency = _latency_samples(spec, latency_us)
    scene = design_scene(
        loaded,
        noise=spec.acoustics.noise,
        field=spec.acoustics.field,
        latency_samples=latency,
        dc_pole=_dc_pole(spec),
    )
    feedforward, first = design_feedforward(spec.feedforward, scene)
    feedback, feedback_model, back = design_feedback(
        spec.feedback, scene, Plant(loaded.secondary, latency, _dc_pole(spec))
    )
    transparency, second = design_transparency(spec.transparency, scene)
    secondary, third = _secondary(spec, loaded, latency)
    adaptive, fourth = _adaptive(spec, scene, loaded, latency)
    task = PriorTask(spec, loaded, latency, _dc_pole(spec), feedforward)
    adaptive, priors, found = design_priors(task, adaptive)
    return HeadsetIr(
        spec_name=spec.name,
        spec_digest=spec.digest(),
        core=spec.core.type,
        clock_hz=spec.core.clock_hz,
        rate_hz=spec.audio.rate_hz,
        ears=spec.audio.ears,
        block=spec.audio.block,
        has_error_microphone=int("error" in spec.audio.microphones),
        start_mode=MODES.index(spec.modes.start),
        full_scale_mdb_spl=round(spec.converters.full_scale_db_spl * 1000),
        latency_samples=latency,
        paths=loaded.name,
        feedforward=feedforward,
        transparency=transparency,
        secondary=secondary,
        update_block=spec.adaptive.update_block or _IDLE_UPDATE_BLOCK,
        adaptive=adaptive,
        dc_block_pole_q31=to_q31(
            math.exp(-2 * math.pi * spec.dc_block_hz / spec.audio.rate_hz), name="dc_block.corner_hz"
        ),
        limiter_threshold_q31=to_q31(10 ** (spec.limiter.threshold_dbfs / 20), name="limiter.threshold_dbfs"),
        limiter_release_q31=_release(spec),
        ramp_samples=max(1, _samples(spec, spec.modes.ramp_ms)),
        watch_samples=max(spec.audio.block, _samples(spec, spec.watch.window_ms)),
        watch_ratio_q16=round(10 ** (spec.watch.ratio_db / 10) * 65536),
        categories=design_categories(spec, priors),
        classifier=design_classifier(spec),
        feedback=feedback,
        feedback_model=feedback_model,
        quality=tuple(item for item in (first, second, third, fourth, back, *found) if item is not None),
    )


def _with_algorithm(spec: HeadsetSpec, algorithm: str | None) -> HeadsetSpec:
    if algorithm is None or algorithm == spec.adaptive.algorithm:
        return spec
    if algorithm not in ALGORITHMS:
        raise DesignError(f"algorithm {algorithm}: unknown; choose one of {', '.join(ALGORITHMS)}")
    return with_usual_settings(spec, algorithm)


def _paths(spec: HeadsetSpec, paths: PathSet | None) -> PathSet:
    if paths is None:
        try:
            paths = load_paths(spec.acoustics.paths, spec.audio.rate_hz)
        except AcousticsError as err:
            raise DesignError(f"acoustics.paths: {err}") from err
    if paths.rate_hz != spec.audio.rate_hz:
        raise DesignError(
            f"paths {paths.name}: {paths.rate_hz} Hz, but audio.rate_hz is {spec.audio.rate_hz}; load them at that rate"
        )
    return paths


def _latency_samples(spec: HeadsetSpec, latency_us: float | None) -> int:
    if latency_us is None:
        return spec.needed_latency_samples
    if not latency_us >= spec.needed_latency_us - 1e-6:
        raise DesignError(
            f"latency {latency_us:g} us: {spec.name} needs {spec.needed_latency_us:.1f} us (buffering "
            f"{spec.buffering_us:.1f}, converters {spec.needed_latency_us - spec.buffering_us:g}); allow at least that"
        )
    if not latency_us <= _LONGEST_LATENCY_US:
        raise DesignError(f"latency {latency_us:g} us: expected at most {_LONGEST_LATENCY_US:g}; allow less")
    return max(spec.needed_latency_samples, round(latency_us * spec.audio.rate_hz / 1e6))


def _secondary(spec: HeadsetSpec, paths: PathSet, latency: int) -> tuple[FirIr | SilentIr, FilterQuality | None]:
    """Cut the path from output sample to error sample to the model's length."""
    taps = spec.adaptive.secondary_taps
    if not taps or "error" not in spec.audio.microphones:
        return SilentIr(), None
    whole = np.concatenate([np.zeros(latency), paths.secondary])
    if latency + 8 > taps:
        raise DesignError(
            f"adaptive.secondary_taps: {taps} taps cannot hold {latency} samples of latency and a path behind them; "
            f"use at least {-(-(latency + 32) // 4) * 4}"
        )
    model = np.zeros(taps)
    kept = min(taps, whole.size)
    model[:kept] = whole[:kept]
    design = quantize_fir(model, name="adaptive.secondary_taps")
    exact = np.array(design.taps[::-1]) * 2.0 ** (design.exponent - 31)
    lost = np.sum((exact[:kept] - whole[:kept]) ** 2) + np.sum(whole[kept:] ** 2)
    error_db = 10 * math.log10(max(float(lost / np.sum(whole**2)), 1e-15))
    return design, FilterQuality("secondary", round(error_db * 1000), 0, 0)


def _adaptive(
    spec: HeadsetSpec, scene: DesignScene, paths: PathSet, latency: int
) -> tuple[AdaptiveIr, FilterQuality | None]:
    settings = spec.adaptive
    whole = np.concatenate([np.zeros(latency), paths.secondary])
    match settings:
        case WarpedLs():
            return design_warped_ls(settings, whole, rate_hz=spec.audio.rate_hz, dc_pole=_dc_pole(spec))
        case Hybrid():
            return design_hybrid(settings, scene, whole, rate_hz=spec.audio.rate_hz, dc_pole=_dc_pole(spec))
        case Fdaf():
            return design_fdaf(settings, scene), None
        case FxNlms():
            return design_fxnlms(settings, scene), None
        case NoAdaptive():
            return NoAdaptiveIr(), None


def _dc_pole(spec: HeadsetSpec) -> float:
    return math.exp(-2 * math.pi * spec.dc_block_hz / spec.audio.rate_hz)


def _release(spec: HeadsetSpec) -> int:
    """Gain that comes back per sample."""
    samples = spec.limiter.release_ms * spec.audio.rate_hz / 1000
    return max(1, to_q31(1 / samples, name="limiter.release_ms"))


def _samples(spec: HeadsetSpec, milliseconds: float) -> int:
    return round(milliseconds * spec.audio.rate_hz / 1000)
