"""Loop IR of the generated kernels: what is loaded, multiplied and stored, in which order, in which registers.

A kernel is a list of steps: operations and counted loops of operations. Generators (`correlation`, `biquad`, `warped`)
decide everything (unrolling, grouping, registers); the templates only print. Registers are physical names, so that what
a reader sees in the IR is what runs.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

CORES = ("cortex-m4", "cortex-m7", "cortex-m33", "cortex-m55")

#: Registers a kernel may use for values: everything but the two pointers r0, r1, the stack and the program counter.
POOL = ("r2", "r3", "r4", "r5", "r6", "r7", "r8", "r9", "r10", "r11", "r12", "lr")


class Role(StrEnum):
    """Why an operation is there; counted in each kernel's header."""

    LOAD = "load"
    MAC = "multiply-accumulate"
    STORE = "store"
    ALU = "arithmetic"
    CONTROL = "control"
    LABEL = "label"  # no instruction: where a branch goes


@dataclass(frozen=True, slots=True)
class Op:
    """One machine instruction: its text, and what it is for."""

    role: Role
    mnemonic: str
    operands: str
    note: str = ""

    @property
    def text(self) -> str:
        """Assembler text without the note."""
        return f"{self.mnemonic} {self.operands}".rstrip()


@dataclass(frozen=True, slots=True)
class Loop:
    """A body that runs ``count`` times.

    The counter lives in register ``counter``; or, where ``slot`` is not None, in the stack word at that byte offset,
    and ``counter`` is a register that is free at the body's ends. Without a counter the body itself branches back.
    A counter in a register is decremented ``early`` operations before the body's end, where it finds a free issue slot
    and the branch finds its flags ready; nothing in a body sets flags.
    """

    label: str
    count: int
    counter: str
    body: "tuple[Op | Loop, ...]"
    slot: int | None = None
    early: int = 0


@dataclass(frozen=True, slots=True)
class Kernel:
    """One generated function.

    Attributes:
        name: C identifier.
        core: One of ``CORES``.
        arguments: C parameter list; the first four arrive in r0 to r3.
        shape: What it computes, in words, for the header.
        bounds: Why nothing overflows, or which inputs the caller promises.
        schedule: How the loop was ordered and why.
        equivalent: CMSIS-DSP function with the same result, or why there is none.
        steps: Operations and loops in program order.
        work: Multiply-accumulates per call.
        returns: C return type.
    """

    name: str
    core: str
    arguments: str
    shape: str
    bounds: str
    schedule: str
    equivalent: str
    steps: tuple[Op | Loop, ...]
    work: int
    returns: str = "void"

    def instructions(self) -> int:
        """Instructions per call, every loop at its count, function entry and exit included."""
        return sum(op.role is not Role.LABEL for op in self.executed())

    def code_ops(self) -> int:
        """Instructions in the function's text."""
        return sum(op.role is not Role.LABEL for op in _walk(self.steps, repeat=False))

    def executed(self) -> Iterator[Op]:
        """Every operation in execution order, loop control included."""
        return _walk(self.steps, repeat=True)


def _walk(steps: "Sequence[Op | Loop]", *, repeat: bool) -> Iterator[Op]:
    for step in steps:
        if isinstance(step, Op):
            yield step
            continue
        yield from loop_entry(step)
        for _ in range(step.count if repeat else 1):
            yield from _walk(loop_body(step), repeat=repeat)


def loop_entry(loop: Loop) -> tuple[Op, ...]:
    """Operations in front of a loop: the counter starts."""
    if not loop.counter:
        return ()
    start = Op(Role.CONTROL, "mov", f"{loop.counter}, #{loop.count}")
    if loop.slot is None:
        return (start,)
    return start, Op(Role.CONTROL, "str", f"{loop.counter}, [sp, #{loop.slot}]")


def loop_body(loop: Loop) -> tuple[Op | Loop, ...]:
    """A loop's body with its control: count down, branch back."""
    if not loop.counter:
        return loop.body
    down = Op(Role.CONTROL, "subs", f"{loop.counter}, {loop.counter}, #1")
    back = Op(Role.CONTROL, "bne.w" if len(loop.body) > 50 else "bne", f"{loop.label}b")
    if loop.slot is None:
        place = max(0, len(loop.body) - loop.early)
        return (*loop.body[:place], down, *loop.body[place:], back)
    word = f"{loop.counter}, [sp, #{loop.slot}]"
    return (*loop.body, Op(Role.CONTROL, "ldr", word), down, Op(Role.CONTROL, "str", word), back)


def load(register: str, base: str, offset: int = 0, *, advance: int = 0, note: str = "") -> Op:
    """Load a word; with ``advance`` from the base itself, which then moves on by that many bytes."""
    if advance:
        return Op(Role.LOAD, "ldr", f"{register}, [{base}], #{advance}", note)
    return Op(Role.LOAD, "ldr", f"{register}, [{base}, #{offset}]" if offset else f"{register}, [{base}]", note)


def load_many(registers: Sequence[str], base: str, *, update: bool, note: str = "") -> Op:
    """Load consecutive words into ascending registers."""
    return Op(Role.LOAD, "ldmia.w", f"{base}{'!' if update else ''}, {{{', '.join(registers)}}}", note)


def store(register: str, base: str, offset: int = 0, *, advance: int = 0, note: str = "") -> Op:
    """Store a word."""
    if advance:
        return Op(Role.STORE, "str", f"{register}, [{base}], #{advance}", note)
    return Op(Role.STORE, "str", f"{register}, [{base}, #{offset}]" if offset else f"{register}, [{base}]", note)


def mac(mnemonic: str, accumulator: Sequence[str], left: str, right: str, note: str = "") -> Op:
    """Multiply-accumulate into one register (``smlad``, ``smuad``) or a pair (``smlal``, ``smull``, ``smlald``)."""
    if len(accumulator) == 2:
        return Op(Role.MAC, mnemonic, f"{accumulator[0]}, {accumulator[1]}, {left}, {right}", note)
    if mnemonic == "smuad":
        return Op(Role.MAC, mnemonic, f"{accumulator[0]}, {left}, {right}", note)
    return Op(Role.MAC, mnemonic, f"{accumulator[0]}, {left}, {right}, {accumulator[0]}", note)


def alu(mnemonic: str, operands: str, note: str = "") -> Op:
    """Arithmetic, logic, move or shift."""
    return Op(Role.ALU, mnemonic, operands, note)


def control(mnemonic: str, operands: str, note: str = "") -> Op:
    """Entry, exit, branches and loop bookkeeping."""
    return Op(Role.CONTROL, mnemonic, operands, note)


def label(name: str) -> Op:
    """A place to branch to; ``name`` is a digit, branches say ``1f`` or ``1b``."""
    return Op(Role.LABEL, f"{name}:", "")
