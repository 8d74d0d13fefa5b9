"""Settings by noise category: what the spec's [categories] change, as rows of integers."""

import math
from collections.abc import Mapping

from hushkit.spec import CATEGORIES, MODES, Category, Fdaf, FxNlms, HeadsetSpec, Hybrid, WarpedLs

from hushkit_codegen.design.quantize import to_q31
from hushkit_codegen.ir import CategoriesIr, CategorySettingsIr, WarpedIr

PPB = 10**9


def design_categories(spec: HeadsetSpec, priors: Mapping[str, WarpedIr] | None = None) -> CategoriesIr:
    """Turn [categories] into different rows, and a row's number per category.

    Args:
        spec: The headset spec; settings that its algorithm has no use for are left out.
        priors: Start weights by the name that [categories] call them; must hold all of those.

    Returns:
        The rows; categories without an entry take row 0, the algorithm's own settings.

    Raises:
        DesignError: A value does not fit its number format.
    """
    by_name = {category.name: category for category in spec.categories}
    numbers = {name: number for number, name in enumerate(priors or {}, start=1)}
    own = _settings(spec, Category(""), numbers)
    rows = [own]
    row_of = []
    for name in CATEGORIES:
        row = _settings(spec, by_name.get(name, Category(name)), numbers)
        if row not in rows:
            rows.append(row)
        row_of.append(rows.index(row))
    return CategoriesIr(tuple(rows[1:]), tuple(row_of), tuple((priors or {}).values()))


def _settings(spec: HeadsetSpec, category: Category, priors: Mapping[str, int]) -> CategorySettingsIr:
    own = spec.adaptive
    taps = step = leak = forget = ridge = start_ridge = 0
    place = f"categories.{category.name}"
    if isinstance(own, FxNlms | Hybrid | Fdaf):
        taps = category.taps or own.taps
        step = max(1, to_q31(min(_or(category.step, own.step), 1 - 2.0**-31), name=f"{place}.step"))
        leak = to_q31(_or(category.leak, own.leak), name=f"{place}.leak")
    if isinstance(own, Hybrid | WarpedLs):
        forget = forget_ppb(_or(category.memory_s, own.memory_s), own.update_block / spec.audio.rate_hz)
        ridge = max(1, round(_or(category.ridge, own.ridge) * PPB))
        start_ridge = round(_or(category.start_ridge, own.start_ridge) * PPB)
    return CategorySettingsIr(
        mode=MODES.index(category.mode or "anc"),
        intensity=round(1000 * _or(category.intensity, 1.0)),
        prior=0 if category.prior is None else priors.get(category.prior, 0),
        taps=taps,
        step_q31=step,
        leak_q31=leak,
        forget_ppb=forget,
        ridge_ppb=ridge,
        start_ridge_ppb=start_ridge,
    )


def forget_ppb(memory_s: float, equation_s: float) -> int:
    """Share of the covariance kept per equation, for a time constant."""
    return round(math.exp(-equation_s / memory_s) * PPB)


def _or(given: float | None, own: float) -> float:
    return own if given is None else given
