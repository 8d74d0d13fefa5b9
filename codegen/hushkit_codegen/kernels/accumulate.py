"""Products added to sums, and subtracted, in single precision: the same two roundings on every core.

A Cortex-M7 does both in one chained instruction, VMLA or VMLS, at one a cycle. On a Cortex-M4 or M33 the chained form
takes three cycles, a product and a sum one each; they need registers for products.
"""

from collections.abc import Sequence

from hushkit_codegen.kernels.ir import Op, Role, alu

Triple = tuple[str, str, str]
"""Sum, left and right factor."""


def add_product(core: str, triples: Sequence[Triple], spare: Sequence[str]) -> list[Op]:
    """``sum = sum + left * right`` for each triple, in groups as large as ``spare`` has registers."""
    return _accumulate(core, triples, spare, "vmla.f32", "vadd.f32")


def subtract_product(core: str, triples: Sequence[Triple], spare: Sequence[str]) -> list[Op]:
    """``sum = sum - left * right`` for each triple, likewise."""
    return _accumulate(core, triples, spare, "vmls.f32", "vsub.f32")


def _accumulate(core: str, triples: Sequence[Triple], spare: Sequence[str], chained: str, plain: str) -> list[Op]:
    if core == "cortex-m7":
        return [Op(Role.MAC, chained, f"{total}, {left}, {right}") for total, left, right in triples]
    ops: list[Op] = []
    for first in range(0, len(triples), len(spare)):
        group = list(zip(triples[first : first + len(spare)], spare, strict=False))
        ops += [Op(Role.MAC, "vmul.f32", f"{product}, {left}, {right}") for (_, left, right), product in group]
        ops += [alu(plain, f"{total}, {total}, {product}") for (total, _, _), product in group]
    return ops
