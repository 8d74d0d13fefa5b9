"""The hybrid and the frequency-domain controller, compiled for this machine, against their twins, bit for bit."""

import dataclasses
import functools
from pathlib import Path

import numpy as np
import pytest
from hushkit.errors import InputError
from hushkit.sources import require_sources
from hushkit.spec import Fdaf, Filter, Hybrid, load_spec
from hushkit_codegen.design import design_headset
from hushkit_codegen.host_kernels import HostPath
from hushkit_codegen.ir import FdafIr, FirIr, HeadsetIr, HybridIr
from hushkit_models.twin import DcBlockTwin, FdafSettings, FdafTwin, HybridSettings, HybridTwin
from numpy.typing import NDArray

UNITY = 1 << 30

Ints = NDArray[np.int32]


@pytest.fixture(scope="module", autouse=True)
def sources() -> None:
    try:
        require_sources()
    except InputError as err:
        pytest.skip(str(err))


@functools.cache
def headset(adaptive: Hybrid | Fdaf) -> HeadsetIr:
    """One without fixed filters: its anti-noise is the controller's alone."""
    spec = load_spec(Path(__file__).parent / "specs" / "fxnlms-m7.toml")
    none = Filter("none")
    return design_headset(dataclasses.replace(spec, adaptive=adaptive, feedforward=none, transparency=none))


def fdaf_twin(ir: HeadsetIr) -> FdafTwin:
    assert isinstance(ir.adaptive, FdafIr)
    assert isinstance(ir.secondary, FirIr)
    settings = FdafSettings(
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
    return FdafTwin(settings)


def hybrid_twin(ir: HeadsetIr) -> HybridTwin:
    design = ir.adaptive
    assert isinstance(design, HybridIr)
    own = {field.name: getattr(design, field.name) for field in dataclasses.fields(design)}
    for name, value in (("prior", design.prior), ("secondary", design.secondary)):
        own[name] = value.taps
    del own["algorithm"]
    settings = HybridSettings(
        **own,
        exponent=design.prior.exponent,
        secondary_exponent=design.secondary.exponent,
        update_block=ir.update_block,
        rate_hz=ir.rate_hz,
    )
    return HybridTwin(settings)


def compare(ir: HeadsetIr, twin: FdafTwin | HybridTwin, folder: Path, inputs: Ints) -> None:
    """Run both over (2, n) inputs: reference, and what the controller learns from; every sample must agree."""
    library = HostPath(ir, folder)
    library.aim(UNITY, 0)
    dc_block = DcBlockTwin(ir.dc_block_pole_q31)
    block = ir.update_block
    silence = np.zeros(block, dtype=np.int32)
    for k in range(inputs.shape[1] // block):
        reference, error = inputs[:, k * block : (k + 1) * block]
        x = dc_block.run(reference)
        expected = twin.filter(x)
        found = library.run(reference, silence, silence)[2]
        np.testing.assert_array_equal(found, expected, err_msg=f"update block {k}")
        twin.commit()
        library.commit()
        trust_q16 = 1 + (int(reference[0]) & 0xFFFF)  # any from next to nothing to whole
        adapt = k % 67 != 66
        if isinstance(twin, FdafTwin):
            twin.update(x, error, adapt=adapt, trust_q16=trust_q16)
        else:
            twin.update(x, int(error[-1]), adapt=adapt, trust_q16=trust_q16)
        library.update(x, error, target=int(error[-1]), adapt=adapt, trust_q16=trust_q16)


def noise(n: int, *, seed: int, level_bits: int = 26) -> Ints:
    """Two different signals that share their low end."""
    rng = np.random.default_rng(seed)
    own = rng.standard_normal((2, n)) * 2.0 ** (level_bits - 3)
    common = np.convolve(rng.standard_normal(n), np.ones(40) / 40, "same") * 2.0**level_bits
    return (own + common).astype(np.int32)


HYBRIDS = {
    "convex": Hybrid(taps=160, secondary_taps=64, short_taps=24),
    "rate": Hybrid(taps=64, secondary_taps=64, short_taps=12, rule="rate"),
    "restarts": Hybrid(taps=64, secondary_taps=64, short_taps=16, reset_s=0.05),
}


@pytest.mark.parametrize("case", HYBRIDS)
def test_hybrid_equals_its_twin(case: str, tmp_path: Path) -> None:
    ir = headset(HYBRIDS[case])
    if case == "restarts":
        assert isinstance(ir.adaptive, HybridIr)
        ir = dataclasses.replace(ir, adaptive=dataclasses.replace(ir.adaptive, worst_condition=4))
    twin = hybrid_twin(ir)

    compare(ir, twin, tmp_path, noise(300 * ir.update_block, seed=1))

    assert np.any(twin.weights)
    assert np.any(twin.warped)
    assert (twin.clipped > 0) == (case == "restarts")


def test_hybrid_that_outgrows_its_bounds_is_drawn_back_alike(tmp_path: Path) -> None:
    ir = headset(Hybrid(taps=64, secondary_taps=64, short_taps=8, step=1.0))
    assert isinstance(ir.adaptive, HybridIr)
    ir = dataclasses.replace(ir, adaptive=dataclasses.replace(ir.adaptive, weight_sum_limit=1 << 20))
    twin = hybrid_twin(ir)
    inputs = noise(120 * ir.update_block, seed=2)
    inputs[0] >>= 14

    compare(ir, twin, tmp_path, inputs)

    assert twin.clipped > 0
    assert int(np.abs(twin.weights.astype(np.int64)).sum()) <= 1 << 20


@pytest.mark.parametrize(("taps", "update_block"), [(512, 32), (256, 64), (1024, 8)])
def test_fdaf_equals_its_twin(taps: int, update_block: int, tmp_path: Path) -> None:
    ir = headset(Fdaf(taps=taps, secondary_taps=64, update_block=update_block))
    twin = fdaf_twin(ir)

    compare(ir, twin, tmp_path, noise(40 * 128, seed=3))

    assert np.any(twin.weights)


def test_fdaf_that_outgrows_its_bound_is_drawn_back_alike(tmp_path: Path) -> None:
    ir = headset(Fdaf(taps=256, secondary_taps=64, step=1.0))
    assert isinstance(ir.adaptive, FdafIr)
    ir = dataclasses.replace(ir, adaptive=dataclasses.replace(ir.adaptive, weight_sum_limit=1 << 20))
    twin = fdaf_twin(ir)

    compare(ir, twin, tmp_path, noise(40 * 128, seed=4))

    assert twin.clipped > 0
    assert int(np.abs(twin.weights.astype(np.int64)).sum()) <= 1 << 20


@pytest.mark.parametrize("adaptive", [HYBRIDS["convex"], Fdaf(taps=256, secondary_taps=64)], ids=["hybrid", "fdaf"])
def test_controllers_equal_their_twins_on_extremes(adaptive: Hybrid | Fdaf, tmp_path: Path) -> None:
    ir = headset(adaptive)
    twin = fdaf_twin(ir) if isinstance(adaptive, Fdaf) else hybrid_twin(ir)
    rng = np.random.default_rng(seed=5)
    n = 12 * 128
    faint = rng.integers(-3, 4, (2, n))
    full_scale = rng.choice(np.array([-(2**31), 2**31 - 1]), (2, n))
    inputs = np.concatenate([faint, full_scale, np.full((2, n), 2**31 - 1), np.zeros((2, n)), faint], axis=1)

    compare(ir, twin, tmp_path, inputs.astype(np.int32))
