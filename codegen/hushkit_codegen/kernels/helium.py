"""Sums of products over a sliding window on Helium (Cortex-M55): the shapes of `correlation`, a vector at a time.

    y[p] = finish(sum_k c[k] * x[k + p])

A multiply-accumulate across lanes takes 4 terms in q31, 8 in q15, and adds them up in core registers, so the sum is as
exact as in scalar code. Multiplier and memory each take two cycles per vector and work beside each other; what decides
is the number of loads:

    single    every output of a group loads its own window and shares the terms: n + 1 loads for n multiplies
    paired    outputs p and p + 4 of a q31 filter: the later one's window is the earlier one's next vector, so that one
              load and the terms serve two multiplies, and the multiplier never waits

Loads and multiplies alternate, and the pairs' vectors change names instead of places: the loop is unrolled by two or
more. Loop ends cost nothing (LE); the last incomplete vector is loaded under a predicate, which reads and adds nothing
behind the end.
"""

from dataclasses import dataclass, field

from hushkit_codegen.errors import DesignError
from hushkit_codegen.kernels.correlation import Shape, Sum
from hushkit_codegen.kernels.ir import Kernel, Loop, Op, Role, alu, control

_UNROLLED = 4  # vectors per turn of a loop: offsets stay small, and an even number lets pairs change names
_TOGETHER = 4  # outputs of a group: their sums fill r4 to r11
_PAIR = 4  # distance of two outputs whose windows are a q31 vector apart
_CHUNK = 8
_TERMS = "q0"
_LONGEST = 4095  # constant of SUBW
_STRAIGHT = 64  # operations up to which a group is unrolled whole


@dataclass(frozen=True, slots=True)
class _Output:
    """One output of a group: word or half-word it is stored at, where its window starts, and its sum's registers."""

    place: int
    pointer: str
    offset: int  # bytes from the pointer to the window
    sums: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Column:
    """Outputs that share vectors: one, or two a vector apart; with the registers their windows go through."""

    outputs: tuple[_Output, ...]
    ring: tuple[str, ...]

    def vector(self, index: int, output: int) -> str:
        """Register of the window of one output at a vector of terms."""
        return self.ring[(index + output) % len(self.ring)]


@dataclass(slots=True)
class _Cursor:
    """How far x and c have been stepped over, in bytes, while operations are laid out."""

    x: int = 0
    c: int = 0
    ops: list[Op | Loop] = field(default_factory=list)


def helium(name: str, shape: Shape, *, bounds: str, equivalent: str) -> Kernel:
    """A function as `correlation` makes it, for the Cortex-M55.

    Args:
        name: C identifier.
        shape: Format, terms and outputs; any but ``Sum.Q31_STEP``.
        bounds: The proof that sums cannot overflow.
        equivalent: CMSIS-DSP function of the same result.

    Raises:
        DesignError: A shape that cannot be generated.
    """
    fault = shape.fault() or ("no Helium order for steps" if shape.sums is Sum.Q31_STEP else "")
    if fault:
        raise DesignError(f"{name}: {shape.text}: {fault}")
    groups = _groups(shape)
    chunks = shape.outputs // _CHUNK if shape.outputs > _CHUNK else 1
    cursor = _Cursor()
    for index, group in enumerate(groups):
        _group(cursor, shape, group, label=index + 1)
    inner = cursor.ops
    if chunks > 1:
        inner = [alu("mov", f"r12, #{chunks}"), Loop("9", chunks, "", (*cursor.ops, *_next_chunk(cursor, shape)))]
    columns = [column for group in groups for column in group]
    last = max(5, *(int(output.sums[-1][1:]) for column in columns for output in column.outputs))
    wide = any("q4" in column.ring for column in columns)
    steps: list[Op | Loop] = [
        control("push", f"{{r4-r{last}, lr}}"),
        *([control("vpush", "{d8-d9}")] if wide else []),
        *inner,
        *([control("vpop", "{d8-d9}")] if wide else []),
        control("pop", f"{{r4-r{last}, pc}}"),
    ]
    together = " + ".join("".join(f"{len(column.outputs)}" for column in group) for group in groups)
    return Kernel(
        name=name,
        core="cortex-m55",
        arguments=shape.arguments,
        shape=shape.text,
        bounds=bounds,
        schedule=f"loads and multiplies alternate; outputs computed together, by shared windows: {together}",
        equivalent=equivalent,
        steps=tuple(steps),
        work=shape.n_terms * shape.outputs * shape.windows * (1 if shape.sums is Sum.Q31 else 2),
    )


def _lanes(shape: Shape) -> int:
    return 4 if shape.sums is Sum.Q31 else 8


