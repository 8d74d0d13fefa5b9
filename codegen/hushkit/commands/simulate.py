"""Run a reference controller in float64 against a headset's acoustics, on this machine.

The same scenario options, plant and figures as hushkit bench, without firmware: the algorithm alone, in double
precision, without fixed filters, limiter or quantisation. What it reaches is what the fixed-point firmware is measured
against; how far it stays from the causal bound is what the algorithm costs.

SPEC is a shipped spec or a TOML file; it gives rate, ears, paths, noise, field, latency and, for its own algorithm,
length and step. A can be several names joined by commas, or "all": then a table compares them.

algorithms:
  lms leaky_lms nlms (no path model); fxlms fxnlms mfxlms mfxnlms (filtered-x, plain and modified); rls; hybrid
  hybrid_documents (NLMS + RLS); fdaf (frequency domain); warped_ls (warped FIR by least squares);
  warped_ls_tracking (the same, identifying the secondary path as it goes: for --change)

example:
  hushkit simulate flagship-m7 --algorithm warped_ls --seconds 10
  hushkit simulate flagship-m7 --noise cabin.flac --paths inear --algorithm all --change 10:gain=6 --json result.json
"""

import argparse
import sys
from typing import Any

import numpy as np
from hushkit_models.acoustics import AcousticsError
from hushkit_models.acoustics.bound import Bound, causal_bound
from hushkit_models.acoustics.changes import SYNTAX, parse_change
from hushkit_models.acoustics.field import FIELDS
from hushkit_models.acoustics.scenario import PlantSignals, Scenario, latency_samples, render
from hushkit_models.reference import ALGORITHMS, ControllerError
from hushkit_models.reference.simulation import acoustic_figures, simulate

from hushkit.errors import InputError
from hushkit.json_output import write_json
from hushkit.spec import HeadsetSpec, load_spec

HELP = "run a reference controller in float64 on this machine"
ERRORS: tuple[type[Exception], ...] = (InputError, AcousticsError, ControllerError)

_BOUND_TAPS = 4096
_MODEL_TAPS = 256
_WARPED_MODEL_TAPS = 1024
"""Least squares reaches below what a 256-tap model resolves; the reference must not be limited by its model."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command line."""
    parser.add_argument("spec", metavar="SPEC", help="name of a shipped spec, or a TOML file")
    scenario = parser.add_argument_group("scenario", "what is played; the spec's own where nothing is given")
    scenario.add_argument("--noise", metavar="N", help="built-in scene (aircraft, pink, ...) or an audio file")
    scenario.add_argument("--paths", metavar="P", help="built-in paths (overear, inear), NPZ or MAT file, or a folder")
    scenario.add_argument("--field", choices=FIELDS, help="one direction, or twelve at once")
    scenario.add_argument(
        "--latency-us", type=float, metavar="X", help="reference microphone to driver; the spec's least when left out"
    )
    scenario.add_argument("--seconds", type=float, default=30.0, metavar="S", help="length, at least 1 (default 30)")
    scenario.add_argument("--seed", type=int, default=1, metavar="K", help="of noise and field (default 1)")
    scenario.add_argument(
        "--recording", metavar="FILE", help="recorded microphone pair in place of noise and primary path"
    )
    scenario.add_argument(
        "--change", action="append", default=[], metavar="C", help=f"change of the fit in mid-run, repeatable: {SYNTAX}"
    )
    controller = parser.add_argument_group("controller")
    controller.add_argument(
        "--algorithm", metavar="A", help="name, names joined by commas, or all; the spec's when left out"
    )
    controller.add_argument("--taps", type=int, metavar="L", help="length of the control filter")
    controller.add_argument("--step", type=float, metavar="MU", help="step size")
    controller.add_argument("--model-taps", type=int, metavar="L", help="length of the secondary path's model")
    parser.add_argument(
        "--json", metavar="FILE", help="write the result as JSON (a list for several algorithms); - is stdout"
    )


