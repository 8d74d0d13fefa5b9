"""The HTML report: one file, no script, nothing loaded from anywhere."""

from dataclasses import dataclass
from pathlib import Path

import jinja2
import numpy as np
from hushkit.spec import Budgets
from hushkit_models.acoustics.bound import Bound
from hushkit_models.acoustics.scenario import PlantSignals
from numpy.typing import NDArray

from hushkit_hil.bench.quality import bound_of
from hushkit_hil.bench.result import FunctionLoad, Load, Result
from hushkit_hil.bench.setup import Setup
from hushkit_hil.report.figures import (
    Figure,
    attenuation_over_time,
    budget_bars,
    function_bars,
    octave_bars,
    spectrum,
)
from hushkit_hil.targets.outcome import Outcome

_NOTHING = "\N{EN DASH}"
_FUNCTION = ["function", "runs in", "instructions", "cycles", "in the worst", "longest path", "stack, bytes"]


@dataclass(frozen=True, slots=True)
class Tile:
    """One headline figure."""

    label: str
    value: str
    unit: str
    note: str
    evidence: str
    is_word: bool = False


def write_html(path: Path, result: Result, setup: Setup, outcome: Outcome) -> None:
    """Write the report of one run."""
    path.parent.mkdir(parents=True, exist_ok=True)
    bound = bound_of(setup.signals, setup.latency_samples)
    path.write_text(render_html(result, setup.spec.budgets, setup.signals, outcome.error, bound), encoding="utf-8")


def render_html(result: Result, budgets: Budgets, signals: PlantSignals, error: NDArray[np.int32], bound: Bound) -> str:
    """The report as text.

    Args:
        result: What was judged.
        budgets: The spec's.
        signals: What the plant played.
        error: What the error microphones heard, Q1.31, shape (ears, n).
        bound: The causal bound of the same signals.
    """
    on = error / 2.0**31
    best = bound.residual[:, : on.shape[1]]
    heard = result.acoustics
    figures: list[Figure | None] = [
        attenuation_over_time(signals, on, best, heard.t3_s),
        spectrum(signals, on, best, heard.window_s),
        octave_bars(result),
        function_bars(result),
        budget_bars(result, _limits(result, budgets)),
    ]
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("hushkit_hil.report", "."),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("report.html.j2").render(
        result=result,
        tiles=_tiles(result),
        figures=[figure for figure in figures if figure is not None],
        scenario=_scenario(result),
        tables=_tables(result),
    )


def _limits(result: Result, budgets: Budgets) -> dict[str, tuple[float | None, float, str]]:
    evidence = result.load.evidence
    return {
        f"Latency ({result.latency.evidence})": (result.latency.total_us, budgets.latency_us, "µs"),
        f"Processor ({evidence})": (result.load.cpu_percent_max, budgets.cpu_percent, "%"),
        "Flash (from the image)": (result.memory.flash_bytes, budgets.flash_bytes, "bytes"),
        "RAM (from the image)": (result.memory.ram_bytes, budgets.ram_bytes, "bytes"),
    }


def _tiles(result: Result) -> list[Tile]:
    heard, latency, load = result.acoustics, result.latency, result.load
    bound = "" if heard.bound_db is None else f"bound {heard.bound_db:.1f} dB, distance {heard.distance_db:.1f} dB"
    tiles = [Tile("Attenuation", f"{heard.attenuation_db:.1f}", "dB", bound, heard.evidence)]
    tiles.append(
        Tile("A-weighted", f"{heard.attenuation_dba:.1f}", "dB(A)", f"worst octave {_worst(result)}", heard.evidence)
    )
    if latency.total_us is not None:
        tiles.append(
            Tile("Latency", f"{latency.total_us:.1f}", "µs", f"of {latency.limit_us:g} allowed", latency.evidence)
        )
    if load.cpu_percent_max is not None:
        note = f"busiest update block; mean {load.cycles_per_sample_mean:,.0f} cycles a sample"
        tiles.append(Tile("Processor", f"{load.cpu_percent_max:.1f}", "%", note, load.evidence))
    if load.instructions_per_sample_mean is not None:
        note = f"at most {load.instructions_per_sample_max:,.0f}"
        value = f"{load.instructions_per_sample_mean:,.0f}"
        tiles.append(Tile("Instructions", value, "", f"per sample, {note}", load.instructions_evidence))
    if result.bit_exact.host_vs_target is not None:
        value = "identical" if result.bit_exact.host_vs_target else "different"
        note = f"{result.bit_exact.samples:,} samples compared"
        tiles.append(Tile("Host and target", value, "", note, "emulated", is_word=True))
    return tiles