def _groups(shape: Shape) -> list[list[_Column]]:
    """Split the outputs of a chunk into groups of at most four whose sums fit the registers."""
    if shape.sums is not Sum.Q31:
        places = [
            (2 * p + w, pointer, 4 * shape.step * p) for p in range(shape.outputs) for w, pointer in _windows(shape)
        ]
        return [_single(shape, places[at : at + _TOGETHER]) for at in range(0, len(places), _TOGETHER)]
    outputs = min(shape.outputs, _CHUNK)
    paired = list(range(max(0, outputs - _PAIR))) if shape.step == 1 else []
    groups = [_paired(shape, paired[at : at + 2]) for at in range(0, len(paired), 2)]
    near = min(outputs, _PAIR) if paired else outputs
    alone = [(p, "r0", 4 * shape.step * p) for p in range(len(paired), near)]
    return [*groups, *(_single(shape, alone[at : at + _TOGETHER]) for at in range(0, len(alone), _TOGETHER))]


def _windows(shape: Shape) -> list[tuple[int, str]]:
    return [(0, "r0"), (1, "r3")][: shape.windows]


def _sums(shape: Shape, slot: int) -> tuple[str, ...]:
    low, high = f"r{4 + 2 * slot}", f"r{5 + 2 * slot}"
    return (low,) if shape.sums is Sum.Q15 else (low, high)


def _single(shape: Shape, places: list[tuple[int, str, int]]) -> list[_Column]:
    return [
        _Column((_Output(place, pointer, offset, _sums(shape, slot)),), (f"q{1 + slot % 3}",))
        for slot, (place, pointer, offset) in enumerate(places)
    ]


