"""The linear algebra of the tracking filter: both paths from the evidence, the filter from both paths.

Evidence is the covariance of rows [X, U, e]; only its lower triangle is read and written. The first ``xs`` columns are
the reference's chain, then come those of what was played, the last is the error.
"""

import numpy as np
import scipy.linalg
from numpy.typing import NDArray

Vector = NDArray[np.float64]


def fit_paths(covariance: Vector, xs: int, before: Vector, *, ridge: float, hold: float) -> tuple[Vector, Vector]:
    """Least squares for both paths, the secondary one held where it was.

    Args:
        covariance: Evidence, shape (xs + us + 1,) squared, trace above 0.
        xs: Sections of the primary path.
        before: Last estimate of the secondary path, shape (us,).
        ridge: Regularisation of the primary path, of the mean diagonal of its evidence.
        hold: Regularisation of the secondary path's change, of the mean diagonal of its evidence.

    Returns:
        p, shape (xs,), and s, shape (us,).

    Raises:
        LinAlgError: The evidence is not positive definite.
    """
    whole = _whole(covariance)
    xx, xu, xe = whole[:xs, :xs], whole[:xs, xs:-1], whole[:xs, -1]
    factor = scipy.linalg.cho_factor(xx + ridge * np.trace(xx) / xs * np.eye(xs), lower=True)
    through, direct = scipy.linalg.cho_solve(factor, xu), scipy.linalg.cho_solve(factor, xe)
    held = hold * np.trace(whole[xs:-1, xs:-1]) / before.size
    s = before
    if held > 0.0:
        # What of U is no filtered reference: the only evidence on s.
        own = whole[xs:-1, xs:-1] - xu.T @ through
        evidence = scipy.linalg.cho_factor(own + held * np.eye(before.size), lower=True)
        s = before + scipy.linalg.cho_solve(evidence, whole[xs:-1, -1] - xu.T @ direct - own @ before)
    return direct - through @ s, s


def best_filter(covariance: Vector, xs: int, s: Vector, *, ridge: float) -> Vector:
    """The control filter that leaves least, given the secondary path.

    Args:
        covariance: Evidence, shape (xs + us + 1,) squared, trace above 0.
        xs: Sections of the primary path, K + us - 1.
        s: Secondary path, shape (us,).
        ridge: Regularisation, of the mean diagonal.

    Returns:
        Shape (K,).

    Raises:
        LinAlgError: The evidence is not positive definite.
    """
    k = xs - s.size + 1
    whole = _whole(covariance)
    product = scipy.linalg.convolution_matrix(s, k)
    normal = product.T @ whole[:xs, :xs] @ product
    factor = scipy.linalg.cho_factor(normal + ridge * np.trace(normal) / k * np.eye(k), lower=True)
    # p itself is not needed: its evidence is what is left of e when s.U is taken away.
    weights: Vector = -scipy.linalg.cho_solve(factor, product.T @ (whole[:xs, -1] - whole[:xs, xs:-1] @ s))
    return weights


def as_if_silent(covariance: Vector, p: Vector, keep: float) -> None:
    """Rewrite the evidence, in place, to what it would be had the driver been silent and the primary path been p.

    Args:
        covariance: Evidence, shape (xs + us + 1,) squared.
        p: Primary path, shape (xs,).
        keep: Share of its weight that stays.
    """
    xs = p.size
    covariance[:xs, :xs] *= keep
    covariance[xs:] = 0.0
    xx = _whole(covariance[:xs, :xs])
    covariance[-1, :xs] = xx @ p
    covariance[-1, -1] = covariance[-1, :xs] @ p


def _whole(lower: Vector) -> Vector:
    return np.asarray(np.tril(lower) + np.tril(lower, -1).T, dtype=np.float64)
