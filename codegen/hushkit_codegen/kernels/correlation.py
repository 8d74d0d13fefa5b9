"""Sums of products over a sliding window, for a known number of terms: FIR filters, gradients, dot products.

    y[p] = finish(sum_k c[k] * x[k + p]),  p = 0 .. outputs - 1

With taps stored last first and x the delay line, oldest sample first, this is a FIR filter of a block; with c the error
block and x the filtered reference it is the gradient of an adaptive filter; with one output it is a dot product.

Orders of the loop:
    grouped (Cortex-M4, M33)      loads stand together, because n loads in a row cost n + 1 cycles there, n single ones
                                  2n; several outputs share each loaded coefficient.
    interleaved (Cortex-M7)       each load stands behind a multiply it can issue with, and is used two cycles later.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from math import gcd

from hushkit_codegen.errors import DesignError
from hushkit_codegen.kernels.ir import POOL, Kernel, Loop, Op, alu, control, load, mac, store

_LONGEST_BODY = 48  # words; post-indexed offsets reach 255 bytes, and a loop should fit a small flash cache
_UNROLLED = 24  # words; up to here a loop costs more than it saves


class Sum(StrEnum):
    """How products are added."""

    Q31 = "q31"  # 32 x 32 into 64 bits
    Q15 = "q15"  # two 16 x 16 into 32 bits: exact while sum |c| <= 65535
    Q15_LONG = "q15_long"  # two 16 x 16 into 64 bits


class Finish(StrEnum):
    """What becomes of a sum."""

    Q31 = "q31"  # (int32_t)(sum >> 31)
    Q15 = "q15"  # saturate16(sum >> 15)
    SHIFT = "shift"  # (int32_t)(sum >> shift), shift an argument


_MAC = {Sum.Q31: "smlal", Sum.Q15: "smlad", Sum.Q15_LONG: "smlald"}
_ACCUMULATOR_WORDS = {Sum.Q31: 2, Sum.Q15: 1, Sum.Q15_LONG: 2}


@dataclass(frozen=True, slots=True)
class Plan:
    """How one group of outputs is computed together.

    ``ahead`` is the number of terms fetched at once (grouped) or in advance (interleaved); ``window`` and ``terms`` are
    the rings of registers for x and c.
    """

    outputs: int
    ahead: int
    window: int
    terms: int
    grouped: bool

    @property
    def period(self) -> int:
        """Terms after which both register rings are back where they started."""
        step = self.ahead if self.grouped else 1
        window = self.window // gcd(self.window, step) * step
        if self.grouped:
            return window
        return window // gcd(window, self.terms) * self.terms


# Register budget: accumulators + window + terms (+ counter) <= 12. Cortex-M4: one more register for the window would
# cost an output, one less a stall per term. Cortex-M7: two outputs already hide every load.
_GROUPED = {
    (Sum.Q31, 1): Plan(1, 4, 4, 4, grouped=True),
    (Sum.Q31, 2): Plan(2, 2, 4, 2, grouped=True),
    (Sum.Q31, 3): Plan(3, 2, 4, 2, grouped=True),
    (Sum.Q15, 1): Plan(1, 5, 5, 5, grouped=True),
    (Sum.Q15, 2): Plan(2, 4, 5, 4, grouped=True),
    (Sum.Q15, 4): Plan(4, 2, 5, 2, grouped=True),
    (Sum.Q15_LONG, 1): Plan(1, 4, 4, 4, grouped=True),
    (Sum.Q15_LONG, 2): Plan(2, 2, 4, 2, grouped=True),
}
_INTERLEAVED = {
    (Sum.Q31, 1): Plan(1, 2, 4, 4, grouped=False),
    (Sum.Q31, 2): Plan(2, 1, 4, 2, grouped=False),
    (Sum.Q15, 1): Plan(1, 2, 4, 4, grouped=False),
    (Sum.Q15, 2): Plan(2, 1, 4, 2, grouped=False),
    (Sum.Q15, 4): Plan(4, 1, 5, 2, grouped=False),
    (Sum.Q15_LONG, 1): Plan(1, 2, 4, 4, grouped=False),
    (Sum.Q15_LONG, 2): Plan(2, 1, 4, 2, grouped=False),
}


def plan_groups(core: str, sums: Sum, outputs: int) -> tuple[Plan, ...]:
    """Split a block of outputs into groups that fit the registers.

    Raises:
        DesignError: The core has no assembly order (Cortex-M55 uses Helium).
    """
    orders = {"cortex-m4": _GROUPED, "cortex-m33": _GROUPED, "cortex-m7": _INTERLEAVED}
    if core not in orders:
        raise DesignError(f"no assembly order for {core}; expected one of {', '.join(orders)}")
    table = orders[core]
    sizes = sorted((size for kind, size in table if kind is sums), reverse=True)
    groups: list[Plan] = []
    left = outputs
    while left:
        size = next(size for size in sizes if size <= left)
        if left == 4 and size == 3:
            size = 2
        groups.append(table[sums, size])
        left -= size
    return tuple(groups)


@dataclass(frozen=True, slots=True)
class Files:
    """Registers of one group: accumulators, window ring, term ring, loop counter (and its stack slot)."""

    accumulators: tuple[tuple[str, ...], ...]
    window: tuple[str, ...]
    terms: tuple[str, ...]
    counter: str
    slot: int | None


def assign_registers(plan: Plan, sums: Sum, slot: int) -> Files:
    """Place one group's values; the counter goes to the stack when no register is left."""
    words = _ACCUMULATOR_WORDS[sums]
    pool = list(POOL)
    accumulators = tuple(tuple(pool.pop(0) for _ in range(words)) for _ in range(plan.outputs))
    window = tuple(pool.pop(0) for _ in range(plan.window))
    terms = tuple(pool.pop(0) for _ in range(plan.terms))
    if pool:
        return Files(accumulators, window, terms, pool[0], None)
    return Files(accumulators, window, terms, terms[0], slot)


