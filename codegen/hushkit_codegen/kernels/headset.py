"""The kernels of one headset: each filter of its integer design as a generated function behind hk_kernels.h."""

from dataclasses import dataclass

from hushkit_codegen.ir import BiquadIr, FilterIr, FirIr, HeadsetIr, TransversalIr
from hushkit_codegen.kernels.biquad import Cascade
from hushkit_codegen.kernels.bounds import q15_sum, q31_sum
from hushkit_codegen.kernels.correlation import Shape, Sum
from hushkit_codegen.kernels.functions import (
    biquad_text,
    block_portable_text,
    block_text,
    correlation_portable_text,
    correlation_text,
    entering_portable_text,
    entering_text,
    fir_text,
    preamble,
    warped_portable_text,
    warped_text,
)
from hushkit_codegen.kernels.printing import environment
from hushkit_codegen.kernels.warped import Chain

SLICE = 8  # HK_KERNEL_SLICE


@dataclass(frozen=True, slots=True)
class KernelPart:
    """One filter of hk_kernels.c: its C, the arrays with one element per ear to clear, and a line for the header."""

    text: str
    states: tuple[str, ...]
    summary: str


def headset_preamble() -> KernelPart:
    """What stands in front of all generated kernels of a file."""
    return KernelPart(preamble(), (), "Kernels       generated; see each function for bounds and expected instructions")


def filter_part(
    name: str, title: str, design: FilterIr, *, core: str, block: int, length: str = "HK_CONFIG_BLOCK"
) -> KernelPart:
    """A fixed filter: ``hk_kernel_<name>_run`` over ``block`` samples, which C knows as ``length``.

    Raises:
        DesignError: The design's taps cannot be proven exact.
    """
    if isinstance(design, BiquadIr):
        cascade = Cascade(len(design.sections), block, design.post_shift, saves_fraction=True)
        text = _render(
            "headset_biquad",
            name=name,
            title=title,
            cascade=cascade,
            inner=biquad_text(f"{name}_cascade", core, cascade).rstrip(),
            output_shift=design.output_shift,
            length=length,
        )
        what = f"{cascade.sections} sections q31 with fraction saving, output shift {design.output_shift}"
        return KernelPart(text, (f"{name}_state",), f"{name.capitalize():<13} {what}")
    assert isinstance(design, FirIr)
    return _fir_part(name, title, design, core=core, block=block)


