"""Floats to integers: responses stay, no input overflows an intermediate, faults are named."""

import numpy as np
import pytest
import scipy.signal
from hushkit_codegen.design.quantize import biquad_response, fir_response, quantize_fir, quantize_sos, to_q31
from hushkit_codegen.errors import DesignError
from hushkit_codegen.ir import BiquadIr
from hushkit_models.twin import BiquadTwin
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

RATE_HZ = 48_000
OMEGA = np.geomspace(2 * np.pi * 20 / RATE_HZ, np.pi * 0.99, 400)


def response_of(sos: NDArray[np.float64]) -> NDArray[np.complex128]:
    return np.asarray(scipy.signal.sosfreqz(sos, OMEGA)[1], dtype=np.complex128)


@pytest.mark.parametrize(
    "sos",
    [
        scipy.signal.butter(8, 1000, "low", fs=RATE_HZ, output="sos"),
        scipy.signal.butter(4, 30, "high", fs=RATE_HZ, output="sos"),
        scipy.signal.ellip(6, 0.5, 60, [100, 4000], "band", fs=RATE_HZ, output="sos"),
        10.0 * np.array([[1.0, -1.9, 0.95, 1.0, -1.99, 0.9901]]),
    ],
    ids=["lowpass", "30 Hz highpass", "elliptic", "gain"],
)
def test_quantized_sections_have_the_response_of_the_floats(sos: NDArray[np.float64]) -> None:
    wanted = sos / sos[:, 3:4]

    design = quantize_sos(wanted, name="filter")

    error = np.abs(biquad_response(design, OMEGA) - response_of(wanted)) / np.abs(response_of(wanted)).max()
    # A coefficient is off by at most 2^-(32 - post_shift); poles 2e-3 from the circle multiply that by up to 1e5.
    assert error.max() < 1e-4


def test_integer_cascade_is_close_to_the_float_filter_down_to_its_last_bits() -> None:
    sos = scipy.signal.butter(4, 50, "high", fs=RATE_HZ, output="sos")
    design = quantize_sos(sos, name="filter")
    x = (np.random.default_rng(seed=1).standard_normal(48_000) * 2**20).astype(np.int32)

    y = BiquadTwin(design.sections, design.post_shift, design.output_shift).run(x)

    error = y - scipy.signal.sosfilt(sos, x.astype(np.float64))
    # Fraction saving: what is cut from a sum, at most one LSB, is shaped by 1 - z^-1; the output shift multiplies it.
    assert np.sqrt(np.mean(error[4800:] ** 2)) < 8 * 2**design.output_shift


@st.composite
def stable_sections(draw: st.DrawFn) -> NDArray[np.float64]:
    rows = []
    for _ in range(draw(st.integers(1, 6))):
        radius, angle = draw(st.floats(0.0, 0.998)), draw(st.floats(0.001, 3.14))
        b = [draw(st.floats(-4.0, 4.0)) for _ in range(3)]
        b[0] += 4.5 if b[0] >= 0 else -4.5
        rows.append([*b, 1.0, -2 * radius * np.cos(angle), radius**2])
    return np.array(rows)


@settings(max_examples=25, deadline=None)
@given(stable_sections())
def test_no_input_overflows_an_intermediate(sos: NDArray[np.float64]) -> None:
    try:
        design = quantize_sos(sos, name="filter")
    except DesignError as err:
        assert "of gain" in str(err) or "overflows" in str(err)  # noqa: PT017 - refusing is a right answer, too
        return

    wave = np.zeros(1 << 14)
    wave[0] = 1.0
    for row in np.array(design.sections) * 2.0 ** (design.post_shift - 31):
        wave = scipy.signal.lfilter(row[:3], [1.0, -row[3], -row[4]], wave)
        assert np.abs(wave).sum() <= 1.0
        assert np.abs(row).sum() * 2.0**-design.post_shift < 2.0


def worst_input(design: BiquadIr, n: int) -> NDArray[np.int32]:
    """Full scale with the signs that make the last output as large as can be."""
    wave = np.zeros(n)
    wave[0] = 1.0
    for row in np.array(design.sections) * 2.0 ** (design.post_shift - 31):
        wave = scipy.signal.lfilter(row[:3], [1.0, -row[3], -row[4]], wave)
    return np.where(wave[::-1] >= 0, 2**31 - 1, -(2**31)).astype(np.int32)


def test_worst_input_reaches_full_scale_without_wrapping() -> None:
    sos = scipy.signal.butter(6, [60, 600], "band", fs=RATE_HZ, output="sos")
    design = quantize_sos(sos, name="filter")

    y = BiquadTwin(design.sections, design.post_shift).run(worst_input(design, 30_000))

    assert y[-1] > 0.9 * 2**31 / 2**design.output_shift
    assert np.abs(np.diff(y.astype(np.int64))).max() < 2**31  # a wrap would jump by 2^32


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        (np.ones((1, 5)), "expected sections of shape"),
        ([[1.0, 0.0, 0.0, 2.0, 0.0, 0.0]], "a0 = 1"),
        ([[1.0, 0.0, 0.0, 1.0, -2.0, 1.001]], "unstable, largest pole 1.0"),
        ([[np.nan, 0.0, 0.0, 1.0, 0.0, 0.0]], "not finite"),
        ([[0.0, 0.0, 0.0, 1.0, 0.0, 0.0]], "passes nothing"),
        ([[1e6, 0.0, 0.0, 1.0, 0.0, 0.0]], "more than 90 dB"),
    ],
)
def test_sections_that_cannot_be_quantized_are_named(rows: object, words: str) -> None:
    with pytest.raises(DesignError, match=f"^filters.x: .*{words}"):
        quantize_sos(np.array(rows), name="filters.x")


@pytest.mark.parametrize("fmt", ["q31", "q15"])
def test_fir_keeps_its_response_and_its_absolute_sum_below_one(fmt: str) -> None:
    taps = np.random.default_rng(seed=2).standard_normal(128) * np.exp(-np.arange(128) / 20)

    design = quantize_fir(taps, name="filter", fmt=fmt)

    bits = 31 if fmt == "q31" else 15
    wanted = np.exp(-1j * np.outer(OMEGA, np.arange(128))) @ taps
    assert sum(abs(tap) for tap in design.taps) < 2**bits
    assert np.abs(fir_response(design, OMEGA) - wanted).max() <= 128 * 2.0 ** (design.exponent - bits)


def test_fir_refuses_an_exponent_that_would_overflow() -> None:
    with pytest.raises(DesignError, match=r"taps sum to 8\.000, beyond exponent 1"):
        quantize_fir(np.full(8, 1.0), name="filter", exponent=1)


def test_q31_of_one_is_the_largest_and_more_is_refused() -> None:
    assert to_q31(1.0, name="x") == 2**31 - 1
    assert to_q31(-1.0, name="x") == -(2**31)
    with pytest.raises(DesignError, match=r"1\.1 does not fit Q1\.31"):
        to_q31(1.1, name="x")
