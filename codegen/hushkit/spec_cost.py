"""What a headset spec will cost its core, estimated before anything is generated.

Cycles are modelled: the kernels that hushkit_codegen generates, zero wait states, in cycles per multiply-accumulate or
section. The figures of a built firmware come from `hushkit bench`; these decide only whether a spec can work at all,
and round up where they are unsure.
"""

from dataclasses import dataclass

from hushkit.spec_model import FDAF_BLOCK, MAX_TAPS, Adaptive, Fdaf, Filter, HeadsetSpec, Hybrid, WarpedLs

_WORD = 4
_TAPS_STEP = 32
_WARPED_STEP, _WARPED_MOST = 8, 128
_SLICE = 8
"""HK_KERNEL_SLICE: samples per call of the secondary-path model."""


@dataclass(frozen=True, slots=True)
class CoreCosts:
    """Modelled cycles of one core.

    Attributes:
        fir_single: q31 filter called with one sample, per tap.
        fir_block: q31 filter called with four samples or more, per multiply-accumulate.
        fir15_single, fir15_block: The same for q15.
        gradient: The gradient's correlation, per multiply-accumulate.
        biquad: One fraction-saving section, per sample.
        weight: One weight's step, leak, saturation and watch sums, per update.
        interrupt: Entry, exit, exchange of samples and mode logic, per block and ear.
        sample: DC blockers, ramps, limiter, and the background's work beside the filters, per sample and ear.
    """

    fir_single: float
    fir_block: float
    fir15_single: float
    fir15_block: float
    gradient: float
    biquad: float
    weight: float
    interrupt: float
    sample: float


# Figures of `hushkit bench` per function for the shipped specs, GCC 12.2, modelled cycles. The M33's filters count as
# the M4's (same pipeline depth, single issue).
_M4 = CoreCosts(3.95, 2.15, 2.4, 1.3, 2.5, 30.0, 132.0, 950.0, 820.0)
_M33 = CoreCosts(3.95, 2.15, 2.4, 1.3, 2.5, 30.0, 132.0, 850.0, 820.0)
_M7 = CoreCosts(2.1, 1.1, 1.2, 0.7, 1.3, 19.0, 75.0, 400.0, 300.0)
_M55 = CoreCosts(3.0, 1.6, 1.8, 1.0, 1.9, 24.0, 100.0, 850.0, 710.0)
CORE_COSTS = {"cortex-m4": _M4, "cortex-m7": _M7, "cortex-m33": _M33, "cortex-m55": _M55}

_BUSIEST = 1.1
"""Busiest update block over the mean: ramps, watch and statistics fall together now and then."""

_WARPED_SAMPLE = 0.3
"""Of a core's `sample`, what the warped controller's background costs beside its own kernels: no error to correct."""

# Program without filters, as built for QEMU with -O2: start-up, link, modes, statistics.
_BASE_FLASH = 48 * 1024
_BASE_RAM = 24 * 1024


@dataclass(frozen=True, slots=True)
class Estimate:
    """Modelled cost of a spec.

    Attributes:
        cycles_per_sample: In the busiest update block, all ears, interrupt and background together.
        available_cycles: Clock cycles between two samples.
        cpu_percent: The first over the second.
        largest_taps: Longest control filter within budgets.cpu_percent; 0 when none fits or none is asked for.
        flash_bytes, ram_bytes: Static sizes.
        buffering_us: Wait for the block, plus one block until the output is latched.
        latency_us: Buffering plus converters.
    """

    cycles_per_sample: float
    available_cycles: float
    cpu_percent: float
    largest_taps: int
    flash_bytes: int
    ram_bytes: int
    buffering_us: float
    latency_us: float


def estimate(spec: HeadsetSpec) -> Estimate:
    """Estimate what a spec costs. Pure; the spec's values must be in range, though it need not fit its budgets."""
    available = spec.core.clock_hz / spec.audio.rate_hz
    cycles = _cycles(spec, spec.adaptive.taps)
    allowed = available * spec.budgets.cpu_percent / 100.0
    sizes = _sizes(spec.adaptive) if spec.adaptive.taps else range(0)
    largest = max((taps for taps in sizes if _cycles(spec, taps) <= allowed), default=0)
    return Estimate(
        cycles_per_sample=cycles,
        available_cycles=available,
        cpu_percent=100.0 * cycles / available,
        largest_taps=largest,
        flash_bytes=_flash(spec),
        ram_bytes=_ram(spec),
        buffering_us=spec.buffering_us,
        latency_us=spec.needed_latency_us,
    )


def _sizes(adaptive: Adaptive) -> range:
    if isinstance(adaptive, WarpedLs):
        return range(_WARPED_STEP, _WARPED_MOST + 1, _WARPED_STEP)
    step = 2 * FDAF_BLOCK if isinstance(adaptive, Fdaf) else _TAPS_STEP
    return range(step, MAX_TAPS + 1, step)


def fir_cycles(core: CoreCosts, taps: int, block: int, *, fmt: str = "q31") -> float:
    """Modelled cycles per sample of a FIR filter called with `block` samples."""
    single, group = (core.fir_single, core.fir_block) if fmt == "q31" else (core.fir15_single, core.fir15_block)
    return taps * (single if block == 1 else group)


