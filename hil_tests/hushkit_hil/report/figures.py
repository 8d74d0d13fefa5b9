"""The report's figures, each drawn wide and narrow, each with the kind of evidence it shows."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from hushkit_models.acoustics.metrics import FRAME_S, frame_powers
from hushkit_models.acoustics.scenario import PlantSignals
from hushkit_models.acoustics.spectrum import power_spectrum
from numpy.typing import NDArray

from hushkit_hil.bench.result import Result
from hushkit_hil.report.plot import NARROW, WIDE, Axis, Plot, Size, frequency_axis, linear_axis

_FUNCTIONS_SHOWN = 12
_BANDS_PER_OCTAVE = 12
_FLOOR = 1e-30
_SINE_POWER = 0.5
_LABEL_HEIGHT = 26  # pixels; a bar of at least that has its value inside
_MOST_OVER = 1.3  # a budget bar ends here however far it is exceeded


@dataclass(frozen=True, slots=True)
class Legend:
    """One entry: CSS class of the mark, and what it stands for."""

    style: str
    label: str


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure of the report."""

    title: str
    evidence: str
    svg: str
    legend: tuple[Legend, ...]
    note: str = ""


def _both(draw: Callable[[Size], Plot]) -> str:
    return draw(WIDE).svg() + draw(NARROW).svg()


