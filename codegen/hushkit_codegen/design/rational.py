"""Complex responses to second-order sections: vector fitting, then refinement on the cost that matters.

Vector fitting (Gustavsen and Semlyen, IEEE Trans. Power Delivery 14(3), 1999) places poles by a sequence of linear
least-squares problems; unstable poles are reflected into the unit circle. The sections' coefficients are then refined
by a trust-region Gauss-Newton method, in parameters that cannot leave the triangle of stability.
"""

from typing import Protocol

import numpy as np
import scipy.linalg
import scipy.optimize
import scipy.signal
from numpy.typing import NDArray

Sos = NDArray[np.float64]
Response = NDArray[np.complex128]


class Cost(Protocol):
    """What refinement minimizes: real residuals of a complex response, and how they move with it."""

    def residuals(self, response: Response) -> NDArray[np.float64]:
        """Residuals, shape (r,), of a response of shape (m,)."""
        ...

    def slopes(self, response: Response, change: Response) -> NDArray[np.float64]:
        """Derivatives of the residuals, shape (r, p), for changes of the response of shape (m, p)."""
        ...


_PLACEMENTS = 25
_LARGEST_RADIUS = 0.9997
"""Poles keep clear of the unit circle: 0.9997 is a bandwidth of 4.6 Hz at 48 kHz."""


def fit_sections(target: Response, omega: NDArray[np.float64], weight: NDArray[np.float64], n_sections: int) -> Sos:
    """Fit second-order sections to a response.

    Args:
        target: Wanted complex response, shape (m,).
        omega: Angular frequencies, radians per sample, shape (m,), in (0, pi).
        weight: Amplitude weights, shape (m,).
        n_sections: Number of sections.

    Returns:
        Stable sections as SciPy orders them, shape (n_sections, 6).
    """
    z = np.exp(1j * omega)
    poles = _start_poles(omega, n_sections)
    for _ in range(_PLACEMENTS):
        poles = _move_poles(poles, z, target, weight)
    state, inputs, outputs, direct = _residues(poles, z, target, weight)
    if abs(direct) < 1e-9 * np.abs(target).max():
        direct = float(1e-9 * np.abs(target).max())
    zeros = np.linalg.eigvals(state - np.outer(inputs, outputs) / direct)
    return np.asarray(scipy.signal.zpk2sos(zeros, poles, direct), dtype=np.float64)


def refine_sections(sos: Sos, omega: NDArray[np.float64], cost: Cost, *, evaluations: int = 80) -> Sos:
    """Improve sections by nonlinear least squares; they stay stable.

    Args:
        sos: Start, shape (n, 6).
        omega: Angular frequencies at which ``cost`` wants the response, shape (m,).
        cost: What to minimize.
        evaluations: Limit on the number of steps.

    Returns:
        Sections, shape (n, 6), at least as good as the start.
    """
    delays = np.exp(-1j * np.outer([0, 1, 2], omega))
    n = len(sos)
    by_numerator = _NUMERATOR @ delays
    by_denominator = _CORNERS @ delays

    def parts(parameters: NDArray[np.float64]) -> tuple[Response, Response, Response]:
        rows = sections_of(parameters)
        above, below = rows[:, :3] @ delays, rows[:, 3:] @ delays
        return above, below, np.prod(above / below, axis=0)

    def residuals(parameters: NDArray[np.float64]) -> NDArray[np.float64]:
        return cost.residuals(parts(parameters)[2])

    def jacobian(parameters: NDArray[np.float64]) -> NDArray[np.float64]:
        above, below, response = parts(parameters)
        share = _shares(parameters[3 * n :].reshape(n, 2))
        change = np.empty((omega.size, 5 * n), dtype=np.complex128)
        for i in range(n):
            others = response / np.where(above[i] == 0, 1e-300, above[i])
            change[:, 3 * i : 3 * i + 3] = (others * by_numerator).T
            mean = share[i] @ by_denominator
            for corner in range(2):
                moved = share[i, corner] * (by_denominator[corner] - mean)
                change[:, 3 * n + 2 * i + corner] = -response * moved / below[i]
        return cost.slopes(response, change)

    start = parameters_of(sos)
    found = scipy.optimize.least_squares(residuals, start, jac=jacobian, x_scale="jac", max_nfev=evaluations)
    better = found.x if found.cost <= 0.5 * np.sum(residuals(start) ** 2) else start
    return sections_of(better)


# Corners of the triangle of stable denominators 1, a1, a2, drawn in to the largest pole radius: double poles at -1 and
# at 1, and one pole at each. Every stable denominator is a weighted mean of them; the logarithms of the weights are
# free numbers, and resolve low corners and narrow bandwidths alike.
_CORNERS = np.array([[1.0, 2.0, 1.0], [1.0, -2.0, 1.0], [1.0, 0.0, -1.0]]) * _LARGEST_RADIUS ** np.arange(3)

