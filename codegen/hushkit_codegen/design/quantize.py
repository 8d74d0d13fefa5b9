"""Floats to integers: sections, taps and single parameters, scaled so that no input can overflow an intermediate."""

import math
from dataclasses import dataclass

import numpy as np
import scipy.signal
from numpy.typing import NDArray

from hushkit_codegen.errors import DesignError
from hushkit_codegen.ir import BiquadIr, FirIr

Q31_MAX = (1 << 31) - 1
_HEADROOM = 0.999
"""Of full scale, left to intermediates: rounding noise needs a few LSB, coefficients' rounding a little more."""

_LARGEST_NUMERATOR = 16.0
"""Absolute sum of a section's scaled numerator; more would cost every other coefficient resolution."""

_RESPONSE_SAMPLES = 1 << 15
_MAX_OUTPUT_SHIFT = 15
_MAX_EXPONENT = 15


@dataclass(frozen=True, slots=True)
class _Scaled:
    sos: NDArray[np.float64]
    output_shift: int


def to_q31(value: float, *, name: str) -> int:
    """Round to Q1.31.

    Raises:
        DesignError: Outside [-1, 1), by more than rounding.
    """
    rounded = round(value * 2.0**31)
    if rounded == 1 << 31:
        rounded = Q31_MAX
    if not -(1 << 31) <= rounded <= Q31_MAX:
        raise DesignError(f"{name}: {value:g} does not fit Q1.31; keep it within [-1, 1)")
    return rounded


def quantize_sos(sos: NDArray[np.float64], *, name: str) -> BiquadIr:
    """Quantize second-order sections for the fraction-saving cascade.

    Sections are scaled such that the sum of the absolute impulse response from the filter's input to every section's
    output stays below 1, so that no input whatever overflows; what the scaling takes, the output shift gives back.

    Args:
        sos: Sections as SciPy returns them, shape (n_sections, 6), dimensionless; rows are ``b0 b1 b2 a0 a1 a2`` with
            ``a0 == 1``.
        name: Place in the spec, for messages.

    Returns:
        The cascade. Feedback signs are flipped: the kernel adds where SciPy subtracts. ``post_shift`` is the smallest
        with which every coefficient fits and no sum of five products overflows 64 bits.

    Raises:
        DesignError: Wrong shape, unstable, or more gain than 15 bits of output shift can give back.

    Source:
        Coefficient order and sign as in CMSIS-DSP ``arm_biquad_cascade_df1_q31``; scaling by the l1 norm as in Jackson,
        Digital Filters and Signal Processing, 3rd ed., section 11.4.
    """
    if sos.ndim != 2 or sos.shape[1] != 6 or not np.all(sos[:, 3] == 1.0):
        raise DesignError(f"{name}: expected sections of shape (n, 6) with a0 = 1, got {sos.shape}")
    if not np.all(np.isfinite(sos)):
        raise DesignError(f"{name}: a coefficient is not finite; check the path set")
    radius = max(float(np.abs(np.roots(row[3:])).max()) for row in sos)
    if radius >= 1.0:
        raise DesignError(f"{name}: unstable, largest pole {radius:.6f}; move the poles inside the unit circle")
    scaled = _scale_sections(_pair_sections(sos), name)
    taps = np.column_stack([scaled.sos[:, :3], -scaled.sos[:, 4:]])
    for post_shift in range(8):
        rows = _round_rows(taps * 2.0 ** (31 - post_shift))
        fits = np.all(np.abs(rows) <= Q31_MAX) and np.all(np.abs(rows).sum(axis=1) < 1.999 * 2.0**31)
        if fits:
            sections = tuple((int(r[0]), int(r[1]), int(r[2]), int(r[3]), int(r[4])) for r in rows)
            return BiquadIr(sections, post_shift, scaled.output_shift)
    largest = float(np.abs(taps).max())
    raise DesignError(f"{name}: largest coefficient {largest:.3f} overflows Q1.31 at every post_shift; lower the gain")


