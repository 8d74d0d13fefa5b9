"""The kernel generator: what its loops compute, without a core: registers, order, bounds, text."""

import itertools
import re

import pytest
from hushkit_codegen.errors import DesignError
from hushkit_codegen.kernels.biquad import Cascade, biquad
from hushkit_codegen.kernels.bounds import q15_sum, q31_sum
from hushkit_codegen.kernels.correlation import Shape, Sum, correlation
from hushkit_codegen.kernels.entering import entering
from hushkit_codegen.kernels.functions import correlation_text
from hushkit_codegen.kernels.grouping import assign_registers, plan_groups
from hushkit_codegen.kernels.ir import Kernel, Loop, Op, Role
from hushkit_codegen.kernels.printing import print_kernel
from hypothesis import given, settings
from hypothesis import strategies as st

CORES = ("cortex-m4", "cortex-m33", "cortex-m7")
_MASK32 = 2**32 - 1


def signed(value: int, bits: int) -> int:
    value &= (1 << bits) - 1
    return value - (1 << bits) if value >> (bits - 1) else value


def halves(word: int) -> tuple[int, int]:
    return signed(word, 16), signed(word >> 16, 16)


class Machine:
    """Executes a kernel's operations on integers: an interpreter of the dozen instructions that correlations use."""

    def __init__(self, memory: dict[int, int], registers: dict[str, int]) -> None:
        self.memory = memory
        self.registers = {**{f"r{n}": 0xDEAD0000 + n for n in range(13)}, "lr": 0, "sp": 0x8000, **registers}

    def run(self, kernel: Kernel) -> None:
        for op in kernel.executed():
            names = [name.strip() for name in re.sub(r"\[[^\]]*\](, #-?\d+)?", "", op.operands).split(",")]
            getattr(self, f"do_{op.mnemonic.split('.')[0]}", self.skip)(names, op.operands)

    def skip(self, names: list[str], text: str) -> None:
        raise AssertionError(f"the interpreter has no {text}")

    def do_push(self, _names: list[str], text: str) -> None:
        moved = expand(text)
        self.registers["sp"] -= 4 * len(moved)
        for place, name in enumerate(moved):
            self.memory[self.registers["sp"] + 4 * place] = self.registers[name]

    def do_pop(self, _names: list[str], text: str) -> None:
        self.registers["sp"] += 4 * len(expand(text))

    def address(self, text: str) -> tuple[str, int, int]:
        found = re.search(r"\[(\w+)(?:, #(-?\d+))?\](?:, #(\d+))?", text)
        assert found
        base = self.registers[found[1]]
        if found[3]:
            self.registers[found[1]] = base + int(found[3])
        return found[1], base + int(found[2] or 0), 0

    def do_ldr(self, names: list[str], text: str) -> None:
        self.registers[names[0]] = self.memory[self.address(text)[1]]

    def do_str(self, names: list[str], text: str) -> None:
        self.memory[self.address(text)[1]] = self.registers[names[0]] & _MASK32

    def do_strh(self, names: list[str], text: str) -> None:
        self.memory[self.address(text)[1]] = self.registers[names[0]] & 0xFFFF

    def do_mov(self, names: list[str], _text: str) -> None:
        self.registers[names[0]] = int(names[1][1:])

    def do_add(self, names: list[str], _text: str) -> None:
        self.registers[names[0]] = self.registers[names[1]] + int(names[2][1:])

    def do_rsb(self, names: list[str], _text: str) -> None:
        self.registers[names[0]] = (int(names[2][1:]) - self.registers[names[1]]) & _MASK32

    def do_subs(self, names: list[str], _text: str) -> None:
        self.registers[names[0]] -= 1

    def do_bne(self, _names: list[str], _text: str) -> None:
        return

    def amount(self, name: str) -> int:
        return int(name[1:]) if name.startswith("#") else self.registers[name] & 0xFF

    def do_lsl(self, names: list[str], _text: str) -> None:
        self.registers[names[0]] = (self.registers[names[1]] << self.amount(names[2])) & _MASK32

    def do_lsr(self, names: list[str], _text: str) -> None:
        self.registers[names[0]] = (self.registers[names[1]] & _MASK32) >> self.amount(names[2])

    def do_orr(self, names: list[str], _text: str) -> None:
        other = self.registers[names[2]] & _MASK32
        if len(names) == 4:
            direction, places = names[3].split(" #")
            other = other >> int(places) if direction == "lsr" else (other << int(places)) & _MASK32
        self.registers[names[0]] = self.registers[names[1]] | other

    def do_ssat(self, names: list[str], _text: str) -> None:
        value = signed(self.registers[names[2]], 32) >> (int(names[3].split("#")[1]) if len(names) == 4 else 0)
        self.registers[names[0]] = max(-(2**15), min(2**15 - 1, value)) & _MASK32

    def long(self, names: list[str], product: int, *, fresh: bool = False) -> None:
        before = 0 if fresh else (self.registers[names[0]] & _MASK32) | ((self.registers[names[1]] & _MASK32) << 32)
        total = (before + product) & (2**64 - 1)
        self.registers[names[0]], self.registers[names[1]] = total & _MASK32, total >> 32

    def product(self, left: str, right: str) -> int:
        return signed(self.registers[left], 32) * signed(self.registers[right], 32)

    def pairs(self, left: str, right: str) -> int:
        a, b = halves(self.registers[left]), halves(self.registers[right])
        return a[0] * b[0] + a[1] * b[1]

    def do_smlal(self, names: list[str], _text: str) -> None:
        self.long(names, self.product(*names[2:]))

    def do_smull(self, names: list[str], _text: str) -> None:
        self.long(names, self.product(*names[2:]), fresh=True)

    def do_smlald(self, names: list[str], _text: str) -> None:
        self.long(names, self.pairs(*names[2:]))

    def do_smlad(self, names: list[str], _text: str) -> None:
        self.registers[names[0]] = (self.registers[names[3]] + self.pairs(*names[1:3])) & _MASK32

    def do_smuad(self, names: list[str], _text: str) -> None:
        self.registers[names[0]] = self.pairs(*names[1:3]) & _MASK32

    def do_smmlsr(self, names: list[str], _text: str) -> None:
        wide = (self.registers[names[3]] << 32) - self.product(*names[1:3]) + 2**31
        self.registers[names[0]] = (wide >> 32) & _MASK32


