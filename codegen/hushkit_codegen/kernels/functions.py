"""From shapes to C text: each function in assembly (or Helium) for its core, and in portable C, same integers."""

from hushkit_codegen.errors import DesignError
from hushkit_codegen.kernels.biquad import Cascade, biquad
from hushkit_codegen.kernels.block import BLOCK_ARGUMENTS, block
from hushkit_codegen.kernels.correlate import CORRELATE_ARGUMENTS, correlate
from hushkit_codegen.kernels.correlation import Shape, Sum, correlation
from hushkit_codegen.kernels.entering import ENTER_ARGUMENTS, entering
from hushkit_codegen.kernels.helium import helium
from hushkit_codegen.kernels.ir import Kernel
from hushkit_codegen.kernels.printing import environment, print_kernel
from hushkit_codegen.kernels.vectors import AXPY_ARGUMENTS, DOT_ARGUMENTS, axpy, dot
from hushkit_codegen.kernels.warped import WARPED_ARGUMENTS, Chain, warped


def preamble() -> str:
    """What a file of kernels begins with, behind its includes."""
    return environment().get_template("preamble.c.j2").render()


def assembly_core(core: str) -> str:
    """Core whose scalar order is used: the Cortex-M55 runs the Cortex-M33's where Helium has no part."""
    return "cortex-m33" if core == "cortex-m55" else core


def correlation_text(name: str, core: str, shape: Shape, *, bounds: str, equivalent: str) -> str:
    """C of one correlation: see ``correlation`` for the arguments."""
    kernel = correlation(name, assembly_core(core), shape, bounds=bounds, equivalent=equivalent)
    portable = _render("correlation_portable", name=name, shape=shape)
    return _either(
        kernel, portable, _correlation_helium(name, shape, bounds, equivalent) if core == "cortex-m55" else ""
    )


def biquad_text(name: str, core: str, cascade: Cascade) -> str:
    """C of one cascade: see ``biquad`` for the arguments."""
    kernel = biquad(name, assembly_core(core), cascade)
    mask = f"0x{(1 << cascade.shift) - 1:08X}U"
    return _either(kernel, _render("biquad_portable", name=name, cascade=cascade, mask=mask), "")


def warped_text(name: str, core: str, chain: Chain) -> str:
    """C of one warped filter step: see ``warped`` for the arguments."""
    kernel = warped(name, assembly_core(core), chain)
    return _either(kernel, warped_portable_text(name, chain), "")


def warped_portable_text(name: str, chain: Chain) -> str:
    """Portable C of one warped filter step."""
    return _render("warped_portable", name=name, chain=chain, arguments=WARPED_ARGUMENTS)


def entering_text(name: str, core: str, groups: int) -> str:
    """C of four equations entered into one row: see ``entering`` for the arguments."""
    return _either(entering(name, assembly_core(core), groups), entering_portable_text(name), "")


def entering_portable_text(name: str) -> str:
    """Portable C of four equations entered into one row."""
    return _render("entering_portable", name=name, arguments=ENTER_ARGUMENTS)


def dot_text(name: str, core: str, n: int) -> str:
    """C of a single-precision dot product: see ``dot`` for the arguments."""
    return _either(dot(name, assembly_core(core), n), _render("dot_portable", name=name, arguments=DOT_ARGUMENTS), "")


def axpy_text(name: str, core: str, n: int) -> str:
    """C of y - a x in single precision: see ``axpy`` for the arguments."""
    return _either(
        axpy(name, assembly_core(core), n), _render("axpy_portable", name=name, arguments=AXPY_ARGUMENTS), ""
    )


def block_text(name: str, core: str, length: int) -> str:
    """C of four rows against four rows: see ``block`` for the arguments."""
    return _either(block(name, assembly_core(core), length), block_portable_text(name), "")


def block_portable_text(name: str) -> str:
    """Portable C of four rows against four rows."""
    return _render("block_portable", name=name, arguments=BLOCK_ARGUMENTS)


