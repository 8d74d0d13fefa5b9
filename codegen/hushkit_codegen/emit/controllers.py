"""Fields of hk_design_t that belong to one adaptive controller."""

from hushkit_codegen.emit.tables import float_literal
from hushkit_codegen.emit.tracking import tracking_fields
from hushkit_codegen.ir import AdaptiveIr, FdafIr, FxNlmsIr, HybridIr, WarpedIr, WarpedLsIr

_RULES = ("HK_HYBRID_RULE_CONVEX", "HK_HYBRID_RULE_RATE")
_CHAIN_MODEL = "hk_design_warped_secondary"
_LSB_OF_Q48 = 14
"""A power of 2^-48 of full scale is 2^14 squared LSB."""


def controller_fields(adaptive: AdaptiveIr) -> list[str]:
    """Initializer of one controller's own struct; nothing without a controller."""
    match adaptive:
        case FxNlmsIr():
            lines = [
                f".regularisation_q48 = {adaptive.regularisation_q48}ULL,",
                f".weight_sum_limit = {adaptive.weight_sum_limit}ULL,",
            ]
        case HybridIr():
            lines = _hybrid(adaptive)
        case FdafIr():
            lines = [
                f".regularisation = {_lsb(adaptive.regularisation_q48)},",
                f".weight_sum_limit = {adaptive.weight_sum_limit}ULL,",
            ]
        case WarpedLsIr():
            lines = [
                *_chain(adaptive.one_minus_lambda_q32, adaptive.secondary),
                f".equation_jobs = {adaptive.equation_jobs},",
                f".solve_jobs = {adaptive.solve_jobs},",
                f".start_fade = {float_literal(adaptive.start_fade_ppb)},",
                *([] if adaptive.tracking is None else tracking_fields(adaptive.tracking)),
            ]
        case _:
            return []
    name = "warped_ls" if isinstance(adaptive, WarpedLsIr) else adaptive.algorithm
    return [f".{name} =", "    {", *(f"        {line}" for line in lines), "    },"]


def chain_weights(adaptive: HybridIr | WarpedLsIr) -> int:
    """Weights of the filter on the all-pass chain."""
    return adaptive.short_taps if isinstance(adaptive, HybridIr) else len(adaptive.prior.taps)


def _hybrid(adaptive: HybridIr) -> list[str]:
    return [
        *_chain(adaptive.one_minus_lambda_q32, adaptive.secondary),
        f".rule = {_RULES[adaptive.rule]},",
        f".regularisation = {_lsb(adaptive.regularisation_q48)},",
        f".weight_sum_limit = {adaptive.weight_sum_limit}ULL,",
        f".worst_condition = {adaptive.worst_condition}.0F,",
        f".reset_jobs = {adaptive.reset_jobs},",
    ]


def _chain(one_minus_lambda_q32: int, secondary: WarpedIr) -> list[str]:
    model = f".taps = {_CHAIN_MODEL}, .n_taps = {len(secondary.taps)}, .exponent = {secondary.exponent}"
    return [f".one_minus_lambda_q32 = {one_minus_lambda_q32},", f".secondary = {{{model}}},"]


def _lsb(power_q48: int) -> str:
    return f"{power_q48 << _LSB_OF_Q48}.0F"
