"""Warped filter: one step of an all-pass chain and the dot product on it, fused, for known lengths.

Section k turns its predecessor's previous value p and new value t, and its own previous value u, into

    d = u - t;   new u = p + d - round((1 - lambda) d)

(one rounded multiplication; nothing is lost down to small levels). The dot product takes each new value while it is in
a register: chain and weights are loaded once, the chain is stored once.

Orders: on Cortex-M4 and M33 the loads of three sections stand together. On Cortex-M7 the chain's own recurrence takes
three cycles per section, which hides every load, store and product if each stands one section ahead or behind.
"""

from collections.abc import Callable
from dataclasses import dataclass

from hushkit_codegen.errors import DesignError
from hushkit_codegen.kernels.ir import Kernel, Loop, Op, Role, alu, control, load, mac, store

WARPED_ARGUMENTS = "int32_t *chain, const int32_t *weights, int32_t one_minus_lambda_q32, int32_t in"
_LAMBDA, _LOW, _HIGH = "r2", "r4", "r5"
_AHEAD = 3  # sections whose loads stand together
_PERIOD = 12  # sections after which every ring is back where it started
_SMALL_CACHE = {
    "cortex-m4"
}  # flash accelerators of about a kilobyte: a loop turns over one period there, else over two


@dataclass(frozen=True, slots=True)
class Chain:
    """``sections`` all-pass values of which the first ``weights`` take part in the dot product."""

    sections: int
    weights: int


def warped(name: str, core: str, chain: Chain) -> Kernel:
    """A function ``int64_t name(int32_t *chain, const int32_t *weights, int32_t one_minus_lambda_q32, int32_t in)``.

    Args:
        name: C identifier.
        core: ``"cortex-m4"``, ``"cortex-m33"`` or ``"cortex-m7"``.
        chain: Its lengths.

    Raises:
        DesignError: Fewer than two sections, more weights than sections, or no order for this core.
    """
    if not 2 <= chain.sections <= 256 or not 1 <= chain.weights <= chain.sections:
        raise DesignError(f"{name}: {chain}, expected 2 to 256 sections and 1 to as many weights")
    if core not in {"cortex-m4", "cortex-m33", "cortex-m7"}:
        raise DesignError(f"{name}: no assembly order for {core}; expected cortex-m4, cortex-m33 or cortex-m7")
    emit = _ahead if core == "cortex-m7" else _together
    rings = _Rings(("r6", "r7", "r8", "r9"), ("r10", "r11", "r12"), ("r3", "lr"))
    steps: list[Op | Loop] = [
        control("push", "{r4-r11, lr}"),
        load(rings.value(0), "r0", note="p of section 1"),
        load("r10", "r1"),
        store("r3", "r0", note="chain[0] = in"),
        mac("smull", (_LOW, _HIGH), "r10", "r3"),
        *_spans(emit, chain, rings, _PERIOD if core in _SMALL_CACHE else 2 * _PERIOD),
        alu("mov", f"r0, {_LOW}"),
        alu("mov", f"r1, {_HIGH}"),
        control("pop", "{r4-r11, pc}"),
    ]
    order = "each section's loads and product beside its neighbours" if core == "cortex-m7" else "loads in threes"
    return Kernel(
        name=name,
        core=core,
        arguments=WARPED_ARGUMENTS,
        shape=f"{chain.sections} all-pass sections, dot product over {chain.weights}",
        bounds="guard bits of the chain and sum |w| <= 2^31 are the caller's",
        schedule=order,
        equivalent="none",
        steps=tuple(steps),
        work=chain.sections - 1 + chain.weights,
        returns="int64_t",
    )


@dataclass(frozen=True, slots=True)
class _Rings:
    """Registers of previous chain values, weights and new values, by section number."""

    values: tuple[str, ...]
    weights: tuple[str, ...]
    news: tuple[str, ...]

    def value(self, section: int) -> str:
        return self.values[section % len(self.values)]

    def weight(self, section: int) -> str:
        return self.weights[section % len(self.weights)]

    def new(self, section: int) -> str:
        return self.news[section % len(self.news)]


@dataclass(frozen=True, slots=True)
class _Span:
    """Sections ``first`` to ``last`` (exclusive), pointers at section ``base``; ``weighted``: in the dot product."""

    first: int
    last: int
    base: int
    weighted: bool


