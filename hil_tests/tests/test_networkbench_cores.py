from pathlib import Path

import numpy as np
import pytest
from hushkit_codegen.network.blob import Compiled, compile_model
from hushkit_codegen.network.model import parse_model
from hushkit_codegen.network.probes import PROBES, probe
from hushkit_codegen.network.reference import Rounding, run_reference
from hushkit_hil.errors import BenchError
from hushkit_hil.instruments.cycles import CORES
from hushkit_hil.networkbench.program import network_inputs, output_hash, run_network
from hushkit_hil.networkbench.rows import bench_network

_INPUTS = 17  # one of extremes among them
_SHARED = Path(__file__).resolve().parents[3] / "shared" / "data" / "mlperf_tiny"


def _expected(content: bytes, rounding: Rounding) -> tuple[int, ...]:
    model = parse_model(content, "probe")
    size = int(np.prod(model.tensors[model.inputs[0]].shape))
    y = run_reference(model, network_inputs(_INPUTS, size), rounding=rounding)[model.outputs[0]]
    return tuple(output_hash(row.astype(np.int8)) for row in y)


def _compiled(content: bytes, core: str, rounding: Rounding) -> Compiled:
    return compile_model(parse_model(content, "probe"), core, rounding)


@pytest.mark.parametrize("name", list(PROBES)[::3])
def test_runtime_on_the_host_equals_reference(name: str) -> None:
    content = probe(name)

    run = run_network(_compiled(content, "cortex-m4", "tflite"), "host", inputs=_INPUTS, timed=False)

    assert run.hashes == _expected(content, "tflite")


@pytest.mark.parametrize("name", ["conv_1x1", "dense_odd", "depthwise_3x3"])
def test_runtime_offers_the_rounding_of_tflm(name: str) -> None:
    content = probe(name, seed=2)

    run = run_network(_compiled(content, "cortex-m4", "tflm"), "host", inputs=_INPUTS, timed=False)

    assert run.hashes == _expected(content, "tflm")


@pytest.mark.parametrize("core", CORES)
@pytest.mark.parametrize("name", ["separable", "depthwise_5x1"])
def test_runtime_on_a_core_equals_reference(core: str, name: str) -> None:
    content = probe(name)

    run = run_network(_compiled(content, core, "tflite"), core, inputs=_INPUTS, timed=False)

    assert run.hashes == _expected(content, "tflite")


def test_runtime_refuses_a_blob_for_another_core() -> None:
    compiled = _compiled(probe("dense"), "cortex-m7", "tflite")

    with pytest.raises(BenchError, match="fffffffc"):  # HK_ERR_ABI
        run_network(compiled, "cortex-m4", inputs=1, timed=False)


@pytest.mark.shared_data
def test_bench_of_keyword_spotting_keeps_its_promises() -> None:
    file = _SHARED / "kws_ref_model.tflite"
    if not file.is_file():
        pytest.skip("../shared/data/mlperf_tiny is not there")

    (row,) = bench_network(file.read_bytes(), file.name, ["cortex-m4"], inputs=20, progress=lambda _: None)

    document = row.document()
    assert document["bit_exact"]["mismatches"] == 0
    assert document["flash_code_bytes"] <= 16 * 1024
    assert document["arena_bytes"] <= 17 * 1024
    assert document["cycles"] == pytest.approx(sum(o["cycles"] for o in document["operators"]), abs=20)
