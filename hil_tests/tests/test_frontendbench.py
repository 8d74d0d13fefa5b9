"""The classifier's front end on emulated cores."""

import pytest
from hushkit_hil.frontendbench.rows import BUDGET_PERCENT, bench_frontend, table
from hushkit_hil.instruments.cycles import CORES


@pytest.mark.parametrize("core", CORES)
def test_front_end_on_a_core_equals_its_twin(core: str) -> None:
    (row,) = bench_frontend([core], lambda _line: None)

    assert row.frames == 24
    assert row.mismatches == 0
    assert 0 < row.longest_slice_cycles < row.cycles


def test_front_end_keeps_its_budget_on_a_cortex_m4() -> None:
    rows = bench_frontend(["cortex-m4"], lambda _line: None)

    assert rows[0].percent <= BUDGET_PERCENT
    assert rows[0].passed
    assert "FALLS SHORT" not in table(rows)
