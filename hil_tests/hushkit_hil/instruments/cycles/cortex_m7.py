"""Cortex-M7: two in-order issue slots, an early and a late ALU, one multiplier, two loads or one store per cycle.

Arm publishes no timing table for this core. The rules come from measurements on silicon, published in
github.com/jnk0le/random ("pipeline cycle test", cortex_m7.md; STM32H743) and www.quinapalus.com/cm7cycles.html
(STM32H730).

Stages, in cycles after issue: addresses, shifted operands and bit-field sources are read at 0; ALU operands and
multiplicands at 1; accumulators at 2; store data at 3. Results are there at 1 (early ALU, address update), 2 (late
ALU, word loads), 3 (multiplier, byte and half-word loads).

Known limits:
    Tightly coupled memory, hits only. Two loads issue together unless their immediate offsets fall into the same
    64-bit half; base registers are taken as multiples of eight bytes. The predictor is taken as right except when a
    conditional branch goes the direction it goes less often; each such event costs 8 cycles, 6 when the flags are
    three cycles old. The half-cycle slides that narrow instructions cause on silicon are not modelled.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from hushkit_hil.instruments.cycles.operands import FLAGS, Effects, Kind
from hushkit_hil.instruments.cycles.pipeline import Step

_FP = {Kind.FP_ADD, Kind.FP_MUL, Kind.FP_MAC, Kind.FP_DIVIDE}
_MEMORY = {Kind.LOAD, Kind.STORE}
_TRANSFERS = {Kind.LOAD, Kind.STORE, Kind.LOAD_MANY, Kind.STORE_MANY}
_ALONE = {Kind.LOAD_MANY, Kind.STORE_MANY, Kind.DIVIDE, Kind.SYSTEM, Kind.TABLE_BRANCH}
_BRANCHES = {Kind.BRANCH, Kind.BRANCH_REGISTER, Kind.TABLE_BRANCH}
_EARLY_ALU = ("add", "sub", "mov", "lsl", "lsr", "asr", "ror", "rev", "rbit", "addw", "subw")


@dataclass(slots=True)
class _Scoreboard:
    """When each register's value exists, by who wants it; and the pair being issued."""

    now: int = 0
    slots: int = 0
    ready: dict[str, int] = field(default_factory=dict)
    from_load: dict[str, int] = field(default_factory=dict)
    pair: list[Step] = field(default_factory=list)
    multiplier_block: int = 0


class CortexM7:
    """Timing of a Cortex-M7 with FPU."""

    name = "cortex-m7"
    interrupt_entry = 12
    interrupt_exit = 12

    def time(self, steps: Sequence[Step]) -> int:
        """In-order dual-issue scoreboard; the result counts a half-filled last cycle as whole."""
        board = _Scoreboard()
        for step in steps:
            _issue(board, step)
        return board.now + (1 if board.slots else 0)

    def misprediction(self, block: Sequence[Step]) -> int:
        """8 cycles, or 6 when the flags are at least six issue slots old."""
        for distance, step in enumerate(reversed(block[:-1])):
            if FLAGS in step.effects.writes:
                return 8 if distance < 5 else 6
        return 6


def _issue(board: _Scoreboard, step: Step) -> None:
    effects = step.effects
    start = max(board.now, _operands_ready(board, step, effects))
    if board.slots and (start > board.now or not _pairs(board.pair[-1], step)):
        start = max(start, board.now + 1)
    if start > board.now:
        board.now, board.slots, board.pair = start, 0, []
    _write_results(board, step, effects)
    board.slots += 1
    board.pair.append(step)
    busy = _busy(effects)
    if busy:
        board.now, board.slots, board.pair = board.now + busy, 0, []
    elif (step.taken and effects.kind in _BRANCHES) or board.slots == 2:
        board.now, board.slots, board.pair = board.now + 1, 0, []


def _busy(effects: Effects) -> int:
    """Cycles during which nothing else issues, for what never pairs; else 0."""
    if effects.kind in {Kind.LOAD_MANY, Kind.STORE_MANY}:
        return (effects.count + 1) // 2
    return {Kind.DIVIDE: 9, Kind.SYSTEM: 2, Kind.TABLE_BRANCH: 3, Kind.FP_DIVIDE: 16}.get(effects.kind, 0)