def _paired(shape: Shape, starts: list[int]) -> list[_Column]:
    columns = []
    for index, p in enumerate(starts):
        both = tuple(
            _Output(p + far, "r0", 4 * (p + far), _sums(shape, 2 * index + far // _PAIR)) for far in (0, _PAIR)
        )
        columns.append(_Column(both, (f"q{1 + 2 * index}", f"q{2 + 2 * index}")))
    return columns


def _group(cursor: _Cursor, shape: Shape, group: list[_Column], label: int) -> None:
    """All terms of one group, then its results; x and c move and stay where they end."""
    _back(cursor, shape)
    outputs = [output for column in group for output in column.outputs]
    cursor.ops += [alu("mov", f"{register}, #0") for output in outputs for register in output.sums]
    terms = shape.n_terms * (1 if shape.sums is Sum.Q31 else 2)
    whole, rest = divmod(terms, _lanes(shape))
    if whole:
        cursor.ops += [_vector_load(shape, column.ring[0], column.outputs[0], 0) for column in group if column.ring[1:]]
    turns = whole // _UNROLLED if whole * (1 + 2 * len(outputs)) > _STRAIGHT else 0
    left = whole - turns * _UNROLLED
    if turns:
        body = _vectors(shape, group, _UNROLLED, moves=True)
        cursor.ops += [control("mov", f"lr, #{turns}"), control("dls", "lr, lr")]
        cursor.ops.append(Loop(str(label), turns, "", (*body, control("le", f"lr, {label}b"))))
    cursor.ops += _vectors(shape, group, left, moves=False)
    cursor.x = _bytes(whole if len(outputs) == 1 else turns * _UNROLLED)
    cursor.c = _bytes(whole)
    if rest:
        cursor.ops += _last_vector(shape, group, 0 if len(outputs) == 1 else left, rest)
    for output in outputs:
        cursor.ops += _finish(shape, output)


def _bytes(vectors: int) -> int:
    return 16 * vectors


def _back(cursor: _Cursor, shape: Shape) -> None:
    """Bring the windows and c back to their starts."""
    for pointer, moved in (*((pointer, cursor.x) for _, pointer in _windows(shape)), ("r1", cursor.c)):
        cursor.ops += _subtract(pointer, moved) if moved else []
    cursor.x = cursor.c = 0


def _subtract(register: str, amount: int) -> list[Op]:
    parts = [amount] if amount <= _LONGEST else [_LONGEST - 15, amount - _LONGEST + 15]
    return [alu("subw", f"{register}, {register}, #{part}") for part in parts]


def _next_chunk(cursor: _Cursor, shape: Shape) -> list[Op]:
    end = _Cursor(cursor.x, cursor.c)
    _back(end, shape)
    back = [op for op in end.ops if isinstance(op, Op)]
    return [
        *back,
        alu("add", f"r0, r0, #{4 * _CHUNK}"),
        alu("add", f"r2, r2, #{4 * _CHUNK}"),
        control("subs", "r12, r12, #1"),
        control("bne.w", "9b"),
    ]


def _vector_load(shape: Shape, register: str, output: _Output, vector: int, *, moved: int = 0) -> Op:
    mnemonic = "vldrw.u32" if shape.sums is Sum.Q31 else "vldrh.u16"
    offset = output.offset + _bytes(vector) - moved
    place = f"{output.pointer}, #{offset}" if offset else output.pointer
    return Op(Role.LOAD, mnemonic, f"{register}, [{place}]")


def _next_load(shape: Shape, register: str, pointer: str) -> Op:
    mnemonic = "vldrw.u32" if shape.sums is Sum.Q31 else "vldrh.u16"
    return Op(Role.LOAD, mnemonic, f"{register}, [{pointer}], #16")


def _multiply(shape: Shape, output: _Output, window: str) -> Op:
    mnemonic = {Sum.Q31: "vmlaldava.s32", Sum.Q15: "vmladava.s16", Sum.Q15_LONG: "vmlaldava.s16"}[shape.sums]
    return Op(Role.MAC, mnemonic, f"{', '.join(output.sums)}, {window}, {_TERMS}")


def _vectors(shape: Shape, group: list[_Column], count: int, *, moves: bool) -> list[Op]:
    """``count`` vectors of terms; with ``moves`` the windows' pointers step over them, in an issue slot left free."""
    if len(group[0].ring) > 1:
        return _paired_vectors(shape, group, count, moves=moves)
    ops: list[Op] = []
    alone = len(group) == 1
    for vector in range(count):
        ops.append(_next_load(shape, _TERMS, "r1"))
        last = moves and not alone and vector == count - 1
        ops += _moves(shape, count) if last else []
        for column in group:
            (output,), (window,) = column.outputs, column.ring
            if alone:
                ops.append(_next_load(shape, window, output.pointer))
            else:
                ops.append(_vector_load(shape, window, output, vector, moved=_bytes(count) if last else 0))
            ops.append(_multiply(shape, output, window))
    return ops


def _paired_vectors(shape: Shape, group: list[_Column], count: int, *, moves: bool) -> list[Op]:
    ops: list[Op] = []
    for vector in range(count):
        ops.append(_next_load(shape, _TERMS, "r1"))
        for column in group:
            near = column.outputs[0]
            ops.append(_multiply(shape, near, column.vector(vector, 0)))
            ops.append(_vector_load(shape, column.vector(vector, 1), near, vector + 1))
        far = [_multiply(shape, column.outputs[1], column.vector(vector, 1)) for column in group]
        ops += [*far[:-1], *(_moves(shape, count) if moves and vector == count - 1 else []), far[-1]]
    return ops


def _moves(shape: Shape, vectors: int) -> list[Op]:
    return [alu("add", f"{pointer}, {pointer}, #{_bytes(vectors)}") for _, pointer in _windows(shape)]


def _last_vector(shape: Shape, group: list[_Column], vector: int, rest: int) -> list[Op]:
    """The incomplete vector: lanes behind the last term load nothing and add zero."""
    bits, mnemonic = (32, "vldrwt.u32") if shape.sums is Sum.Q31 else (16, "vldrht.u16")
    ops = [
        alu("mov", f"lr, #{rest}"),
        alu(f"vctp.{bits}", "lr", "lanes that hold terms"),
        control("vpst", ""),
        Op(Role.LOAD, mnemonic, f"{_TERMS}, [r1]"),
    ]
    for column in group:
        for output in column.outputs:
            place = f"[{output.pointer}, #{output.offset + _bytes(vector)}]"
            ops += [control("vpst", ""), Op(Role.LOAD, mnemonic, f"q1, {place}"), _multiply(shape, output, "q1")]
    return ops


def _finish(shape: Shape, output: _Output) -> list[Op]:
    """Bring a sum back to its format and store it."""
    low = output.sums[0]
    if shape.sums is Sum.Q31:
        shift = "r3" if shape.shifted else "#31"
        return [
            alu("asrl", f"{low}, {output.sums[1]}, {shift}"),
            Op(Role.STORE, "str", f"{low}, [r2, #{4 * output.place}]"),
        ]
    place = 2 * output.place if shape.windows == 2 else 4 * (output.place // 2)
    store = Op(Role.STORE, "strh", f"{low}, [r2, #{place}]")
    if shape.sums is Sum.Q15:
        return [alu("ssat", f"{low}, #16, {low}, asr #15"), store]
    return [alu("asrl", f"{low}, {output.sums[1]}, #15"), alu("ssat", f"{low}, #16, {low}"), store]
