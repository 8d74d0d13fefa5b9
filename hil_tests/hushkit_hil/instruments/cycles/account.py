"""Turn recorded executions into cycles: per function and per block, at zero wait states. Evidence: modelled."""

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from hushkit_hil.instruments.cycles.cortex_m4 import CortexM4
from hushkit_hil.instruments.cycles.cortex_m7 import CortexM7
from hushkit_hil.instruments.cycles.cortex_m33 import CortexM33
from hushkit_hil.instruments.cycles.cortex_m55 import CortexM55
from hushkit_hil.instruments.cycles.disassembly import CycleModelError, Instruction, Program, disassemble
from hushkit_hil.instruments.cycles.operands import Kind, effects_of
from hushkit_hil.instruments.cycles.pipeline import CoreModel, Step
from hushkit_hil.instruments.trace import Block, Profile, Trace

CORES = ("cortex-m4", "cortex-m7", "cortex-m33", "cortex-m55")
HELIUM_CORE = "cortex-m55"
EVIDENCE = "modelled"
_CONTEXT = 24  # instructions in front of a block that can still matter: longest latency times issue width, and margin
_BRANCHES = {Kind.BRANCH, Kind.BRANCH_REGISTER, Kind.TABLE_BRANCH}


@dataclass(frozen=True, slots=True)
class FunctionCycles:
    """Share of one function, over all executions of the profile."""

    name: str
    instructions: int
    cycles: float


@dataclass(frozen=True, slots=True)
class BlockCycles:
    """Share of one translation block: its start address, executions and cycles over all of them."""

    address: int
    count: int
    cycles: float


@dataclass(frozen=True, slots=True)
class CycleReport:
    """Modelled cycles of a profile, all its executions together.

    ``mispredictions`` is the part of ``cycles`` that the branch predictor's misses cost (0 on cores without one).
    """

    core: str
    executions: int
    instructions: int
    cycles: float
    mispredictions: float
    functions: tuple[FunctionCycles, ...]
    blocks: tuple[BlockCycles, ...]
    evidence: str = EVIDENCE

    def per_execution(self) -> float:
        """Mean cycles of one execution of the region or context."""
        return self.cycles / max(self.executions, 1)


@lru_cache(maxsize=8)
def core_model(core: str) -> CoreModel:
    """The timing model of a core type.

    Raises:
        CycleModelError: Not one of ``CORES``.
    """
    models: dict[str, CoreModel] = {
        "cortex-m4": CortexM4(),
        "cortex-m7": CortexM7(),
        "cortex-m33": CortexM33(),
        "cortex-m55": CortexM55(),
    }
    if core not in models:
        raise CycleModelError(f"no cycle model for core {core!r}; expected one of {', '.join(CORES)}")
    return models[core]


def model_cycles(core: str, elf: Path, trace: Trace, profile: Profile) -> CycleReport:
    """Model the cycles of everything a profile recorded.

    Args:
        core: ``"cortex-m4"``, ``"cortex-m7"``, ``"cortex-m33"`` or ``"cortex-m55"``.
        elf: The very file that ran.
        trace: The run's trace, for its blocks.
        profile: One region or context of it.

    Returns:
        Cycles by function (largest first) and by block; exception entry and exit are not in them, add
        ``core_model(core).interrupt_entry`` and ``interrupt_exit`` per interrupt.

    Raises:
        CycleModelError: Unknown core, or trace and ELF file do not belong together.
    """
    costs = BlockCosts(core_model(core), disassemble(elf, helium=core == HELIUM_CORE), trace, profile)
    return costs.report(core)