def _worst(result: Result) -> str:
    worst = result.acoustics.worst_octave_amplification_db
    return f"{worst:.1f} dB louder" if worst > 0.05 else f"still {-worst:.1f} dB quieter"


def _scenario(result: Result) -> list[tuple[str, str]]:
    scenario = result.scenario
    source = ("Recording", scenario.recording) if scenario.recording else ("Noise", scenario.noise)
    return [
        (source[0], Path(str(source[1])).name),
        ("Level", f"{scenario.level_db_spl:.0f} dB SPL"),
        ("Paths", Path(scenario.paths).name),
        ("Field", scenario.field),
        ("Latency of the plant", f"{scenario.latency_us:.1f} µs"),
        ("Length", f"{scenario.seconds:g} s"),
        ("Seed", str(scenario.seed)),
        ("Algorithm", scenario.algorithm),
        *(("Change of the fit", change) for change in scenario.changes),
        ("Figures over", f"{result.acoustics.window_s[0]:.1f} to {result.acoustics.window_s[1]:.1f} s"),
        ("Run at", f"{result.times_real_time:.1f} times real time"),
    ]


def _tables(result: Result) -> list[tuple[str, list[str], list[list[str]]]]:
    heard = result.acoustics
    bound = heard.bound_octaves_db or {}
    octaves = [[f"{name} Hz", f"{value:+.1f}", f"{bound[name]:+.1f}" if name in bound else _NOTHING]
               for name, value in heard.octaves_db.items()]  # fmt: skip
    names = ("left", "right") if len(heard.ears) > 1 else ("only",)
    ears = [[name, f"{ear.attenuation_db:.1f}", f"{ear.attenuation_dba:.1f}", _number(ear.bound_db)]
            for name, ear in zip(names, heard.ears, strict=True)]  # fmt: skip
    signal = [
        ["t3, within 3 dB of the bound", "not reached" if heard.t3_s is None else f"{heard.t3_s:g} s"],
        ["worst 50 ms", f"{heard.worst_moment_db:+.1f} dB"],
        ["worst 100 ms, 100 ms after start and changes", f"{heard.worst_sustained_db:+.1f} dB"],
        ["distortion at 1 kHz", _NOTHING if heard.thd_percent is None else f"{heard.thd_percent:.4f} %"],
        ["signal to noise at 1 kHz", f"{_number(heard.snr_db)} dB"],
    ]
    if result.scenario.changes:
        back = "not reached" if heard.recovery_s is None else f"{heard.recovery_s:g} s"
        signal.append([f"back within 3 dB of the bound after {result.scenario.changes[-1]}", back])
    functions = [_function(load) for load in result.load.functions if load.instructions >= 0.05]
    memory = [["flash", _bytes(result.memory.flash_bytes)], ["RAM", _bytes(result.memory.ram_bytes)],
              ["stack, deepest", _bytes(result.memory.stack_bytes_max)]]  # fmt: skip
    tables = [
        ("Octaves, dB", ["band", "this run", "bound"], octaves),
        ("Ears, dB", ["ear", "attenuation", "A-weighted", "bound"], ears),
        ("Signal", ["", ""], signal),
        ("Memory", ["", ""], memory),
    ]
    if functions:
        tables.append(
            ("Functions: instructions and cycles per sample; longest path and stack of a call", _FUNCTION, functions)
        )
    if result.load.isr_cycles_per_sample_path is not None:
        tables.append(("Audio interrupt, cycles per sample (modelled)", ["", ""], _interrupt(result.load)))
    return tables


def _function(load: FunctionLoad) -> list[str]:
    path = _NOTHING if load.path_cycles is None else f"{load.path_cycles:,}"
    stack = _NOTHING if load.stack_bytes is None else f"{load.stack_bytes:,}"
    return [
        load.name,
        load.context,
        f"{load.instructions:,.1f}",
        f"{load.cycles:,.1f}",
        _number(load.cycles_worst),
        path,
        stack,
    ]


def _interrupt(load: Load) -> list[list[str]]:
    return [
        ["mean", _number(load.isr_cycles_per_sample_mean)],
        ["worst seen", _number(load.isr_cycles_per_sample_max)],
        ["longest path through the code that ran", _number(load.isr_cycles_per_sample_path)],
        ["stack on that path", _bytes(load.isr_stack_bytes)],
    ]


def _number(value: float | None) -> str:
    return _NOTHING if value is None else f"{value:.1f}"


def _bytes(value: int | None) -> str:
    return _NOTHING if value is None else f"{value:,} bytes"