def expand(text: str) -> list[str]:
    found: list[str] = []
    for part in text.strip("{}").split(", "):
        if "-" in part:
            low, high = (int(name[1:]) for name in part.split("-"))
            found += [f"r{n}" for n in range(low, high + 1)]
        else:
            found.append(part)
    return found


def execute(kernel: Kernel, x: list[int], c: list[int], y: list[int], last: int = 0) -> list[int]:
    """Run a kernel on word arrays at fixed places; returns the output words. Reading past an array is a KeyError."""
    memory = {0x1000 + 4 * k: word & _MASK32 for k, word in enumerate(x)}
    memory |= {0x2000 + 4 * k: word & _MASK32 for k, word in enumerate(c)}
    memory |= {0x4000 + 2 * k: 0 for k in range(4 * len(y))}
    memory |= {0x4000 + 4 * k: word & _MASK32 for k, word in enumerate(y)}
    machine = Machine(memory, {"r0": 0x1000, "r1": 0x2000, "r2": 0x4000, "r3": last})
    machine.run(kernel)
    assert machine.registers["sp"] == 0x8000
    return [signed(memory[0x4000 + 4 * k], 32) for k in range(len(y))]


word31 = st.integers(-(2**31), 2**31 - 1)


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(CORES), st.integers(1, 70), st.integers(1, 8), st.randoms(use_true_random=False))
def test_q31_correlation_computes_its_sum(core: str, n_terms: int, outputs: int, rng: object) -> None:
    draw = rng.randint  # type: ignore[attr-defined]
    limit = 2**31 // n_terms
    c = [draw(-limit, limit) for _ in range(n_terms)]
    x = [draw(-(2**31), 2**31 - 1) for _ in range(n_terms + outputs - 1)]

    y = execute(kernel_of(core, Shape(Sum.Q31, n_terms, outputs)), x, c, [0] * outputs)

    assert y == [sum(c[k] * x[k + p] for k in range(n_terms)) >> 31 for p in range(outputs)]


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(CORES), st.integers(1, 70), st.integers(1, 8), st.integers(2, 8), st.randoms(use_true_random=False)
)
def test_stepped_correlation_computes_its_sum(core: str, n_terms: int, outputs: int, step: int, rng: object) -> None:
    draw = rng.randint  # type: ignore[attr-defined]
    limit = 2**31 // n_terms
    c = [draw(-limit, limit) for _ in range(n_terms)]
    x = [draw(-(2**31), 2**31 - 1) for _ in range(n_terms + step * (outputs - 1))]

    y = execute(kernel_of(core, Shape(Sum.Q31, n_terms, outputs, step=step)), x, c, [0] * outputs)

    assert y == [sum(c[k] * x[k + step * p] for k in range(n_terms)) >> 31 for p in range(outputs)]