class BlockCosts:
    """Cost of every block of a profile, in the contexts it was seen in."""

    def __init__(self, model: CoreModel, program: Program, trace: Trace, profile: Profile) -> None:
        self._model = model
        self._program = program
        self._profile = profile
        self._runs = {
            index: program.run(trace.blocks[index].address, trace.blocks[index].n_instructions)
            for index in profile.counts
        }
        self._blocks: Mapping[int, Block] = {index: trace.blocks[index] for index in profile.counts}
        self._before = _likeliest_predecessors(profile.edges)
        self._costs: dict[tuple[tuple[int, ...], int, bool, int | None], int] = {}

    def worst(self, index: int) -> int:
        """Dearest execution of a block, over what it followed and where it went; branches predicted."""
        arrivals = {source for source, target in self._profile.edges if target == index} or {-1}
        departures = {target for source, target in self._profile.edges if source == index} or {-1}
        return max(self._cost(source, index, target) for source in arrivals for target in departures)

    def misprediction(self, index: int) -> int:
        """Cost of a mispredicted branch at a block's end; 0 where it ends in none."""
        if not effects_of(self._runs[index][-1]).conditional_branch:
            return 0
        return self._model.misprediction(self._steps(index, None))

    def report(self, core: str) -> CycleReport:
        """Cycles of the whole profile by function and by block."""
        cycles: dict[int, float] = defaultdict(float)
        missed: dict[int, float] = defaultdict(float)
        for index, count in self._profile.counts.items():
            cycles[index] += self._block_cycles(index, count)
            missed[index] = self._missed(index)
            cycles[index] += missed[index]
        functions: Counter[str] = Counter()
        instructions: Counter[str] = Counter()
        for index, count in self._profile.counts.items():
            name = self._program.function_at(self._blocks[index].address)
            functions[name] += cycles[index]  # type: ignore[assignment]
            instructions[name] += count * self._blocks[index].n_instructions
        return CycleReport(
            core=core,
            executions=self._profile.executions,
            instructions=sum(instructions.values()),
            cycles=sum(cycles.values()),
            mispredictions=sum(missed.values()),
            functions=tuple(
                FunctionCycles(name, instructions[name], float(value)) for name, value in functions.most_common()
            ),
            blocks=tuple(
                BlockCycles(self._blocks[index].address, count, cycles[index])
                for index, count in sorted(self._profile.counts.items(), key=lambda pair: self._blocks[pair[0]].address)
            ),
        )

    def _block_cycles(self, index: int, count: int) -> float:
        """Cost of all executions: weighted over the blocks it followed and the directions it left in."""
        arrivals = {source: n for (source, target), n in self._profile.edges.items() if target == index}
        departures = {target: n for (source, target), n in self._profile.edges.items() if source == index}
        total_in = sum(arrivals.values())
        total_out = sum(departures.values())
        if count > total_in:
            arrivals = {**arrivals, -1: count - total_in}
        if count > total_out:
            departures = {**departures, -1: count - total_out}
        weight_in, weight_out = sum(arrivals.values()), sum(departures.values())
        mean = sum(
            n_in * n_out * self._cost(source, index, target)
            for source, n_in in arrivals.items()
            for target, n_out in departures.items()
        )
        return count * mean / (weight_in * weight_out)

    def _cost(self, source: int, index: int, target: int) -> int:
        context = self._context(source)
        goes_to = self._blocks[target].address if target >= 0 else None
        taken = self._is_taken(index, goes_to)
        key = (context, index, taken, goes_to if taken else None)
        if key not in self._costs:
            lead: list[Step] = []
            for position, block in enumerate(context):
                following = context[position + 1] if position + 1 < len(context) else index
                lead += self._steps(block, self._blocks[following].address)
            body = self._steps(index, goes_to)
            self._costs[key] = self._model.time([*lead, *body]) - self._model.time(lead)
        return self._costs[key]

    def _context(self, source: int) -> tuple[int, ...]:
        chain: list[int] = []
        length = 0
        while source >= 0 and length < _CONTEXT and len(chain) < 6:
            chain.insert(0, source)
            length += len(self._runs[source])
            source = self._before.get(source, -1)
        return tuple(chain)

    def _is_taken(self, index: int, goes_to: int | None) -> bool:
        last = self._runs[index][-1]
        kind = effects_of(last).kind
        if goes_to is None:
            return kind in _BRANCHES and not effects_of(last).conditional_branch
        return goes_to != last.next_address or (kind in _BRANCHES and last.target == goes_to)

    def _steps(self, index: int, goes_to: int | None) -> list[Step]:
        run = self._runs[index]
        taken = self._is_taken(index, goes_to)
        target: Instruction | None = self._program.instructions.get(goes_to) if taken and goes_to is not None else None
        return [*(Step(instruction) for instruction in run[:-1]), Step(run[-1], taken, target)]

    def _missed(self, index: int) -> float:
        """What the executions cost that left by the rarer side of a conditional branch."""
        last = self._runs[index][-1]
        if not effects_of(last).conditional_branch:
            return 0.0
        sides: Counter[bool] = Counter()
        for (source, target), n in self._profile.edges.items():
            if source == index:
                sides[self._is_taken(index, self._blocks[target].address)] += n
        rare = min(sides[True], sides[False])
        return float(rare * self.misprediction(index))


def _likeliest_predecessors(edges: Mapping[tuple[int, int], int]) -> dict[int, int]:
    best: dict[int, tuple[int, int]] = {}
    for (source, target), count in edges.items():
        if target not in best or count > best[target][1]:
            best[target] = (source, count)
    return {target: source for target, (source, _) in best.items()}
