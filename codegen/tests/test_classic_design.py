"""The hybrid and the frequency-domain controller: from the spec's table to integers and their C."""

import dataclasses

import pytest
from hushkit.spec import ALGORITHMS, SPEC_DIRECTORY, Fdaf, FxNlms, Hybrid, load_spec, parse_spec
from hushkit.spec_cost import estimate
from hushkit.spec_usual import with_usual_settings
from hushkit_codegen.design import design_headset
from hushkit_codegen.emit import emit_headset
from hushkit_codegen.errors import IrError
from hushkit_codegen.ir import FdafIr, HybridIr, dump_ir, parse_ir

FLAGSHIP = (SPEC_DIRECTORY / "flagship-m7.toml").read_text(encoding="utf-8")


def spec_with(adaptive: str) -> str:
    """The flagship with another [adaptive] and without its settings by category."""
    before, _, rest = FLAGSHIP.partition("[adaptive]")
    after = "[modes]" + rest.partition("[modes]")[2]
    kept = [table for table in after.split("\n[") if not table.startswith("categories")]
    return f"{before}[adaptive]\n{adaptive}\n" + "\n[".join(kept)


@pytest.mark.parametrize(
    ("table", "expected"),
    [
        (
            'algorithm = "hybrid"\nupdate_block = 32\ntaps = 128\nshort_taps = 24\nrule = "rate"',
            Hybrid(taps=128, short_taps=24, rule="rate"),
        ),
        ('algorithm = "fdaf"\nupdate_block = 64\nstep = 0.05', Fdaf(update_block=64, step=0.05)),
    ],
)
def test_table_is_read_with_usual_values_for_what_it_leaves_out(table: str, expected: object) -> None:
    spec, faults = parse_spec(spec_with(table), "own")

    assert faults == ()
    assert spec is not None
    assert spec.adaptive == expected


@pytest.mark.parametrize(
    ("table", "place"),
    [
        ('algorithm = "fdaf"\nupdate_block = 32\ntaps = 384', "adaptive.taps"),
        ('algorithm = "hybrid"\nupdate_block = 32\nrule = "best"', "adaptive.rule"),
        ('algorithm = "hybrid"\nupdate_block = 32\nshort_taps = 128', "adaptive.short_taps"),
        ('algorithm = "fdaf"\nupdate_block = 32\n[categories.rail]\ntaps = 256', "categories.train.taps"),
    ],
)
def test_unusable_value_is_a_fault_with_its_place(table: str, place: str) -> None:
    _, faults = parse_spec(spec_with(table), "own")

    assert place in [fault.place for fault in faults]


@pytest.mark.parametrize("algorithm", ["hybrid", "fdaf"])
def test_design_survives_its_json(algorithm: str) -> None:
    ir = design_headset(load_spec("flagship-m7"), algorithm=algorithm)

    assert parse_ir(dump_ir(ir), "design.json") == ir


def test_hybrid_keeps_rule_and_times_in_update_blocks() -> None:
    spec = dataclasses.replace(load_spec("flagship-m7"), adaptive=Hybrid(rule="rate", reset_s=4.0, memory_s=2.0))

    ir = design_headset(spec).adaptive

    assert isinstance(ir, HybridIr)
    assert (ir.rule, ir.reset_jobs) == (1, 6000)
    assert ir.forget_ppb == pytest.approx(10**9 * (1 - 1 / 3000), rel=1e-7)
    assert sum(abs(tap) for tap in ir.secondary.taps) <= 1 << 31


def test_fdaf_floor_is_a_level_of_white_noise() -> None:
    spec = dataclasses.replace(load_spec("flagship-m7"), adaptive=Fdaf(taps=512, regularisation_db=-60.0))

    ir = design_headset(spec).adaptive

    assert isinstance(ir, FdafIr)
    assert ir.regularisation_q48 == round(1e-6 * 4 * 256 * 2**48)  # four partitions' frames of 256


def test_ir_refuses_a_length_that_is_not_whole_pairs_of_partitions() -> None:
    ir = design_headset(load_spec("flagship-m7"), algorithm="fdaf")
    assert isinstance(ir.adaptive, FdafIr)
    prior = dataclasses.replace(ir.adaptive.prior, taps=ir.adaptive.prior.taps[:-128])
    text = dump_ir(dataclasses.replace(ir, adaptive=dataclasses.replace(ir.adaptive, prior=prior)))

    with pytest.raises(IrError, match=r"prior: found another filter, expected a fir in q31 with a multiple of 256"):
        parse_ir(text, "design.json")


@pytest.mark.parametrize("core", ["flagship-m7", "compact-m4", "balanced-m33", "helium-m55"])
@pytest.mark.parametrize("algorithm", ["fxnlms", "hybrid", "fdaf"])
def test_usual_settings_are_as_long_as_the_core_carries(core: str, algorithm: str) -> None:
    spec = load_spec(core)

    usual = with_usual_settings(spec, algorithm)

    default = {"fxnlms": FxNlms().taps, "hybrid": Hybrid().taps, "fdaf": Fdaf().taps}[algorithm]
    cost = estimate(usual)
    assert usual.adaptive.algorithm == algorithm
    assert usual.adaptive.update_block == spec.adaptive.update_block
    assert usual.adaptive.taps == min(default, cost.largest_taps or default)


def test_every_algorithm_becomes_c() -> None:
    for algorithm in ALGORITHMS:
        texts = emit_headset(design_headset(load_spec("compact-m4"), algorithm=algorithm))

        assert f"HK_ALGORITHM_{algorithm.upper()}" in texts["hk_config.h"]
