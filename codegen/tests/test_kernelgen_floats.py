"""Kernels in single precision, interpreted: each product and sum rounds on its own, in the order of hk_kernels.h."""

import re
from collections.abc import Callable

import numpy as np
import pytest
from hushkit_codegen.kernels.block import block
from hushkit_codegen.kernels.correlate import correlate
from hushkit_codegen.kernels.ir import Kernel
from numpy.typing import NDArray

CORES = ("cortex-m4", "cortex-m33", "cortex-m7")
_STACK = 1 << 20

Floats = NDArray[np.float32]


class Machine:
    """Runs a kernel, its loops as often as its header counts, on words of memory that hold floats or integers."""

    def __init__(self, arguments: dict[str, int], memory: dict[int, np.float32 | int]) -> None:
        self.core: dict[str, int] = {"sp": _STACK, **arguments}
        self.floats: dict[str, np.float32] = {}
        self.memory = memory

    def run(self, kernel: Kernel) -> None:
        for op in kernel.executed():
            name = op.mnemonic.split(".")[0]
            if name in {"vmul", "vadd", "vsub", "vmla", "vmls"}:
                self._compute(name, *re.split(r",\s*", op.operands))
            elif name in {"vldmia", "vstmia", "ldr", "add", "mov", "lsl", "push", "vpush"}:
                getattr(self, f"_{name}")(op.operands)
            else:
                assert name in {"subs", "cmp", "beq", "bne", "bx", "pop", "vpop", "2:"}, op.text

    def _compute(self, name: str, result: str, left: str, right: str) -> None:
        a, b = self.floats[left], self.floats[right]
        if name in {"vmla", "vmls"}:  # chained: the product is rounded before it is added
            product = np.float32(a * b)
            before = self.floats[result]
            self.floats[result] = np.float32(before + product if name == "vmla" else before - product)
            return
        operation: dict[str, Callable[[], np.float32]] = {
            "vmul": lambda: np.float32(a * b),
            "vadd": lambda: np.float32(a + b),
            "vsub": lambda: np.float32(a - b),
        }
        self.floats[result] = operation[name]()

    def _several(self, operands: str) -> tuple[list[str], int]:
        base, listed = operands.split(",", 1)
        names = []
        for part in listed.strip(" {}").split(","):
            first, _, last = part.strip().partition("-")
            names += [f"s{k}" for k in range(int(first[1:]), int((last or first)[1:]) + 1)]
        pointer = base.strip().rstrip("!")
        at = self.core[pointer]
        if base.strip().endswith("!"):
            self.core[pointer] += 4 * len(names)
        return names, at

    def _vldmia(self, operands: str) -> None:
        names, at = self._several(operands)
        self.floats |= {name: np.float32(self.memory.get(at + 4 * k, 0.0)) for k, name in enumerate(names)}

    def _vstmia(self, operands: str) -> None:
        names, at = self._several(operands)
        self.memory |= {at + 4 * k: self.floats[name] for k, name in enumerate(names)}

    def _ldr(self, operands: str) -> None:
        found = re.fullmatch(r"(\w+), \[(\w+)(?:, #(\d+))?\]", operands)
        assert found
        self.core[found[1]] = int(self.memory[self.core[found[2]] + int(found[3] or 0)])

    def _add(self, operands: str) -> None:
        result, left, right = re.split(r",\s*", operands)
        self.core[result] = self.core[left] + (int(right[1:]) if right.startswith("#") else self.core[right])

    def _lsl(self, operands: str) -> None:
        result, left, bits = re.split(r",\s*", operands)
        self.core[result] = self.core[left] << int(bits[1:])

    def _mov(self, operands: str) -> None:
        result, value = re.split(r",\s*", operands)
        self.core[result] = int(value[1:]) if value.startswith("#") else self.core[value]

    def _push(self, _: str) -> None:
        self.core["sp"] -= 4 * 8

    def _vpush(self, _: str) -> None:
        self.core["sp"] -= 4 * 16


def placed(at: int, values: Floats) -> dict[int, np.float32 | int]:
    return {at + 4 * k: value for k, value in enumerate(values.ravel())}


def taken(machine: Machine, at: int, n: int) -> Floats:
    return np.array([machine.memory[at + 4 * k] for k in range(n)], dtype=np.float32)


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(seed=9)


@pytest.mark.parametrize("core", CORES)
def test_correlate_sums_term_by_term(core: str, rng: np.random.Generator) -> None:
    x, s = rng.standard_normal(8 + 20).astype(np.float32), rng.standard_normal(20).astype(np.float32)
    machine = Machine({"r0": 0, "r1": 4096, "r2": 8192, "r3": 8}, placed(0, x) | placed(4096, s))

    machine.run(correlate("correlate", core, 20))

    expected = s[0] * x[:8]
    for term in range(1, 20):
        expected = expected + s[term] * x[term : term + 8]
    np.testing.assert_array_equal(taken(machine, 8192, 8), expected)


@pytest.mark.parametrize("core", CORES)
def test_block_subtracts_term_by_term(core: str, rng: np.random.Generator) -> None:
    length, stride = 8, 24
    sums = rng.standard_normal((4, 4)).astype(np.float32)
    w, rows = (rng.standard_normal((4, n)).astype(np.float32) for n in (stride, length + 4))
    arguments = {"r0": 0, "r1": 4096, "r2": 8192, "r3": length}
    machine = Machine(arguments, placed(0, sums) | placed(4096, w) | placed(8192, rows) | {_STACK: stride})

    machine.run(block("block", core, length))

    expected = sums
    for term in range(length):
        expected = expected - np.outer(w[:, term], rows[:, term])
    np.testing.assert_array_equal(taken(machine, 0, 16), expected.ravel())


@pytest.mark.parametrize("core", CORES)
def test_no_kernel_rounds_a_product_and_its_sum_at_once(core: str) -> None:
    kernels = (correlate("c", core, 20), block("b", core, 8))

    assert not [op for kernel in kernels for op in kernel.executed() if op.mnemonic.startswith(("vfma", "vfms"))]
