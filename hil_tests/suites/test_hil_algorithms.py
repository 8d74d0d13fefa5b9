"""Adaptive algorithms that no shipped headset uses, in the closed acoustic loop, one second each."""

from pathlib import Path

import numpy as np
import pytest
from hushkit_hil.pytest_plugin import Bench

SPECS = sorted((Path(__file__).resolve().parents[2] / "codegen" / "tests" / "specs").glob("*.toml"))


@pytest.mark.parametrize("spec", SPECS, ids=lambda path: path.stem)
def test_algorithm_cancels_on_target_as_on_host_within_its_budgets(spec: Path, hil_bench: Bench) -> None:
    found = hil_bench.run(str(spec))

    assert found.result.failures == ()
    assert found.result.bit_exact.host_vs_target in {True, None}
    half = found.setup.run.n_samples // 2
    off = np.mean(found.setup.run.disturbance[:, half : found.setup.run.n_samples] ** 2)
    on = np.mean((found.outcome.error[:, half:] / 2.0**31) ** 2)
    assert 10 * np.log10(off / on) > 3.0
