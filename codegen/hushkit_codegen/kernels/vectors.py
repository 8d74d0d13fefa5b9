"""Two operations on vectors of single-precision numbers whose length the call decides, for factorisation and solving.

    dot     ((s0 + s1) + (s2 + s3)),  s_m = sum of a[k] * b[k] over k = m mod 4; the last n mod 4 products join s0
    axpy    y[k] = y[k] - a * x[k]

Every product and sum rounds on its own, in this order, so all cores and the host get the same bits. Four elements stand
side by side, so that no sum waits for its product. On Cortex-M7 each load stands beside an operation it can issue with;
elsewhere loads stand in rows.
"""

from hushkit_codegen.kernels.ir import Kernel, Loop, Op, Role, alu, control, label

DOT_ARGUMENTS = "const float *a, const float *b, uint32_t n"
AXPY_ARGUMENTS = "float *y, const float *x, float a, uint32_t n"

_SUMS = ("s0", "s1", "s2", "s3")
_LEFT = ("s4", "s5", "s6", "s7")
_RIGHT = ("s8", "s9", "s10", "s11")
_PRODUCTS = ("s12", "s13", "s14", "s15")


def dot(name: str, core: str, n: int) -> Kernel:
    """A function ``float name(const float *a, const float *b, uint32_t n)`` for the hard-float calling convention.

    Args:
        name: C identifier.
        core: Any of the scalar cores.
        n: Length for which the header counts instructions; the call's own decides.
    """
    whole, rest = divmod(n, 4)
    body = _dot_beside(whole) if core == "cortex-m7" else _dot_in_rows(whole)
    steps: list[Op | Loop] = [
        alu("mov", "r3, #0"),
        *(alu("vmov", f"{value}, r3") for value in _SUMS),
        *body,
        label("2"),
        control("ands", "r2, r2, #3"),
        control("beq", "4f"),
        Loop("3", rest, "", tuple(_one_more())),
        label("4"),
        alu("vadd.f32", "s0, s0, s1"),
        alu("vadd.f32", "s2, s2, s3"),
        alu("vadd.f32", "s0, s0, s2"),
        control("bx", "lr"),
    ]
    return _kernel(name, core, DOT_ARGUMENTS, steps, n)


def axpy(name: str, core: str, n: int) -> Kernel:
    """A function ``void name(float *y, const float *x, float a, uint32_t n)``: y -= a x.

    Args:
        name: C identifier.
        core: Any of the scalar cores.
        n: Length for which the header counts instructions; the call's own decides.
    """
    whole, rest = divmod(n, 4)
    body = _axpy_beside() if core == "cortex-m7" else _axpy_in_rows()
    steps: list[Op | Loop] = [
        control("lsrs", "r3, r2, #2"),
        control("beq", "2f"),
        Loop("1", whole, "", (*body, control("bne.w", "1b"))),
        label("2"),
        control("ands", "r2, r2, #3"),
        control("beq", "4f"),
        Loop("3", rest, "", tuple(_one_less())),
        label("4"),
        control("bx", "lr"),
    ]
    return _kernel(name, core, AXPY_ARGUMENTS, steps, n)


def _kernel(name: str, core: str, arguments: str, steps: list[Op | Loop], n: int) -> Kernel:
    is_dot = arguments == DOT_ARGUMENTS
    return Kernel(
        name=name,
        core=core,
        arguments=arguments,
        shape=f"{'dot product' if is_dot else 'y - a x'} in single precision; counted for {n} elements",
        bounds="single precision: the caller's scaling",
        schedule="four elements side by side: no sum waits for its product",
        equivalent="none: arm_dot_prod_f32 adds in another order" if is_dot else "arm_scale_f32, then arm_sub_f32",
        steps=tuple(steps),
        work=n,
        returns="float" if is_dot else "void",
    )


def _load(register: str, pointer: str, offset: int) -> Op:
    return Op(Role.LOAD, "vldr", f"{register}, [{pointer}, #{offset}]" if offset else f"{register}, [{pointer}]")


def _dot_in_rows(whole: int) -> list[Op | Loop]:
    body = [
        Op(Role.LOAD, "vldmia", "r0!, {s4-s7}"),
        Op(Role.LOAD, "vldmia", "r1!, {s8-s11}"),
        *_multiply(_LEFT),
        *_add(_LEFT),
        control("subs", "r3, r3, #1"),
    ]
    return [
        control("lsrs", "r3, r2, #2"),
        control("beq", "2f"),
        Loop("1", whole, "", (*body, control("bne.w", "1b"))),
    ]


