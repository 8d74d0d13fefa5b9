"""The cycle models: parsing, timing rules, accounting over a trace, bounds."""

from pathlib import Path

import pytest
from hushkit_hil.instruments.cycles import CycleModelError, core_model, model_cycles
from hushkit_hil.instruments.cycles.disassembly import Program, disassemble, parse_listing
from hushkit_hil.instruments.cycles.operands import FLAGS, Kind, effects_of
from hushkit_hil.instruments.cycles.paths import frame_bytes, worst_path, worst_paths
from hushkit_hil.instruments.cycles.pipeline import Step
from hushkit_hil.instruments.cycles.validation import TOLERANCE, sequence_rows
from hushkit_hil.instruments.trace import Block, Profile, Trace

LISTING = """
00000100 <outer>:
     100:\tb510      \tpush\t{r4, lr}
     102:\t2403      \tmovs\tr4, #3
     104:\tf000 f804 \tbl\t110 <inner>
     108:\t3c01      \tsubs\tr4, #1
     10a:\td1fb      \tbne.n\t104 <outer+0x4>
     10c:\tbd10      \tpop\t{r4, pc}

00000110 <inner>:
     110:\tb082      \tsub\tsp, #8
     112:\tf8d0 1000 \tldr.w\tr1, [r0]
     116:\tfbc1 2301 \tsmull\tr2, r3, r1, r1
     11a:\tb002      \tadd\tsp, #8
     11c:\t4770      \tbx\tlr
     11e:\tbf00      \tnop
"""
# blocks: outer up to the call, inner, outer behind the call, outer's second call, outer's return
BLOCKS = (Block(0x100, 3, 8), Block(0x110, 5, 14), Block(0x108, 2, 4), Block(0x104, 1, 4), Block(0x10C, 1, 2))
EDGES = {(0, 1): 1, (1, 2): 3, (2, 3): 2, (3, 1): 2, (2, 4): 1}
COUNTS = {0: 1, 1: 3, 2: 3, 3: 2, 4: 1}


def one(text: str) -> Step:
    program = parse_listing(f"00000000 <f>:\n   0:\t0000 0000 \t{text}\n")
    return Step(program.instructions[0])


def region() -> tuple[Trace, Profile]:
    profile = Profile("region 0", 1, 26, COUNTS, EDGES)
    return Trace(BLOCKS, {"region 0": profile}, 0, None, None), profile


@pytest.fixture
def program(monkeypatch: pytest.MonkeyPatch) -> Program:
    found = parse_listing(LISTING)
    for module in ("account", "paths"):
        monkeypatch.setattr(f"hushkit_hil.instruments.cycles.{module}.disassemble", lambda _elf, **_: found)
    return found


@pytest.mark.parametrize(
    ("text", "kind", "reads", "writes"),
    [
        ("smlal\tr0, r1, r2, r3", Kind.MAC, {"r2", "r3"}, {"r0", "r1"}),
        ("add.w\tr0, r1, r2, lsl #3", Kind.ALU, {"r1", "r2"}, {"r0"}),
        ("adds\tr0, #4", Kind.ALU, {"r0"}, {"r0", FLAGS}),
        ("ldmia.w\tr0!, {r4, r5, r6}", Kind.LOAD_MANY, set(), {"r4", "r5", "r6"}),
        ("pkhbt\tr0, r1, r2", Kind.BITS, {"r1", "r2"}, {"r0"}),
        ("cmp\tr0, #4", Kind.ALU, {"r0"}, {FLAGS}),
        ("vldrh.u16\tq3, [r5], #16", Kind.VECTOR_LOAD, set(), {"q3"}),
        ("vmlalva.s32\tr2, r3, q0, q1", Kind.VECTOR_MAC, {"q0", "q1"}, {"r2", "r3"}),
        ("mov.w\tr0, #0", Kind.MOVE, set(), {"r0"}),
        ("ssat\tr0, #16, r1, asr #15", Kind.BITS, {"r1"}, {"r0"}),
    ],
)
def test_cycle_operands_are_read_from_the_text(text: str, kind: Kind, reads: set[str], writes: set[str]) -> None:
    effects = effects_of(one(text).instruction)

    assert effects.kind is kind
    assert effects.reads == reads
    assert effects.writes == writes


