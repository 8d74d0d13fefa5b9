"""Say what physics allows: the attenuation of the best causal filter for a noise and a headset's paths.

Renders the scenario, solves for the FIR filter of the given length that leaves least noise at the ear within the given
latency, applies it to the same signals, and prints what it reached. No controller does better on average; a controller
is judged by its distance from this.

N is a built-in scene (aircraft, brown, engine, helicopter, hvac, pink, siren, street, tones, train, white) or an audio
file; P is a built-in path set (overear, inear), an NPZ or MAT file with P and S, or a folder of primary.wav and
secondary.wav. Files that do not say their rate are read as 48 kHz. Latency counts in whole samples, rounded down.
Figures are taken over the last two thirds of the run (10 to 30 s of 30 s).

example:
  hushkit bound --noise aircraft --paths overear --field diffuse
  hushkit bound --noise cabin.flac --paths measured.npz --latency-us 50 --taps 1024 --plot bound.svg --json -
"""

import argparse
import dataclasses
import json
from pathlib import Path
from typing import Any

from hushkit_models.acoustics.bound import Bound, causal_bound
from hushkit_models.acoustics.changes import SYNTAX, parse_change
from hushkit_models.acoustics.errors import AcousticsError
from hushkit_models.acoustics.field import FIELDS
from hushkit_models.acoustics.metrics import Attenuation
from hushkit_models.acoustics.scenario import PlantSignals, Scenario, latency_samples, render

