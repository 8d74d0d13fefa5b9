"""Why some library calls are no oracle: their defects, shown on CMSIS-DSP 1.10.3 itself."""

import functools

import pytest
from hushkit.sources import pinned_sources
from hushkit_hil.kernelbench.runner import library_defects

pytestmark = pytest.mark.skipif(
    not all(pin.present for pin in pinned_sources()), reason="C sources not fetched: run `make setup`"
)


@functools.cache
def found() -> dict[tuple[str, ...], float]:
    return {tuple(words[:-1]): float(words[-1]) for words in library_defects()}


def test_library_nlms_in_q31_diverges_at_high_level() -> None:
    """128 samples above about -21 dBFS overflow the Q1.31 energy: the step has no bound any more."""
    assert found()["lms_norm_q31", "-24"] < -60.0
    assert found()["lms_norm_q31", "-18"] > 0.0


def test_library_nlms_in_q15_learns_nothing_below_and_diverges_above() -> None:
    assert found()["lms_norm_q15", "-30"] > -3.0
    assert found()["lms_norm_q15", "-12"] > 0.0


def test_library_cascade_in_q15_is_silent_at_low_corners() -> None:
    """b0 rounds to zero: half of full scale at DC gives nothing, where Q1.31 gives about half."""
    assert found()["low_corner_q15",] == 0.0
    assert 0.4 < found()["low_corner_q31",] < 0.6