@settings(max_examples=30, deadline=None)
@given(st.sampled_from(CORES), st.integers(1, 40), st.integers(0, 32), st.randoms(use_true_random=False))
def test_shifted_correlation_shifts_by_its_argument(core: str, n_terms: int, shift: int, rng: object) -> None:
    draw = rng.randint  # type: ignore[attr-defined]
    c = [draw(-(2**12), 2**12) for _ in range(n_terms)]
    x = [draw(-(2**12), 2**12) for _ in range(n_terms + 7)]

    y = execute(kernel_of(core, Shape(Sum.Q31, n_terms, 8, shifted=True)), x, c, [0] * 8, shift)

    assert y == [sum(c[k] * x[k + p] for k in range(n_terms)) >> shift for p in range(8)]


@settings(max_examples=30, deadline=None)
@given(
    st.sampled_from(CORES), st.sampled_from((8, 16, 32)), st.sampled_from((8, 32)), st.randoms(use_true_random=False)
)
def test_step_correlation_ends_in_the_weights(core: str, n_terms: int, outputs: int, rng: object) -> None:
    draw = rng.randint  # type: ignore[attr-defined]
    c = [draw(-(2**26), 2**26) for _ in range(n_terms)]
    x = [draw(-(2**31), 2**31 - 1) for _ in range(n_terms + outputs - 1)]
    weights = [draw(-(2**30), 2**30) for _ in range(outputs)]

    y = execute(kernel_of(core, Shape(Sum.Q31_STEP, n_terms, outputs)), x, c, weights)

    expected = list(weights)
    for p in range(outputs):
        for k in range(n_terms):
            expected[p] = signed(((expected[p] << 32) - c[k] * x[k + p] + 2**31) >> 32, 32)
    assert y == expected


