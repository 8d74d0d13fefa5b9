"""Which outputs of a correlation are computed together, and in which registers: decided by core, format and step.

Registers are 12 at most for sums, windows, terms and the loop counter. With a step of one sample between outputs (a
filter) the groups are tables, tuned by hand; with a longer one (a decimator) the cheapest group that fits is searched.
"""

from dataclasses import dataclass, replace
from enum import StrEnum
from math import lcm

from hushkit_codegen.errors import DesignError
from hushkit_codegen.kernels.ir import POOL

SPARE = POOL[-1]  # the register that groups with a register to spare do not touch
UNROLLED = 24  # terms; up to here a loop costs more than it saves
_REGISTERS = len(POOL) - 1  # for values, beside a loop counter


class Sum(StrEnum):
    """How products are added."""

    Q31 = "q31"  # 32 x 32 into 64 bits
    Q15 = "q15"  # two 16 x 16 into 32 bits: exact while sum |c| <= 65535
    Q15_LONG = "q15_long"  # two 16 x 16 into 64 bits
    Q31_STEP = "q31_step"  # y -= round(c x / 2^32) term by term: a weight update that ends in the weights themselves


MULTIPLY = {Sum.Q31: "smlal", Sum.Q15: "smlad", Sum.Q15_LONG: "smlald", Sum.Q31_STEP: "smmlsr"}
FIRST_MULTIPLY = {**MULTIPLY, Sum.Q31: "smull", Sum.Q15: "smuad"}
PAIRS = {Sum.Q15, Sum.Q15_LONG}
_ACCUMULATOR_WORDS = {Sum.Q31: 2, Sum.Q15: 1, Sum.Q15_LONG: 2, Sum.Q31_STEP: 1}


@dataclass(frozen=True, slots=True)
class Plan:
    """How one group of outputs is computed together.

    ``ahead`` is the number of terms fetched at once (grouped) or in advance (interleaved); ``window`` and ``terms`` are
    the rings of registers for x and c; a group of up to ``straight`` terms is unrolled whole. Windows of neighbouring
    outputs start ``step`` words apart.
    """

    outputs: int
    ahead: int
    window: int
    terms: int
    grouped: bool
    straight: int = UNROLLED
    step: int = 1

    @property
    def reach(self) -> int:
        """Words from the first output's window to the last one's."""
        return self.step * (self.outputs - 1)

    @property
    def period(self) -> int:
        """Terms after which both register rings are back where they started."""
        if self.grouped:
            return lcm(self.window, self.ahead)
        return lcm(self.window, self.terms)


# Register budget: accumulators + window + terms (+ counter) <= 12. Cortex-M4: one more register for the window would
# cost an output, one less a stall per term. Cortex-M7: two outputs already hide every load; one output fetches four
# terms ahead, for its terms come in pairs and a multiply wants them two cycles after.
_GROUPED = {
    (Sum.Q31, 1): Plan(1, 4, 4, 4, grouped=True),
    (Sum.Q31, 2): Plan(2, 2, 4, 2, grouped=True),
    (Sum.Q31, 3): Plan(3, 2, 4, 2, grouped=True),
    (Sum.Q15, 1): Plan(1, 5, 5, 5, grouped=True),
    (Sum.Q15, 2): Plan(2, 4, 5, 4, grouped=True),
    (Sum.Q15, 4): Plan(4, 2, 5, 2, grouped=True),
    (Sum.Q15_LONG, 1): Plan(1, 4, 4, 4, grouped=True),
    (Sum.Q15_LONG, 2): Plan(2, 2, 4, 2, grouped=True),
    (Sum.Q31_STEP, 4): Plan(4, 2, 5, 2, grouped=True),
}
_GROUPED_FEW = {  # no stall per term either, for a load is used two cycles later; what is saved goes into the loop
    **_GROUPED,
    (Sum.Q31, 1): Plan(1, 2, 2, 2, grouped=True, straight=64),
    (Sum.Q15, 1): Plan(1, 2, 2, 2, grouped=True, straight=64),
    (Sum.Q15_LONG, 1): Plan(1, 2, 2, 2, grouped=True, straight=64),
}
_INTERLEAVED = {
    (Sum.Q31, 1): Plan(1, 4, 4, 4, grouped=False),
    (Sum.Q31, 2): Plan(2, 1, 4, 2, grouped=False),
    (Sum.Q15, 1): Plan(1, 4, 4, 4, grouped=False),
    (Sum.Q15, 2): Plan(2, 1, 4, 2, grouped=False),
    (Sum.Q15, 4): Plan(4, 1, 5, 2, grouped=False),
    (Sum.Q15_LONG, 1): Plan(1, 4, 4, 4, grouped=False),
    (Sum.Q15_LONG, 2): Plan(2, 1, 4, 2, grouped=False),
    (Sum.Q31_STEP, 4): Plan(4, 1, 5, 2, grouped=False),
}


