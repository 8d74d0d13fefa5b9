"""Complex responses to sections: known filters are found again, results are stable, refinement never gets worse."""

import numpy as np
import scipy.signal
from hushkit_codegen.design.rational import fit_sections, refine_sections
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

OMEGA = np.geomspace(2e-3, 3.1, 200)


class DistanceCost:
    """|response - target|^2."""

    def __init__(self, target: NDArray[np.complex128]) -> None:
        self._target = target

    def residuals(self, response: NDArray[np.complex128]) -> NDArray[np.float64]:
        error = response - self._target
        return np.concatenate([error.real, error.imag])

    def slopes(self, response: NDArray[np.complex128], change: NDArray[np.complex128]) -> NDArray[np.float64]:
        return np.concatenate([change.real, change.imag])


def response_of(sos: NDArray[np.float64]) -> NDArray[np.complex128]:
    return np.asarray(scipy.signal.sosfreqz(sos, OMEGA)[1], dtype=np.complex128)


def largest_pole(sos: NDArray[np.float64]) -> float:
    return max(float(np.abs(np.roots(row[3:])).max()) for row in sos)


def test_known_filter_is_found_again() -> None:
    target = response_of(scipy.signal.ellip(6, 1, 50, [0.01, 0.2], "band", output="sos"))

    found = fit_sections(target, OMEGA, np.ones(OMEGA.size), 6)

    assert np.abs(response_of(found) - target).max() < 1e-6


def test_unstable_target_gives_a_stable_fit() -> None:
    z = np.exp(1j * OMEGA)
    target = 1.0 / (1.0 - 1.2 / z)

    found = fit_sections(target, OMEGA, np.ones(OMEGA.size), 2)

    assert largest_pole(found) < 1.0


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 1000), st.integers(1, 6))
def test_refinement_stays_stable_and_never_gets_worse(seed: int, n_sections: int) -> None:
    rng = np.random.default_rng(seed)
    taps = rng.standard_normal(64) * np.exp(-np.arange(64) / rng.uniform(3, 30))
    target = np.exp(-1j * np.outer(OMEGA, np.arange(64))) @ taps
    cost = DistanceCost(target)
    start = fit_sections(target, OMEGA, np.ones(OMEGA.size), n_sections)

    refined = refine_sections(start, OMEGA, cost, evaluations=10)

    before, after = (np.sum(cost.residuals(response_of(sos)) ** 2) for sos in (start, refined))
    assert largest_pole(refined) < 1.0
    assert after <= before * (1 + 1e-6)
