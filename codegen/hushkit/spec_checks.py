"""Checks that look at several values of a headset spec together: stability, budgets, and whether it fits its core."""

import math
from collections.abc import Iterator, Mapping

from hushkit.spec_cost import Estimate, estimate
from hushkit.spec_model import Category, Filter, FxNlms, HeadsetSpec, NoAdaptive, WarpedLs
from hushkit.spec_reader import Fault


def check_together(spec: HeadsetSpec, lines: Mapping[str, int]) -> list[Fault]:
    """Every fault of a spec whose single values are all in range, in no particular order."""
    found = [*_microphones(spec), *_filters(spec), *_adaptive(spec), *_categories(spec), *_emergency(spec)]
    found += [*_limits(spec), *_fit(spec, estimate(spec))]
    return [
        Fault(place, lines.get(place, lines.get(place.rpartition(".")[0])), what, advice)
        for place, what, advice in found
    ]


_Found = Iterator[tuple[str, str, str]]


def _microphones(spec: HeadsetSpec) -> _Found:
    if "reference" not in spec.audio.microphones:
        yield "audio.microphones", "no reference microphone", 'add "reference": every filter starts from it'
    if "error" not in spec.audio.microphones and not isinstance(spec.adaptive, NoAdaptive):
        advice = 'add "error", or set adaptive.algorithm = "none"'
        yield "audio.microphones", f"{spec.adaptive.algorithm} needs an error microphone", advice


def _filters(spec: HeadsetSpec) -> _Found:
    for name, design in (("feedforward", spec.feedforward), ("transparency", spec.transparency)):
        for number, row in enumerate(design.rows, start=1):
            yield from _section(f"filters.{name}.rows", number, row)
    for number, row in enumerate(spec.feedback.rows, start=1):
        yield from _section("filters.feedback.rows", number, row)
    if spec.feedback.kind != "none" and "error" not in spec.audio.microphones:
        yield "filters.feedback", "feedback needs an error microphone", 'add "error" to audio.microphones, or remove it'
    if spec.modes.start == "transparency" and spec.transparency.kind == "none":
        yield (
            "modes.start",
            "transparency is off in this spec",
            'start in "anc" or "off", or design filters.transparency',
        )


def _section(place: str, number: int, row: tuple[float, ...]) -> _Found:
    b0, b1, b2, a0, a1, a2 = row
    if a0 != 1.0:
        yield place, f"row {number} has a0 = {a0:g}", "divide the row by a0, so that a0 = 1"
        return
    if not (abs(a2) < 1.0 and abs(a1) < 1.0 + a2):
        radius = _largest_pole(a1, a2)
        yield place, f"row {number} is unstable (largest pole {radius:.6f})", "move its poles inside the unit circle"
    if b0 == b1 == b2 == 0.0:
        yield place, f"row {number} has no numerator", "remove the row, or give b0, b1, b2"


def _largest_pole(a1: float, a2: float) -> float:
    discriminant = a1 * a1 - 4.0 * a2
    if discriminant < 0.0:
        return math.sqrt(a2)
    root = math.sqrt(discriminant)
    return max(abs(-a1 + root), abs(-a1 - root)) / 2.0


def _adaptive(spec: HeadsetSpec) -> _Found:
    adaptive = spec.adaptive
    if isinstance(adaptive, NoAdaptive):
        return
    if adaptive.update_block % spec.audio.block:
        advice = f"use a multiple of audio.block = {spec.audio.block}"
        yield "adaptive.update_block", f"{adaptive.update_block} does not hold whole blocks", advice
    if isinstance(adaptive, FxNlms):
        yield from _step(adaptive)
    if isinstance(adaptive, WarpedLs) and adaptive.tracking is not None:
        yield from _tracking(spec, adaptive)
    delay = spec.needed_latency_samples
    if adaptive.secondary_taps <= delay + 8:
        found = f"{adaptive.secondary_taps} taps, of which the latency alone takes {delay}"
        yield "adaptive.secondary_taps", found, f"use at least {delay + 32}"


def _tracking(spec: HeadsetSpec, adaptive: WarpedLs) -> _Found:
    if spec.feedforward.kind != "none":
        found = f"a fixed filter beside {adaptive.algorithm}: its part would change with the path that is tracked"
        yield "filters.feedforward.kind", found, 'use "none"'
    if adaptive.taps % 8:
        yield "adaptive.taps", f"{adaptive.taps} is no multiple of 8", f"use {adaptive.taps // 8 * 8}"


def _step(adaptive: FxNlms) -> _Found:
    # One update corrects step * update_block of a low tone's error, two blocks late: beyond 0.45 that loop oscillates.
    # The firmware stops at 0.25 (HK_FXNLMS_STEP_LIMIT_Q31), so a larger step would not act.
    most = 0.25 / adaptive.update_block
    if adaptive.step > most:
        found = f"{adaptive.step:g}, more than an update block of {adaptive.update_block} can take"
        yield "adaptive.step", found, f"use at most {most:g}, or a smaller update_block"


