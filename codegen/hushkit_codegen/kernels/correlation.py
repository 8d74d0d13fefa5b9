"""Sums of products over a sliding window, for a known number of terms: FIR filters, gradients, dot products.

    y[p] = finish(sum_k c[k] * x[k + p]),  p = 0 .. outputs - 1

With taps stored last first and x the delay line, oldest sample first, this is a FIR filter of a block; with c the error
block and x the filtered reference it is the gradient of an adaptive filter; with one output it is a dot product.

Orders of the loop:
    grouped (Cortex-M4, M33)      loads stand together, because n loads in a row cost n + 1 cycles on a Cortex-M4, n
                                  single ones 2n; several outputs share each loaded coefficient. A Cortex-M33 only wants
                                  a load two cycles before its use, so a single output takes few registers there, and
                                  less entry and exit.
    interleaved (Cortex-M7)       each load stands behind a multiply it can issue with, and is used two cycles later.

A function of one group keeps y in its register and saves no more registers than it uses, where they suffice.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from hushkit_codegen.errors import DesignError
from hushkit_codegen.kernels.grouping import (
    FIRST_MULTIPLY,
    MULTIPLY,
    PAIRS,
    SPARE,
    UNROLLED,
    Files,
    Plan,
    Sum,
    assign_in_place,
    assign_registers,
    plan_groups,
)
from hushkit_codegen.kernels.ir import Kernel, Loop, Op, Role, alu, control, load, mac

__all__ = ["Shape", "Sum", "correlation", "finish_sum"]

_CHUNK = 8  # outputs of one pass over the registers; more are a loop around it
_LONGEST_BODY = 48  # terms; post-indexed offsets reach 255 bytes, and a loop should fit a small flash cache


def is_straight(plan: Plan, n_terms: int) -> bool:
    """Whether a group of so many terms is unrolled whole; r0 and r1 then keep their values."""
    return _body_terms(plan, n_terms - (0 if plan.grouped else plan.ahead)) == 0


def correlate_group(plan: Plan, sums: Sum, n_terms: int, files: Files, label: str) -> list[Op | Loop]:
    """Sum one group: r0 points at x[0], r1 at c[0]; the sums end up in the accumulators.

    Behind a loop, a counter that was in a register holds the output pointer (third word of the frame).
    """
    lead = 0 if plan.grouped else plan.ahead
    body_terms = _body_terms(plan, n_terms - lead)
    emit = _grouped if plan.grouped else _interleaved
    if body_terms == 0:
        span = _Range(0, n_terms, n_terms, looped=False)
        clear = _zero(files) if sums is Sum.Q15_LONG else []
        return [*clear, *_preload(plan, files, lead, n_terms, moves=False), *emit(plan, sums, files, span)]
    count = (n_terms - lead) // body_terms
    clear = [] if sums is Sum.Q31_STEP else _zero(files)
    steps: list[Op | Loop] = [*clear, *_preload(plan, files, lead, n_terms, moves=True)]
    body = emit(plan, sums, files, _Range(0, body_terms, n_terms, looped=True))
    steps.append(Loop(label, count, files.counter, tuple(body), files.slot, early=8))
    if files.slot is None and not files.y:
        steps.append(control("ldr", f"{files.counter}, [sp, #8]", "y"))
    done = count * body_terms
    return [*steps, *emit(plan, sums, files, _Range(done, n_terms, n_terms, looped=False, base=done))]


def _zero(files: Files) -> list[Op]:
    return [alu("mov", f"{register}, #0") for accumulator in files.accumulators for register in accumulator]


def _preload(plan: Plan, files: Files, lead: int, n_terms: int, *, moves: bool) -> list[Op]:
    """Terms and window in front of the first product; with ``moves`` both pointers step over them."""
    ops: list[Op] = []
    ready = plan.reach + min(lead, n_terms)  # nothing behind the window is read
    for registers, pointer, n in ((files.terms, "r1", min(lead, n_terms)), (files.window, "r0", ready)):
        if not moves or plan.grouped:
            ops += [load(registers[k], pointer, 4 * k) for k in range(n)]
            ops += [alu("add", f"{pointer}, {pointer}, #{4 * n}")] if moves and n else []
        else:  # the base moves for nothing with the first load; on Cortex-M4 that would break the row of loads
            ops += [
                load(registers[k], pointer, 4 * (k - n)) if k else load(registers[k], pointer, advance=4 * n)
                for k in range(n)
            ]
    return ops


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
    if available <= max(plan.straight, 2 * period):
        return 0
    shortest = max(period, 16 // period * period)
    if plan.straight > UNROLLED:  # fewest turns, then the shortest rest
        bodies = range(shortest, _LONGEST_BODY + 1, period)
        return min(bodies, key=lambda body: (available // body, available % body))
    bodies = range(shortest, min((2 if plan.grouped else 3) * shortest, _LONGEST_BODY) + 1, period)
    return min(bodies, key=lambda body: (available % body > 0, available % body - body))


def _fetch(stream: str, register: str, position: int, span: _Range, plan: Plan, *, first: bool) -> Op:
    """Load c[position] or x[position] with the addressing of the span."""
    lead = 0 if plan.grouped else plan.ahead
    pointer, skipped = ("r1", lead) if stream == "c" else ("r0", plan.reach + lead)
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
            ops.append(_fetch("c", files.terms[k], term + k, span, plan, first=first["c"]))
            first["c"] = False
            newest = term + k + plan.reach
            ops.append(_fetch("x", files.window[newest % plan.window], newest, span, plan, first=first["x"]))
            first["x"] = False
        for k in range(width):
            ops += _products(plan, sums, files, span, term + k)
        term += width
    return ops


def _products(plan: Plan, sums: Sum, files: Files, span: _Range, term: int) -> list[Op]:
    fresh = term == 0 and not span.looped
    coefficient = files.terms[(term - span.first) % plan.ahead if plan.grouped else term % plan.terms]
    return [
        mac(
            FIRST_MULTIPLY[sums] if fresh else MULTIPLY[sums],
            files.accumulators[p],
            coefficient,
            files.window[(term + plan.step * p) % plan.window],
        )
        for p in range(plan.outputs)
    ]


def _interleaved(plan: Plan, sums: Sum, files: Files, span: _Range) -> list[Op]:
    ops: list[Op] = []
    first = {"c": True, "x": True}

    def fetch(stream: str, term: int) -> list[Op]:
        newest = term if stream == "c" else term + plan.reach
        limit = span.n_terms if stream == "c" else span.n_terms + plan.reach
        if not span.looped and newest >= limit:
            return []
        ring = files.terms if stream == "c" else files.window
        op = _fetch(stream, ring[newest % len(ring)], newest, span, plan, first=first[stream])
        first[stream] = False
        return [op]

    for term in range(span.first, span.last):
        products = _products(plan, sums, files, span, term)
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


@dataclass(frozen=True, slots=True)
class Shape:
    """What a correlation computes.

    Attributes:
        sums: Number format.
        n_terms: Words of c: taps in q31, pairs of taps in q15.
        outputs: Outputs per window, up to 8 or a multiple of 8; in q15 they are two samples apart in x, and x must be
            word aligned.
        shifted: Q31 only: sums are shifted right by an argument (0 to 32) instead of 31.
        windows: 1, or 2: a second window (q15: the delay line shifted by a sample), its outputs between the first's.
        step: Words from one output's window to the next one's: more than 1 in a decimator.
    """

    sums: Sum
    n_terms: int
    outputs: int
    windows: int = 1
    shifted: bool = False
    step: int = 1

    @property
    def arguments(self) -> str:
        """C parameter list."""
        last = ", const void *x2" if self.windows == 2 else ", uint32_t shift" if self.shifted else ""
        return f"const void *x, const void *c, void *y{last}"

    @property
    def text(self) -> str:
        """The shape in words."""
        terms = f"{self.n_terms} {'pairs of terms' if self.sums in PAIRS else 'terms'}"
        apart = f" {self.step} words apart" if self.step > 1 else ""
        return f"{terms}, {self.outputs * self.windows} output(s){apart}, {self.sums}"

    def fault(self) -> str:
        """Why this shape cannot be generated; empty when it can."""
        several = self.outputs > _CHUNK
        wanted = (
            (
                self.n_terms >= 1 and self.outputs >= 1 and self.windows in {1, 2},
                "expected at least one term and one output, and one or two windows",
            ),
            (1 <= self.step <= _CHUNK, f"expected a step of 1 to {_CHUNK} words"),
            (
                not several or not (self.outputs % _CHUNK or self.windows == 2 or self.sums in PAIRS),
                f"expected at most {_CHUNK} outputs, or in q31 with one window a multiple of {_CHUNK}",
            ),
            (
                self.step == 1 or not (self.sums is Sum.Q31_STEP or self.shifted or several),
                f"a step is for q15 and q31, at most {_CHUNK} outputs and no shift",
            ),
            (self.sums is not Sum.Q31_STEP or self.outputs % 4 == 0, "expected a multiple of 4 weights"),
            (
                not self.shifted or not (self.sums is not Sum.Q31 or several or self.windows == 2),
                f"a shift is for q31, one window and at most {_CHUNK} outputs",
            ),
        )
        return next((text for holds, text in wanted if not holds), "")


def correlation(name: str, core: str, shape: Shape, *, bounds: str, equivalent: str) -> Kernel:
    """A function ``void name(const void *x, const void *c, void *y[, const void *x2])`` for a fixed block.

    Args:
        name: C identifier.
        core: ``"cortex-m4"``, ``"cortex-m33"`` or ``"cortex-m7"``.
        shape: Format, terms and outputs.
        bounds: The proof that sums cannot overflow.
        equivalent: CMSIS-DSP function of the same result.

    Raises:
        DesignError: A shape that cannot be generated, or no order for this core.
    """
    if shape.fault():
        raise DesignError(f"{name}: {shape.text}: {shape.fault()}")
    steps: list[Op | Loop]
    groups = plan_groups(core, shape.sums, min(shape.outputs, _CHUNK), shape.step)
    chunks = shape.outputs // _CHUNK
    only = None if len(groups) > 1 or shape.windows > 1 or shape.shifted else assign_in_place(groups[0], shape.sums)
    if only is not None and shape.sums is not Sum.Q31_STEP:
        steps = _in_place(shape, groups[0], only)
    elif shape.outputs <= _CHUNK:
        # r0 to r3 lie at the bottom of the frame; where r3 is an argument, r12's word above r11 can hold the counter
        saved = "r0-r12" if shape.shifted else "r0-r11"
        steps = [control("push", f"{{{saved}, lr}}"), *_outputs(name, shape, groups, chunked=False)]
        steps += [control("add", "sp, sp, #16"), _leave(shape)]
    else:
        body = (*_outputs(name, shape, groups, chunked=True), *_next_chunk(shape, groups))
        steps = [
            control("push", "{r4-r11, lr}"),
            alu("mov", f"r4, #{chunks}"),
            control("push", "{r0-r4}"),
            *([control("ldr", f"{SPARE}, [sp, #8]", "y")] if _stays(shape, groups) else []),
            Loop("9", chunks, "", body),
            control("add", "sp, sp, #20"),
            _leave(shape),
        ]
    order = "grouped loads" if core != "cortex-m7" else "loads behind multiplies"
    return Kernel(
        name=name,
        core=core,
        arguments=shape.arguments,
        shape=shape.text,
        bounds=bounds,
        schedule=f"{order}; outputs computed together: {' + '.join(str(plan.outputs) for plan in groups)}",
        equivalent=equivalent,
        steps=tuple(steps),
        work=shape.n_terms * shape.outputs * shape.windows * (2 if shape.sums in PAIRS else 1),
    )


def _leave(shape: Shape) -> Op:
    return control("pop", "{r4-r12, pc}" if shape.shifted else "{r4-r11, pc}")


def _in_place(shape: Shape, plan: Plan, files: Files) -> list[Op | Loop]:
    """A function of one group that needs no frame."""
    saved = ", ".join(files.saved())
    return [
        control("push", f"{{{saved}, lr}}"),
        *correlate_group(plan, shape.sums, shape.n_terms, files, "1"),
        *_finish(shape, files, 0, ready=True),
        control("pop", f"{{{saved}, pc}}"),
    ]


def _stays(shape: Shape, groups: Sequence[Plan]) -> bool:
    """Whether x, c and y stay in r0, r1 and ``SPARE`` over a whole chunk: unrolled, and a register left over."""
    return all(
        is_straight(plan, shape.n_terms) and assign_registers(plan, shape.sums, 12).slot is None for plan in groups
    )


def _outputs(name: str, shape: Shape, groups: Sequence[Plan], *, chunked: bool) -> list[Op | Loop]:
    """All groups of one chunk of outputs, over every window."""
    steps: list[Op | Loop] = []
    stays = chunked and _stays(shape, groups)
    for window in range(shape.windows):
        done = 0
        for index, plan in enumerate(groups):
            files = assign_registers(plan, shape.sums, 48 if shape.shifted else 12)
            if files.slot is not None and shape.windows == 2:
                raise DesignError(f"{name}: {shape.text} leaves no register for the loop counter; use one window")
            before = groups[index - 1] if index else None
            if before is not None and (stays or is_straight(before, shape.n_terms)):
                steps.append(alu("add", f"r0, r0, #{4 * before.step * before.outputs}"))
            elif not stays and (chunked or index or window):
                steps += _reload(done * plan.step, window)
            if shape.sums is Sum.Q31_STEP:
                steps += _fetch_weights(files, done, stays=stays)
            steps += correlate_group(plan, shape.sums, shape.n_terms, files, str(index + 1 + window * len(groups)))
            ready = stays or (files.slot is None and not is_straight(plan, shape.n_terms))
            steps += _finish(shape, files, 4 * done + 2 * window, ready=ready)
            done += plan.outputs
    return steps


def _reload(done: int, window: int) -> list[Op]:
    """Set r0 and r1 for a group whose first window starts at word ``done``."""
    x_word = 12 if window else 0
    ops = [control("ldr", "r1, [sp, #4]", "c"), control("ldr", f"r0, [sp, #{x_word}]", "x")]
    return [*ops, alu("add", f"r0, r0, #{4 * done}")] if done else ops


def _fetch_weights(files: Files, done: int, *, stays: bool) -> list[Op]:
    pointer = SPARE if stays else files.terms[0]
    ops = [] if stays else [control("ldr", f"{pointer}, [sp, #8]", "y")]
    return [
        *ops,
        *(load(weight[0], pointer, 4 * (done + k), note="weight") for k, weight in enumerate(files.accumulators)),
    ]


def _next_chunk(shape: Shape, groups: Sequence[Plan]) -> list[Op | Loop]:
    """Move x and y on by a chunk, count down."""
    counting = [
        control("ldr", "r4, [sp, #16]"),
        control("subs", "r4, r4, #1"),
        control("str", "r4, [sp, #16]"),
        control("bne.w", "9b"),
    ]
    if _stays(shape, groups):
        done = sum(plan.outputs for plan in groups[:-1])
        return [
            alu("add", f"r0, r0, #{4 * (_CHUNK - done)}"),
            alu("add", f"{SPARE}, {SPARE}, #{4 * _CHUNK}"),
            *counting,
        ]
    return [
        control("ldr", "r0, [sp]"),
        control("ldr", "r2, [sp, #8]"),
        alu("add", f"r0, r0, #{4 * _CHUNK}"),
        alu("add", f"r2, r2, #{4 * _CHUNK}"),
        control("str", "r0, [sp]"),
        control("str", "r2, [sp, #8]"),
        *counting,
    ]


def _finish(shape: Shape, files: Files, first_byte: int, *, ready: bool) -> list[Op]:
    """Scale and store one group's sums; every register but the accumulators is free by now."""
    pointer = files.y or (files.counter if ready else files.terms[0])
    ops = [] if ready else [control("ldr", f"{pointer}, [sp, #8]", "y")]
    if shape.shifted:
        return [*ops, *_finish_shifted(files, pointer, first_byte)]
    for index, accumulator in enumerate(files.accumulators):
        ops += finish_sum(shape.sums, accumulator)
        result = accumulator[1] if shape.sums is Sum.Q31 else accumulator[0]
        mnemonic = "strh" if shape.sums in PAIRS else "str"
        ops.append(Op(Role.STORE, mnemonic, f"{result}, [{pointer}, #{first_byte + 4 * index}]"))
    return ops


def _finish_shifted(files: Files, pointer: str, first_byte: int) -> list[Op]:
    """Shift by an argument: register shifts of 32 and more give zero, so 0 and 32 need no special case."""
    right, left, high_part = files.window[:3]
    ops = [control("ldr", f"{right}, [sp, #12]", "shift"), alu("rsb", f"{left}, {right}, #32")]
    for index, (low, high) in enumerate(files.accumulators):
        ops += [
            alu("lsr", f"{low}, {low}, {right}"),
            alu("lsl", f"{high_part}, {high}, {left}"),
            alu("orr", f"{low}, {low}, {high_part}"),
            Op(Role.STORE, "str", f"{low}, [{pointer}, #{first_byte + 4 * index}]"),
        ]
    return ops


def finish_sum(sums: Sum, accumulator: Sequence[str]) -> list[Op]:
    """Bring a sum back to its format: Q1.31 into the high word, Q1.15 into the low one, saturated."""
    if sums is Sum.Q31_STEP:
        return []
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
