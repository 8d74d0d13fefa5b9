"""Cascades of second-order sections in Q1.31, direct form 1, for a known number of sections and a known block.

    acc = b0 x[n] + b1 x[n-1] + b2 x[n-2] + a1 y[n-1] + a2 y[n-2]      (64 bits)
    y[n] = (int32_t)(acc >> (31 - post_shift))

With fraction saving the bits that the shift cuts off are added to the next sample's sum, which removes the dead zone
and the limit cycles of low corners.

State, in words: x history of section k (two words, newest first), its fraction (only with fraction saving), then the
next section; the last section's y history closes the table. A section's x history is its predecessor's y history, so a
cascade of n sections keeps n + 1 pairs.

Orders: block 1 runs all sections in a row with the histories handed on in registers; longer blocks loop over sections
with the block unrolled, so that histories rotate by naming instead of moving. On Cortex-M7 two accumulators alternate:
the five products of one sample hide the latency of the previous one's output.
"""

from dataclasses import dataclass

from hushkit_codegen.errors import DesignError
from hushkit_codegen.kernels.ir import Kernel, Loop, Op, Role, alu, control, load, load_many, mac, store

MAX_SECTIONS = 12
_TAPS = ("r4", "r5", "r6", "r7", "r8")


@dataclass(frozen=True, slots=True)
class Cascade:
    """Shape of one cascade: ``sections`` 1..12, ``block`` 1, 4 or 8, ``post_shift`` 0..7."""

    sections: int
    block: int
    post_shift: int
    saves_fraction: bool

    @property
    def shift(self) -> int:
        """Right shift of the accumulator."""
        return 31 - self.post_shift

    @property
    def stride(self) -> int:
        """Words of state per section."""
        return 3 if self.saves_fraction else 2

    @property
    def state_words(self) -> int:
        """Words of state of the whole cascade."""
        return self.sections * self.stride + 2


def biquad(name: str, core: str, cascade: Cascade) -> Kernel:
    """A function ``void name(const int32_t (*taps)[5], int32_t *state, const int32_t *x, int32_t *y)``.

    Args:
        name: C identifier.
        core: ``"cortex-m4"``, ``"cortex-m33"`` or ``"cortex-m7"``.
        cascade: Its shape; taps are b0, b1, b2, -a1, -a2 per section in Q1.31, scaled by 2^-post_shift.

    Raises:
        DesignError: A shape outside the ranges of ``Cascade``, or a core without an assembly order.
    """
    if not 1 <= cascade.sections <= MAX_SECTIONS or not 0 <= cascade.post_shift <= 7 or cascade.block not in {1, 4, 8}:
        raise DesignError(f"{name}: {cascade}, expected 1..{MAX_SECTIONS} sections, block 1, 4 or 8, post_shift 0..7")
    if core not in {"cortex-m4", "cortex-m33", "cortex-m7"}:
        raise DesignError(f"{name}: no assembly order for {core}; expected cortex-m4, cortex-m33 or cortex-m7")
    row = _single_sample_ahead if core == "cortex-m7" else _single_sample
    steps, schedule = row(cascade), "sections in a row, histories handed on in registers"
    if cascade.block > 1 and core == "cortex-m7":
        steps, schedule = _block_two_accumulators(cascade), "loop over sections, block unrolled, two accumulators"
    elif cascade.block > 1:
        steps, schedule = _block_one_accumulator(cascade), "loop over sections, block unrolled, samples loaded in pairs"
    fraction = "fraction saving" if cascade.saves_fraction else "plain"
    return Kernel(
        name=name,
        core=core,
        arguments="const void *taps, int32_t *state, const int32_t *x, int32_t *y",
        shape=f"{cascade.sections} sections, block {cascade.block}, post shift {cascade.post_shift}, {fraction}",
        bounds="64-bit sums wrap; the design scales sections so that no output leaves 32 bits",
        schedule=schedule,
        equivalent="none: keeps the fraction" if cascade.saves_fraction else "arm_biquad_cascade_df1_q31",
        steps=tuple(steps),
        work=5 * cascade.sections * cascade.block,
    )


def _output(cascade: Cascade, low: str, high: str, y: str) -> list[Op]:
    return [
        alu("lsl", f"{y}, {high}, #{32 - cascade.shift}"),
        alu("orr", f"{y}, {y}, {low}, lsr #{cascade.shift}"),
    ]