def _multiply(target: tuple[str, ...]) -> list[Op]:
    return [
        Op(Role.MAC, "vmul.f32", f"{product}, {left}, {right}")
        for product, left, right in zip(target, _LEFT, _RIGHT, strict=True)
    ]


def _add(products: tuple[str, ...]) -> list[Op]:
    return [alu("vadd.f32", f"{value}, {value}, {product}") for value, product in zip(_SUMS, products, strict=True)]


def _dot_beside(whole: int) -> list[Op | Loop]:
    """Products of one turn are added in the next one; the first turn adds zeros, the last one loads nothing."""
    body: list[Op] = []
    for k in range(4):
        body += [
            alu("vadd.f32", f"{_SUMS[k]}, {_SUMS[k]}, {_PRODUCTS[k]}"),
            *([_load(_RIGHT[k - 1], "r1", 4 * (k - 1))] if k else []),
            Op(Role.MAC, "vmul.f32", f"{_PRODUCTS[k]}, {_LEFT[k]}, {_RIGHT[k]}"),
            _load(_LEFT[k], "r0", 4 * k),
        ]
    body += [
        _load(_RIGHT[3], "r1", 12),
        alu("add", "r0, r0, #16"),
        control("subs", "r3, r3, #1"),
        alu("add", "r1, r1, #16"),
    ]
    return [
        *(alu("vmov", f"{product}, r3") for product in _PRODUCTS),
        control("lsrs", "r3, r2, #2"),
        control("beq", "2f"),
        Op(Role.LOAD, "vldmia", "r0!, {s4-s7}"),
        Op(Role.LOAD, "vldmia", "r1!, {s8-s11}"),
        control("subs", "r3, r3, #1"),
        control("beq", "5f"),
        Loop("1", max(0, whole - 1), "", (*body, control("bne.w", "1b"))),
        label("5"),
        *_add(_PRODUCTS),
        *_multiply(_PRODUCTS),
        *_add(_PRODUCTS),
    ]


def _one_more() -> list[Op]:
    return [
        Op(Role.LOAD, "vldmia", "r0!, {s4}"),
        Op(Role.LOAD, "vldmia", "r1!, {s8}"),
        control("subs", "r2, r2, #1"),
        Op(Role.MAC, "vmul.f32", "s4, s4, s8"),
        alu("vadd.f32", "s0, s0, s4"),
        control("bne.w", "3b"),
    ]


def _axpy_in_rows() -> list[Op]:
    return [
        Op(Role.LOAD, "vldmia", "r1!, {s4-s7}"),
        Op(Role.LOAD, "vldmia", "r0, {s8-s11}"),
        *_scaled_and_subtracted(),
        control("subs", "r3, r3, #1"),
        Op(Role.STORE, "vstmia", "r0!, {s8-s11}"),
    ]


def _scaled_and_subtracted() -> list[Op]:
    return [
        *(Op(Role.MAC, "vmul.f32", f"{value}, {value}, s0") for value in _LEFT),
        *(alu("vsub.f32", f"{value}, {value}, {part}") for value, part in zip(_RIGHT, _LEFT, strict=True)),
    ]


def _axpy_beside() -> list[Op]:
    ops = [_load(_LEFT[k], "r1", 4 * k) for k in range(4)]
    for k in range(4):
        ops += [Op(Role.MAC, "vmul.f32", f"{_LEFT[k]}, {_LEFT[k]}, s0"), _load(_RIGHT[k], "r0", 4 * k)]
    for k in range(4):
        ops.append(alu("vsub.f32", f"{_RIGHT[k]}, {_RIGHT[k]}, {_LEFT[k]}"))
        ops.append(Op(Role.STORE, "vstr", f"{_RIGHT[k - 1]}, [r0, #{4 * (k - 1)}]") if k else alu("add", "r1, r1, #16"))
    return [
        *ops,
        control("subs", "r3, r3, #1"),
        Op(Role.STORE, "vstr", f"{_RIGHT[3]}, [r0, #12]"),
        alu("add", "r0, r0, #16"),
    ]


def _one_less() -> list[Op]:
    return [
        Op(Role.LOAD, "vldmia", "r1!, {s4}"),
        Op(Role.LOAD, "vldmia", "r0, {s8}"),
        control("subs", "r2, r2, #1"),
        Op(Role.MAC, "vmul.f32", "s4, s4, s0"),
        alu("vsub.f32", "s8, s8, s4"),
        Op(Role.STORE, "vstmia", "r0!, {s8}"),
        control("bne.w", "3b"),
    ]