def correlate_group(plan: Plan, sums: Sum, n_terms: int, files: Files, label: str) -> list[Op | Loop]:
    """Sum one group: r0 points at x[0], r1 at c[0]; the sums end up in the accumulators."""
    steps: list[Op | Loop] = [
        alu("mov", f"{register}, #0") for accumulator in files.accumulators for register in accumulator
    ]
    lead = 0 if plan.grouped else plan.ahead
    ready = plan.outputs - 1 + lead
    preload = [load(files.terms[k], "r1", 4 * k) for k in range(min(lead, n_terms))]
    preload += [load(files.window[k], "r0", 4 * k) for k in range(ready)]
    steps += preload
    body_terms = _body_terms(plan, n_terms - lead)
    count = (n_terms - lead) // body_terms if body_terms else 0
    done = count * body_terms
    emit = _grouped if plan.grouped else _interleaved
    if count > 0:
        steps += [alu("add", f"r0, r0, #{4 * ready}")] if ready else []
        steps += [alu("add", f"r1, r1, #{4 * lead}")] if lead else []
        body = emit(plan, sums, files, _Range(0, body_terms, n_terms, looped=True))
        steps.append(Loop(label, count, files.counter, tuple(body), files.slot))
    base = done if count > 0 else -1
    steps += emit(plan, sums, files, _Range(done, n_terms, n_terms, looped=False, base=base))
    return steps


@dataclass(frozen=True, slots=True)
class _Range:
    """Terms ``first`` to ``last`` (exclusive) of ``n_terms``, and how addresses are formed there.

    ``base`` is the term that the moving pointers stand at; -1: they have not moved.
    """

    first: int
    last: int
    n_terms: int
    looped: bool
    base: int = -1


