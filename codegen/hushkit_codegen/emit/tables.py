"""Constant arrays of C: weights, and the settings by noise category."""

from dataclasses import dataclass

from hushkit_codegen.ir import (
    BiquadIr,
    CategorySettingsIr,
    FirIr,
    HeadsetIr,
    HybridIr,
    NoAdaptiveIr,
    TransversalIr,
    WarpedIr,
    WarpedLsIr,
)

_MODES = ("HK_DESIGN_MODE_OFF", "HK_DESIGN_MODE_ANC", "HK_DESIGN_MODE_TRANSPARENCY")
_ANC = 1
_PER_ROW = 16


@dataclass(frozen=True, slots=True)
class Table:
    """One constant array of C: its comment, its declaration without the initializer, and the initializer's lines."""

    comment: str
    declaration: str
    lines: tuple[str, ...]


def weights_table(title: str, name: str, design: WarpedIr | FirIr) -> Table:
    """Weights in Q1.31, eight to a line."""
    values = [f"{value:11d}," for value in design.taps]
    rows = tuple(" ".join(values[at : at + 8]) for at in range(0, len(values), 8))
    return Table(f"{title}, each worth 2^{design.exponent - 31}.", f"const int32_t {name}", rows)


def sections_table(title: str, name: str, design: BiquadIr) -> Table:
    """Second-order sections, one to a line."""
    rows = tuple("{" + ", ".join(f"{value:11d}" for value in row) + "}," for row in design.sections)
    comment = f"{title}: b0, b1, b2, -a1, -a2 in Q1.31, scaled by 2^-{design.post_shift}."
    return Table(comment, f"const int32_t {name}", rows)


def category_tables(ir: HeadsetIr) -> list[Table]:
    """Start weights, the rows of settings, and which row each noise category takes."""
    priors = _priors(ir)
    tables = [
        weights_table(f"Start weights {number}", f"hk_design_prior_{number}[{len(prior.taps)}]", prior)
        for number, prior in enumerate(priors)
    ]
    rows = (_own_settings(ir), *ir.categories.settings)
    lines = [line for row in rows for line in _settings_lines(row, priors)]
    comment = "Settings: the spec's own, then what noise categories change."
    tables.append(Table(comment, f"const hk_category_settings_t hk_design_settings[{len(rows)}]", tuple(lines)))
    of = [f"{row}," for row in ir.categories.row_of]
    lines = [" ".join(of[at : at + _PER_ROW]) for at in range(0, len(of), _PER_ROW)]
    declaration = "const uint8_t hk_design_settings_of_category[HK_DESIGN_CATEGORIES]"
    tables.append(Table("Which of them each category takes.", declaration, tuple(lines)))
    return tables


def _priors(ir: HeadsetIr) -> tuple[WarpedIr | FirIr, ...]:
    own = () if isinstance(ir.adaptive, NoAdaptiveIr) else (ir.adaptive.prior,)
    return (*own, *ir.categories.priors)


def _own_settings(ir: HeadsetIr) -> CategorySettingsIr:
    own = ir.adaptive
    gradient = own if isinstance(own, TransversalIr) else None
    squares = own if isinstance(own, WarpedLsIr | HybridIr) else None
    return CategorySettingsIr(
        mode=_ANC,
        intensity=1000,
        prior=0,
        taps=len(gradient.prior.taps) if gradient else 0,
        step_q31=gradient.step_q31 if gradient else 0,
        leak_q31=gradient.leak_q31 if gradient else 0,
        forget_ppb=squares.forget_ppb if squares else 0,
        ridge_ppb=squares.ridge_ppb if squares else 0,
        start_ridge_ppb=squares.start_ridge_ppb if squares else 0,
    )


def _settings_lines(row: CategorySettingsIr, priors: tuple[WarpedIr | FirIr, ...]) -> list[str]:
    lines = [f"    .mode = {_MODES[row.mode]},", f"    .intensity = {row.intensity},"]
    if priors:
        prior = priors[row.prior]
        exponent = f".exponent = {prior.exponent}"
        lines.append(f"    .prior = {{.taps = hk_design_prior_{row.prior}, .n_taps = {len(prior.taps)}, {exponent}}},")
    if row.taps:
        lines += [
            f"    .taps = {row.taps},",
            f"    .step_q31 = {row.step_q31},",
            f"    .leak_q31 = {row.leak_q31},",
        ]
    if row.forget_ppb:
        lines += [
            f"    .forget = {float_literal(row.forget_ppb)},",
            f"    .ridge = {float_literal(row.ridge_ppb)},",
            f"    .start_ridge = {float_literal(row.start_ridge_ppb)},",
        ]
    return ["{", *lines, "},"]


def float_literal(value_ppb: int) -> str:
    """Parts per billion as a literal of single precision."""
    sign = "-" if value_ppb < 0 else ""
    return f"{sign}{abs(value_ppb) // 10**9}.{abs(value_ppb) % 10**9:09d}F"
