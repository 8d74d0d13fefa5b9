"""The controllers that adapt a transversal filter: FxNLMS, the hybrid with a short filter beside it, the FDAF."""

import math

import numpy as np
from hushkit.spec import HYBRID_RULES, Fdaf, FxNlms, Hybrid
from numpy.typing import NDArray

from hushkit_codegen.design.categories import PPB, forget_ppb
from hushkit_codegen.design.quantize import to_q31
from hushkit_codegen.design.spectra import DesignScene
from hushkit_codegen.design.warped import chain_model
from hushkit_codegen.design.wiener import wiener_fir
from hushkit_codegen.errors import DesignError
from hushkit_codegen.ir import FdafIr, FilterQuality, FirIr, FxNlmsIr, HybridIr

_WEIGHT_SUM_LIMIT = 1 << 31
_CONTROL_MARGIN = 4.0
"""The adaptive filter may grow to this many times the l1 norm of the causal optimum before the watch trips: a leaky fit
needs up to 12 dB more gain. Less makes a leak look like divergence, more gives bits of weight away."""

_FDAF_FRAME = 256
"""Samples of one transform: two blocks of 128."""


def design_fxnlms(settings: FxNlms, scene: DesignScene) -> FxNlmsIr:
    """FxNLMS for the paths of a scene.

    Args:
        settings: The spec's [adaptive].
        scene: What the control filter will have to do: bounds its gain.

    Raises:
        DesignError: A value does not fit its number format.
    """
    return FxNlmsIr(
        prior=_start(settings, scene),
        step_q31=_step(settings),
        leak_q31=to_q31(settings.leak, name="adaptive.leak"),
        regularisation_q48=_power_q48(settings.regularisation_db, settings.taps),
        weight_sum_limit=_WEIGHT_SUM_LIMIT,
    )


def design_fdaf(settings: Fdaf, scene: DesignScene) -> FdafIr:
    """Frequency-domain adaptive filter; arguments and errors as `design_fxnlms`.

    A bin of one frame of white noise has the frame's length times its power; the floor is of all partitions together.
    """
    return FdafIr(
        prior=_start(settings, scene),
        step_q31=_step(settings),
        leak_q31=to_q31(settings.leak, name="adaptive.leak"),
        regularisation_q48=_power_q48(settings.regularisation_db, _FDAF_FRAME * settings.taps // (_FDAF_FRAME // 2)),
        weight_sum_limit=_WEIGHT_SUM_LIMIT,
    )


def design_hybrid(
    settings: Hybrid, scene: DesignScene, path: NDArray[np.float64], *, rate_hz: int, dc_pole: float
) -> tuple[HybridIr, FilterQuality]:
    """NLMS and least squares mixed.

    Args:
        settings, scene: As `design_fxnlms`.
        path, rate_hz, dc_pole: As `hushkit_codegen.design.warped.design_warped_ls`.

    Returns:
        The integer design, and how well the chain fits the path.

    Raises:
        DesignError: A value does not fit its number format.
    """
    secondary, quality = chain_model(
        path,
        weights=settings.warped_secondary_taps,
        warping=settings.warping,
        rate_hz=rate_hz,
        dc_pole=dc_pole,
    )
    design = HybridIr(
        prior=_start(settings, scene),
        step_q31=_step(settings),
        leak_q31=to_q31(settings.leak, name="adaptive.leak"),
        regularisation_q48=_power_q48(settings.regularisation_db, settings.taps),
        weight_sum_limit=_WEIGHT_SUM_LIMIT,
        short_taps=settings.short_taps,
        one_minus_lambda_q32=round((1 - settings.warping) * 2.0**32),
        secondary=secondary,
        forget_ppb=forget_ppb(settings.memory_s, settings.update_block / rate_hz),
        ridge_ppb=max(1, round(settings.ridge * PPB)),
        start_ridge_ppb=max(1, round(settings.start_ridge * PPB)),
        rule=HYBRID_RULES.index(settings.rule),
        worst_condition=round(settings.worst_condition),
        reset_jobs=round(settings.reset_s * rate_hz / settings.update_block),
    )
    return design, quality


def _start(settings: FxNlms | Hybrid | Fdaf, scene: DesignScene) -> FirIr:
    """Weights of zero, in the format the control filter needs."""
    return FirIr((0,) * settings.taps, _control_exponent(settings.taps, scene))


def _step(settings: FxNlms | Hybrid | Fdaf) -> int:
    return max(1, to_q31(min(settings.step, 1 - 2.0**-31), name="adaptive.step"))


def _power_q48(level_db: float, terms: int) -> int:
    return max(1, round(10 ** (level_db / 10) * terms * 2.0**48))


def _control_exponent(taps: int, scene: DesignScene) -> int:
    """Exponent with which the causal optimum's absolute sum, and a margin, stays within the overflow bound."""
    ideal = wiener_fir(scene, taps, np.ones(scene.frequency.size))
    total = float(np.abs(ideal).sum()) * _CONTROL_MARGIN
    exponent = max(0, math.ceil(math.log2(total))) if total > 0 else 0
    if exponent > 15:
        raise DesignError(
            f"adaptive: the control filter needs {20 * math.log10(total):.0f} dB of gain; check the secondary path"
        )
    return exponent
