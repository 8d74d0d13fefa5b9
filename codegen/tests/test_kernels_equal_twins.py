"""Generated kernels, compiled for this machine, against their integer twins: the same bits on every input."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from hushkit.errors import InputError
from hushkit.sources import require_sources
from hushkit.spec import load_spec, shipped_specs
from hushkit_codegen.design import design_headset
from hushkit_codegen.host_kernels import HostKernels
from hushkit_codegen.ir import BiquadIr, FirIr, FxNlmsIr, HeadsetIr, SilentIr, load_ir
from hushkit_models.twin import BiquadTwin, FirQ15Twin, FirQ31Twin, gradient_q31
from numpy.typing import NDArray

Ints = NDArray[np.int32]
ROOT = Path(__file__).resolve().parents[2]
FULL = 2**31 - 1


def signals(n: int) -> dict[str, Ints]:
    rng = np.random.default_rng(seed=1)
    noise = rng.integers(-(2**31), 2**31, size=n)
    return {
        "noise": noise.astype(np.int32),
        "quiet": (noise >> 18).astype(np.int32),
        "full_scale": np.where(noise > 0, FULL, -FULL - 1).astype(np.int32),
        "alternating": np.where(np.arange(n) % 2, FULL, -FULL - 1).astype(np.int32),
        "dc": np.full(n, -FULL - 1, dtype=np.int32),
        "silence": np.zeros(n, dtype=np.int32),
    }


def shipped(name: str) -> HeadsetIr:
    return load_ir(ROOT / "firmware" / "generated" / name / "design.json")


@pytest.fixture(scope="module")
def fxnlms() -> HeadsetIr:
    return design_headset(load_spec(Path(__file__).parent / "specs" / "fxnlms-m7.toml"))


@pytest.fixture(scope="module", autouse=True)
def sources() -> None:
    try:
        require_sources()
    except InputError as err:
        pytest.skip(str(err))


@pytest.fixture(
    scope="module",
    params=[*((name, "generated") for name in shipped_specs()), ("flagship-m7", "cmsis")],
    ids=" ".join,
)
def kernels(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[HeadsetIr, HostKernels]:
    name, source = request.param
    ir = shipped(name)
    return ir, HostKernels(ir, tmp_path_factory.mktemp(name), kernels=source)


@pytest.fixture(scope="module", params=["generated", "cmsis"])
def fxnlms_kernels(
    request: pytest.FixtureRequest, fxnlms: HeadsetIr, tmp_path_factory: pytest.TempPathFactory
) -> tuple[HeadsetIr, HostKernels]:
    return fxnlms, HostKernels(fxnlms, tmp_path_factory.mktemp("fxnlms"), kernels=request.param)


def biquad_twin(design: object) -> BiquadTwin:
    assert isinstance(design, BiquadIr)
    return BiquadTwin(design.sections, design.post_shift, design.output_shift)


def fixed_filter_equals_its_twin(ir: HeadsetIr, library: HostKernels, name: str) -> None:
    design, ear, run = getattr(ir, name), ir.ears - 1, getattr(library, name)
    library.reset()
    twin = None if isinstance(design, SilentIr) else biquad_twin(design)

    for label, x in signals(2048).items():
        expected = np.zeros(x.size) if twin is None else twin.run(x)
        np.testing.assert_array_equal(run(ear, x), expected, err_msg=label)


def fir_twin(design: object) -> FirQ31Twin:
    assert isinstance(design, FirIr)
    return FirQ31Twin(design.taps, design.exponent)


@pytest.mark.parametrize("name", ["feedforward", "transparency"])
def test_fixed_filter_equals_its_twin(kernels: tuple[HeadsetIr, HostKernels], name: str) -> None:
    fixed_filter_equals_its_twin(*kernels, name)


@pytest.mark.parametrize("name", ["feedforward", "transparency"])
def test_fixed_filter_equals_its_twin_beside_fxnlms(fxnlms_kernels: tuple[HeadsetIr, HostKernels], name: str) -> None:
    fixed_filter_equals_its_twin(*fxnlms_kernels, name)


def test_control_filter_equals_its_twin_with_changing_weights(fxnlms_kernels: tuple[HeadsetIr, HostKernels]) -> None:
    ir, library = fxnlms_kernels
    assert isinstance(ir.adaptive, FxNlmsIr)
    rng = np.random.default_rng(seed=2)
    taps = len(ir.adaptive.prior.taps)
    twin = fir_twin(ir.adaptive.prior)
    library.reset()

    for label, x in signals(768).items():
        weights = rng.integers(-(2**31) // taps, 2**31 // taps, size=taps).astype(np.int32)
        np.testing.assert_array_equal(library.control(0, weights, x), twin.run(x, weights), err_msg=label)


@pytest.mark.parametrize("stream", [0, 1])
def test_secondary_model_equals_its_twin_per_stream(kernels: tuple[HeadsetIr, HostKernels], stream: int) -> None:
    ir, library = kernels
    twin = fir_twin(ir.secondary)
    library.reset()

    for label, x in signals(512).items():
        np.testing.assert_array_equal(library.secondary(0, stream, x), twin.run(x), err_msg=label)


def test_gradient_equals_its_twin(fxnlms_kernels: tuple[HeadsetIr, HostKernels]) -> None:
    ir, library = fxnlms_kernels
    n_taps = 64
    for label, xf in signals(n_taps + ir.update_block - 1).items():
        e = (signals(ir.update_block)[label] >> 6).astype(np.int32)

        for shift in (26, 31):
            expected = gradient_q31(xf, e, shift, n_taps)
            np.testing.assert_array_equal(library.gradient(xf, e, shift, n_taps), expected, err_msg=label)


@pytest.mark.parametrize("source", ["generated", "cmsis"])
@pytest.mark.parametrize("block", [1, 4, 8])
def test_transversal_and_silent_filters_equal_their_twins_at_every_block(
    block: int, source: str, tmp_path: Path
) -> None:
    rng = np.random.default_rng(seed=3)
    q31 = FirIr(tuple(int(v) for v in rng.integers(-(2**24), 2**24, size=60)), 2)
    q15 = FirIr(tuple(int(v) for v in rng.integers(-(2**9), 2**9, size=48)), 1, "q15")
    base = shipped("flagship-m7")
    first = dataclasses.replace(base, block=block, feedforward=q31, transparency=q15)
    second = dataclasses.replace(base, block=block, feedforward=SilentIr())
    library = HostKernels(first, tmp_path / "first", kernels=source)
    silent = HostKernels(second, tmp_path / "second", kernels=source)
    q31_twin, q15_twin = fir_twin(q31), FirQ15Twin(q15.taps, q15.exponent)
    through = biquad_twin(base.transparency)

    for label, x in signals(512).items():
        np.testing.assert_array_equal(library.feedforward(0, x), q31_twin.run(x), err_msg=label)
        np.testing.assert_array_equal(library.transparency(0, x), q15_twin.run(x), err_msg=label)
        np.testing.assert_array_equal(silent.feedforward(0, x), np.zeros(x.size), err_msg=label)
        np.testing.assert_array_equal(silent.transparency(0, x), through.run(x), err_msg=label)