# Numerators as their values at z = 1 and z = -1 and the difference of their ends: well apart where b0, b1, b2 cancel.
_NUMERATOR = np.array([[0.25, 0.5, 0.25], [0.25, -0.5, 0.25], [0.5, 0.0, -0.5]])
_TO_NUMERATOR = np.linalg.inv(_NUMERATOR)


def _shares(logs: NDArray[np.float64]) -> NDArray[np.float64]:
    """Weights of the three corners, shape (n, 3), from two logarithms each; the third corner's is the unit."""
    raised = np.column_stack([logs, np.zeros(len(logs))])
    raised = np.exp(raised - raised.max(axis=1, keepdims=True))
    return np.asarray(raised / raised.sum(axis=1, keepdims=True), dtype=np.float64)


def parameters_of(sos: Sos) -> NDArray[np.float64]:
    """Free numbers behind stable sections, shape (5 n,): any such numbers make stable sections."""
    shares = np.maximum(sos[:, 3:] @ np.linalg.inv(_CORNERS), 1e-9)
    logs = np.log(shares[:, :2] / shares[:, 2:])
    return np.concatenate([(sos[:, :3] @ _TO_NUMERATOR).ravel(), logs.ravel()])


def sections_of(parameters: NDArray[np.float64]) -> Sos:
    """The sections of `parameters_of`, shape (n, 6)."""
    n = parameters.size // 5
    numerators = parameters[: 3 * n].reshape(n, 3) @ _NUMERATOR
    denominators = _shares(parameters[3 * n :].reshape(n, 2)) @ _CORNERS
    denominators[:, 0] = 1.0
    return np.column_stack([numerators, denominators])


def _start_poles(omega: NDArray[np.float64], n_sections: int) -> Response:
    centres = np.geomspace(omega.min() * 1.5, omega.max() * 0.7, n_sections)
    upper = np.exp(centres * (-0.3 + 1j))
    return np.asarray(np.ravel(np.column_stack([upper, upper.conj()])), dtype=np.complex128)


def _basis(poles: Response, z: Response) -> Response:
    """Partial fractions with real coefficients: pairs as sum and as difference over j."""
    columns = []
    index = 0
    while index < poles.size:
        pole = poles[index]
        if abs(pole.imag) > 0:
            first, second = 1 / (z - pole), 1 / (z - pole.conj())
            columns += [first + second, 1j * (first - second)]
            index += 2
        else:
            columns.append(1 / (z - pole))
            index += 1
    return np.asarray(np.column_stack(columns), dtype=np.complex128)


def _state_space(poles: Response) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Real state matrix and input vector of the basis."""
    n = poles.size
    state, inputs = np.zeros((n, n)), np.zeros(n)
    index = 0
    while index < n:
        pole = poles[index]
        if abs(pole.imag) > 0:
            state[index : index + 2, index : index + 2] = [[pole.real, pole.imag], [-pole.imag, pole.real]]
            inputs[index] = 2.0
            index += 2
        else:
            state[index, index] = pole.real
            inputs[index] = 1.0
            index += 1
    return state, inputs


def _solve(columns: Response, wanted: Response, weight: NDArray[np.float64]) -> NDArray[np.float64]:
    """Weighted complex least squares with real unknowns, columns equilibrated."""
    matrix = np.concatenate([(columns * weight[:, None]).real, (columns * weight[:, None]).imag])
    right = np.concatenate([(wanted * weight).real, (wanted * weight).imag])
    scale = np.linalg.norm(matrix, axis=0)
    scale[scale == 0] = 1.0
    solution, *_ = scipy.linalg.lstsq(matrix / scale, right, cond=1e-13)
    return np.asarray(solution / scale, dtype=np.float64)


def _move_poles(poles: Response, z: Response, target: Response, weight: NDArray[np.float64]) -> Response:
    basis = _basis(poles, z)
    n = poles.size
    columns = np.column_stack([basis, np.ones(z.size), -target[:, None] * basis])
    found = _solve(columns, target, weight)
    state, inputs = _state_space(poles)
    moved = np.linalg.eigvals(state - np.outer(inputs, found[n + 1 :]))
    return _stable_pairs(moved)


def _stable_pairs(poles: NDArray[np.complex128]) -> Response:
    """Reflect poles into the circle; return conjugates side by side, then an even number of real ones."""
    inside = np.where(np.abs(poles) > 1.0, 1.0 / np.conj(poles), poles)
    radius = np.abs(inside)
    inside = np.where(radius > _LARGEST_RADIUS, inside * (_LARGEST_RADIUS / np.maximum(radius, 1e-12)), inside)
    upper = inside[inside.imag > 1e-12]
    real = np.sort(inside[np.abs(inside.imag) <= 1e-12].real).astype(np.complex128)
    return np.asarray(np.concatenate([np.ravel(np.column_stack([upper, upper.conj()])), real]), dtype=np.complex128)


def _residues(
    poles: Response, z: Response, target: Response, weight: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64], float]:
    found = _solve(np.column_stack([_basis(poles, z), np.ones(z.size)]), target, weight)
    state, inputs = _state_space(poles)
    return state, inputs, found[:-1], float(found[-1])
