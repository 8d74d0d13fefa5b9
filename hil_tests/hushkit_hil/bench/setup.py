"""From what a user asked for to everything a run needs: signals, design, image, host library, plant."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from hushkit.build import Build, build_firmware, build_host
from hushkit.project import build_dir
from hushkit.spec import HeadsetSpec, load_spec
from hushkit.target import Target, parse_target
from hushkit_codegen.design import design_headset
from hushkit_codegen.ir import HeadsetIr, digest_ir
from hushkit_models.acoustics.changes import parse_change
from hushkit_models.acoustics.paths import load_paths
from hushkit_models.acoustics.scenario import PlantSignals, Scenario, latency_samples, render

from hushkit_hil.bench.categories import with_categories
from hushkit_hil.errors import BenchError
from hushkit_hil.targets.plant import PlantRun

Say = Callable[[str], None]
"""Takes one line of progress."""


@dataclass(frozen=True, slots=True)
class Request:
    """What a user asks of the bench; None takes the spec's own.

    Attributes as the options of ``hushkit bench``.
    """

    spec: str
    target: str = "qemu"
    noise: str | None = None
    paths: str | None = None
    field: str | None = None
    latency_us: float | None = None
    seconds: float = 30.0
    seed: int = 1
    algorithm: str | None = None
    recording: str | None = None
    changes: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Setup:
    """A run that can start.

    ``build`` is None for the host target, which needs no image.
    """

    target: Target
    spec: HeadsetSpec
    scenario: Scenario
    changes: tuple[str, ...]
    categories: tuple[str, ...]
    signals: PlantSignals
    latency_samples: int
    ir: HeadsetIr
    build: Build | None
    host_library: Path
    run: PlantRun


def prepare(request: Request, say: Say) -> Setup:
    """Render, design, generate and build.

    Raises:
        BenchError: A latency that the spec cannot meet, or a run of less than a second.
        InputError, AcousticsError, DesignError: Unusable spec, signals or design, each with its reason.
    """
    target = parse_target(request.target)
    spec = load_spec(request.spec)
    if request.seconds < 1.0:
        raise BenchError(f"--seconds {request.seconds:g}: a run needs at least 1 s; the protocol asks for 30")
    latency = plant_latency(spec, request.latency_us)
    latency_us = latency * 1e6 / spec.audio.rate_hz
    scenario = Scenario(
        noise=request.noise or spec.acoustics.noise,
        paths=request.paths or spec.acoustics.paths,
        field=request.field or spec.acoustics.field,
        latency_us=latency_us,
        seconds=request.seconds,
        seed=request.seed,
        recording=request.recording,
        changes=tuple(parse_change(text) for text in request.changes),
    )
    say(f"scenario  {scenario.recording or scenario.noise}, {scenario.paths}, {scenario.field}, {latency_us:.1f} us")
    for change in request.changes:
        say(f"change    {change}")
    signals = render(
        scenario,
        rate_hz=spec.audio.rate_hz,
        n_ears=spec.audio.ears,
        full_scale_db_spl=spec.converters.full_scale_db_spl,
    )
    paths = load_paths(scenario.paths, spec.audio.rate_hz)
    ir = design_headset(spec, paths, request.algorithm, latency_us=latency_us)
    for quality in ir.quality:
        if quality.warning:
            say(f"design    {quality.name}: {quality.warning}")
    directory = build_folder(ir)
    say(f"build     {spec.name} for {spec.core.type}")
    build = build_firmware(spec, ir=ir, directory=directory) if target.kind == "qemu" else None
    library = build_host(spec, ir=ir, directory=directory)
    return Setup(
        target=target,
        spec=spec,
        scenario=scenario,
        changes=request.changes,
        categories=request.categories,
        signals=signals,
        latency_samples=latency,
        ir=ir,
        build=build,
        host_library=library,
        run=with_categories(plant_run(signals, block=spec.audio.block, latency=latency), request.categories),
    )


def build_folder(ir: HeadsetIr) -> Path:
    """Where a design is built: one folder per design, so that runs side by side never share an image."""
    return build_dir() / "bench" / f"{ir.spec_name}-{digest_ir(ir)[:8]}"


def plant_latency(spec: HeadsetSpec, latency_us: float | None) -> int:
    """Delay of the plant in samples: what was asked for in whole samples, but never less than the spec needs.

    Args:
        spec: The headset.
        latency_us: From the reference microphone's sample to the driver's input; None takes the least.

    Raises:
        BenchError: Less than buffering and converters take.
    """
    if latency_us is None:
        return spec.needed_latency_samples
    if latency_us < spec.needed_latency_us - 1e-6:
        raise BenchError(
            f"--latency-us {latency_us:g}: {spec.name} needs {spec.needed_latency_us:.1f} us "
            f"(buffering {spec.buffering_us:.1f}, converters {spec.converters.adc_us + spec.converters.dac_us:g}); "
            "ask for that or more"
        )
    return max(spec.needed_latency_samples, latency_samples(latency_us, spec.audio.rate_hz))


def plant_run(signals: PlantSignals, *, block: int, latency: int, loop: bool = False) -> PlantRun:
    """The plant's form of a scenario's signals."""
    has_feedback = all(segment.feedback is not None for segment in signals.segments)
    feedback = [segment.feedback for segment in signals.segments if segment.feedback is not None]
    return PlantRun(
        rate_hz=signals.rate_hz,
        block=block,
        latency_samples=latency,
        reference=signals.reference,
        disturbance=signals.disturbance,
        secondary=np.stack([segment.secondary for segment in signals.segments]),
        feedback=np.stack(feedback) if has_feedback else None,
        starts=tuple(segment.start for segment in signals.segments),
        loop=loop,
    )
