"""Correlation in single precision: eight outputs at a time, one product and one sum per term, in order.

    y[k] = ((s[0] * x[k] + s[1] * x[k + 1]) + s[2] * x[k + 2]) + ...,  k = 0 .. n - 1

Every product and sum rounds on its own, so all cores and the host get the same bits. Eight sums stand side by side:
none waits for its product, one load of s serves eight terms, and x slides through a ring of registers.
"""

from hushkit_codegen.kernels.accumulate import add_product
from hushkit_codegen.kernels.ir import Kernel, Loop, Op, Role, alu, control

CORRELATE_ARGUMENTS = "const float *x, const float *s, float *y, uint32_t n"

_OUTPUTS = 8
_STEP = 4  # terms per pass of the inner loop
_SUMS = tuple(f"s{k}" for k in range(8))
_WINDOW = tuple(f"s{k}" for k in range(8, 19))  # eight values of x, and three more as the terms go on
_TERMS = ("s19", "s20", "s21", "s22")
_PRODUCTS = tuple(f"s{k}" for k in range(24, 32))


def correlate(name: str, core: str, terms: int) -> Kernel:
    """A function ``void name(const float *x, const float *s, float *y, uint32_t n)``; n is a multiple of 8.

    Args:
        name: C identifier.
        core: Decides how a product is added.
        terms: Length of s, a multiple of 4 from 8 on.
    """
    inner = Loop("2", terms // _STEP - 1, "r12", tuple(_terms(core, first=False)))
    body: tuple[Op | Loop, ...] = (
        alu("mov", "r4, r0", "x of these outputs"),
        alu("mov", "r5, r1", "s from its start"),
        *_terms(core, first=True),
        inner,
        Op(Role.STORE, "vstmia", f"r2!, {{{_SUMS[0]}-{_SUMS[-1]}}}", ""),
        alu("add", f"r0, r0, #{4 * _OUTPUTS}"),
        control("subs", f"r3, r3, #{_OUTPUTS}"),
        control("bne.w", "1b"),
    )
    steps: list[Op | Loop] = [
        control("push", "{r4, r5}"),
        control("vpush", "{s16-s31}"),
        Loop("1", 1, "", body),
        control("vpop", "{s16-s31}"),
        control("pop", "{r4, r5}"),
        control("bx", "lr"),
    ]
    return Kernel(
        name=name,
        core=core,
        arguments=CORRELATE_ARGUMENTS,
        shape=f"correlation of {terms} terms, single precision; counted for {_OUTPUTS} outputs",
        bounds="single precision: the caller's scaling; a multiple of 8 outputs, at least 8",
        schedule="eight outputs side by side: no sum waits for its product, each s is loaded once for eight",
        equivalent="none",
        steps=tuple(steps),
        work=terms * _OUTPUTS,
    )


def _terms(core: str, *, first: bool) -> list[Op]:
    """Four terms of eight outputs; r4 and r5 move on by four values."""
    ops = [
        _several(f"r4, {{{_WINDOW[0]}-{_WINDOW[-1]}}}", "eight values of x and three more"),
        alu("add", "r4, r4, #16"),
        _several(f"r5!, {{{_TERMS[0]}-{_TERMS[-1]}}}", "four of s"),
    ]
    for term, factor in enumerate(_TERMS):
        values = _WINDOW[term : term + _OUTPUTS]
        if first and term == 0:
            ops += [_multiply(total, value, factor) for total, value in zip(_SUMS, values, strict=True)]
            continue
        ops += add_product(
            core, [(total, value, factor) for total, value in zip(_SUMS, values, strict=True)], _PRODUCTS
        )
    return ops


def _multiply(result: str, value: str, factor: str) -> Op:
    return Op(Role.MAC, "vmul.f32", f"{result}, {value}, {factor}")


def _several(operands: str, note: str) -> Op:
    return Op(Role.LOAD, "vldmia", operands, note)
