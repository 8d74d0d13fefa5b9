"""The firmware's audio path and FxNLMS controller, compiled for this machine, against their integer twins."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from hushkit.errors import InputError
from hushkit.sources import require_sources
from hushkit.spec import load_spec
from hushkit_codegen.design import design_headset
from hushkit_codegen.host_kernels import HostPath
from hushkit_codegen.ir import BiquadIr, FirIr, FxNlmsIr, HeadsetIr
from hushkit_models.twin import BiquadTwin, ControlPathTwin, FxNlmsSettings, FxNlmsTwin
from numpy.typing import NDArray

UNITY = 1 << 30

Ints = NDArray[np.int32]


@pytest.fixture(scope="module", autouse=True)
def sources() -> None:
    try:
        require_sources()
    except InputError as err:
        pytest.skip(str(err))


@pytest.fixture(scope="module")
def fxnlms() -> HeadsetIr:
    return design_headset(load_spec(Path(__file__).parent / "specs" / "fxnlms-m7.toml"))


def controller_twin(ir: HeadsetIr) -> FxNlmsTwin:
    assert isinstance(ir.adaptive, FxNlmsIr)
    assert isinstance(ir.secondary, FirIr)
    settings = FxNlmsSettings(
        secondary=ir.secondary.taps,
        secondary_exponent=ir.secondary.exponent,
        prior=ir.adaptive.prior.taps,
        exponent=ir.adaptive.prior.exponent,
        step_q31=ir.adaptive.step_q31,
        leak_q31=ir.adaptive.leak_q31,
        regularisation_q48=ir.adaptive.regularisation_q48,
        weight_sum_limit=ir.adaptive.weight_sum_limit,
        update_block=ir.update_block,
    )
    return FxNlmsTwin(settings)


def biquad_twin(design: object) -> BiquadTwin:
    assert isinstance(design, BiquadIr)
    return BiquadTwin(design.sections, design.post_shift, design.output_shift)


def path_twin(ir: HeadsetIr, controller: FxNlmsTwin) -> ControlPathTwin:
    return ControlPathTwin(
        biquad_twin(ir.feedforward),
        biquad_twin(ir.transparency),
        controller,
        dc_block_pole_q31=ir.dc_block_pole_q31,
        limiter_threshold_q31=ir.limiter_threshold_q31,
        limiter_release_q31=ir.limiter_release_q31,
        ramp_samples=ir.ramp_samples,
    )


def compare(ir: HeadsetIr, library: HostPath, inputs: Ints, aims: dict[int, tuple[int, int, bool]]) -> FxNlmsTwin:
    """Run both over (3, n) inputs, jobs committing two blocks after their records; every signal must agree."""
    controller = controller_twin(ir)
    twin = path_twin(ir, controller)
    block = ir.update_block
    for k in range(inputs.shape[1] // block):
        reference, error, programme = inputs[:, k * block : (k + 1) * block]
        if k in aims:
            anti, through, mute = aims[k]
            twin.aim(anti, through, mute=mute)
            library.aim(anti, through, mute=mute)
        record = twin.run(reference, error, programme)
        found = library.run(reference, error, programme)
        expected = np.stack([record.reference, record.error, record.anti, record.played, record.other, record.out])
        np.testing.assert_array_equal(found, expected, err_msg=f"update block {k}")
        twin_then_commit(controller, library, record.reference, record.error)
    return controller


def twin_then_commit(controller: FxNlmsTwin, library: HostPath, reference: Ints, error: Ints) -> None:
    controller.commit()
    library.commit()
    trust_q16 = 1 + (int(reference[0]) & 0xFFFF)  # any from next to nothing to whole
    controller.update(reference, error, trust_q16=trust_q16)
    library.update(reference, error, trust_q16=trust_q16)


def test_path_and_controller_equal_their_twin_on_noise(fxnlms: HeadsetIr, tmp_path: Path) -> None:
    ir = fxnlms
    rng = np.random.default_rng(seed=4)
    inputs = (rng.standard_normal((3, 40 * ir.update_block)) * 2**26).astype(np.int32)

    controller = compare(ir, HostPath(ir, tmp_path), inputs, {0: (UNITY, 0, False), 20: (UNITY // 2, UNITY, False)})

    assert np.any(controller.weights)


@pytest.mark.parametrize("shape", ["full_scale", "alternating", "dc", "silence", "faint"])
def test_path_and_controller_equal_their_twin_on_extremes(shape: str, fxnlms: HeadsetIr, tmp_path: Path) -> None:
    ir = fxnlms
    rng = np.random.default_rng(seed=5)
    n = 12 * ir.update_block
    rails = np.array([-(2**31), 2**31 - 1])
    inputs = {
        "full_scale": rng.choice(rails, (3, n)),
        "alternating": np.tile(rails, (3, n // 2)),
        "dc": np.full((3, n), 2**31 - 1),
        "silence": np.zeros((3, n)),
        "faint": rng.integers(-3, 4, (3, n)),
    }[shape].astype(np.int32)

    compare(ir, HostPath(ir, tmp_path), inputs, {0: (UNITY, UNITY, False), 6: (UNITY, 0, True)})


def test_weights_that_outgrow_their_bound_are_drawn_back_alike(fxnlms: HeadsetIr, tmp_path: Path) -> None:
    assert isinstance(fxnlms.adaptive, FxNlmsIr)
    tight = dataclasses.replace(fxnlms.adaptive, step_q31=2**31 - 1, weight_sum_limit=1 << 19)
    ir = dataclasses.replace(fxnlms, adaptive=tight)
    rng = np.random.default_rng(seed=6)
    inputs = (rng.standard_normal((3, 24 * ir.update_block)) * 2**27).astype(np.int32)

    controller = compare(ir, HostPath(ir, tmp_path), inputs, {0: (UNITY, 0, False)})

    assert controller.clipped > 0
    assert int(np.abs(controller.weights.astype(np.int64)).sum()) <= 1 << 19