def _categories(spec: HeadsetSpec) -> _Found:
    for category in spec.categories:
        yield from _category_keys(spec, category)
        if category.taps is not None and category.taps > spec.adaptive.taps:
            found = f"{category.taps} taps, longer than adaptive.taps = {spec.adaptive.taps}"
            yield f"categories.{category.name}.taps", found, "shorten it, or lengthen adaptive.taps"
        if category.mode == "transparency" and spec.transparency.kind == "none":
            found = "transparency is off in this spec"
            yield f"categories.{category.name}.mode", found, "choose another mode, or design filters.transparency"


LONGEST_EMERGENCY_FADE_MS = 100.0

# What a controller can change while it runs. A warped filter's length cannot: its covariance would begin anew.
_CHANGEABLE = {
    "fxnlms": ("taps", "step", "leak"),
    "hybrid": ("step", "leak", "memory_s", "ridge", "start_ridge"),
    "fdaf": ("step", "leak"),
    "warped_ls": ("memory_s", "ridge", "start_ridge", "prior"),
    "warped_ls_tracking": ("memory_s", "ridge", "start_ridge", "prior"),
}
_CONTROLLER_KEYS = ("taps", "step", "leak", "memory_s", "ridge", "start_ridge", "prior")


def _emergency(spec: HeadsetSpec) -> _Found:
    hears = [category.name for category in spec.categories if category.mode == "transparency"]
    if hears and spec.modes.ramp_ms > LONGEST_EMERGENCY_FADE_MS:
        found = f"{spec.modes.ramp_ms:g} ms, but {hears[0]} must be heard within {LONGEST_EMERGENCY_FADE_MS:g} ms"
        yield "modes.ramp_ms", found, f"use at most {LONGEST_EMERGENCY_FADE_MS:g}"


def _category_keys(spec: HeadsetSpec, category: Category) -> _Found:
    algorithm = spec.adaptive.algorithm
    changeable = _CHANGEABLE.get(algorithm, ())
    for key in _CONTROLLER_KEYS:
        if getattr(category, key) is not None and key not in changeable:
            advice = f"{algorithm} can change {', '.join(changeable) or 'nothing'}, and mode and intensity: remove it"
            yield f"categories.{category.name}.{key}", f"{algorithm} cannot change {key} while it runs", advice


def _limits(spec: HeadsetSpec) -> _Found:
    core, budgets = spec.core, spec.budgets
    for key, budget, there in (
        ("flash_bytes", budgets.flash_bytes, core.flash_bytes),
        ("ram_bytes", budgets.ram_bytes, core.ram_bytes),
    ):
        if budget > there:
            yield f"budgets.{key}", f"{budget} bytes, but the core has {there}", f"use at most core.{key} = {there}"
    if spec.needed_latency_us > budgets.latency_us:
        found = (
            f"{budgets.latency_us:g} us, but a block of {spec.audio.block} buffers {spec.buffering_us:.1f} us and the "
            f"converters take {spec.converters.adc_us + spec.converters.dac_us:g} us"
        )
        yield "budgets.latency_us", found, f"allow {math.ceil(spec.needed_latency_us)}, or shorten block or converters"


def _fit(spec: HeadsetSpec, cost: Estimate) -> _Found:
    budgets = spec.budgets
    if cost.cpu_percent > budgets.cpu_percent:
        found = (
            f"an estimated {cost.cycles_per_sample:.0f} of {cost.available_cycles:.0f} cycles per sample "
            f"({cost.cpu_percent:.0f} %), over budgets.cpu_percent = {budgets.cpu_percent:g}"
        )
        place, advice = _load_advice(spec, cost)
        yield place, found, advice
    if cost.ram_bytes > budgets.ram_bytes:
        found = f"{budgets.ram_bytes} bytes cannot hold the state: an estimated {cost.ram_bytes} bytes"
        yield "budgets.ram_bytes", found, "raise it, or shorten adaptive.taps and adaptive.secondary_taps"
    if cost.flash_bytes > budgets.flash_bytes:
        found = f"{budgets.flash_bytes} bytes cannot hold the program: an estimated {cost.flash_bytes} bytes"
        yield "budgets.flash_bytes", found, f"allow at least {cost.flash_bytes}"


def _load_advice(spec: HeadsetSpec, cost: Estimate) -> tuple[str, str]:
    if spec.adaptive.taps and cost.largest_taps >= 8:
        found = f"the longest control filter that fits is {cost.largest_taps} taps (now {spec.adaptive.taps})"
        return "adaptive.taps", found + "; or use a larger block or a faster clock"
    fixed: list[tuple[str, Filter]] = [("feedforward", spec.feedforward), ("transparency", spec.transparency)]
    longest = max(fixed, key=lambda item: item[1].taps + item[1].sections)[0]
    if spec.adaptive.taps and spec.adaptive.secondary_taps > 64:
        return "adaptive.taps", "not even 16 taps fit: shorten adaptive.secondary_taps, or use a faster clock"
    return f"filters.{longest}", "nothing adaptive fits beside the fixed filters: shorten them, or use a faster clock"
