"""The feedback controller's design: margins, waterbed and programme, checked in the time domain and on a finer grid."""

import math

import numpy as np
import pytest
import scipy.signal
from hushkit.project import project_root
from hushkit.spec import Feedback, load_spec, parse_spec
from hushkit_codegen.design import DesignError
from hushkit_codegen.design.feedback import LEAST_GAIN_DB, Fits, Plant, design_feedback, encirclements, judge_loop
from hushkit_codegen.design.quantize import biquad_response
from hushkit_codegen.design.spectra import DesignScene, design_scene
from hushkit_codegen.ir import BiquadIr, SilentIr, load_ir
from hushkit_codegen.ir.store import IR_FILE
from hushkit_models.acoustics.paths import PathSet, load_paths
from numpy.typing import NDArray

LATENCY = 3
FINE = 1 << 17
"""Frequencies 0.4 Hz apart: a loop's low end is narrow."""

DC_POLE = math.exp(-2 * math.pi * 2 / 48_000)
PLANT = Plant(load_paths("inear").secondary, LATENCY, DC_POLE)
SHIPPED = ("flagship-m7", "helium-m55")

Samples = NDArray[np.float64]


@pytest.fixture(scope="module")
def inear() -> DesignScene:
    return design_scene(
        load_paths("inear"), noise="aircraft", field="diffuse", latency_samples=LATENCY, dc_pole=DC_POLE
    )


def stored(name: str) -> BiquadIr:
    design = load_ir(project_root() / "firmware" / "generated" / name / IR_FILE).feedback
    assert isinstance(design, BiquadIr)
    return design


def sos_of(design: BiquadIr) -> Samples:
    rows = np.array(design.sections) * 2.0 ** (design.post_shift - 31)
    rows[0, :3] *= 2.0**design.output_shift
    return np.column_stack([rows[:, :3], np.ones(len(rows)), -rows[:, 3:]])


def fits_of(paths: PathSet, *, latency: int) -> dict[str, tuple[float, Samples]]:
    """Impulse responses from output to error microphone by name, with their gain in dB: leak by a digital filter."""
    found = {}
    for leak in (False, True):
        path = np.concatenate([np.zeros(latency), paths.secondary, np.zeros(6000)])
        path = scipy.signal.lfilter([1, -1], [1, -DC_POLE], path)
        if leak:
            above, below = (
                scipy.signal.butter(2, f, "highpass", fs=paths.rate_hz, output="zpk") for f in (250.0, 60.0)
            )
            sos = scipy.signal.zpk2sos(
                np.append(above[0], below[1]), np.append(above[1], below[0]), above[2] / below[2]
            )
            path = scipy.signal.sosfilt(sos, path)
        for shift in (0, 1, 2):
            for gain_db in (-6.0, -3.0, 0.0, 3.0, 6.0):
                shifted = np.concatenate([np.zeros(shift), path])[: path.size]
                found[f"{gain_db:+g} dB, leak {leak}, shift {shift}"] = gain_db, shifted * 10 ** (gain_db / 20)
    return found


@pytest.mark.parametrize("name", SHIPPED)
def test_shipped_loop_is_stable_and_keeps_its_margins_in_every_fit(name: str) -> None:
    spec = load_spec(name)
    omega = 2 * np.pi * np.fft.rfftfreq(FINE)[1:-1]
    controller = biquad_response(stored(name), omega)

    for fit, (gain_db, path) in fits_of(load_paths(spec.acoustics.paths), latency=spec.needed_latency_samples).items():
        loop = np.fft.rfft(path, FINE)[1:-1] * controller
        assert not encirclements(loop[None, :]).any(), fit
        distance = np.abs(1 - loop).min()
        assert distance >= 10 ** (-spec.feedback.waterbed_db / 20) - 0.01 or abs(gain_db) > 3.0, fit
        assert distance >= 2 * math.sin(math.radians(30.0) / 2) - 0.01, fit  # with it, 6 dB of gain margin too


@pytest.mark.parametrize("name", SHIPPED)
def test_shipped_loop_decays_sample_by_sample_in_the_worst_fit(name: str) -> None:
    spec = load_spec(name)
    sos = sos_of(stored(name))
    fits = fits_of(load_paths(spec.acoustics.paths), latency=spec.needed_latency_samples)
    path = fits["+6 dB, leak False, shift 2"][1][:2048]
    heard, played, state = np.zeros(6000), np.zeros(6000), np.zeros((len(sos), 2))

    for n in range(heard.size):
        newest = played[max(0, n - path.size + 1) : n + 1][::-1]
        heard[n] = (n == 0) + path[: newest.size] @ newest
        answer, state = scipy.signal.sosfilt(sos, heard[n : n + 1], zi=state)
        played[n] = answer[0]

    assert np.abs(heard[-1000:]).max() < 1e-3


def test_feedback_takes_more_than_it_costs_and_leaves_programme_alone(inear: DesignScene) -> None:
    design, model, quality = design_feedback(Feedback("fit", sections=1), inear, PLANT)

    assert isinstance(design, BiquadIr)
    assert isinstance(model, BiquadIr)
    assert quality is not None
    assert quality.attenuation_mdb >= LEAST_GAIN_DB * 1000
    assert -quality.worst_octave_mdb <= 3000
    assert quality.margin_mdb >= 6000
    assert quality.margin_mdeg >= 30_000
    assert quality.fit_error_mdb < 1500


def test_designing_twice_gives_the_same_integers(inear: DesignScene) -> None:
    spec = Feedback("fit", sections=1)

    assert design_feedback(spec, inear, PLANT) == design_feedback(spec, inear, PLANT)


def test_feedback_that_brings_nothing_is_left_out_and_says_so(inear: DesignScene) -> None:
    strict = Feedback("fit", sections=1, waterbed_db=0.5, margin_db=25.0)

    design, model, quality = design_feedback(strict, inear, PLANT)

    assert (design, model) == (SilentIr(), SilentIr())
    assert quality is not None
    assert "left out" in quality.warning


def test_given_rows_that_break_the_margins_are_refused(inear: DesignScene) -> None:
    loud = Feedback("sos", rows=((-4.0, 0.0, 0.0, 1.0, -0.9, 0.0),))

    with pytest.raises(DesignError, match=r"filters\.feedback\.rows: .*turn the gain down"):
        design_feedback(loud, inear, PLANT)


def test_unstable_loop_is_told_from_a_stable_one_of_the_same_size() -> None:
    omega = np.linspace(1e-3, np.pi - 1e-3, 4000)
    delay = np.exp(-3j * omega)
    fits = Fits(np.array([delay]), np.array([2.0]))

    calm = judge_loop(np.full(omega.size, -0.5 + 0j), fits, np.ones(omega.size))
    wild = judge_loop(np.full(omega.size, -1.5 + 0j), fits, np.ones(omega.size))

    assert calm.stable
    assert calm.margin_db == pytest.approx(6.02, abs=0.05)
    assert not wild.stable


def test_feedback_without_an_error_microphone_is_a_fault() -> None:
    text = (project_root() / "codegen" / "specs" / "flagship-m7.toml").read_text(encoding="utf-8")

    faults = parse_spec(text.replace('["reference", "error"]', '["reference"]'), "one microphone")[1]

    assert any(fault.place == "filters.feedback" for fault in faults)
