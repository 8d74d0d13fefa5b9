"""Run a prepared bench on its target and on the host, compare, judge."""

import dataclasses

import numpy as np
from hushkit.build import toolchain_version
from numpy.typing import NDArray

from hushkit_hil.bench.budgets import limit_failures, load_budgets, spec_failures
from hushkit_hil.bench.load import emulated_load, latency, no_load
from hushkit_hil.bench.quality import acoustics, bound_of, judge_tone, tone_run
from hushkit_hil.bench.result import BitExact, Memory, Result, ScenarioResult
from hushkit_hil.bench.setup import Request, Say, Setup, prepare
from hushkit_hil.errors import BenchError
from hushkit_hil.targets.host import host_build_id, run_on_host
from hushkit_hil.targets.outcome import Outcome, Progress
from hushkit_hil.targets.qemu import TraceWindow, run_on_qemu

TRACED_EXCHANGES = 4096


def bench(request: Request, say: Say, progress: Progress | None = None) -> tuple[Result, Setup, Outcome]:
    """The whole bench: prepare, run, compare, judge.

    Args:
        request: What to run.
        say: Takes lines of progress.
        progress: Called with the samples the target has heard so far.

    Returns:
        The result, and what a report draws: the setup and the target's run.

    Raises:
        BenchError: The target cannot run, or did not run to its end.
        InputError, AcousticsError, DesignError: Unusable input.
    """
    setup = prepare(request, say)
    outcome = run_target(setup, progress)
    ratio = setup.run.n_samples / setup.run.rate_hz / outcome.seconds
    say(f"{setup.target}      {outcome.seconds:.1f} s, {ratio:.1f} times real time")
    if setup.target.kind == "host":
        bit_exact = BitExact(None, setup.run.n_samples, None)
    else:
        host = run_on_host(setup.host_library, setup.run)
        bit_exact = compare(outcome.output, host.output)
        say(f"host      {host.seconds:.1f} s, {'the same bits' if bit_exact.host_vs_target else 'NOT the same bits'}")
    return judge(setup, outcome, bit_exact, ratio), setup, outcome


def run_target(setup: Setup, progress: Progress | None = None) -> Outcome:
    """Play the plant on the setup's target.

    Raises:
        BenchError: The target cannot run the closed loop.
    """
    if setup.target.kind == "host":
        return run_on_host(setup.host_library, setup.run)
    if setup.target.kind != "qemu" or setup.build is None:
        raise BenchError(
            f"target {setup.target}: the closed acoustic loop runs on qemu and host only; a board's microphones and "
            "driver would have to be wired to a plant. Use --target qemu or --target host"
        )
    return run_on_qemu(setup.build.image, setup.build.board, setup.run, window=trace_window(setup), progress=progress)


def trace_window(setup: Setup) -> TraceWindow:
    """The middle of the run: the controller works, no start-up."""
    exchanges = setup.run.n_samples // setup.run.block
    count = min(TRACED_EXCHANGES, exchanges // 2)
    return TraceWindow(first=(exchanges - count) // 2, count=count)


def compare(target: NDArray[np.int32], host: NDArray[np.int32]) -> BitExact:
    """Compare two outputs sample by sample, all of them."""
    differing = np.flatnonzero((target != host).any(axis=0))
    first = int(differing[0]) if differing.size else None
    return BitExact(first is None, int(target.shape[1]), first)


def judge(setup: Setup, outcome: Outcome, bit_exact: BitExact, ratio: float) -> Result:
    """Turn a run into a result and hold it against the budgets."""
    spec, build = setup.spec, setup.build
    run = tone_run(setup.run, full_scale_db_spl=setup.signals.full_scale_db_spl, seed=setup.scenario.seed)
    tone = judge_tone(run_on_host(setup.host_library, run).error, run.rate_hz)
    load = no_load() if build is None else emulated_load(spec, build.elf, outcome, setup.ir.update_block)
    result = Result(
        spec=spec.name,
        target=str(setup.target),
        core=spec.core.type if build is not None else "host",
        build_id=build.build_id if build is not None else host_build_id(setup.host_library),
        toolchain=build.toolchain if build is not None else toolchain_version(""),
        scenario=_scenario(setup),
        latency=latency(spec, load),
        load=load,
        memory=Memory(
            flash_bytes=None if build is None else build.flash_bytes,
            ram_bytes=None if build is None else build.ram_bytes,
            stack_bytes_max=outcome.stack_bytes,
        ),
        acoustics=acoustics(setup.signals, outcome.error, bound_of(setup.signals, setup.latency_samples), tone),
        bit_exact=bit_exact,
        times_real_time=ratio,
        passed=False,
        failures=(),
    )
    failures = (*spec_failures(spec, result), *limit_failures(result, load_budgets()))
    return dataclasses.replace(result, passed=not failures, failures=failures)


def _scenario(setup: Setup) -> ScenarioResult:
    scenario = setup.scenario
    return ScenarioResult(
        noise=scenario.noise,
        paths=scenario.paths,
        field=scenario.field,
        latency_us=setup.latency_samples * 1e6 / setup.run.rate_hz,
        seconds=scenario.seconds,
        seed=scenario.seed,
        algorithm=setup.ir.adaptive.algorithm,
        recording=scenario.recording,
        level_db_spl=setup.signals.level_db_spl,
        changes=setup.changes,
        categories=setup.categories,
    )
