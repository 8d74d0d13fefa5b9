"""What a sample costs: exact instructions from the plugin, modelled cycles from the trace."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from hushkit.spec import HeadsetSpec
from numpy.typing import NDArray

from hushkit_hil.bench.result import EMULATED, MODELLED, FunctionLoad, Latency, Load
from hushkit_hil.errors import BenchError
from hushkit_hil.instruments.cycles import CycleReport, WorstPath, core_model, model_cycles, worst_paths
from hushkit_hil.targets.outcome import Outcome

_PROFILES = ("isr", "background", "worst isr", "worst exchange")
_WORST = {"isr": "worst isr", "background": "worst exchange"}
_INTERRUPT = "hk_audio_isr"


def no_load() -> Load:
    """A target that counts nothing, such as the host."""
    return Load(None, None, None, MODELLED, None, None, None, None, None, EMULATED, ())


def emulated_load(spec: HeadsetSpec, elf: Path, outcome: Outcome, update_block: int) -> Load:
    """Load of a run on QEMU.

    Instructions are exact over the whole run. Cycles are modelled over the traced window; the largest is the traced
    exchange with the most instructions, scaled up where an exchange outside the window executed more. The interrupt
    preempts the background, which has an update block to finish its job: so the core keeps up when the busiest update
    block fits, and that is what ``cpu_percent_max`` is, not the busiest single exchange.

    Args:
        spec: The headset.
        elf: The image that ran.
        outcome: Its run, traced.
        update_block: Samples in which the background finishes one job.

    Raises:
        BenchError: The run was not traced, or its interrupt was never seen.
    """
    trace = outcome.trace
    if trace is None or trace.per_exchange is None or trace.per_isr is None:
        raise BenchError("the run was not traced; its load is unknown")
    if trace.per_isr.max == 0 or "worst isr" not in trace.profiles:
        raise BenchError("the audio interrupt never ran in the traced window; is the image's hk_audio_isr the handler?")
    block, core = spec.audio.block, spec.core.type
    overhead = core_model(core).interrupt_entry + core_model(core).interrupt_exit
    modelled = {name: model_cycles(core, elf, trace, trace.profiles[name]) for name in _PROFILES}
    paths = {name: worst_paths(core, elf, trace, trace.profiles[name]) for name in _WORST}
    interrupt = paths["isr"].get(_INTERRUPT)
    steady = modelled["isr"].per_execution() + modelled["background"].per_execution()
    traced = sum(trace.profiles[name].instructions / trace.profiles[name].executions for name in ("isr", "background"))
    worst = overhead + _scaled(modelled["worst exchange"], trace.per_exchange.max)
    worst_isr = overhead + _scaled(modelled["worst isr"], trace.per_isr.max)
    busiest = _busiest(outcome.instructions, max(1, update_block // block))
    busiest_cycles = (overhead + busiest * steady / traced) / block
    return Load(
        cycles_per_sample_mean=(overhead + steady) / block,
        cycles_per_sample_max=worst / block,
        cpu_percent_max=100.0 * busiest_cycles * spec.audio.rate_hz / spec.core.clock_hz,
        evidence=MODELLED,
        instructions_per_sample_mean=trace.per_exchange.mean / block,
        instructions_per_sample_max=trace.per_exchange.max / block,
        isr_instructions_per_sample_mean=trace.per_isr.mean / block,
        isr_instructions_per_sample_max=trace.per_isr.max / block,
        isr_cycles_per_sample_max=worst_isr / block,
        instructions_evidence=EMULATED,
        functions=_functions(modelled, paths, block),
        isr_cycles_per_sample_mean=(overhead + modelled["isr"].per_execution()) / block,
        isr_cycles_per_sample_path=None if interrupt is None else (overhead + interrupt.cycles) / block,
        isr_stack_bytes=None if interrupt is None else interrupt.stack_bytes,
    )


def latency(spec: HeadsetSpec, load: Load) -> Latency:
    """Delay budget: buffering, the worst interrupt's computation, converters."""
    converters = spec.converters.adc_us + spec.converters.dac_us
    cycles = load.isr_cycles_per_sample_max
    compute = None if cycles is None else cycles * spec.audio.block * 1e6 / spec.core.clock_hz
    return Latency(
        limit_us=spec.budgets.latency_us,
        buffering_us=spec.buffering_us,
        compute_us=compute,
        converters_us=converters,
        total_us=None if compute is None else spec.buffering_us + compute + converters,
        evidence=load.evidence,
    )


def _busiest(instructions: NDArray[np.uint32], window: int) -> float:
    """Largest mean over ``window`` consecutive exchanges."""
    total = np.concatenate([[0], np.cumsum(instructions, dtype=np.int64)])
    return float((total[window:] - total[:-window]).max() / window)


def _scaled(report: CycleReport, most: int) -> float:
    """Cycles of one execution, in proportion where another execution had more instructions than the modelled one."""
    return report.per_execution() * max(1.0, most / report.instructions)


def _functions(
    modelled: Mapping[str, CycleReport], paths: Mapping[str, Mapping[str, WorstPath]], block: int
) -> tuple[FunctionLoad, ...]:
    loads = []
    for context, worst in _WORST.items():
        dearest = {function.name: function.cycles for function in modelled[worst].functions}
        for function in modelled[context].functions:
            path = paths[context].get(function.name)
            loads.append(
                FunctionLoad(
                    name=function.name,
                    instructions=function.instructions / (modelled[context].executions * block),
                    cycles=function.cycles / (modelled[context].executions * block),
                    context=context,
                    cycles_worst=dearest.get(function.name, 0.0) / block,
                    path_cycles=None if path is None else path.cycles,
                    stack_bytes=None if path is None else path.stack_bytes,
                )
            )
    return tuple(sorted(loads, key=lambda load: (-load.instructions, load.name, load.context)))
