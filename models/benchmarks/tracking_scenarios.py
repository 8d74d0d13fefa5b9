"""The flagship's controller in double precision over sets of scenarios: a table in Markdown, figures in JSON.

Sets: ``development`` (two path files x direct, diffuse x four noises), ``validation`` (built-in paths, other noises,
another seed) and ``changes`` (the fit changes at a third of the run). Recordings and path files are read from DATA
(folders ``noise48`` and ``paths``); what is missing there is an error, not a shorter table.

Run with:  python models/benchmarks/tracking_scenarios.py DATA --set changes [--seconds 30] [--json FILE]
"""

import argparse
import json
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from hushkit_models.acoustics.bound import causal_bound
from hushkit_models.acoustics.metrics import worst_moment_db
from hushkit_models.acoustics.scenario import PathChange, Scenario, latency_samples, render
from hushkit_models.acoustics.spectrum import OCTAVES
from hushkit_models.reference.simulation import acoustic_figures, simulate

RATE_HZ = 48_000
LATENCY_US = 100.0
MODEL_TAPS = 1024
SETS = ("development", "validation", "changes")
COLUMNS = ("scenario", "bound", "dB", "distance", "t3", "recovery", "worst octave < 4 kHz", "worst 100 ms")


def main() -> int:
    """Print one row per scenario, then means and maxima."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="folder of noise48 and paths")
    parser.add_argument("--set", choices=SETS, default="development", help="which scenarios (default development)")
    parser.add_argument("--seconds", type=float, default=30.0, help="length of each run (default 30)")
    parser.add_argument("--algorithm", default="warped_ls_tracking", help="default warped_ls_tracking")
    parser.add_argument("--json", metavar="FILE", help="write the rows as JSON")
    options = parser.parse_args()
    print(f"| {' | '.join(COLUMNS)} |\n|{'---|' * len(COLUMNS)}")
    rows = []
    for scenario in scenarios(options.set, options.data, options.seconds):
        row = measure(scenario, options.algorithm)
        rows.append(row)
        print(_markdown(row), flush=True)
    distances = [row["distance_db"] for row in rows]
    print(
        f"\n{len(rows)} scenarios: distance {sum(distances) / len(rows):.2f} dB on average, "
        f"{max(distances):.2f} at most; worst octave {max(row['worst_octave_below_4k_db'] for row in rows):.1f} dB, "
        f"worst 100 ms {max(row['worst_100ms_db'] for row in rows):.1f} dB"
    )
    if options.json:
        Path(options.json).write_text(json.dumps(rows, indent=1) + "\n")
    return 0


def scenarios(name: str, data: Path, seconds: float) -> Iterator[Scenario]:
    """The scenarios of one set."""
    files = {stem: str(data / "paths" / f"{stem}.npz") for stem in ("inear_a", "overear_b")}
    recorded = {stem: str(data / "noise48" / f"{stem}.flac") for stem in RECORDINGS}
    common = Scenario("pink", "overear", latency_us=LATENCY_US, seconds=seconds)
    if name == "development":
        for paths in files.values():
            for field in ("direct", "diffuse"):
                for noise in ("pink", "engine", recorded["aircraft_cabin"], recorded["busy_street"]):
                    yield replace(common, noise=noise, paths=paths, field=field)
    elif name == "validation":
        for paths in ("inear", "overear"):
            for stem in ("train_interior", "highway", "cafe", "washing_machine", "construction_site"):
                yield replace(common, noise=recorded[stem], paths=paths, field="diffuse", seed=11)
            for noise in ("aircraft", "pink"):
                yield replace(common, noise=noise, paths=paths, field="direct", seed=12)
    else:
        at_s = seconds / 3
        changes = (
            PathChange(at_s, gain_db=6.0),
            PathChange(at_s, gain_db=-6.0),
            PathChange(at_s, leak_hz=(60.0, 250.0)),
            PathChange(at_s, shift_samples=2),
        )
        for paths in files.values():
            for noise, field in (("pink", "direct"), ("engine", "direct"), (recorded["busy_street"], "diffuse")):
                for change in changes:
                    yield replace(common, noise=noise, paths=paths, field=field, changes=(change,))


RECORDINGS = (
    "aircraft_cabin", "busy_street", "train_interior", "highway", "cafe", "washing_machine", "construction_site",
)  # fmt: skip


def measure(scenario: Scenario, algorithm: str) -> dict[str, Any]:
    """One run and its figures by the measuring protocol."""
    signals = render(scenario, rate_hz=RATE_HZ)
    latency = latency_samples(scenario.latency_us, RATE_HZ)
    bound = causal_bound(signals, latency_samples=latency)
    run = simulate(signals, algorithm, latency_samples=latency, model_taps=MODEL_TAPS)
    figures = acoustic_figures(signals, run.error, bound)
    octaves = figures["octaves_db"]
    # After a change the start-up has long passed: what counts is from 100 ms after the change on.
    since_s = (scenario.changes[-1].at_s if scenario.changes else 0.0) + 0.1
    worst = worst_moment_db(signals.disturbance, run.error, rate_hz=RATE_HZ, frame_s=0.1, skip_s=since_s)
    return {
        "scenario": _name(scenario),
        **{key: figures[key] for key in ("bound_db", "attenuation_db", "distance_db", "t3_s", "recovery_s")},
        "worst_octave_below_4k_db": max(-value for name, value in octaves.items() if OCTAVES[name] < 3500.0),
        "worst_100ms_db": worst,
        "octaves_db": octaves,
        "health": list(run.health),
        "evidence": "modelled",
    }


def _name(scenario: Scenario) -> str:
    parts = [Path(scenario.paths).stem, scenario.field, Path(scenario.noise).stem]
    for change in scenario.changes:
        parts.append(f"gain {change.gain_db:+g} dB" if change.gain_db else "")
        parts.append(f"leak {change.leak_hz[0]:g} to {change.leak_hz[1]:g} Hz" if change.leak_hz else "")
        parts.append(f"shift {change.shift_samples}" if change.shift_samples else "")
    return " ".join(part for part in parts if part)


def _markdown(row: dict[str, Any]) -> str:
    times = ["-" if row[key] is None else f"{row[key]:.2f} s" for key in ("t3_s", "recovery_s")]
    levels = [f"{row[key]:.1f}" for key in ("bound_db", "attenuation_db", "distance_db")]
    worst = [f"{row[key]:.1f}" for key in ("worst_octave_below_4k_db", "worst_100ms_db")]
    return f"| {' | '.join([row['scenario'], *levels, *times, *worst])} |"


if __name__ == "__main__":
    sys.exit(main())