def _cycles(spec: HeadsetSpec, taps: int) -> float:
    core = CORE_COSTS[spec.core.type]
    block = spec.audio.block
    ear = core.interrupt / block
    ear += _filter_cycles(core, spec.feedforward, block) + _filter_cycles(core, spec.transparency, block)
    if spec.feedback.kind != "none":
        ear += (spec.feedback.sections + spec.feedback.model_sections) * core.biquad
    if isinstance(spec.adaptive, WarpedLs):
        ear += core.sample * _WARPED_SAMPLE
        ear += _warped_cycles(core, spec.adaptive, taps, spec.audio.rate_hz)
    elif isinstance(spec.adaptive, Hybrid):
        ear += core.sample * _WARPED_SAMPLE
        ear += fir_cycles(core, taps, block) + _hybrid_cycles(core, spec.adaptive, taps)
    elif isinstance(spec.adaptive, Fdaf):
        ear += core.sample
        ear += fir_cycles(core, taps, block) + _fdaf_cycles(core, spec.adaptive, taps)
    else:
        ear += core.sample
        ear += fir_cycles(core, taps, block) + _update_cycles(core, spec.adaptive, taps)
    return ear * spec.audio.ears * _BUSIEST


def _filter_cycles(core: CoreCosts, design: Filter, block: int) -> float:
    if design.kind == "fir":
        return fir_cycles(core, design.taps, block, fmt=design.format)
    return design.sections * core.biquad


def _warped_cycles(core: CoreCosts, adaptive: WarpedLs, taps: int, rate_hz: int) -> float:
    """Chain and dot product per sample; model, equation, covariance and solution spread over their intervals."""
    if adaptive.tracking is not None:
        return _tracking_cycles(core, adaptive, taps, adaptive.tracking.hurry_solve_ms * rate_hz / 1000)
    chain = (2.6 * (taps + adaptive.warped_secondary_taps) + 1.3 * taps) * core.fir_block
    models = 5.0 * adaptive.secondary_taps * core.fir_block  # samples of the watch and the target
    equation = taps * adaptive.warped_secondary_taps * core.fir_block + taps * taps / 2 * 1.7 * core.fir_block
    solution = taps**3 / 6 * 4.0 * core.fir_block / (adaptive.solve_ms * rate_hz / 1000)
    return chain + (models + equation) / adaptive.update_block + solution


def _tracking_cycles(core: CoreCosts, adaptive: WarpedLs, taps: int, interval: float) -> float:
    """Both chains per sample; equations and the watch's model per update block, solutions at their fastest."""
    path = adaptive.warped_secondary_taps
    primary, both = taps + path, taps + 2 * path
    chains = (2.6 * (primary + path + 16) + 1.3 * taps) * core.fir_block
    equation = (both**2 / 2 * 2.1 + 16.0 * both + 5.0 * adaptive.secondary_taps) * core.fir_block
    solution = both**3 / 6 + primary * taps * path + taps**2 / 2 * path + taps**3 / 6
    return chains + equation / adaptive.update_block + 1.9 * solution * core.fir_block / interval


def _hybrid_cycles(core: CoreCosts, adaptive: Hybrid, taps: int) -> float:
    """The short filter per sample, the path's chain beside it; equation, triangle and both updates per update block."""
    short, model = adaptive.short_taps, adaptive.warped_secondary_taps
    chain = (2.6 * (short + model) + 1.3 * short) * core.fir_block
    path = 6.0 * model * core.fir_block
    models = 5.0 * adaptive.secondary_taps * core.fir_block  # samples of the watch and the target
    equation = short * model * core.fir_block + short * short / 2 * 7.0 * core.fir_block
    weights = taps * core.weight / 3
    return chain + path + (models + equation + weights) / adaptive.update_block


def _fdaf_cycles(core: CoreCosts, adaptive: Fdaf, taps: int) -> float:
    """Filtered reference and error per sample; transforms, bins and weights per block of 128."""
    partitions = taps / FDAF_BLOCK
    transforms = (1 + partitions / 2) * 256 * 4 * 6.0 * core.fir_block
    bins = FDAF_BLOCK * (10.0 + 14.0 * partitions) * core.fir_block
    weights = taps * core.weight / 3
    return 2.0 * fir_cycles(core, adaptive.secondary_taps, _SLICE) + (transforms + bins + weights) / FDAF_BLOCK


def _update_cycles(core: CoreCosts, adaptive: Adaptive, taps: int) -> float:
    secondary = fir_cycles(core, adaptive.secondary_taps, _SLICE)
    if not taps:
        return secondary  # the drive only, for the attenuation estimate
    return 2.0 * secondary + taps * core.gradient + taps * core.weight / adaptive.update_block


def _flash(spec: HeadsetSpec) -> int:
    words = 5 * (spec.feedforward.sections + spec.transparency.sections)
    words += spec.feedforward.taps + spec.transparency.taps + spec.adaptive.taps + spec.adaptive.secondary_taps
    return _BASE_FLASH + words * _WORD


def _ram(spec: HeadsetSpec) -> int:
    block, adaptive = spec.audio.block, spec.adaptive
    words = 5 * (spec.feedforward.sections + spec.transparency.sections)
    words += sum(design.taps + block for design in (spec.feedforward, spec.transparency))
    if adaptive.taps:
        words += adaptive.taps + block  # delay line of the control filter
        words += 3 * adaptive.taps  # weights: two snapshots and one in the making
        words += adaptive.taps + adaptive.update_block  # filtered-x history
        words += adaptive.taps  # gradient
    if isinstance(adaptive, WarpedLs) and adaptive.tracking is not None:
        path = adaptive.warped_secondary_taps
        both = (adaptive.taps + 2 * path) ** 2 // 2
        words += both + (both + (adaptive.taps + path) ** 2 // 2) // spec.audio.ears  # evidence; one solver for all
    if adaptive.secondary_taps:
        words += 2 * (adaptive.secondary_taps + _SLICE)
    words += 12 * max(adaptive.update_block, 32)  # records of two update blocks
    return _BASE_RAM + spec.audio.ears * words * _WORD