HELP = "say what physics allows for a noise and a headset's paths"
ERRORS: tuple[type[Exception], ...] = (AcousticsError,)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command line."""
    source = parser.add_argument_group("scenario")
    source.add_argument("--noise", metavar="N", help="built-in scene or audio file (required without --recording)")
    source.add_argument("--paths", metavar="P", required=True, help="built-in path set, NPZ or MAT file, or folder")
    source.add_argument("--field", choices=FIELDS, default="direct", help="one direction (default) or twelve at once")
    source.add_argument(
        "--recording",
        metavar="FILE",
        help="real pair in place of noise, primary path and field: reference microphone, error microphone with "
        "cancellation off (two channels; four for left, then right)",
    )
    source.add_argument("--latency-us", type=float, default=100.0, metavar="X", help="controller's delay (default 100)")
    source.add_argument("--seconds", type=float, default=30.0, metavar="S", help="length of the run (default 30)")
    source.add_argument("--seed", type=int, default=1, metavar="K", help="of noise, field and self-noise (default 1)")
    source.add_argument("--ears", type=int, choices=(1, 2), default=1, help="ears to render (default 1)")
    source.add_argument("--rate-hz", type=int, default=48_000, metavar="R", help="sample rate (default 48000)")
    source.add_argument("--no-self-noise", action="store_true", help="ideal microphones instead of 30 dB SPL of hiss")
    source.add_argument(
        "--change", action="append", default=[], metavar="C", help=f"change of the fit in mid-run, repeatable: {SYNTAX}"
    )
    parser.add_argument("--taps", type=int, default=4096, metavar="L", help="length of the filter (default 4096)")
    parser.add_argument("--json", metavar="FILE", help="write the figures as JSON; - is standard output")
    parser.add_argument("--plot", metavar="FILE", type=Path, help="draw spectra and octaves (.svg, .png or .pdf)")


def run(options: argparse.Namespace) -> int:
    """Run `hushkit bound`: 0 when the bound was computed."""
    if (options.noise is None) == (options.recording is None):
        raise AcousticsError("expected either --noise or --recording; give one of them")
    if not 4000 <= options.rate_hz <= 384_000:
        raise AcousticsError(f"--rate-hz {options.rate_hz}: expected 4000 to 384000")
    scenario = Scenario(
        noise=options.noise or "",
        paths=options.paths,
        field=options.field,
        latency_us=options.latency_us,
        seconds=options.seconds,
        seed=options.seed,
        self_noise=not options.no_self_noise,
        recording=options.recording,
        changes=tuple(parse_change(text) for text in options.change),
    )
    latency = latency_samples(scenario.latency_us, options.rate_hz)
    signals = render(scenario, rate_hz=options.rate_hz, n_ears=options.ears)
    bound = causal_bound(signals, latency_samples=latency, taps=options.taps)
    if options.plot is not None:
        # Imported here: the table needs no plotting library and starts a second earlier without it.
        from hushkit_models.commands.bound_plot import plot_bound  # noqa: PLC0415

        plot_bound(options.plot, signals, bound, _title(scenario, signals, bound))
    if options.json == "-":
        print(json.dumps(as_json(scenario, signals, bound), indent=1))
        return 0
    if options.json:
        _write(Path(options.json), json.dumps(as_json(scenario, signals, bound), indent=1) + "\n")
    print(table(scenario, signals, bound))
    return 0


def as_json(scenario: Scenario, signals: PlantSignals, bound: Bound) -> dict[str, Any]:
    """The machine form; ``scenario`` has the keys of ``hushkit bench --json``."""
    return {
        "scenario": {
            "noise": signals.name,
            "paths": scenario.paths,
            "field": None if scenario.recording else scenario.field,
            "latency_us": scenario.latency_us,
            "seconds": scenario.seconds,
            "seed": scenario.seed,
            "recording": scenario.recording,
            "level_db_spl": signals.level_db_spl,
            "rate_hz": signals.rate_hz,
            "self_noise": scenario.self_noise,
            "changes": [dataclasses.asdict(change) for change in scenario.changes],
        },
        "bound": {
            "taps": bound.taps,
            "latency_samples": bound.latency_samples,
            "attenuation_db": bound.attenuation_db,
            "attenuation_dba": bound.attenuation_dba,
            "octaves_db": bound.octaves_db,
            "ears": [dataclasses.asdict(ear) for ear in bound.ears],
            "evidence": "modelled",
        },
    }


def table(scenario: Scenario, signals: PlantSignals, bound: Bound) -> str:
    """The figures for a person."""
    names = ("left", "right") if len(bound.ears) == 2 else ("dB quieter",)
    figures: list[tuple[str, Bound | Attenuation]] = list(zip(names, bound.ears, strict=True))
    if len(figures) == 2:
        figures.insert(0, ("both ears", bound))
    rows = [("octave / Hz", [*bound.octaves_db, "all", "A-weighted"])]
    for name, figure in figures:
        cells = [*figure.octaves_db.values(), figure.attenuation_db, figure.attenuation_dba]
        rows.append((name, [f"{cell:.1f}" for cell in cells]))
    widths = [8] * (len(rows[0][1]) - 1) + [12]
    lines = [_title(scenario, signals, bound), ""]
    for name, texts in rows:
        lines.append(f"{name:12}" + "".join(f"{text:>{width}}" for text, width in zip(texts, widths, strict=True)))
    worst = max(bound.octaves_db, key=lambda name: -bound.octaves_db[name])
    if bound.octaves_db[worst] < -0.5:
        lines += [
            "",
            f"The optimum makes the octave at {worst} Hz {-bound.octaves_db[worst]:.1f} dB louder: least noise in sum.",
        ]
    return "\n".join(lines)


def _title(scenario: Scenario, signals: PlantSignals, bound: Bound) -> str:
    field = "recorded pair" if scenario.recording else f"{scenario.field} field"
    delay_us = bound.latency_samples * 1e6 / signals.rate_hz
    return (
        f"{signals.name} at {signals.level_db_spl:.0f} dB SPL, {Path(scenario.paths).stem}, {field}, "
        f"{scenario.latency_us:g} us ({bound.latency_samples} samples, {delay_us:.1f} us), {bound.taps} taps"
    )


def _write(file: Path, text: str) -> None:
    try:
        file.write_text(text)
    except OSError as err:
        raise AcousticsError(f"{file}: cannot be written ({err.strerror}); name a place that can") from err