_Order = Callable[[_Span, _Rings], list[Op]]


def _spans(emit: _Order, chain: Chain, rings: _Rings, period: int) -> list[Op | Loop]:
    """Weighted sections first, then the others; each as a loop of ``period`` sections and a rest."""
    steps: list[Op | Loop] = []
    base = 0
    label = 0
    for first, last, weighted in ((1, chain.weights, True), (chain.weights, chain.sections, False)):
        count = (last - first) // period
        done = first + count * period
        if count > 1:
            label += 1
            body = emit(_Span(first, first + period, base, weighted), rings)
            moves = [alu("add", f"r0, r0, #{4 * period}")]
            moves += [alu("add", f"r1, r1, #{4 * period}")] if weighted else []
            steps += [control("mov", f"r1, #{count}")] if not weighted else [*_counter_to_stack(count)]
            steps.append(Loop(str(label), count, "", (*body, *moves, *_count_down(label, weighted=weighted))))
            steps += [control("add", "sp, sp, #8")] if weighted else []
            base += count * period
        else:
            done = first
        steps += emit(_Span(done, last, base, weighted), rings)
    return steps


def _counter_to_stack(count: int) -> list[Op]:
    return [control("mov", f"r10, #{count}"), control("push", "{r9, r10}", "counter above a spare word")]


def _count_down(label: int, *, weighted: bool) -> list[Op]:
    if not weighted:
        return [control("subs", "r1, r1, #1"), control("bne.w", f"{label}b")]
    word = "r10, [sp, #4]"
    return [
        control("ldr", word),
        control("subs", "r10, r10, #1"),
        control("str", word),
        control("bne.w", f"{label}b"),
    ]


def _section(k: int, rings: _Rings) -> list[Op]:
    """d, p + d, and the rounded product: the new value of section k in the other of two registers."""
    before, new = rings.new(k - 1), rings.new(k)
    p, u = rings.value(k - 1), rings.value(k)
    return [
        alu("sub", f"{new}, {u}, {before}"),
        alu("add", f"{p}, {p}, {new}"),
        Op(Role.MAC, "smmlsr", f"{new}, {_LAMBDA}, {new}, {p}"),
    ]


def _value(k: int, span: _Span, rings: _Rings) -> Op:
    return load(rings.value(k), "r0", 4 * (k - span.base))


def _weight(k: int, span: _Span, rings: _Rings) -> Op:
    return load(rings.weight(k), "r1", 4 * (k - span.base))


def _product(k: int, rings: _Rings) -> Op:
    return mac("smlal", (_LOW, _HIGH), rings.weight(k), rings.new(k))


def _keep(k: int, span: _Span, rings: _Rings) -> Op:
    return store(rings.new(k), "r0", 4 * (k - span.base))


def _together(span: _Span, rings: _Rings) -> list[Op]:
    ops: list[Op] = []
    for first in range(span.first, span.last, _AHEAD):
        group = range(first, min(first + _AHEAD, span.last))
        ops += [_value(k, span, rings) for k in group]
        ops += [_weight(k, span, rings) for k in group] if span.weighted else []
        for k in group:
            ops += [*_section(k, rings), _keep(k, span, rings)]
            ops += [_product(k, rings)] if span.weighted else []
    return ops


def _ahead(span: _Span, rings: _Rings) -> list[Op]:
    """Loads one section ahead; the product and the store of a section stand in the next one's latency.

    Of all orders of these seven instructions this one is among the cheapest by the core's timing model: 3.5 cycles a
    weighted section, 3 one without, which are the seven's issue slots and the recurrence.
    """
    if span.first >= span.last:
        return []
    ops = [_value(span.first, span, rings)]
    for k in range(span.first, span.last):
        difference, sum_, product = _section(k, rings)
        behind = k - 1 >= span.first
        ops += [_value(k + 1, span, rings)] if k + 1 < span.last else []
        ops.append(difference)
        ops += [_product(k - 1, rings)] if behind and span.weighted else []
        ops += [sum_, product]
        ops += [_weight(k, span, rings)] if span.weighted else []
        ops += [_keep(k - 1, span, rings)] if behind else []
    last = span.last - 1
    ops += [_keep(last, span, rings)]
    ops += [_product(last, rings)] if span.weighted else []
    return ops
