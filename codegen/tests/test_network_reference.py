from pathlib import Path

import numpy as np
import pytest
from hushkit_codegen.network.graph import Model
from hushkit_codegen.network.model import parse_model
from hushkit_codegen.network.probes import PROBES, probe
from hushkit_codegen.network.reference import Rounding, run_reference
from numpy.typing import NDArray

runtime = pytest.importorskip("tflite_runtime.interpreter", reason="the golden interpreter needs Python 3.11")

_SHARED = Path(__file__).resolve().parents[3] / "shared" / "data" / "mlperf_tiny"


def _inputs(model: Model, n: int) -> NDArray[np.int8]:
    shape = model.tensors[model.inputs[0]].shape
    return np.random.default_rng(seed=1).integers(-128, 128, (n, *shape[1:]), dtype=np.int8)


def _golden(content: bytes, x: NDArray[np.int8], rounding: Rounding) -> NDArray[np.int8]:
    kernels = runtime.OpResolverType
    interpreter = runtime.Interpreter(
        model_content=content,
        experimental_op_resolver_type=kernels.BUILTIN_REF
        if rounding == "tflm"
        else kernels.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
    )
    interpreter.allocate_tensors()
    source, target = interpreter.get_input_details()[0], interpreter.get_output_details()[0]
    outputs = []
    for codes in x:
        interpreter.set_tensor(source["index"], codes.reshape(source["shape"]))
        interpreter.invoke()
        outputs.append(np.array(interpreter.get_tensor(target["index"])[0]))
    return np.stack(outputs)


@pytest.mark.parametrize("rounding", ["tflite", "tflm"])
@pytest.mark.parametrize("name", PROBES)
def test_reference_equals_interpreter(name: str, rounding: Rounding) -> None:
    for seed in (1, 2):
        content = probe(name, seed)
        model = parse_model(content, name)
        x = _inputs(model, 30)

        y = run_reference(model, x, rounding=rounding)[model.outputs[0]]

        np.testing.assert_array_equal(y, _golden(content, x, rounding))


@pytest.mark.shared_data
@pytest.mark.parametrize("name", ["kws_ref_model.tflite", "ad01_int8.tflite"])
def test_reference_equals_interpreter_on_public_models(name: str) -> None:
    if not (_SHARED / name).is_file():
        pytest.skip("../shared/data/mlperf_tiny is not there")
    content = (_SHARED / name).read_bytes()
    model = parse_model(content, name)
    x = _inputs(model, 1000)

    y = run_reference(model, x)[model.outputs[0]]

    np.testing.assert_array_equal(y, _golden(content, x, "tflite"))