@settings(max_examples=40, deadline=None)
@given(
    st.sampled_from(CORES), st.integers(1, 70), st.sampled_from((1, 2, 4)), st.integers(0, 1),
    st.randoms(use_true_random=False),
)  # fmt: skip
def test_q15_correlation_computes_its_sum(core: str, pairs: int, outputs: int, long: int, rng: object) -> None:
    draw = rng.randint  # type: ignore[attr-defined]
    limit = 32767 if long else max(1, 65535 // (2 * pairs))
    taps = [draw(-limit, min(limit, 32767)) for _ in range(2 * pairs)]
    samples = [draw(-(2**15), 2**15 - 1) for _ in range(2 * (pairs + outputs - 1))]
    sums = Sum.Q15_LONG if long else Sum.Q15

    y = execute(kernel_of(core, Shape(sums, pairs, outputs)), packed(samples), packed(taps), [0] * outputs)

    exact = [sum(taps[k] * samples[k + 2 * p] for k in range(2 * pairs)) >> 15 for p in range(outputs)]
    assert [signed(word, 16) for word in y] == [max(-(2**15), min(2**15 - 1, value)) for value in exact]


def packed(values: list[int]) -> list[int]:
    return [(low & 0xFFFF) | ((high & 0xFFFF) << 16) for low, high in zip(values[::2], values[1::2], strict=True)]


def kernel_of(core: str, shape: Shape) -> Kernel:
    return correlation("kernel", core, shape, bounds="test", equivalent="test")


@pytest.mark.parametrize("core", CORES)
@pytest.mark.parametrize("sums", list(Sum))
def test_register_plan_uses_each_register_once(core: str, sums: Sum) -> None:
    steps = (1,) if sums is Sum.Q31_STEP else (1, 2, 3, 5, 8)
    for outputs, step in itertools.product((4, 8), steps):
        for plan in plan_groups(core, sums, outputs, step):
            files = assign_registers(plan, sums, 12)
            used = [name for accumulator in files.accumulators for name in accumulator]
            used += [*files.window, *files.terms]

            assert len(used) == len(set(used))
            assert files.slot is not None or files.counter not in used


def test_grouped_order_keeps_loads_together_and_interleaved_order_does_not() -> None:
    def longest_row(kernel: Kernel) -> int:
        loop = next(step for step in kernel.steps if isinstance(step, Loop))
        roles = "".join("L" if op.role is Role.LOAD else "." for op in loop.body if not isinstance(op, Loop))
        return max(len(row) for row in roles.split("."))

    shape = Shape(Sum.Q31, 128, 3)

    assert longest_row(kernel_of("cortex-m4", shape)) == 4
    assert longest_row(kernel_of("cortex-m7", Shape(Sum.Q31, 128, 2))) == 1


def test_expected_instructions_count_loops_in_full() -> None:
    kernel = kernel_of("cortex-m4", Shape(Sum.Q31, 512, 1))

    executed = list(kernel.executed())

    assert sum(op.role is Role.MAC for op in executed) == kernel.work == 512
    assert kernel.instructions() == len(executed) > kernel.code_ops()


@pytest.mark.parametrize("core", CORES)
@pytest.mark.parametrize("block", [1, 4, 8])
@pytest.mark.parametrize("saves_fraction", [False, True])
def test_cascade_has_five_products_per_section_and_sample(core: str, block: int, *, saves_fraction: bool) -> None:
    kernel = biquad("cascade", core, Cascade(3, block, 2, saves_fraction=saves_fraction))

    assert sum(op.role is Role.MAC for op in kernel.executed()) == kernel.work == 5 * 3 * block


def test_bounds_prove_or_refuse() -> None:
    assert "exact for every input" in q15_sum([32767, 32767, 1])[1]
    assert q15_sum([32767, 32767, 2])[0] is Sum.Q15_LONG
    assert "no input can overflow" in q31_sum([2**30, -(2**30)])
    with pytest.raises(DesignError, match=r"sum \|tap\| = 2147483649, expected at most 2\^31"):
        q31_sum([2**30, 2**30, 1])
    with pytest.raises(DesignError, match=r"tap 40000 is outside Q1\.15"):
        q15_sum([40000])


@pytest.mark.parametrize(
    ("shape", "reason"),
    [
        (Shape(Sum.Q31, 0, 1), "at least one term"),
        (Shape(Sum.Q15, 8, 16), "at most 8 outputs"),
        (Shape(Sum.Q31_STEP, 8, 6), "multiple of 4"),
        (Shape(Sum.Q31, 8, 16, shifted=True), "a shift is for q31"),
    ],
)
def test_correlation_refuses_shapes_it_has_no_order_for(shape: Shape, reason: str) -> None:
    with pytest.raises(DesignError, match=reason):
        kernel_of("cortex-m4", shape)
    with pytest.raises(DesignError, match="no assembly order for cortex-m55"):
        kernel_of("cortex-m55", Shape(Sum.Q31, 8, 1))
    with pytest.raises(DesignError, match=r"expected 1\.\.12 sections"):
        biquad("cascade", "cortex-m4", Cascade(13, 1, 0, saves_fraction=True))


def test_printed_kernel_states_shape_bounds_and_cost() -> None:
    kernel = correlation("fir", "cortex-m4", Shape(Sum.Q31, 37, 3), bounds="sum is small", equivalent="arm_fir_q31")

    text = print_kernel(kernel)

    assert f"{kernel.instructions()} instructions per call" in text
    assert "sum is small" in text
    assert "arm_fir_q31" in text
    assert text == print_kernel(kernel)


def test_function_text_holds_assembly_helium_and_portable_code() -> None:
    text = correlation_text("fir", "cortex-m55", Shape(Sum.Q31, 32, 4), bounds="b", equivalent="e")

    assert (
        text.index("__asm volatile") < text.index("vmlaldava.s32") < text.index("#else") < text.index("sum >> 31);\n")
    )


@pytest.mark.parametrize("core", CORES)
def test_entering_rounds_every_product_and_sum_on_its_own_in_the_order_of_the_equations(core: str) -> None:
    kernel = entering("enter", core, groups=3)
    ops = list(kernel.executed())
    loop = next(step for step in kernel.steps if isinstance(step, Loop))
    row, product = ("s6", "s10") if core == "cortex-m7" else ("s9", "s29")
    arithmetic = [op for op in loop.body if isinstance(op, Op) and op.mnemonic in {"vmul.f32", "vadd.f32"}]
    of_element_1 = [op.operands for op in arithmetic if op.operands.startswith((f"{row},", f"{product},"))]

    assert not [op for op in ops if op.mnemonic.startswith(("vmla", "vfma"))]
    assert sum(op.mnemonic == "vmul.f32" for op in ops) == 3 * 4 * 5
    inputs = [product if core == "cortex-m7" else f"s{16 + k}" for k in range(4)]
    assert of_element_1 == [
        f"{row}, {row}, s0",
        *(text for k in range(4) for text in (f"{product}, {inputs[k]}, s{1 + k}", f"{row}, {row}, {product}")),
    ]
