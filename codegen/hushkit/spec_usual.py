"""A headset spec with another adaptive algorithm at its usual settings, as far as the core carries them."""

from collections.abc import Callable, Mapping
from dataclasses import replace

from hushkit.spec_cost import estimate
from hushkit.spec_model import (
    WARPED_LS_TRACKING,
    Adaptive,
    Category,
    Fdaf,
    Filter,
    FxNlms,
    HeadsetSpec,
    Hybrid,
    NoAdaptive,
    WarpedLs,
)

_IDLE_UPDATE_BLOCK = 32

_USUAL: Mapping[str, Callable[[HeadsetSpec], Adaptive]] = {
    "none": lambda spec: NoAdaptive(secondary_taps=spec.adaptive.secondary_taps),
    "fxnlms": lambda spec: FxNlms(update_block=_update_block(spec)),
    "hybrid": lambda spec: Hybrid(update_block=_update_block(spec)),
    "fdaf": lambda spec: Fdaf(update_block=_update_block(spec)),
    "warped_ls": lambda spec: WarpedLs(update_block=_update_block(spec)),
    "warped_ls_tracking": lambda _: WARPED_LS_TRACKING,
}


def with_usual_settings(spec: HeadsetSpec, algorithm: str) -> HeadsetSpec:
    """Replace a spec's adaptive algorithm.

    Args:
        spec: The headset spec.
        algorithm: One of `hushkit.spec_model.ALGORITHMS`.

    Returns:
        The spec with the algorithm's defaults and the spec's own update block. A transversal filter is shortened to
        what the core is estimated to carry within the budget; where not even the shortest fits, it keeps its usual
        length, and a bench says by how much that is too long. Of the categories mode and intensity stay; the rest
        belongs to the spec's own algorithm.
    """
    categories = tuple(Category(own.name, mode=own.mode, intensity=own.intensity) for own in spec.categories)
    usual = replace(spec, adaptive=_USUAL[algorithm](spec), categories=categories)
    if algorithm == "warped_ls_tracking":
        return replace(usual, feedforward=Filter("none"))
    if algorithm in {"none", "warped_ls"}:
        return usual
    longest = estimate(usual).largest_taps
    taps = min(usual.adaptive.taps, longest) if longest else usual.adaptive.taps
    return replace(usual, adaptive=replace(usual.adaptive, taps=taps))


def _update_block(spec: HeadsetSpec) -> int:
    return spec.adaptive.update_block or _IDLE_UPDATE_BLOCK