def _fir_part(name: str, title: str, design: FirIr, *, core: str, block: int) -> KernelPart:
    q15 = design.format == "q15"
    n_taps = len(design.taps)
    if q15:
        sums, bounds = q15_sum(design.taps)
        shape = Shape(sums, n_taps // 2, max(1, block // 2), windows=min(2, block))
    else:
        bounds = q31_sum(design.taps)
        shape = Shape(Sum.Q31, n_taps, block)
    library = "arm_fir_q15" if q15 else "arm_fir_q31"
    text = _render(
        "headset_fir",
        name=name,
        inner=correlation_text(f"{name}_inner", core, shape, bounds=bounds, equivalent=library).rstrip(),
        filter=fir_text(name, title, n_taps, block, q15=q15).rstrip(),
        q15=q15,
        exponent=design.exponent,
    )
    return KernelPart(text, (f"{name}_line",), f"{name.capitalize():<13} {n_taps} taps {design.format}")


def control_part(ir: HeadsetIr) -> KernelPart:
    """The adaptive control filter and its gradient: ``hk_kernel_control_run``, ``hk_kernel_gradient_run``."""
    assert isinstance(ir.adaptive, TransversalIr)
    n_taps = len(ir.adaptive.prior.taps)
    promise = "the caller keeps sum |w| <= 2^31"
    control = correlation_text(
        "control_inner", ir.core, Shape(Sum.Q31, n_taps, ir.block), bounds=promise, equivalent="arm_fir_q31"
    )
    gradient = correlation_text(
        "gradient_inner",
        ir.core,
        Shape(Sum.Q31, ir.update_block, SLICE, shifted=True),
        bounds="the caller keeps every sum below 2^62, every result within 32 bits, and shift at most 32",
        equivalent="arm_fir_q31 with the error block as taps, but for the shift",
    )
    text = _render(
        "headset_control",
        inner=control.rstrip(),
        filter=fir_text("control", "Control filter", n_taps, ir.block, q15=False).rstrip(),
        gradient=gradient.rstrip(),
        exponent=ir.adaptive.prior.exponent,
    )
    return KernelPart(text, ("control_line",), f"{'Control':<13} {n_taps} taps q31, gradient over {ir.update_block}")


def secondary_part(ir: HeadsetIr) -> KernelPart:
    """The secondary-path model: ``hk_kernel_secondary_run``, in slices of ``SLICE`` samples.

    Raises:
        DesignError: The model's taps cannot be proven exact.
    """
    assert isinstance(ir.secondary, FirIr)
    design = ir.secondary
    inner = correlation_text(
        "secondary_inner",
        ir.core,
        Shape(Sum.Q31, len(design.taps), SLICE),
        bounds=q31_sum(design.taps),
        equivalent="arm_fir_q31",
    )
    text = _render(
        "headset_secondary",
        inner=inner.rstrip(),
        filter=fir_text("secondary", "Secondary-path model", len(design.taps), SLICE, q15=False).rstrip(),
        exponent=design.exponent,
    )
    text += _model_text(design, core=ir.core)
    return KernelPart(text, ("secondary_line",), f"{'Secondary':<13} {len(design.taps)} taps q31, slices of {SLICE}")


def _model_text(design: FirIr, *, core: str) -> str:
    """``hk_kernel_model_run``: the secondary-path model at one sample of a history."""
    inner = correlation_text(
        "model_inner",
        core,
        Shape(Sum.Q31, len(design.taps), 1),
        bounds=q31_sum(design.taps),
        equivalent="arm_fir_q31 with block 1",
    )
    return _render("headset_model", inner=inner.rstrip(), exponent=design.exponent)


def equations_part(core: str, weights: int, model: int, *, portable: bool = False) -> KernelPart:
    """The warped controller's background: ``hk_kernel_regressors_run``, ``hk_kernel_enter_run``."""
    name = "hk_kernel_enter_run"
    outputs = SLICE if weights % SLICE == 0 else SLICE // 2
    shape = Shape(Sum.Q31, model, outputs, shifted=True)
    if portable:
        inner, enter = correlation_portable_text("regressors_inner", shape), entering_portable_text(name)
    else:
        promise = "sum |model| <= 2^31; the caller keeps every result within 32 bits"
        inner = correlation_text(
            "regressors_inner", core, shape, bounds=promise, equivalent="arm_fir_q31 but for the shift"
        )
        enter = entering_text(name, core, max(1, weights // 8))
    text = _render("headset_equations", inner=inner.rstrip(), enter=enter.rstrip(), outputs=outputs)
    return KernelPart(
        text.replace(f"static void {name}(", f"void {name}("),
        (),
        f"{'Equations':<13} {weights} regressors of {model} terms q31, four equations at a time in single precision",
    )


def block_part(core: str, length: int, *, portable: bool = False) -> KernelPart:
    """The inner loop of the warped controllers' factorisation: ``hk_kernel_block_run``."""
    name = "hk_kernel_block_run"
    text = block_portable_text(name) if portable else block_text(name, core, length)
    return KernelPart(
        text.replace(f"static void {name}(", f"void {name}("),
        (),
        f"{'Factors':<13} four rows against four, single precision",
    )


def warped_part(core: str, sections: int, weights: int, *, portable: bool = False) -> KernelPart:
    """The warped control filter: ``hk_kernel_warped_run``; state belongs to the caller."""
    name = "hk_kernel_warped_run"
    chain = Chain(sections, weights)
    text = warped_portable_text(name, chain) if portable else warped_text(name, core, chain)
    comment = f"/* Warped control filter: {sections} all-pass sections, {weights} weights. */\n"
    return KernelPart(
        comment + text.replace(f"static int64_t {name}(", f"int64_t {name}("),
        (),
        f"{'Warped':<13} {sections} all-pass sections, {weights} weights q31",
    )


def _render(template: str, **values: object) -> str:
    return environment().get_template(f"{template}.c.j2").render(**values)