def _db(power: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(10.0 * np.log10(power + _FLOOR), dtype=np.float64)


def attenuation_over_time(
    signals: PlantSignals, on: NDArray[np.float64], best: NDArray[np.float64], t3_s: float | None
) -> Figure:
    """Attenuation per quarter second, the run and the bound. Signals in full scale, shape (ears, n)."""
    rate_hz, off = signals.rate_hz, signals.disturbance[:, : on.shape[1]]
    off_db = _db(frame_powers(off, rate_hz=rate_hz))
    run = off_db - _db(frame_powers(on, rate_hz=rate_hz))
    bound = off_db - _db(frame_powers(best, rate_hz=rate_hz))
    times = (np.arange(run.size) + 0.5) * FRAME_S
    low, high = float(min(run.min(), 0.0)), float(max(run.max(), bound.max(), 1.0))

    def draw(size: Size) -> Plot:
        seconds = on.shape[1] / rate_hz
        x = linear_axis(0.0, seconds, steps=4 if size.narrow else 10)
        plot = Plot(size, Axis(0.0, seconds, x.ticks[:-1] if x.high > seconds else x.ticks), linear_axis(low, high),
                    "attenuation over time", "dB", "seconds")  # fmt: skip
        plot.band(list(times), [0.0] * times.size, list(run), "after")
        plot.line(list(times), list(bound), "bound")
        plot.line(list(times), list(run), "after")
        if t3_s is not None and 0 < t3_s < seconds:
            column = plot.at_x(t3_s)
            plot.stroke("mark", (column, plot.top), (column, size.height - plot.bottom))
            plot.text(column + 5, plot.top + 10, f"t3 {t3_s:g} s", "mark")
        return plot

    return Figure(
        "Attenuation over time",
        "modelled plant, emulated firmware",
        _both(draw),
        (Legend("after", "this run"), Legend("bound", "causal bound")),
        "Power at the error microphones with cancellation off over on, per quarter second, ears together."
        + ("" if t3_s is None else f" t3 = {t3_s:g} s: from there four frames in a row lie within 3 dB of the bound."),
    )


def _bands(
    frequency: NDArray[np.float64], power: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Power in twelfth-octave bands from 40 Hz to 20 kHz; bands narrower than the spectrum's bins are joined."""
    edges = 40.0 * 2.0 ** (np.arange(0, 9 * _BANDS_PER_OCTAVE + 1) / _BANDS_PER_OCTAVE)
    which = np.digitize(frequency, edges)
    centres, levels = [], []
    for band in range(1, edges.size):
        inside = which == band
        if inside.any():
            centres.append(float(np.sqrt(edges[band - 1] * edges[band])))
            width = (edges[band] - edges[band - 1]) / (frequency[1] - frequency[0])
            levels.append(float(power[inside].mean() * width))
    return np.array(centres), np.array(levels)


def spectrum(
    signals: PlantSignals, on: NDArray[np.float64], best: NDArray[np.float64], window_s: tuple[float, float]
) -> Figure:
    """Level per twelfth octave at the error microphones, before and after."""
    part = slice(round(window_s[0] * signals.rate_hz), round(window_s[1] * signals.rate_hz))
    reference_db = 10.0 * np.log10(_SINE_POWER) - signals.full_scale_db_spl
    curves = {}
    for style, heard in (("before", signals.disturbance[:, : on.shape[1]]), ("bound", best), ("after", on)):
        centres, power = _bands(*power_spectrum(heard[:, part], signals.rate_hz))
        curves[style] = (centres, _db(power / signals.disturbance.shape[0]) - reference_db)
    levels = np.concatenate([curve for _, curve in curves.values()])
    high = float(levels.max())
    low = max(float(levels.min()), high - 80.0)

    def draw(size: Size) -> Plot:
        plot = Plot(size, frequency_axis(40.0, 20_000.0, narrow=size.narrow), linear_axis(low, high),
                    "spectrum before and after", "dB SPL per 1/12 octave", "Hz")  # fmt: skip
        (centres, before), (_, after) = curves["before"], curves["after"]
        louder = np.maximum(before, after)
        plot.band(list(centres), list(after), list(louder), "gain")
        plot.band(list(centres), list(before), list(louder), "loss")
        for style, (centres, level) in curves.items():
            plot.line(list(centres), list(level), style)
        return plot

    return Figure(
        "Spectrum at the ear",
        "modelled plant, emulated firmware",
        _both(draw),
        (Legend("before", "cancellation off"), Legend("after", "on"), Legend("bound", "causal bound")),
        f"Seconds {window_s[0]:.1f} to {window_s[1]:.1f}, mean of the ears; red where it became louder.",
    )


def octave_bars(result: Result) -> Figure:
    """Attenuation per octave, the run and the bound."""
    reached = result.acoustics.octaves_db
    bound = result.acoustics.bound_octaves_db or {}
    values = [*reached.values(), *bound.values(), 0.0]

    def draw(size: Size) -> Plot:
        names = list(reached)
        ticks = tuple((k + 0.5, f"{int(name) // 1000}k" if int(name) >= 1000 else name) for k, name in enumerate(names))
        plot = Plot(size, Axis(0.0, float(len(names)), ticks), linear_axis(min(values) * 1.15, max(values) * 1.05),
                    "attenuation per octave", "dB", "octave, Hz")  # fmt: skip
        for k, name in enumerate(names):
            room = plot.at_x(k + 1.0) - plot.at_x(float(k))
            value = reached[name]
            top = plot.at_y(max(value, 0.0))
            style = "bar after" if value >= -0.05 else "bar bad"
            plot.rect(plot.at_x(float(k)) + 0.2 * room, top, 0.6 * room, plot.at_y(min(value, 0.0)) - top, style,
                      tip=f"{name} Hz: {value:+.1f} dB")  # fmt: skip
            if name in bound:
                row, left = plot.at_y(bound[name]), plot.at_x(float(k)) + 0.1 * room
                plot.stroke("line bound", (left, row), (left + 0.8 * room, row))
            height = plot.at_y(min(value, 0.0)) - top
            inside = height > _LABEL_HEIGHT
            outside = top - 6  # above, also over a short bar that hangs: bounds lie below it
            row = (top + 17 if value >= 0 else top + height - 8) if inside else outside
            label = f"{round(value)}" if size.narrow else f"{value:.1f}"
            plot.text(plot.at_x(k + 0.5), row, label, "inside" if inside else "value", "middle")
        return plot

    return Figure(
        "Attenuation per octave",
        "modelled plant, emulated firmware",
        _both(draw),
        (Legend("bar after", "quieter"), Legend("bar bad", "louder"), Legend("bound", "causal bound")),
    )


def function_bars(result: Result) -> Figure | None:
    """Instructions per sample and function; None where the target counts none."""
    functions = result.load.functions[:_FUNCTIONS_SHOWN]
    if not functions:
        return None
    most = max(function.instructions for function in functions)
    row = 26

    def draw(size: Size) -> Plot:
        area = Size(size.width, 34 + row * len(functions) * (2 if size.narrow else 1), size.narrow)
        left = 4 if size.narrow else 300
        plot = Plot(area, Axis(0.0, most, ()), Axis(0.0, 1.0, ()), "instructions per function",
                    "instructions per sample", left=left, right=70, bottom=4)  # fmt: skip
        for k, function in enumerate(functions):
            y = 24 + row * k * (2 if size.narrow else 1)
            if size.narrow:
                plot.text(4, y + 14, function.name, "name")
                y += row - 6
            else:
                plot.text(left - 10, y + 15, function.name, "name", "end")
            style = "bar isr" if function.context == "isr" else "bar background"
            width = plot.at_x(function.instructions) - left
            tip = f"{function.name}: {function.instructions:.1f} instructions, {function.cycles:.1f} cycles"
            plot.rect(left, y + 2, width, row - 8, style, tip=tip)
            plot.text(left + width + 7, y + 15, f"{function.instructions:.0f}", "value")
        return plot

    rest = len(result.load.functions) - len(functions)
    return Figure(
        "Where a sample's instructions go",
        result.load.instructions_evidence,
        _both(draw),
        (Legend("bar isr", "audio interrupt"), Legend("bar background", "background")),
        f"Exact counts, mean of the traced window; {rest} smaller functions are in the table."
        if rest > 0
        else "Exact counts.",
    )


def budget_bars(result: Result, limits: dict[str, tuple[float | None, float, str]]) -> Figure:
    """Shares of the budgets: name -> (found, limit, unit and evidence)."""
    rows = [(name, found, limit, unit) for name, (found, limit, unit) in limits.items() if found is not None]
    high = min(max([1.0, *(found / limit for _, found, limit, _ in rows)]), _MOST_OVER)

    def draw(size: Size) -> Plot:
        height = 62
        area = Size(size.width, 8 + height * len(rows), size.narrow)
        plot = Plot(area, Axis(0.0, high, ()), Axis(0.0, 1.0, ()), "budgets", left=2, right=2, bottom=2)
        for k, (name, found, limit, unit) in enumerate(rows):
            y, share = 4 + height * k, found / limit
            plot.text(2, y + 16, name, "name")
            plot.text(size.width - 2, y + 16, f"{_short(found)} of {_short(limit)} {unit}", "value", "end")
            full = plot.at_x(1.0) - plot.left
            plot.rect(plot.left, y + 26, full, 14, "track")
            style = "bar bad" if share > 1.0 else "bar after"
            plot.rect(
                plot.left, y + 26, plot.at_x(share) - plot.left, 14, style, tip=f"{100 * share:.1f} % of the budget"
            )
        return plot

    return Figure(
        "Budgets",
        "see each bar",
        _both(draw),
        (),
        "A full track is the whole budget. Processor: the busiest update block.",
    )


def _short(value: float) -> str:
    return f"{value:,.0f}" if value >= 1000 or float(value).is_integer() else f"{value:.1f}"