def _products(low: str, high: str, pairs: list[tuple[str, str]], *, fresh: bool) -> list[Op]:
    """Multiply pairs into (low, high); the first one starts the sum unless a fraction does."""
    first = "smull" if fresh else "smlal"
    return [mac(first if k == 0 else "smlal", (low, high), tap, value) for k, (tap, value) in enumerate(pairs)]


def _single_sample(cascade: Cascade) -> list[Op | Loop]:
    """r0 taps, r1 state, r2 low, r3 high, r4-r8 taps, r9 x, r10 and r11 / r12 and lr histories."""
    stride = 4 * cascade.stride
    low, high, x = "r2", "r3", "r9"
    past, own = ("r10", "r11"), ("r12", "lr")
    steps: list[Op | Loop] = [
        control("push", "{r3-r11, lr}", "y stays on the stack"),
        load(x, "r2"),
        load(past[0], "r1"),
        load(past[1], "r1", 4),
    ]
    for section in range(cascade.sections):
        place = section * stride
        if cascade.saves_fraction:
            steps.append(load(low, "r1", place + 8, note="fraction"))
        steps += [load(own[0], "r1", place + stride), load(own[1], "r1", place + stride + 4)]
        steps.append(load_many(_TAPS, "r0", update=True, note=f"section {section}"))
        if cascade.saves_fraction:
            steps.append(alu("mov", f"{high}, #0"))
        steps += [store(x, "r1", place), store(past[0], "r1", place + 4)]
        pairs = [(_TAPS[1], past[0]), (_TAPS[2], past[1]), (_TAPS[3], own[0]), (_TAPS[4], own[1]), (_TAPS[0], x)]
        steps += _products(low, high, pairs, fresh=not cascade.saves_fraction)
        steps += _output(cascade, low, high, x)
        if cascade.saves_fraction:
            steps.append(alu("ubfx", f"{low}, {low}, #0, #{cascade.shift}"))
            steps.append(store(low, "r1", place + 8))
        past, own = own, past
    end = cascade.sections * stride
    steps += [
        store(x, "r1", end),
        store(past[0], "r1", end + 4),
        control("pop", "{r3}"),
        store(x, "r3"),
        control("pop", "{r4-r11, pc}"),
    ]
    return steps


def _single_sample_ahead(cascade: Cascade) -> list[Op | Loop]:
    """As `_single_sample`, with the next section's loads in the latency of this one's sum (Cortex-M7)."""
    stride = 4 * cascade.stride
    low, high, x = "r2", "r3", "r9"
    past, own = ("r10", "r11"), ("r12", "lr")
    saves = cascade.saves_fraction
    steps: list[Op | Loop] = [
        control("push", "{r3-r11, lr}", "y stays on the stack"),
        load(x, "r2"),
        load(past[0], "r1"),
        load(past[1], "r1", 4),
        load_many(_TAPS, "r0", update=True, note="section 0"),
        load(own[0], "r1", stride),
        load(own[1], "r1", stride + 4),
    ]
    steps += [load(low, "r1", 8, note="fraction"), alu("mov", f"{high}, #0")] if saves else []
    for section in range(cascade.sections):
        place = section * stride
        more = section + 1 < cascade.sections
        after = place + 2 * stride
        pairs = [(_TAPS[1], past[0]), (_TAPS[2], past[1]), (_TAPS[3], own[0]), (_TAPS[4], own[1]), (_TAPS[0], x)]
        steps += _products(low, high, pairs, fresh=not saves)
        steps += [load(past[1], "r1", after + 4)] if more else []
        steps.append(store(past[0], "r1", place + 4))
        if more:
            steps += [load(past[0], "r1", after), load_many(_TAPS, "r0", update=True, note=f"section {section + 1}")]
        shift_up, join = _output(cascade, low, high, x)
        steps += [store(x, "r1", place), shift_up, join]
        if saves:
            steps += [alu("mov", f"{high}, #0")] if more else []
            steps += [alu("ubfx", f"{low}, {low}, #0, #{cascade.shift}"), store(low, "r1", place + 8)]
            steps += [load(low, "r1", place + stride + 8, note="fraction")] if more else []
        past, own = own, past
    end = cascade.sections * stride
    steps += [
        store(x, "r1", end),
        store(past[0], "r1", end + 4),
        control("pop", "{r3}"),
        store(x, "r3"),
        control("pop", "{r4-r11, pc}"),
    ]
    return steps


