"""Every shipped headset in the closed acoustic loop, one second each."""

import numpy as np
import pytest
from hushkit_hil.bench.budgets import load_budgets, ratchet_failures
from hushkit_hil.pytest_plugin import BenchRun


def test_closed_loop_output_on_target_equals_host(bench_run: BenchRun) -> None:
    if bench_run.result.target == "host":
        pytest.skip("the host is not compared with itself")

    assert bench_run.result.bit_exact.host_vs_target is True
    assert bench_run.result.bit_exact.samples == bench_run.setup.run.n_samples


def test_closed_loop_makes_the_ear_quieter(bench_run: BenchRun) -> None:
    """In the second half of the first second: past the ramp, before slow controllers have converged."""
    run, outcome = bench_run.setup.run, bench_run.outcome
    half = run.n_samples // 2

    off = np.mean(run.disturbance[:, half : run.n_samples] ** 2)
    on = np.mean((outcome.error[:, half:] / 2.0**31) ** 2)

    assert 10 * np.log10(off / on) > 3.0


def test_closed_loop_meets_the_specs_budgets(bench_run: BenchRun) -> None:
    """The spec's budgets, the bench's limits, and the same bits as the host."""
    assert bench_run.result.failures == ()


def test_closed_loop_costs_no_more_than_the_accepted_run(bench_run: BenchRun) -> None:
    failures = ratchet_failures(bench_run.result, load_budgets())

    assert failures == ()


def test_audio_interrupt_fits_its_block_in_the_worst_case(bench_run: BenchRun) -> None:
    """REQ-LAT-1: interrupt entry to exit within one block, modelled cycles of the worst interrupt seen."""
    spec, load = bench_run.setup.spec, bench_run.result.load
    if load.isr_cycles_per_sample_max is None:
        pytest.skip(f"{bench_run.result.target} counts no instructions")

    available = spec.core.clock_hz / spec.audio.rate_hz

    assert load.isr_instructions_per_sample_max is not None
    assert load.isr_instructions_per_sample_max > 0
    assert load.isr_cycles_per_sample_max < available