def correlate_text(name: str, core: str, terms: int) -> str:
    """C of a correlation in single precision: see ``correlate`` for the arguments."""
    return _either(correlate(name, assembly_core(core), terms), correlate_portable_text(name, terms), "")


def correlate_portable_text(name: str, terms: int) -> str:
    """Portable C of a correlation in single precision."""
    return _render("correlate_portable", name=name, terms=terms, arguments=CORRELATE_ARGUMENTS)


def correlation_portable_text(name: str, shape: Shape) -> str:
    """Portable C of one correlation."""
    return _render("correlation_portable", name=name, shape=shape)


def fir_text(name: str, title: str, n_taps: int, block: int, *, q15: bool) -> str:
    """C of one filter around its correlation ``<name>_inner``: delay line ``<name>_line_t`` and ``<name>_filter``."""
    ring = ring_length(n_taps, max(block, 2) if q15 else block)
    return _render(
        "fir_q15" if q15 else "fir_q31", name=name, title=title, n_taps=n_taps, block=block, ring=ring, factor=1
    )


def decimator_shape(sums: Sum, n_taps: int, factor: int, block: int) -> Shape:
    """The correlation inside a decimator: ``block`` outputs, one for every ``factor`` samples.

    Raises:
        DesignError: An odd number of taps or an odd block of several outputs in q15; a factor beyond 8.
    """
    if sums is Sum.Q31:
        return Shape(sums, n_taps, block, step=factor)
    if n_taps % 2 or (block > 1 and block % 2):
        raise DesignError(f"q15 decimator of {n_taps} taps, block {block}: expected even taps, and block 1 or even")
    return Shape(sums, n_taps // 2, max(1, block // 2), windows=min(2, block), step=factor)


def decimator_text(name: str, title: str, shape: Shape, factor: int) -> str:
    """C of one decimator around its correlation ``<name>_inner``, as `fir_text`; takes ``factor`` samples per output.

    Output p is the filter's at sample ``factor * p`` of its block, as CMSIS-DSP's.
    """
    block = shape.outputs * shape.windows
    inputs = factor * block
    if shape.sums is Sum.Q31:
        ring = ring_length(shape.n_terms, inputs)
        return _render("fir_q31", name=name, title=title, n_taps=shape.n_terms, block=block, ring=ring, factor=factor)
    n_taps = 2 * shape.n_terms
    ring = ring_length(n_taps, inputs if inputs % 2 == 0 else 2 * inputs)
    return _render(
        "decimate_q15",
        name=name,
        title=title,
        n_taps=n_taps,
        block=block,
        factor=factor,
        inputs=inputs,
        ring=ring,
        lines=("even", "odd") if factor % 2 else ("odd",),
        second=f"even[{ring - n_taps + 1 + factor}]" if factor % 2 else f"odd[{ring - n_taps + 2 + factor}]",
    )


def fxnlms_text(name: str, title: str, n_taps: int, block: int) -> str:
    """C of a fused update around ``<name>_step``, a correlation of ``block`` terms and ``n_taps`` outputs in steps."""
    block_bits = (block - 1).bit_length()
    return _render(
        "fxnlms",
        name=name,
        title=title,
        n_taps=n_taps,
        block=block,
        ring=ring_length(n_taps + 1, block),
        error_bits=29 - block_bits,
        limit=2 ** (29 - block_bits),
    )


def ring_length(n_taps: int, block: int) -> int:
    """Samples of one half of a doubled ring: history and one block, in whole blocks."""
    return -(-(n_taps - 1 + block) // block) * block


def _correlation_helium(name: str, shape: Shape, bounds: str, equivalent: str) -> str:
    if shape.sums is Sum.Q31_STEP:
        return _render("step_helium", name=name, shape=shape)
    return print_kernel(helium(name, shape, bounds=bounds, equivalent=equivalent))


def _either(kernel: Kernel, portable: str, vector: str) -> str:
    return _render("either", assembly=print_kernel(kernel).rstrip(), portable=portable.rstrip(), helium=vector.rstrip())


def _render(template: str, **values: object) -> str:
    return environment().get_template(f"{template}.c.j2").render(**values)
