"""Four equations entered into one row of a least-squares covariance, in single precision.

    row[j] = (((forget * row[j] + f0 * r[j][0]) + f1 * r[j][1]) + f2 * r[j][2]) + f3 * r[j][3],  j = 0 .. 4 * groups - 1

Every product and sum rounds on its own, in this order, so all cores and the host get the same bits. Four equations at a
time load and store each element once for four; four elements stand side by side, so that no sum waits for its product.
"""

from hushkit_codegen.kernels.ir import Kernel, Loop, Op, Role, alu, control

ENTER_ARGUMENTS = "float *row, const float *r, uint32_t groups, const float *factors"

_AT_ONCE = 4
_EQUATIONS = 4
_FORGET = "s0"
_FACTORS = ("s1", "s2", "s3", "s4")
_ROW = ("s8", "s9", "s10", "s11")
_PRODUCTS = ("s28", "s29", "s30", "s31")
_FIRST_REGRESSOR = 12  # s12 to s27: four elements of four equations


def entering(name: str, core: str, groups: int) -> Kernel:
    """A function ``void name(float *row, const float *r, uint32_t groups, const float *factors)``.

    Args:
        name: C identifier.
        core: ``"cortex-m7"`` loads beside arithmetic; every other scalar core loads many registers at once.
        groups: Groups of four elements for which the header counts instructions; the call's own number decides.
    """
    beside = core == "cortex-m7"
    group = _group_beside() if beside else _group()
    steps: list[Op | Loop] = [
        *([] if beside else [control("vpush", "{s16-s31}")]),
        _several("vldmia", "r3, {s0-s4}", "forget, f0 to f3"),
        Loop("1", groups, "", (*group, control("bne.w", "1b"))),
        *([] if beside else [control("vpop", "{s16-s31}")]),
        control("bx", "lr"),
    ]
    order = "loads and stores beside arithmetic" if beside else "loads and stores stand in rows"
    return Kernel(
        name=name,
        core=core,
        arguments=ENTER_ARGUMENTS,
        shape=f"four equations into one row; counted for {4 * groups} elements",
        bounds="single precision: the caller's scaling; at least one group",
        schedule=f"four elements side by side: no sum waits for its product, {order}",
        equivalent="none",
        steps=tuple(steps),
        work=(_EQUATIONS + 1) * _AT_ONCE * groups,
    )


def _group_beside() -> list[Op]:
    """Every load and store has an operation to issue with; 13 registers, so that nothing is saved."""
    row, regressors = ("s5", "s6", "s7", "s8"), ("s9", "s10", "s11", "s12")

    def fetch(element: int, equation: int) -> Op:
        return Op(Role.LOAD, "vldr", f"{regressors[element]}, [r1, #{4 * (_EQUATIONS * element + equation)}]")

    ops = [Op(Role.LOAD, "vldr", f"{value}, [r0, #{4 * element}]") for element, value in enumerate(row)]
    for element, value in enumerate(row):
        ops += [_mac("vmul.f32", f"{value}, {value}, {_FORGET}"), fetch(element, 0)]
    for equation, factor in enumerate(_FACTORS):
        ops += [_mac("vmul.f32", f"{value}, {value}, {factor}") for value in regressors]
        for element, (value, product) in enumerate(zip(row, regressors, strict=True)):
            ops.append(alu("vadd.f32", f"{value}, {value}, {product}"))
            if equation + 1 < _EQUATIONS:
                ops.append(fetch(element, equation + 1))
            elif element:
                ops.append(Op(Role.STORE, "vstr", f"{row[element - 1]}, [r0, #{4 * (element - 1)}]"))
    return [
        *ops,
        alu("add", f"r1, r1, #{4 * _AT_ONCE * _EQUATIONS}"),
        Op(Role.STORE, "vstr", f"{row[-1]}, [r0, #{4 * (_AT_ONCE - 1)}]"),
        control("subs", "r2, r2, #1"),
        alu("add", f"r0, r0, #{4 * _AT_ONCE}"),
    ]


def _group() -> list[Op]:
    ops = [
        _several("vldmia", "r0, {s8-s11}", "row"),
        _several("vldmia", "r1!, {s12-s27}", "r, four equations of each element"),
    ]
    ops += [_mac("vmul.f32", f"{value}, {value}, {_FORGET}") for value in _ROW]
    for equation, factor in enumerate(_FACTORS):
        for element, product in enumerate(_PRODUCTS):
            ops.append(_mac("vmul.f32", f"{product}, s{_FIRST_REGRESSOR + _EQUATIONS * element + equation}, {factor}"))
        ops += [alu("vadd.f32", f"{value}, {value}, {product}") for value, product in zip(_ROW, _PRODUCTS, strict=True)]
    return [*ops, Op(Role.STORE, "vstmia", "r0!, {s8-s11}", ""), control("subs", "r2, r2, #1")]


def _several(mnemonic: str, operands: str, note: str) -> Op:
    return Op(Role.LOAD, mnemonic, operands, note)


def _mac(mnemonic: str, operands: str) -> Op:
    return Op(Role.MAC, mnemonic, operands)