_ORDERS = {"cortex-m4": _GROUPED, "cortex-m33": _GROUPED_FEW, "cortex-m7": _INTERLEAVED}


def plan_groups(core: str, sums: Sum, outputs: int, step: int = 1) -> tuple[Plan, ...]:
    """Split a block of outputs, their windows ``step`` words apart, into groups that fit the registers.

    Raises:
        DesignError: The core has no assembly order (Cortex-M55 uses Helium).
    """
    if core not in _ORDERS:
        raise DesignError(f"no assembly order for {core}; expected one of {', '.join(_ORDERS)}")
    groups: list[Plan] = []
    left = outputs
    while left:
        plan = _tabled(core, sums, left) if step == 1 else _cheapest(core, sums, left, step)
        groups.append(plan)
        left -= plan.outputs
    return tuple(groups)


def _tabled(core: str, sums: Sum, left: int) -> Plan:
    table = _ORDERS[core]
    size = max(size for kind, size in table if kind is sums and size <= left)
    return table[sums, 2 if left == 4 and size == 3 else size]


def _cheapest(core: str, sums: Sum, left: int, step: int) -> Plan:
    """The plan that costs the fewest cycles per product: windows overlap in the ring where registers last."""
    alone = replace(_ORDERS[core][sums, 1], step=step)
    candidates = [(_cost(core, alone), alone)]
    for outputs in range(2, left + 1):
        for ahead in (1,) if core == "cortex-m7" else range(1, 6):
            window = step * (outputs - 1) + ahead
            terms = 2 if core == "cortex-m7" else ahead
            if _ACCUMULATOR_WORDS[sums] * outputs + window + terms <= _REGISTERS:
                plan = Plan(outputs, ahead, window, terms, alone.grouped, alone.straight, step)
                candidates.append((_cost(core, plan), plan))
    return min(candidates, key=lambda pair: pair[0])[1]


def _cost(core: str, plan: Plan) -> float:
    """Cycles per product of one turn: two loads per term, which a Cortex-M7 hides behind two products."""
    if core == "cortex-m7":
        return max(1.0, 2.0 / plan.outputs)
    fetched = 2 * plan.ahead + (1 if core == "cortex-m4" else 0)
    return fetched / (plan.ahead * plan.outputs) + 1.0


@dataclass(frozen=True, slots=True)
class Files:
    """Registers of one group: accumulators, window ring, term ring, loop counter (and its stack slot).

    ``y`` is the register that keeps the output pointer; empty: it waits in the frame.
    """

    accumulators: tuple[tuple[str, ...], ...]
    window: tuple[str, ...]
    terms: tuple[str, ...]
    counter: str
    slot: int | None
    y: str = ""

    def saved(self) -> list[str]:
        """Registers among them that belong to the caller."""
        used = {*self.window, *self.terms, self.counter, *(name for each in self.accumulators for name in each)}
        return [name for name in POOL if name in used and name not in {"r2", "r3", "r12", "lr"}]


def assign_in_place(plan: Plan, sums: Sum) -> Files | None:
    """Place the values of a function's only group beside y in r2; None where registers do not suffice."""
    words = _ACCUMULATOR_WORDS[sums]
    pool = ["r3", "r12", *(name for name in POOL if name not in {"r2", "r3", "r12"})]
    if words * plan.outputs + plan.window + plan.terms + 1 > len(pool):
        return None
    accumulators = tuple(tuple(pool.pop(0) for _ in range(words)) for _ in range(plan.outputs))
    window = tuple(pool.pop(0) for _ in range(plan.window))
    terms = tuple(pool.pop(0) for _ in range(plan.terms))
    return Files(accumulators, window, terms, "lr", None, "r2")


def assign_registers(plan: Plan, sums: Sum, slot: int) -> Files:
    """Place one group's values; the counter goes to the stack when no register is left."""
    words = _ACCUMULATOR_WORDS[sums]
    pool = list(POOL)
    accumulators = tuple(tuple(pool.pop(0) for _ in range(words)) for _ in range(plan.outputs))
    window = tuple(pool.pop(0) for _ in range(plan.window))
    terms = tuple(pool.pop(0) for _ in range(plan.terms))
    if pool:
        return Files(accumulators, window, terms, SPARE, None)
    return Files(accumulators, window, terms, terms[0], slot)