def _round_rows(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Round rows b0, b1, b2, -a1, -a2 such that the sums at zero frequency are rounded once, not three times.

    Low corners live on small differences: b0 + b1 + b2 and 1 + a1 + a2 of a 30 Hz high-pass are 1e-5 of their terms.
    """
    rows = np.round(values)
    rows[:, 1] = np.round(values[:, :3].sum(axis=1)) - rows[:, 0] - rows[:, 2]
    rows[:, 3] = np.round(values[:, 3:].sum(axis=1)) - rows[:, 4]
    return rows


def _pair_sections(sos: NDArray[np.float64]) -> NDArray[np.float64]:
    """Pair poles with the zeros nearest to them."""
    if not np.all(np.any(sos[:, :3] != 0.0, axis=1)):
        return sos
    zeros, poles, gain = scipy.signal.sos2zpk(sos)
    paired = np.asarray(scipy.signal.zpk2sos(zeros, poles, gain), dtype=np.float64)
    return paired if paired.shape == sos.shape else sos


def _scale_sections(sos: NDArray[np.float64], name: str) -> _Scaled:
    """Order and scale sections: next comes whichever loses least level for the size of its numerator."""
    wave = np.zeros(_RESPONSE_SAMPLES)
    wave[0] = 1.0
    remaining = [row.copy() for row in sos]
    scaled = []
    given = 1.0
    while remaining:
        outputs = [scipy.signal.lfilter(row[:3], row[3:], wave) for row in remaining]
        peaks = [float(np.abs(output).sum()) / _HEADROOM for output in outputs]
        sizes = [float(np.abs(row[:3]).sum()) / _LARGEST_NUMERATOR for row in remaining]
        if min(peaks) == 0.0:
            raise DesignError(f"{name}: a section passes nothing; remove it")
        best = max(range(len(remaining)), key=lambda i: peaks[i] / sizes[i])
        # Levels rise to full scale too, as far as the coefficients allow: a bit of level is a bit of resolution.
        scale = max(peaks[best], sizes[best])
        row = remaining.pop(best)
        row[:3] /= scale
        wave = outputs[best] / scale
        given *= scale
        scaled.append(row)
    shift = max(0, math.ceil(math.log2(given)))
    if shift > _MAX_OUTPUT_SHIFT:
        raise DesignError(f"{name}: {20 * math.log10(given):.0f} dB of gain, more than 90 dB; lower the gain")
    scaled[-1][:3] *= given / 2.0**shift
    return _Scaled(np.array(scaled), shift)


def quantize_fir(taps: NDArray[np.float64], *, name: str, fmt: str = "q31", exponent: int | None = None) -> FirIr:
    """Quantize a transversal filter.

    Args:
        taps: First in time first, shape (n,), dimensionless.
        name: Place in the spec, for messages.
        fmt: ``q31`` or ``q15``.
        exponent: Exponent to use; the smallest that keeps the sum of the absolute taps at or below 1 when None.

    Returns:
        The filter, last tap first; the absolute sum of the integer taps is at most 2^31 - 1 (2^15 - 1 in q15).

    Raises:
        DesignError: Not finite, or more gain than the exponent can hold.
    """
    if taps.ndim != 1 or not np.all(np.isfinite(taps)):
        raise DesignError(f"{name}: expected finite taps in one dimension, got shape {taps.shape}")
    bits = 31 if fmt == "q31" else 15
    total = float(np.abs(taps).sum()) * (1 + taps.size * 2.0**-bits)
    least = max(0, math.ceil(math.log2(total / _HEADROOM))) if total > 0 else 0
    chosen = least if exponent is None else exponent
    if chosen < least or chosen > _MAX_EXPONENT:
        raise DesignError(
            f"{name}: taps sum to {total:.3f}, beyond exponent {min(chosen, _MAX_EXPONENT)}; lower the gain"
        )
    values = np.round(taps[::-1] * 2.0 ** (bits - chosen))
    return FirIr(tuple(int(value) for value in values), chosen, fmt)


def biquad_response(design: BiquadIr, omega: NDArray[np.float64]) -> NDArray[np.complex128]:
    """Response of the integer cascade, output shift included, at angular frequencies in radians per sample."""
    scale = 2.0 ** (design.post_shift - 31)
    rows = np.array(design.sections, dtype=np.float64) * scale
    delays = np.exp(-1j * np.outer([0, 1, 2], omega))
    denominators = np.column_stack([np.ones(len(rows)), -rows[:, 3:]])
    response = np.prod((rows[:, :3] @ delays) / (denominators @ delays), axis=0) * 2.0**design.output_shift
    return np.asarray(response, dtype=np.complex128)


def fir_response(design: FirIr, omega: NDArray[np.float64]) -> NDArray[np.complex128]:
    """Response of the integer transversal filter, exponent included."""
    bits = 31 if design.format == "q31" else 15
    taps = np.array(design.taps[::-1], dtype=np.float64) * 2.0 ** (design.exponent - bits)
    return np.asarray(np.exp(-1j * np.outer(omega, np.arange(taps.size))) @ taps, dtype=np.complex128)