def _operands_ready(board: _Scoreboard, step: Step, effects: Effects) -> int:
    """Earliest issue cycle at which every operand arrives in time."""
    if effects.kind in _FP:
        return _fp_ready(board, effects)
    start = 0
    paired_move = step.instruction.mnemonic.startswith("movt") and board.slots == 1
    for name in effects.reads - effects.early:
        if paired_move or (name == FLAGS and effects.kind is Kind.IT):
            continue
        late = 1
        when = board.ready.get(name, 0) - late
        if effects.kind is Kind.MAC:
            when = max(when, board.from_load.get(name, 0))
        start = max(start, when)
    loaded = 1 if effects.kind in _TRANSFERS else 0  # a loaded word reaches an address a cycle after the ALUs
    for name in effects.early:
        start = max(start, board.ready.get(name, 0) + (loaded if name in board.from_load else 0))
    for name in effects.accumulators:
        start = max(start, board.ready.get(name, 0) - 2)
    for name in effects.data:
        start = max(start, board.ready.get(name, 0) - 3)
    return start


def _fp_ready(board: _Scoreboard, effects: Effects) -> int:
    start = board.multiplier_block if effects.kind is Kind.FP_ADD else 0
    for name in effects.reads | effects.early:
        start = max(start, board.ready.get(name, 0) - 1)
    for name in effects.accumulators:
        start = max(start, board.ready.get(name, 0) - 3)
    return start


def _write_results(board: _Scoreboard, step: Step, effects: Effects) -> None:
    now = board.now
    kind = effects.kind
    if kind in _FP:
        after = {Kind.FP_ADD: 4, Kind.FP_MUL: 4, Kind.FP_MAC: 6, Kind.FP_DIVIDE: 16}[kind]
        if kind is Kind.FP_MAC:
            board.multiplier_block = now + 4
    elif kind is Kind.FP_MOVE:
        after = 4
    elif kind is Kind.MAC or (kind is Kind.LOAD and not effects.word):
        after = 3
    elif kind in {Kind.LOAD_MANY, Kind.STORE_MANY}:
        after = (effects.count + 1) // 2 + 1
    elif kind is Kind.DIVIDE:
        after = 10
    elif _goes_early(board, step, effects):
        after = 1
    else:
        after = 2
    for name in effects.writes:
        board.ready[name] = now + after
        board.from_load.pop(name, None)
        if kind in {Kind.LOAD, Kind.LOAD_MANY}:
            board.from_load[name] = now + after
    if effects.base_update:
        board.ready[effects.base_update] = now + 1
        board.from_load.pop(effects.base_update, None)


def _goes_early(board: _Scoreboard, step: Step, effects: Effects) -> bool:
    """Whether the instruction runs in the early ALU: a simple one, operands already there, older slot."""
    mnemonic = step.instruction.mnemonic
    if effects.shifted_operand or FLAGS in effects.reads or not mnemonic.startswith(_EARLY_ALU):
        return False
    if effects.kind is Kind.ALU and board.slots == 1:
        return False
    return all(board.ready.get(name, 0) <= board.now for name in effects.reads | effects.early)


def _pairs(older: Step, younger: Step) -> bool:  # noqa: PLR0911 - one rule per line
    """Whether the two may issue in one cycle, results permitting."""
    first, second = older.effects, younger.effects
    kinds = {first.kind, second.kind}
    if kinds & _ALONE or second.kind is Kind.BITS:
        return False
    if Kind.STORE in kinds and (first.kind == second.kind or Kind.MAC in kinds):
        return False
    if first.kind is Kind.MAC and second.kind is Kind.MAC:
        return False
    if first.kind is Kind.LOAD and second.kind is Kind.LOAD:
        return _banks_differ(first, second)
    if first.shifted_operand and second.shifted_operand:
        return False
    if first.kind is Kind.BITS and second.shifted_operand:
        return False
    return _fp_pairs(first, second)


def _fp_pairs(first: Effects, second: Effects) -> bool:
    if first.kind in _FP and second.kind in _FP:
        return False
    if Kind.FP_MAC in {first.kind, second.kind}:
        other = second if first.kind is Kind.FP_MAC else first
        if other.kind is Kind.FP_MOVE:
            return False
        if other.kind in _MEMORY and any(name[0] in "sd" and name != "sp" for name in other.writes | other.data):
            return False
    return not (first.kind is Kind.FP_MOVE and second.kind is Kind.FP_MOVE)


def _banks_differ(first: Effects, second: Effects) -> bool:
    if first.register_offset or second.register_offset:
        return False
    return (first.offset // 4) % 2 != (second.offset // 4) % 2