def _body_terms(plan: Plan, available: int) -> int:
    period = plan.period
    if available <= max(_UNROLLED, 2 * period):
        return 0
    repeats = max(1, min(16 // period if period < 16 else 1, _LONGEST_BODY // period))
    longest = period * repeats
    # the longest body that leaves the fewest terms over
    candidates = range(period, min(longest * 2, _LONGEST_BODY) + 1, period)
    return min((c for c in candidates if c >= longest), key=lambda c: (available % c > 0, -c))


def _fetch(stream: str, register: str, position: int, span: _Range, plan: Plan, first: bool) -> Op:
    """Load c[position] or x[position] with the addressing of the span."""
    lead = 0 if plan.grouped else plan.ahead
    pointer, skipped = ("r1", lead) if stream == "c" else ("r0", plan.outputs - 1 + lead)
    if span.looped:
        size = 4 * (span.last - span.first)
        offset = 4 * (position - skipped)
        return load(register, pointer, advance=size) if first else load(register, pointer, offset - size)
    if span.base < 0:
        return load(register, pointer, 4 * position)
    return load(register, pointer, 4 * (position - skipped - span.base))


def _grouped(plan: Plan, sums: Sum, files: Files, span: _Range) -> list[Op]:
    ops: list[Op] = []
    term = span.first
    first = {"c": True, "x": True}
    while term < span.last:
        width = min(plan.ahead, span.last - term)
        for k in range(width):
            ops.append(_fetch("c", files.terms[k], term + k, span, plan, first["c"]))
            first["c"] = False
            newest = term + k + plan.outputs - 1
            ops.append(_fetch("x", files.window[newest % plan.window], newest, span, plan, first["x"]))
            first["x"] = False
        for k in range(width):
            ops += _products(plan, sums, files, term + k, files.terms[k])
        term += width
    return ops


def _products(plan: Plan, sums: Sum, files: Files, term: int, coefficient: str) -> list[Op]:
    return [
        mac(_MAC[sums], files.accumulators[p], coefficient, files.window[(term + p) % plan.window])
        for p in range(plan.outputs)
    ]


def _interleaved(plan: Plan, sums: Sum, files: Files, span: _Range) -> list[Op]:
    ops: list[Op] = []
    first = {"c": True, "x": True}

    def fetch(stream: str, term: int) -> list[Op]:
        newest = term if stream == "c" else term + plan.outputs - 1
        limit = span.n_terms if stream == "c" else span.n_terms + plan.outputs - 1
        if not span.looped and newest >= limit:
            return []
        ring = files.terms if stream == "c" else files.window
        op = _fetch(stream, ring[newest % len(ring)], newest, span, plan, first[stream])
        first[stream] = False
        return [op]

    for term in range(span.first, span.last):
        products = _products(plan, sums, files, term, files.terms[term % plan.terms])
        coming = term + plan.ahead
        if plan.outputs == 1:
            ops += [*products, *fetch("x", coming)]
            if (term - span.first) % 2 == 1:
                ops += [*fetch("c", coming - 1), *fetch("c", coming)]
            elif term == span.last - 1:
                ops += fetch("c", coming)
            continue
        ops += [products[0], *fetch("c", coming), products[1], *fetch("x", coming), *products[2:]]
    return ops


def correlation(  # noqa: PLR0917 - a kernel is named by all of these
    name: str, core: str, sums: Sum, n_terms: int, outputs: int, bounds: str, equivalent: str
) -> Kernel:
    """A function ``void name(const void *x, const void *c, void *y)`` for a fixed block.

    Args:
        name: C identifier.
        core: ``"cortex-m4"``, ``"cortex-m33"`` or ``"cortex-m7"``.
        sums: Number format; in q15 terms are pairs, and x must be word aligned.
        n_terms: Words of c: taps in q31, pairs of taps in q15.
        outputs: Outputs per call; in q15 they are two samples apart in x and y.
        bounds: The proof that sums cannot overflow.
        equivalent: CMSIS-DSP function of the same result.

    Raises:
        DesignError: Nothing to sum, or no order for this core.
    """
    if n_terms < 1 or outputs < 1:
        raise DesignError(f"{name}: {n_terms} terms and {outputs} outputs, expected at least one of each")
    saved = 16  # r0 to r2 and the counter's slot
    steps: list[Op | Loop] = [
        control("push", "{r4-r11, lr}"),
        control("sub", f"sp, sp, #{saved}"),
        control("strd", "r0, r1, [sp]"),
        control("str", "r2, [sp, #8]"),
    ]
    done = 0
    for index, plan in enumerate(plan_groups(core, sums, outputs)):
        files = assign_registers(plan, sums, 12)
        if index:
            steps.append(control("ldrd", "r0, r1, [sp]"))
            steps.append(alu("add", f"r0, r0, #{4 * done}"))
        steps += correlate_group(plan, sums, n_terms, files, str(index + 1))
        steps += _finish(sums, files, done)
        done += plan.outputs
    steps += [control("add", f"sp, sp, #{saved}"), control("pop", "{r4-r11, pc}")]
    order = "grouped loads" if core != "cortex-m7" else "loads behind multiplies"
    groups = " + ".join(str(plan.outputs) for plan in plan_groups(core, sums, outputs))
    return Kernel(
        name=name,
        core=core,
        arguments="const void *x, const void *c, void *y",
        shape=f"{n_terms} {'terms' if sums is Sum.Q31 else 'pairs of terms'}, {outputs} output(s), {sums}",
        bounds=bounds,
        schedule=f"{order}; outputs computed together: {groups}",
        equivalent=equivalent,
        steps=tuple(steps),
        work=n_terms * outputs * (1 if sums is Sum.Q31 else 2),
    )


def _finish(sums: Sum, files: Files, done: int) -> list[Op]:
    """Scale and store one group's sums; every register but the accumulators is free by now."""
    pointer = files.terms[0]
    ops = [control("ldr", f"{pointer}, [sp, #8]")]
    for index, accumulator in enumerate(files.accumulators):
        ops += finish_sum(sums, accumulator)
        if sums is Sum.Q31:
            ops.append(store(accumulator[1], pointer, 4 * (done + index)))
        else:
            place = f"[{pointer}, #{4 * (done + index)}]"
            ops.append(Op(store("", "").role, "strh", f"{accumulator[0]}, {place}"))
    return ops


def finish_sum(sums: Sum, accumulator: Sequence[str]) -> list[Op]:
    """Bring a sum back to its format: Q1.31 into the high word, Q1.15 into the low one, saturated."""
    if sums is Sum.Q31:
        low, high = accumulator
        return [alu("lsl", f"{high}, {high}, #1"), alu("orr", f"{high}, {high}, {low}, lsr #31")]
    if sums is Sum.Q15:
        return [alu("ssat", f"{accumulator[0]}, #16, {accumulator[0]}, asr #15")]
    low, high = accumulator
    return [
        alu("lsr", f"{low}, {low}, #15"),
        alu("orr", f"{low}, {low}, {high}, lsl #17"),
        alu("ssat", f"{low}, #16, {low}"),
    ]
