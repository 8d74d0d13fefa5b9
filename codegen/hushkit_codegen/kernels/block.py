"""Four rows against four rows, in single precision: the inner loop of a factorisation by blocks.

    sums[r][c] = sums[r][c] - w[r][0] * l[c][0] - w[r][1] * l[c][1] - ...,  r, c = 0 .. 3

Every product and difference rounds on its own, term by term, so all cores and the host get the same bits. Sixteen sums
stay in registers; each value loaded serves four products.
"""

from hushkit_codegen.kernels.accumulate import subtract_product
from hushkit_codegen.kernels.ir import Kernel, Loop, Op, Role, alu, control, load

BLOCK_ARGUMENTS = "float *sums, const float *w, const float *l, uint32_t length, uint32_t stride"

_SIDE = 4
_W = ("r1", "r4", "r5", "r6")
_L = ("r2", "r7", "r8", "r9")
_PUSHED = 4 * 8 + 4 * 16  # bytes between the stack pointer and the fifth argument


def block(name: str, core: str, length: int) -> Kernel:
    """A function ``void name(float *sums, const float *w, const float *l, uint32_t length, uint32_t stride)``.

    Args:
        name: C identifier.
        core: Decides how a product is subtracted.
        length: Terms for which the header counts instructions; the call's own number, a multiple of 4, decides.
    """
    fused = core == "cortex-m7"
    at_once = 2 if fused else 1  # terms; a core that needs a register for products has room for one
    steps: list[Op | Loop] = [
        control("push", "{r4-r11}"),
        control("vpush", "{s16-s31}"),
        load("r11", "sp", _PUSHED, note="stride of w, in floats"),
        alu("lsl", "r11, r11, #2"),
        alu("add", "r12, r3, #4", "stride of l, in floats"),
        alu("lsl", "r12, r12, #2"),
        *(alu("add", f"{_W[r]}, {_W[r - 1]}, r11") for r in range(1, _SIDE)),
        *(alu("add", f"{_L[r]}, {_L[r - 1]}, r12") for r in range(1, _SIDE)),
        Op(Role.LOAD, "vldmia", "r0, {s0-s15}", "sums"),
        control("cmp", "r3, #0"),
        control("beq.w", "2f"),
        Loop("1", max(1, length // at_once), "", (*_terms(core, at_once), *_count(at_once))),
        Op(Role.CONTROL, "2:", ""),
        Op(Role.STORE, "vstmia", "r0, {s0-s15}"),
        control("vpop", "{s16-s31}"),
        control("pop", "{r4-r11}"),
        control("bx", "lr"),
    ]
    return Kernel(
        name=name,
        core=core,
        arguments=BLOCK_ARGUMENTS,
        shape=f"four rows against four rows; counted for {length} terms",
        bounds="single precision: the caller's scaling; a multiple of 4 terms, or none",
        schedule="sixteen sums in registers; no sum waits for its own last product",
        equivalent="none",
        steps=tuple(steps),
        work=_SIDE * _SIDE * length,
    )


def _terms(core: str, at_once: int) -> list[Op]:
    w = [[f"s{16 + at_once * r + t}" for t in range(at_once)] for r in range(_SIDE)]
    first = 16 + _SIDE * at_once
    l_values = [[f"s{first + at_once * c + t}" for t in range(at_once)] for c in range(_SIDE)]
    spare = tuple(f"s{k}" for k in range(first + _SIDE * at_once, 32))
    ops = [
        Op(Role.LOAD, "vldmia", f"{pointer}!, {{{', '.join(values)}}}")
        for pointer, values in zip((*_W, *_L), (*w, *l_values), strict=True)
    ]
    for t in range(at_once):
        triples = [(f"s{_SIDE * r + c}", w[r][t], l_values[c][t]) for r in range(_SIDE) for c in range(_SIDE)]
        ops += subtract_product(core, triples, spare)
    return ops


def _count(at_once: int) -> list[Op]:
    return [control("subs", f"r3, r3, #{at_once}"), control("bne.w", "1b")]
