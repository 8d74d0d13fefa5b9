"""Kernels of the tracking controller's background, beside the warped filter's own."""

from hushkit_codegen.ir import BiquadIr, HeadsetIr, TrackingIr, WarpedLsIr
from hushkit_codegen.kernels.functions import (
    correlate_portable_text,
    correlate_text,
    entering_portable_text,
    entering_text,
    warped_portable_text,
    warped_text,
)
from hushkit_codegen.kernels.headset import SLICE, KernelPart, filter_part
from hushkit_codegen.kernels.warped import Chain


def tracking_parts(ir: HeadsetIr, design: WarpedLsIr, tracking: TrackingIr, *, portable: bool) -> list[KernelPart]:
    """``hk_kernel_played_run``, ``hk_kernel_enter_run``, and the equaliser's two sections.

    Args:
        ir: The headset.
        design: Its controller.
        tracking: How that tracks.
        portable: Plain C for the kernels that would be assembly.

    Raises:
        DesignError: A section cannot be proven exact.
    """
    parts = [
        _played_part(ir.core, len(design.secondary.taps) + len(tracking.weighting_q28) - 1, portable=portable),
        _enter_part(ir.core, len(design.prior.taps) + 2 * len(design.secondary.taps), portable=portable),
        _correlate_part("correlate", ir.core, len(design.secondary.taps), portable=portable),
    ]
    if len(tracking.weighting_q28) > 1:
        parts.append(_correlate_part("weigh", ir.core, len(tracking.weighting_q28), portable=portable))
    for name, title, section, block, length in (
        ("equaliser", "Equaliser of the driver's low end", tracking.equaliser, ir.block, "HK_CONFIG_BLOCK"),
        ("inverse", "Inverse of the equaliser", tracking.inverse, SLICE, "HK_KERNEL_SLICE"),
    ):
        if isinstance(section, BiquadIr):
            parts.append(filter_part(name, title, section, core=ir.core, block=block, length=length))
    return parts


def _played_part(core: str, sections: int, *, portable: bool) -> KernelPart:
    name = "hk_kernel_played_run"
    chain = Chain(sections, 1)
    text = warped_portable_text(name, chain) if portable else warped_text(name, core, chain)
    comment = f"/* Chain of what was played: {sections} all-pass sections. */\n"
    return KernelPart(
        comment + text.replace(f"static int64_t {name}(", f"int64_t {name}("),
        (),
        f"{'Played':<13} {sections} all-pass sections",
    )


def _correlate_part(kind: str, core: str, terms: int, *, portable: bool) -> KernelPart:
    name = f"hk_kernel_{kind}_run"
    text = correlate_portable_text(name, terms) if portable else correlate_text(name, core, terms)
    return KernelPart(
        text.replace(f"static void {name}(", f"void {name}("),
        (),
        f"{'Products':<13} correlations of {terms} terms, single precision",
    )


def _enter_part(core: str, row: int, *, portable: bool) -> KernelPart:
    name = "hk_kernel_enter_run"
    text = entering_portable_text(name) if portable else entering_text(name, core, max(1, row // 8))
    return KernelPart(
        text.replace(f"static void {name}(", f"void {name}("),
        (),
        f"{'Equations':<13} four at a time into rows of up to {row}, single precision",
    )
