import pytest
from hushkit_hil.instruments.cycles import CORES
from hushkit_hil.networkbench.soak import differing_references, differing_runs

_SEEDS = range(1000, 1060)


def test_reference_equals_tflite_runtime_on_random_graphs() -> None:
    assert differing_references(_SEEDS) == []


@pytest.mark.parametrize("core", ["cortex-m4", "cortex-m55"])
def test_runtime_on_the_host_equals_reference_on_random_graphs(core: str) -> None:
    assert differing_runs(_SEEDS, core, "host") == []


@pytest.mark.parametrize("core", CORES)
def test_runtime_on_a_core_equals_reference_on_random_graphs(core: str) -> None:
    assert differing_runs(_SEEDS[:20], core, core) == []
