"""Cases of the warped controller: its chain, its regressors, and the loops of its least-squares solver."""

from collections.abc import Callable, Mapping
from typing import Final

from hushkit_codegen.kernels.bounds import q31_sum
from hushkit_codegen.kernels.correlation import Shape, Sum
from hushkit_codegen.kernels.functions import (
    axpy_text,
    correlation_text,
    dot_text,
    entering_text,
    fir_text,
    warped_text,
)
from hushkit_codegen.kernels.warped import Chain

from hushkit_hil.kernelbench.case import FIR_PEERS, Case, Peer, portable_only, random_taps, render

PLAIN_C: Final = "plain_C"  # the kernel's own portable C, as GCC compiles it for the core


def warped_case(core: str, sections: int, weights: int) -> Case:
    """One step of an all-pass chain (lambda 0.95) with its dot product; the library has nothing like it."""
    name = f"warped_{sections}_{weights}"
    chain = Chain(sections, weights)
    parts = [
        {"name": name, "text": warped_text(f"{name}_step", core, chain)},
        {"name": f"{name}_twin", "text": portable_only(warped_text(f"{name}_twin_step", core, chain))},
    ]
    text = render("warped_case", name=name, chain=chain, weights=random_taps(weights, 2**31, seed=weights), parts=parts)
    shape = f"{sections} sections, {weights} weights, block 1"
    return Case(name, "warped_q31", shape, 1, 4, text, "twin", (), note="no library call does this")


def regressors_case(core: str, outputs: int, terms: int) -> Case:
    """A controller's regressors: ``outputs`` sums of ``terms`` products, shifted by an argument."""
    name = f"regressors_{outputs}_{terms}"
    taps = random_taps(terms, 2**31, seed=terms)
    shape = Shape(Sum.Q31, terms, 8, shifted=True)
    parts = []
    for part in (name, f"{name}_twin"):
        text = correlation_text(f"{part}_eight", core, shape, bounds=q31_sum(taps), equivalent="arm_fir_q31")
        line = fir_text(part, "History", terms, outputs, q15=False)
        parts.append({"name": part, "text": text if part == name else portable_only(text), "filter": line})
    peers = FIR_PEERS[Sum.Q31]
    text = render("regressors_case", name=name, taps=taps, terms=terms, outputs=outputs, parts=parts, peers=peers)
    shape_text = f"{outputs} sums of {terms} products"
    return Case(name, "regressors_q31", shape_text, outputs, 4, text, "twin", peers)


def _enter_text(name: str, core: str, n: int) -> str:
    return entering_text(name, core, n // 4)


_VECTORS: Final[Mapping[str, tuple[int, str, Callable[[str, str, int], str]]]] = {
    "enter": (4, "four equations into a row", _enter_text),
    "dot": (1, "dot product", dot_text),
    "axpy": (1, "y - a x", axpy_text),
}
_VECTOR_PEERS: Final = {
    "enter": "5_arm_scale_f32+4_arm_add_f32",
    "dot": "arm_dot_prod_f32",
    "axpy": "arm_scale_f32+arm_sub_f32",
}


def vector_case(core: str, kind: str, n: int) -> Case:
    """A single-precision loop of the least-squares solver (``"enter"``, ``"dot"``, ``"axpy"``) over ``n`` elements."""
    block, words, make = _VECTORS[kind]
    name = f"{kind}_f32_{n}"
    generated = make(f"{name}_kernel", core, n)
    parts = [
        {"name": name, "text": generated, "planar": False},
        {"name": f"{name}_twin", "text": portable_only(make(f"{name}_twin_kernel", core, n)), "planar": False},
        {"name": f"{name}_plain", "text": "", "planar": True},
    ]
    text = render("vector_case", name=name, kind=kind, n=n, parts=parts)
    shape = f"{words}, {n} elements; per element"
    note = "arm_dot_prod_f32 adds in another order, with other bits" if kind == "dot" else ""
    peers = (Peer(_VECTOR_PEERS[kind], "plain"), Peer(PLAIN_C, "twin"))
    return Case(name, f"{kind}_f32", shape, block, 4, text, "twin", peers, note=note, units=n)