def _copy(block: int, source: str, target: str) -> list[Op]:
    """Copy a block through r4-r11; both pointers stay."""
    registers = [f"r{4 + k}" for k in range(block)]
    return [
        load_many(registers, source, update=False),
        Op(Role.STORE, "stmia.w", f"{target}, {{{', '.join(registers)}}}"),
    ]


def _block_one_accumulator(cascade: Cascade) -> list[Op | Loop]:
    """Works on y in place. Stack: taps, state, end of taps. r0 low, r1 high, r3 y, r9-r12 x, r2 and lr y history."""
    low, high, buffer = "r0", "r1", "r3"
    x_ring, y_ring = ("r9", "r10", "r11", "r12"), ("r2", "lr")
    body: list[Op] = [
        control("ldrd", "r0, r1, [sp]", "taps, state"),
        load_many(_TAPS, "r0", update=True),
        load(x_ring[3], "r1", note="x[-1]"),
        load(x_ring[2], "r1", 4, note="x[-2]"),
        load(y_ring[1], "r1", 4 * cascade.stride, note="y[-1]"),
        load(y_ring[0], "r1", 4 * cascade.stride + 4, note="y[-2]"),
        control("str", "r0, [sp]"),
    ]
    if cascade.saves_fraction:
        body += [load(low, "r1", 8, note="fraction")]
    for n in range(cascade.block):
        if n % 2 == 0:
            body.append(Op(Role.LOAD, "ldrd", f"{x_ring[n % 4]}, {x_ring[n % 4 + 1]}, [{buffer}, #{4 * n}]"))
        if cascade.saves_fraction:
            body.append(alu("mov", f"{high}, #0"))
        pairs = [
            (_TAPS[2], x_ring[(n - 2) % 4]),
            (_TAPS[1], x_ring[(n - 1) % 4]),
            (_TAPS[4], y_ring[n % 2]),
            (_TAPS[0], x_ring[n % 4]),
            (_TAPS[3], y_ring[(n - 1) % 2]),
        ]
        body += _products(low, high, pairs, fresh=not cascade.saves_fraction)
        if n:  # stored here, the previous output covers the multiplier's latency
            body.append(store(y_ring[(n - 1) % 2], buffer, 4 * (n - 1)))
        body += _output(cascade, low, high, y_ring[n % 2])
        if cascade.saves_fraction:
            body.append(alu("ubfx", f"{low}, {low}, #0, #{cascade.shift}"))
    last = cascade.block - 1
    body.append(store(y_ring[last % 2], buffer, 4 * last))
    body += [
        control("ldr", "r1, [sp, #4]"),
        control("ldr", "r4, [sp]"),
        control("ldr", "r5, [sp, #8]"),
        store(x_ring[last % 4], "r1"),
        store(x_ring[(last - 1) % 4], "r1", 4),
    ]
    if cascade.saves_fraction:
        body.append(store(low, "r1", 8))
    body += [alu("adds", f"r1, r1, #{4 * cascade.stride}"), control("str", "r1, [sp, #4]")]
    body += [control("cmp", "r4, r5"), control("bne.w", "1b")]
    return [
        control("push", "{r4-r11, lr}"),
        control("sub", "sp, sp, #12"),
        control("strd", "r0, r1, [sp]"),
        alu("add", f"r0, r0, #{20 * cascade.sections}"),
        control("str", "r0, [sp, #8]"),
        *_copy(cascade.block, "r2", "r3"),
        *_sections(body, cascade.sections),
        store(y_ring[last % 2], "r1"),
        store(y_ring[(last - 1) % 2], "r1", 4),
        control("add", "sp, sp, #12"),
        control("pop", "{r4-r11, pc}"),
    ]


