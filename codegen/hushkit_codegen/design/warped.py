"""The secondary path as weights on an all-pass chain, for the warped least-squares controller."""

import math

import numpy as np
from hushkit.spec import WarpedLs
from numpy.typing import NDArray

from hushkit_codegen.design.categories import PPB, forget_ppb
from hushkit_codegen.design.quantize import to_q31
from hushkit_codegen.design.tracking import design_tracking, equaliser_response
from hushkit_codegen.errors import DesignError
from hushkit_codegen.ir import FilterQuality, TrackingIr, WarpedIr, WarpedLsIr

# The fit's frequencies and weight: equal per octave up to 2 kHz, falling above. A headset's noise lies low, and with a
# falling weight the low end, where all the cancellation is, is fitted 20 dB better by the same weights. Cancelled noise
# changes by less than 0.3 dB for corners between 500 Hz and 4 kHz.
_LOWEST_HZ = 15.0
_HIGHEST_HZ = 20_000.0
_CORNER_HZ = 2_000.0
_POINTS = 1_500

_RELATIVE_RIDGE = 1e-4
"""Of the path's mean gain, on every weight: without it neighbouring weights grow against each other above 4 kHz."""


def design_warped_ls(
    settings: WarpedLs, path: NDArray[np.float64], *, rate_hz: int, dc_pole: float
) -> tuple[WarpedLsIr, FilterQuality]:
    """Everything the controller needs beside the headset's common design.

    Args:
        settings: The spec's [adaptive].
        path: Impulse response from output sample to error sample, latency included, shape (n,), dimensionless.
        rate_hz: Sample rate of ``path``.
        dc_pole: Pole of the microphones' DC blocker. The reference passes it before the chain, so its phase at low
            frequencies (3 degrees at 40 Hz) belongs to what the chain has to model.

    Returns:
        The integer design, and how well the chain fits the path.

    Raises:
        DesignError: The fitted weights do not fit the number format.
    """
    tracking = None if settings.tracking is None else design_tracking(settings, path, rate_hz=rate_hz)
    secondary, quality = chain_model(
        path,
        weights=settings.warped_secondary_taps,
        warping=settings.warping,
        rate_hz=rate_hz,
        dc_pole=dc_pole,
        tracking=tracking,
    )
    jobs = _solve_jobs(settings, rate_hz)
    start_jobs = jobs if tracking is None else tracking.hurry_solve_jobs
    interval_s = start_jobs * settings.update_block / rate_hz
    design = WarpedLsIr(
        one_minus_lambda_q32=round((1 - settings.warping) * 2.0**32),
        secondary=secondary,
        prior=WarpedIr((0,) * settings.taps, 0),
        equation_jobs=1,
        solve_jobs=jobs,
        forget_ppb=forget_ppb(settings.memory_s, settings.update_block / rate_hz),
        ridge_ppb=max(1, round(settings.ridge * PPB)),
        start_ridge_ppb=round(settings.start_ridge * PPB),
        start_fade_ppb=round(math.exp(-interval_s * 1000 / settings.start_ms) * PPB),
        tracking=tracking,
        algorithm=settings.algorithm,
    )
    return design, quality


def chain_model(
    path: NDArray[np.float64],
    *,
    weights: int,
    warping: float,
    rate_hz: int,
    dc_pole: float,
    tracking: TrackingIr | None = None,
) -> tuple[WarpedIr, FilterQuality]:
    """Fit the secondary path by weights on an all-pass chain.

    Args:
        path, rate_hz, dc_pole: As `design_warped_ls`.
        weights: How many.
        warping: All-pass coefficient of the chain.
        tracking: Where the path is tracked: its delay is left out, and its equaliser is part of the path.

    Returns:
        The weights in Q1.31, and how well they fit.

    Raises:
        DesignError: They do not fit the number format.
    """
    frequency = np.geomspace(_LOWEST_HZ, min(_HIGHEST_HZ, 0.45 * rate_hz), _POINTS)
    delay = np.exp(-2j * np.pi * frequency / rate_hz)
    heard = path if tracking is None else path[tracking.delay :]
    wanted = np.polyval(heard[::-1], delay) * (1 - delay) / (1 - dc_pole * delay)
    if tracking is not None:
        wanted = wanted * equaliser_response(tracking, 2 * np.pi * frequency / rate_hz)
    section = (delay - warping) / (1 - warping * delay)
    chain = section[:, None] ** np.arange(weights)
    fitted = _fit(chain, wanted, 1 / np.sqrt(1 + (frequency / _CORNER_HZ) ** 2))
    weight = np.abs(1 / (1 + (frequency / _CORNER_HZ) ** 2))
    error = np.sum(weight * np.abs(chain @ fitted - wanted) ** 2) / np.sum(weight * np.abs(wanted) ** 2)
    error_db = 10 * math.log10(max(float(error), 1e-15))
    return quantize_weights(fitted, name="adaptive.warped_secondary_taps"), FilterQuality(
        "warped secondary", round(error_db * 1000), 0, 0
    )


def _fit(
    chain: NDArray[np.complex128], wanted: NDArray[np.complex128], weight: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Real weights of least weighted squares, with a small ridge."""
    n_weights = chain.shape[1]
    ridge = _RELATIVE_RIDGE * float(np.abs(wanted).mean()) * math.sqrt(wanted.size)
    rows = chain * weight[:, None]
    target = wanted * weight
    matrix = np.concatenate([rows.real, rows.imag, ridge * np.eye(n_weights)])
    right = np.concatenate([target.real, target.imag, np.zeros(n_weights)])
    fitted: NDArray[np.float64] = np.linalg.lstsq(matrix, right, rcond=None)[0]
    return fitted


def quantize_weights(weights: NDArray[np.float64], *, name: str) -> WarpedIr:
    """Least exponent with which the absolute sum stays below 1, so that no dot product overflows.

    Args:
        weights: On the chain, shape (n,), dimensionless.
        name: Place in the spec, for messages.

    Raises:
        DesignError: More gain than the exponent can hold.
    """
    total = float(np.abs(weights).sum()) * (1 + 1e-6)
    exponent = max(0, math.ceil(math.log2(total))) if total > 0 else 0
    if exponent > 15:
        raise DesignError(f"{name}: weights of {20 * math.log10(total):.0f} dB; check the secondary path's scale")
    scaled = weights * 2.0**-exponent
    return WarpedIr(tuple(to_q31(float(w), name=name) for w in scaled), exponent)


def _solve_jobs(settings: WarpedLs, rate_hz: int) -> int:
    """Update blocks per solve: whole batches of four equations."""
    return max(4, round(settings.solve_ms * rate_hz / 1000 / settings.update_block / 4) * 4)
