"""Start weights: in the time domain, no scene in any fit is louder with them than off, and theirs is much quieter."""

import math

import numpy as np
import pytest
import scipy.signal
from hushkit.project import project_root
from hushkit.spec import HeadsetSpec, WarpedLs, load_spec, parse_spec
from hushkit_codegen.design.headset import design_headset
from hushkit_codegen.ir import BiquadIr, HeadsetIr, WarpedIr, WarpedLsIr, load_ir
from hushkit_codegen.ir.store import IR_FILE
from hushkit_models.acoustics.scenario import PathChange, Scenario, render
from numpy.typing import NDArray

Samples = NDArray[np.float64]

SPEC = load_spec("compact-m4")
FITS = {
    "as measured": PathChange(0.5),
    "3 dB tighter": PathChange(0.5, gain_db=3.0),
    "3 dB looser": PathChange(0.5, gain_db=-3.0),
    "leak": PathChange(0.5, leak_hz=(60.0, 250.0)),
    "deep": PathChange(0.5, gain_db=3.0, shift_samples=2),
}


@pytest.fixture(scope="module")
def ir() -> HeadsetIr:
    return load_ir(project_root() / "firmware" / "generated" / "compact-m4" / IR_FILE)


def priors_of(ir: HeadsetIr) -> list[WarpedIr]:
    assert isinstance(ir.adaptive, WarpedLsIr)
    return [ir.adaptive.prior, *ir.categories.priors]


def sos_filter(design: BiquadIr, x: Samples) -> Samples:
    rows = np.array(design.sections) * 2.0 ** (design.post_shift - 31)
    sos = np.column_stack([rows[:, :3], np.ones(len(rows)), -rows[:, 3:]])
    return np.asarray(scipy.signal.sosfilt(sos, x) * 2.0**design.output_shift)


def chain_filter(spec: HeadsetSpec, prior: WarpedIr, x: Samples) -> Samples:
    assert isinstance(spec.adaptive, WarpedLs)
    section, y = x, np.zeros_like(x)
    for tap in prior.taps:
        y += tap * 2.0 ** (prior.exponent - 31) * section
        section = scipy.signal.lfilter([-spec.adaptive.warping, 1.0], [1.0, -spec.adaptive.warping], section)
    return y


def attenuation_db(ir: HeadsetIr, prior: WarpedIr | None, noise: str, fit: str) -> float:
    """Two seconds of a diffuse field after the fit has changed: off over on, with the fixed filter beside the prior."""
    signals = render(Scenario(noise, ir.paths, "diffuse", seconds=2.5, seed=7, changes=(FITS[fit],)))
    pole = ir.dc_block_pole_q31 / 2**31
    x = scipy.signal.lfilter([1, -1], [1, -pole], signals.reference[0])
    assert isinstance(ir.feedforward, BiquadIr)
    played = sos_filter(ir.feedforward, x)
    if prior is not None:
        played = played + chain_filter(SPEC, prior, x)
    late = np.concatenate([np.zeros(ir.latency_samples), played])[: played.size]
    on = signals.disturbance[0] + scipy.signal.fftconvolve(late, signals.segments[-1].secondary[0])[: late.size]
    window = slice(signals.rate_hz // 2 + 4096, None)
    return 10 * math.log10(float(np.mean(signals.disturbance[0, window] ** 2) / np.mean(on[window] ** 2)))


@pytest.mark.parametrize("fit", FITS)
@pytest.mark.parametrize("noise", ["pink", "aircraft", "engine", "street", "siren"])
def test_no_prior_makes_any_noise_louder_even_the_wrong_one(ir: HeadsetIr, noise: str, fit: str) -> None:
    alone = attenuation_db(ir, None, noise, fit)

    for prior in priors_of(ir):
        # 0.3 dB: two seconds of one field against the design's long-term spectrum.
        assert attenuation_db(ir, prior, noise, fit) > min(0.0, alone) - 0.3


@pytest.mark.parametrize(("number", "noise"), [(0, "aircraft"), (1, "street"), (2, "engine")])
def test_prior_starts_above_the_fixed_filter_alone_in_its_own_noise(ir: HeadsetIr, number: int, noise: str) -> None:
    with_prior = attenuation_db(ir, priors_of(ir)[number], noise, "as measured")

    assert with_prior > attenuation_db(ir, None, noise, "as measured") + 0.3


def test_categories_name_their_priors(ir: HeadsetIr) -> None:
    rows = {row.prior for row in ir.categories.settings}

    assert rows == {0, 1, 2}


def test_spec_without_priors_starts_from_silence() -> None:
    text = (project_root() / "codegen" / "specs" / "compact-m4.toml").read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if not line.startswith("prior =")]
    spec, faults = parse_spec("\n".join(lines), "without")
    assert faults == ()
    assert spec is not None

    design = design_headset(spec)

    assert isinstance(design.adaptive, WarpedLsIr)
    assert set(design.adaptive.prior.taps) == {0}
    assert design.categories.priors == ()
