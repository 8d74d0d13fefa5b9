"""Generated kernels on emulated cores: exact on many shapes, cheaper than the library, the same counts every time."""

import dataclasses
import functools
import json

import pytest
from hushkit.sources import pinned_sources
from hushkit_codegen.kernels.bounds import q15_sum
from hushkit_codegen.kernels.correlation import Sum
from hushkit_hil.errors import BenchError
from hushkit_hil.instruments.cycles import CORES
from hushkit_hil.kernelbench.case import Case
from hushkit_hil.kernelbench.cases import (
    all_cases,
    biquad_case,
    decimator_case,
    fir_q15_case,
    fir_q31_case,
    fxnlms_case,
)
from hushkit_hil.kernelbench.equation_cases import regressors_case, vector_case, warped_case
from hushkit_hil.kernelbench.rows import bench_rows
from hushkit_hil.kernelbench.runner import Run, run_bench

pytestmark = pytest.mark.skipif(
    not all(pin.present for pin in pinned_sources()), reason="C sources not fetched: run `make setup`"
)
SAMPLES = 512


def odd_shapes(core: str) -> tuple[Case, ...]:
    """Shapes beside the benchmarked ones: every block, remainders of every length, both ends of each range."""
    long = ((8, 1), (9, 4), (31, 8), (1023, 1))
    short = ((8, 8), (62, 1), (130, 4), (1024, 8))
    cascades = ((1, 1), (12, 4), (12, 8))
    decimators = ((Sum.Q15, 48, 3, 1), (Sum.Q15, 34, 2, 4), (Sum.Q15, 18, 5, 8), (Sum.Q15, 26, 4, 1))
    wide = ((Sum.Q31, 48, 3, 8), (Sum.Q31, 33, 2, 4), (Sum.Q31, 7, 6, 2), (Sum.Q31, 130, 4, 1))
    return (
        *(fir_q31_case(core, taps, block) for taps, block in long),
        *(fir_q15_case(core, taps, block) for taps, block in short),
        *(biquad_case(core, sections, block, saves_fraction=True) for sections, block in cascades),
        *(decimator_case(core, *shape) for shape in (*decimators, *wide)),
        fxnlms_case(core, 32, 8),
        fxnlms_case(core, 64, 16),
        warped_case(core, 95, 64),
        warped_case(core, 26, 3),
        regressors_case(core, 32, 33),
        vector_case(core, "enter", 4),
        *(vector_case(core, kind, n) for kind in ("dot", "axpy") for n in (1, 4, 7, 66)),
    )


@functools.cache
def host_hashes() -> dict[tuple[str, str], int]:
    run = run_bench("host", odd_shapes("cortex-m4"), samples=SAMPLES, regions=0)
    assert not [check for check in run.checks if check.mismatches]
    return {(check.case, check.signal): check.output_hash for check in run.checks}


@functools.cache
def small_run(core: str) -> Run:
    cases = [case for case in all_cases(core) if case.name in {"biquad_8_b8", "fir_q15_128_b1"}]
    return run_bench(core, cases, samples=0, regions=3)


@pytest.mark.parametrize("core", CORES)
def test_kernels_of_every_shape_equal_library_and_host(core: str) -> None:
    cases = [case if core != "cortex-m55" else _without_library(case) for case in odd_shapes(core)]

    run = run_bench(core, cases, samples=SAMPLES, regions=0)

    assert len(run.checks) == 6 * len(cases)
    assert not [check for check in run.checks if check.mismatches]
    assert {(c.case, c.signal): c.output_hash for c in run.checks} == host_hashes()


def _without_library(case: Case) -> Case:
    """With Helium the library rounds differently, and faults below its smallest block: compare with the host only."""
    return dataclasses.replace(case, reference="twin" if case.reference == "twin" else "", peers=())


def test_kernel_bench_row_keeps_its_promise() -> None:
    (row,) = bench_rows(["cortex-m7"], samples=256, progress=lambda _: None, only="fir_q15_128_b8")

    document = json.loads(json.dumps(row.document()))

    assert row.passed
    assert document["ratio_cycles"] >= document["target_ratio"] > 1.0
    assert document["generated"]["cycles_per_sample"] <= document["generated"]["cycles_per_sample_bound"]
    assert {"kernel", "shape", "core", "generated", "cmsis", "ratio_cycles", "bit_exact", "evidence"} <= set(document)


def test_kernel_counts_are_the_same_in_every_run() -> None:
    first = small_run("cortex-m4")
    cases = [case for case in all_cases("cortex-m4") if case.name in {"biquad_8_b8", "fir_q15_128_b1"}]

    second = run_bench("cortex-m4", cases, samples=0, regions=3)

    assert first.trace is not None
    assert second.trace is not None
    assert [p.instructions for p in first.trace.regions()] == [p.instructions for p in second.trace.regions()]


def test_worst_call_of_a_ring_filter_is_its_typical_call() -> None:
    """A doubled ring moves nothing: calls differ by the wrap of an index, no more."""
    run = small_run("cortex-m4")
    assert run.trace is not None

    counts = [
        run.trace.profiles[f"region {region.index}"].instructions
        for region in run.regions
        if (region.case, region.what) == ("fir_q15_128_b1", "generated")
    ]

    assert max(counts) - min(counts) <= 4


def test_library_cascade_with_helium_faults_at_block_one() -> None:
    """Why the Cortex-M55 row of block 1 has no peer."""
    case = biquad_case("cortex-m55", 8, 1, saves_fraction=False)

    with pytest.raises(BenchError, match=r"no end marker.*fault"):
        run_bench("cortex-m55", [case], samples=64, regions=0)


def test_taps_beyond_the_short_sum_are_added_in_64_bits() -> None:
    taps = [32767] * 4

    assert q15_sum(taps)[0] is Sum.Q15_LONG
    assert q15_sum([16383] * 4)[0] is Sum.Q15