def test_cycle_model_reproduces_published_sequences() -> None:
    rows = sequence_rows()

    for core, enough in {"cortex-m4": 16, "cortex-m7": 21, "cortex-m33": 5}.items():
        own = [row for row in rows if row.core == core]
        assert sum(row.within for row in own) >= enough, [row.name for row in own if not row.within]
    missed = [row.name for row in rows if not row.within]
    assert missed == ["load, store of another register, arithmetic: the store hides the load's second cycle"]
    assert set(TOLERANCE) == {"cortex-m4", "cortex-m7", "cortex-m33", "cortex-m55"}


def test_cycle_account_charges_every_block_in_its_context(program: Program) -> None:
    trace, profile = region()

    report = model_cycles("cortex-m4", Path("any.elf"), trace, profile)

    # outer: push 3, movs 1, bl 2; twice more bl 2; 3 x subs 1, bne 2 taken and 1 not; pop to pc 1 + 2 + 3
    # inner: sub 1, ldr 2, smull 1, add 1, bx 3; behind a branch nothing pipelines
    cycles = {function.name: function.cycles for function in report.functions}
    assert cycles == {"outer": 3 + 1 + 2 + 2 * 2 + 3 * 1 + 2 * 2 + 1 + 6, "inner": 3 * 8}
    assert report.instructions == 3 + 3 * 5 + 3 * 2 + 2 + 1
    assert report.cycles == sum(cycles.values()) == sum(block.cycles for block in report.blocks)
    assert report.evidence == "modelled"


def test_cycle_account_charges_the_rarer_branch_on_cortex_m7(program: Program) -> None:
    trace, profile = region()

    report = model_cycles("cortex-m7", Path("any.elf"), trace, profile)

    assert report.mispredictions == 8.0  # the loop's exit, its flags one instruction old


def test_worst_path_multiplies_loops_and_adds_callees(program: Program) -> None:
    trace, profile = region()

    seen = worst_path("cortex-m4", Path("any.elf"), trace, profile, "outer")
    bounded = worst_path("cortex-m4", Path("any.elf"), trace, profile, "outer", loop_bounds={0x108: 10})

    total = model_cycles("cortex-m4", Path("any.elf"), trace, profile).cycles
    round_trip = 1 + 2 + 2 + 8
    assert total <= seen.cycles <= total + round_trip  # the way in counts as a whole turn
    assert bounded.cycles - seen.cycles == 7 * round_trip
    assert (seen.stack_bytes, seen.stack_path) == (8 + 8, ("outer", "inner"))


def test_worst_paths_are_those_of_each_function(program: Program) -> None:
    trace, profile = region()

    found = worst_paths("cortex-m4", Path("any.elf"), trace, profile)

    assert {name: path.cycles for name, path in found.items()} == {
        name: worst_path("cortex-m4", Path("any.elf"), trace, profile, name).cycles for name in ("outer", "inner")
    }
    assert found["outer"].stack_bytes == 16


def test_worst_path_names_a_function_that_did_not_run(program: Program) -> None:
    trace, profile = region()

    with pytest.raises(CycleModelError, match="absent did not run in profile 'region 0'; it saw inner, outer"):
        worst_path("cortex-m4", Path("any.elf"), trace, profile, "absent")


def test_stack_frame_counts_saved_registers_and_locals() -> None:
    program = parse_listing(
        "00000000 <f>:\n   0:\tb5f0      \tpush\t{r4, r5, r6, r7, lr}\n   2:\tb087      \tsub\tsp, #28\n"
        "   4:\t4770      \tbx\tlr\n"
    )

    assert frame_bytes(program, "f") == 20 + 28


def test_cycle_model_refuses_what_it_cannot_account_for(program: Program, tmp_path: Path) -> None:
    trace, profile = region()
    stranger = Trace((Block(0x4000, 2, 4),), {}, 0, None, None)

    with pytest.raises(CycleModelError, match="no cycle model for core 'cortex-m3'; expected one of cortex-m4"):
        model_cycles("cortex-m3", Path("any.elf"), trace, profile)
    with pytest.raises(CycleModelError, match=r"no instruction at 0x00004000.*the ELF file that the trace"):
        model_cycles("cortex-m4", Path("any.elf"), stranger, Profile("region 0", 1, 2, {0: 1}, {}))
    with pytest.raises(CycleModelError, match="no such file"):
        disassemble(tmp_path / "none.elf")


def test_dual_issue_pairs_a_load_with_a_multiply_but_not_two_multiplies() -> None:
    model = core_model("cortex-m7")
    load, first, second = one("ldr\tr0, [r1]"), one("smlad\tr2, r3, r4, r2"), one("smlad\tr5, r3, r4, r5")

    assert model.time([first, load]) == 1
    assert model.time([first, second]) == 2