def _block_two_accumulators(cascade: Cascade) -> list[Op | Loop]:
    """Worked on in the stack. r0/r1 and r2/r3 accumulators, r4-r8 taps, r9-r11 x, r12 and lr y history."""
    accumulators = (("r0", "r1"), ("r2", "r3"))
    x_ring, y_ring = ("r9", "r10", "r11"), ("r12", "lr")
    frame = 16 + 4 * cascade.block
    body: list[Op] = [
        control("ldrd", "r0, r1, [sp]", "taps, state"),
        load_many(_TAPS, "r0", update=True),
        Op(Role.LOAD, "ldrd", f"{x_ring[2]}, {x_ring[1]}, [r1]", "x[-1], x[-2]"),
        Op(Role.LOAD, "ldrd", f"{y_ring[1]}, {y_ring[0]}, [r1, #{4 * cascade.stride}]", "y[-1], y[-2]"),
        control("str", "r0, [sp]"),
        load(x_ring[0], "sp", 16),
    ]
    if cascade.saves_fraction:
        body += [load("r2", "r1", 8, note="fraction"), alu("mov", "r3, #0")]
    for n in range(cascade.block + 1):
        body += _sample_two_accumulators(cascade, n, accumulators, x_ring, y_ring)
    last = cascade.block - 1
    body += [
        control("ldr", "r1, [sp, #4]"),
        control("ldr", "r4, [sp]"),
        Op(Role.STORE, "strd", f"{x_ring[last % 3]}, {x_ring[(last - 1) % 3]}, [r1]"),
        control("ldr", "r5, [sp, #8]"),
    ]
    if cascade.saves_fraction:
        body.append(store(accumulators[last % 2][0], "r1", 8))
    body += [alu("adds", f"r1, r1, #{4 * cascade.stride}"), control("str", "r1, [sp, #4]")]
    body += [control("cmp", "r4, r5"), control("bne.w", "1b")]
    registers = ", ".join(f"r{4 + k}" for k in range(cascade.block))
    return [
        control("push", "{r4-r11, lr}"),
        control("sub", f"sp, sp, #{frame}"),
        control("strd", "r0, r1, [sp]"),
        alu("add", f"r0, r0, #{20 * cascade.sections}"),
        control("strd", "r0, r3, [sp, #8]"),
        alu("add", "r1, sp, #16"),
        *_copy(cascade.block, "r2", "r1"),
        *_sections(body, cascade.sections),
        Op(Role.STORE, "strd", f"{y_ring[last % 2]}, {y_ring[(last - 1) % 2]}, [r1]"),
        control("ldr", "r3, [sp, #12]"),
        alu("add", "r1, sp, #16"),
        load_many(registers.split(", "), "r1", update=False),
        Op(Role.STORE, "stmia.w", f"r3, {{{registers}}}"),
        control("add", f"sp, sp, #{frame}"),
        control("pop", "{r4-r11, pc}"),
    ]


def _sample_two_accumulators(
    cascade: Cascade,
    n: int,
    accumulators: tuple[tuple[str, str], tuple[str, str]],
    x_ring: tuple[str, str, str],
    y_ring: tuple[str, str],
) -> list[Op]:
    """Products of sample n beside the output of sample n - 1; n = block only finishes the last output."""
    low, high = accumulators[n % 2]
    before_low, before_high = accumulators[(n - 1) % 2]
    y_before = y_ring[(n - 1) % 2]
    output = _output(cascade, before_low, before_high, y_before) if n else []
    write = [store(y_before, "sp", 16 + 4 * (n - 1))] if n else []
    saved = [alu("ubfx", f"{before_low}, {before_low}, #0, #{cascade.shift}")] if n and cascade.saves_fraction else []
    if n == cascade.block:
        return [*output, *saved, *write]
    products = _products(
        low,
        high,
        [
            (_TAPS[2], x_ring[(n - 2) % 3]),
            (_TAPS[1], x_ring[(n - 1) % 3]),
            (_TAPS[0], x_ring[n % 3]),
            (_TAPS[4], y_ring[n % 2]),
            (_TAPS[3], y_before),
        ],
        fresh=True,
    )
    carry: list[Op] = []
    if cascade.saves_fraction:
        carry = [alu("adds", f"{low}, {low}, {before_low}"), alu("adc", f"{high}, {high}, #0")]
    fetch = [load(x_ring[(n + 1) % 3], "sp", 16 + 4 * (n + 1))] if n + 1 < cascade.block else []
    return [
        products[0],
        products[1],
        *output[:1],
        products[2],
        *output[1:],
        *saved,
        *write,
        *fetch,
        products[3],
        *carry[:1],
        products[4],
        *(carry[1:]),
    ]


def _sections(body: list[Op], sections: int) -> list[Op | Loop]:
    """The section loop ends by comparing pointers, so it is printed as a label and its body."""
    return [Loop("1", sections, "", tuple(body))]