def run(options: argparse.Namespace) -> int:
    """Run `hushkit simulate`: 0 when the simulation ran."""
    spec = load_spec(options.spec)
    algorithms = _algorithms(options.algorithm, spec)
    scenario = _scenario(options, spec)
    latency = latency_samples(scenario.latency_us, spec.audio.rate_hz)
    signals = render(
        scenario,
        rate_hz=spec.audio.rate_hz,
        n_ears=spec.audio.ears,
        full_scale_db_spl=spec.converters.full_scale_db_spl,
    )
    starts = [segment.start for segment in signals.segments] + [signals.reference.shape[1]]
    bound = causal_bound(signals, latency_samples=latency, taps=min(_BOUND_TAPS, int(min(np.diff(starts))) // 4))
    results = []
    for algorithm in algorithms:
        print(f"{algorithm}: {scenario.seconds:g} s, {spec.audio.ears} ear(s)", file=sys.stderr)
        results.append(_simulate(algorithm, options, spec=spec, scenario=scenario, signals=signals, bound=bound))
    write_json(options.json, results if len(results) > 1 else results[0])
    if options.json != "-":
        print(table(results))
    return 0


def table(results: list[dict[str, Any]]) -> str:
    """Runs for a person, one a line."""
    scenario, first = results[0]["scenario"], results[0]["acoustics"]
    lines = [
        f"{scenario['noise']}, {scenario['paths']}, {scenario['field']}, {scenario['latency_us']:g} us, "
        f"{scenario['seconds']:g} s: bound {first['bound_db']:.1f} dB ({first['bound_taps']} taps)",
        "",
        f"{'algorithm':20}{'dB':>8}{'dB(A)':>8}{'distance':>10}{'t3 / s':>8}{'worst 50 ms':>13}{'samples/s':>12}",
    ]
    for result in results:
        heard = result["acoustics"]
        t3 = "-" if heard["t3_s"] is None else f"{heard['t3_s']:.2f}"
        lines.append(
            f"{result['scenario']['algorithm']:20}{heard['attenuation_db']:8.1f}{heard['attenuation_dba']:8.1f}"
            f"{heard['distance_db']:10.1f}{t3:>8}{heard['worst_moment_db']:+13.1f}"
            f"{result['simulation']['samples_per_s']:12.0f}"
        )
    return "\n".join(lines)


def _algorithms(wanted: str | None, spec: HeadsetSpec) -> list[str]:
    if wanted == "all":
        return list(ALGORITHMS)
    names = (wanted or spec.adaptive.algorithm).split(",")
    unknown = [name for name in names if name not in ALGORITHMS]
    if unknown:
        raise ControllerError(f"algorithm {', '.join(unknown)!r}, expected all or any of {', '.join(ALGORITHMS)}")
    return names


def _scenario(options: argparse.Namespace, spec: HeadsetSpec) -> Scenario:
    if options.seconds < 1.0:
        raise AcousticsError(f"--seconds {options.seconds:g}: a run needs at least 1 s; the protocol asks for 30")
    if options.model_taps is not None and options.model_taps < 1:
        raise ControllerError(f"--model-taps {options.model_taps}: expected 1 or more")
    latency_us = spec.needed_latency_us if options.latency_us is None else options.latency_us
    if latency_us < spec.needed_latency_us - 1e-6:
        raise AcousticsError(
            f"--latency-us {latency_us:g}: {spec.name} needs {spec.needed_latency_us:.1f} us; ask for that or more"
        )
    samples = max(spec.needed_latency_samples, latency_samples(latency_us, spec.audio.rate_hz))
    return Scenario(
        noise=options.noise or spec.acoustics.noise,
        paths=options.paths or spec.acoustics.paths,
        field=options.field or spec.acoustics.field,
        latency_us=samples * 1e6 / spec.audio.rate_hz,
        seconds=options.seconds,
        seed=options.seed,
        recording=options.recording,
        changes=tuple(parse_change(text) for text in options.change),
    )


def _simulate(
    algorithm: str,
    options: argparse.Namespace,
    *,
    spec: HeadsetSpec,
    scenario: Scenario,
    signals: PlantSignals,
    bound: Bound,
) -> dict[str, Any]:
    taps, step, model_taps = options.taps, options.step, options.model_taps
    adaptive = spec.adaptive
    if algorithm == adaptive.algorithm:
        taps = taps or adaptive.taps
        step = step or getattr(adaptive, "step", None)
        model_taps = model_taps or adaptive.secondary_taps
    model_taps = model_taps or (_WARPED_MODEL_TAPS if algorithm.startswith("warped_ls") else _MODEL_TAPS)
    result = simulate(
        signals, algorithm, latency_samples=bound.latency_samples, model_taps=model_taps, taps=taps, step=step
    )
    return {
        "spec": spec.name,
        "target": "reference",
        "scenario": {
            "noise": signals.name,
            "paths": scenario.paths,
            "field": scenario.field,
            "latency_us": scenario.latency_us,
            "seconds": scenario.seconds,
            "seed": scenario.seed,
            "algorithm": algorithm,
            "recording": scenario.recording,
            "level_db_spl": signals.level_db_spl,
        },
        "acoustics": acoustic_figures(signals, result.error, bound),
        "simulation": {
            "arithmetic": "float64",
            "taps": taps,
            "model_taps": model_taps,
            "samples_per_s": result.samples_per_s,
            "health": list(result.health),
        },
        "passed": True,
        "failures": [],
    }
