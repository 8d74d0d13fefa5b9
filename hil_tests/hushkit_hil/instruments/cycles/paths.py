"""Longest path through the observed control flow: what one call can cost at most, given how often its loops may run.

Only blocks and edges that a trace has seen are walked; what never ran is not bounded. Loops run as often as the caller
says, or as often per entry as was observed (rounded up). A called function costs its own longest path. Evidence:
modelled.
"""

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from hushkit_hil.instruments.cycles.account import HELIUM_CORE, BlockCosts, core_model
from hushkit_hil.instruments.cycles.disassembly import CycleModelError, Program, disassemble
from hushkit_hil.instruments.cycles.operands import Kind, effects_of
from hushkit_hil.instruments.trace import Profile, Trace

_CALLS = ("bl", "blx")


@dataclass(frozen=True, slots=True)
class WorstPath:
    """Longest path from a function's entry to its return.

    ``loops`` holds, per loop header's address, the iterations that were charged; ``stack_bytes`` the deepest stack on
    any observed chain of calls, and ``stack_path`` that chain.
    """

    function: str
    cycles: int
    loops: Mapping[int, int]
    stack_bytes: int
    stack_path: tuple[str, ...]


def worst_path(
    core: str,
    elf: Path,
    trace: Trace,
    profile: Profile,
    function: str,
    *,
    loop_bounds: Mapping[int, int] | None = None,
) -> WorstPath:
    """Bound one function by the flow a profile has seen.

    Args:
        core: Core type, as for ``model_cycles``.
        elf: The file that ran.
        trace: Its trace.
        profile: The region or context whose flow is walked.
        function: Where the path starts.
        loop_bounds: Iterations per entry by address of a loop's first block; others as observed.

    Raises:
        CycleModelError: The function did not run in this profile, or functions call each other in a circle.
    """
    program = disassemble(elf, helium=core == HELIUM_CORE)
    flow = _Flow(program, trace, profile)
    if function not in flow.entries:
        seen = ", ".join(sorted(flow.entries)[:8])
        raise CycleModelError(f"{function} did not run in profile {profile.name!r}; it saw {seen}")
    costs = BlockCosts(core_model(core), program, trace, profile)
    walker = _Walker(flow, costs, dict(loop_bounds or {}))
    cycles = walker.function_cycles(function, ())
    depth, path = _stack(flow, function, ())
    return WorstPath(function, cycles, dict(sorted(walker.loops.items())), depth, path)


def worst_paths(core: str, elf: Path, trace: Trace, profile: Profile) -> dict[str, WorstPath]:
    """Bound every function that ran from its entry in a profile, each with what it calls; loops as observed.

    Raises:
        CycleModelError: Functions call each other in a circle.
    """
    program = disassemble(elf, helium=core == HELIUM_CORE)
    flow = _Flow(program, trace, profile)
    walker = _Walker(flow, BlockCosts(core_model(core), program, trace, profile), {})
    found = {}
    for function in sorted(flow.entries):
        cycles = walker.function_cycles(function, ())
        depth, path = _stack(flow, function, ())
        found[function] = WorstPath(function, cycles, {}, depth, path)
    return found


class _Flow:
    """Blocks and edges of a profile by function, calls told apart from jumps."""

    def __init__(self, program: Program, trace: Trace, profile: Profile) -> None:
        self.program = program
        self.address = {index: trace.blocks[index].address for index in profile.counts}
        self.runs = {
            index: program.run(trace.blocks[index].address, trace.blocks[index].n_instructions)
            for index in profile.counts
        }
        self.function = {index: program.function_at(address) for index, address in self.address.items()}
        self.counts = profile.counts
        self.inside: dict[int, dict[int, int]] = defaultdict(dict)
        self.calls: dict[int, set[str]] = defaultdict(set)
        self.entries: dict[str, int] = {}
        self._starts = dict(program.functions)
        by_address = defaultdict(list)
        for index, address in self.address.items():
            by_address[address].append(index)
            if address in self._starts:
                self.entries[self._starts[address]] = index
        for (source, target), count in profile.edges.items():
            self._sort_edge(source, target, count)
        for source, callees in self.calls.items():
            last = self.runs[source][-1]
            if callees and last.mnemonic.split(".")[0] in _CALLS:
                for back in by_address[last.next_address]:
                    self.inside[source][back] = self.counts[source]

    def _sort_edge(self, source: int, target: int, count: int) -> None:
        last = self.runs[source][-1]
        stem = last.mnemonic.split(".")[0]
        into_start = self.address[target] in self._starts
        if stem in _CALLS or (into_start and self.function[source] != self.function[target]):
            if not self._returns(source):
                self.calls[source].add(self.program.function_at(self.address[target]))
        elif self.function[source] == self.function[target] and not self._returns(source):
            self.inside[source][target] = count

    def _returns(self, source: int) -> bool:
        last = self.runs[source][-1]
        effects = effects_of(last)
        if effects.kind is Kind.BRANCH_REGISTER:
            return last.mnemonic.startswith("bx")
        return "pc" in effects.writes


@dataclass(slots=True)
class _Walker:
    flow: _Flow
    costs: BlockCosts
    bounds: dict[int, int]
    loops: dict[int, int] = field(default_factory=dict)
    known: dict[str, int] = field(default_factory=dict)
    counted: set[int] = field(default_factory=set)

    def function_cycles(self, name: str, callers: tuple[str, ...]) -> int:
        """Longest path of one function, callees included."""
        if name in callers:
            raise CycleModelError(f"{' -> '.join((*callers, name))}: a circle of calls has no longest path")
        if name not in self.known:
            nodes = {index for index, function in self.flow.function.items() if function == name}
            cost = {
                index: self.costs.worst(index)
                + max((self.function_cycles(c, (*callers, name)) for c in self.flow.calls.get(index, ())), default=0)
                for index in nodes
            }
            self.known[name] = self._longest(nodes, cost, self.flow.entries[name], frozenset())
        return self.known[name]

    def _longest(self, nodes: set[int], cost: Mapping[int, int], entry: int, cut: frozenset[int]) -> int:
        """Longest path from ``entry``; edges into ``cut`` are back edges already charged for."""
        edges = {n: [t for t in self.flow.inside.get(n, {}) if t in nodes and t not in cut] for n in nodes}
        parts = _components(nodes, edges)
        part_of = {node: k for k, part in enumerate(parts) for node in part}
        weight: dict[int, int] = {}
        for k, part in enumerate(parts):
            looped = len(part) > 1 or any(n in edges[n] for n in part)
            weight[k] = self._loop(part, cost, edges) if looped else self._once(next(iter(part)), cost)
        best: dict[int, int] = {}
        for k in range(len(parts)):  # Tarjan's order: successors come first
            after = [best[part_of[t]] for n in parts[k] for t in edges[n] if part_of[t] != k]
            best[k] = weight[k] + max(after, default=0)
        return best[part_of[entry]]

    def _once(self, node: int, cost: Mapping[int, int]) -> int:
        """A block's cost; a branch that was seen to go both ways is taken as mispredicted."""
        both_ways = len(self.flow.inside.get(node, {})) > 1
        return cost[node] + (self.costs.misprediction(node) if both_ways and node not in self.counted else 0)

    def _loop(self, part: set[int], cost: Mapping[int, int], edges: Mapping[int, list[int]]) -> int:
        """Iterations times the longest way round."""
        heads = {t for n, targets in edges.items() if n not in part for t in targets if t in part}
        heads = heads or {min(part, key=lambda n: self.flow.address[n])}
        counts = self.flow.counts
        entered = sum(self.flow.inside[n].get(h, 0) for h in heads for n in self.flow.inside if n not in part) or sum(
            counts[h] for h in heads
        )
        address = min(self.flow.address[h] for h in heads)
        observed = math.ceil(sum(counts[h] for h in heads) / max(entered, 1))
        iterations = self.bounds.get(address, observed)
        self.loops[address] = max(self.loops.get(address, 0), iterations)
        leaving = {n for n in part if any(t not in part for t in self.flow.inside.get(n, {}))}
        self.counted |= leaving  # well predicted while it turns; once per entry it is not
        round_trip = max(self._longest(part, cost, head, frozenset(heads)) for head in heads)
        return iterations * round_trip + max((self.costs.misprediction(n) for n in leaving), default=0)


def _components(nodes: Iterable[int], edges: Mapping[int, list[int]]) -> list[set[int]]:
    """Strongly connected components, successors before predecessors (Tarjan, without recursion)."""
    order: dict[int, int] = {}
    low: dict[int, int] = {}
    stack: list[int] = []
    held: set[int] = set()
    found: list[set[int]] = []
    for root in sorted(nodes):
        work = [(root, 0)] if root not in order else []
        while work:
            node, at = work.pop()
            if at == 0:
                order[node] = low[node] = len(order)
                stack.append(node)
                held.add(node)
            elif edges[node][at - 1] in held:
                low[node] = min(low[node], low[edges[node][at - 1]])
            if at < len(edges[node]):
                work.append((node, at + 1))
                if edges[node][at] not in order:
                    work.append((edges[node][at], 0))
            elif low[node] == order[node]:
                part: set[int] = set()
                while node not in part:
                    part.add(stack.pop())
                held -= part
                found.append(part)
    return found


def _stack(flow: _Flow, name: str, callers: tuple[str, ...]) -> tuple[int, tuple[str, ...]]:
    if name in callers:
        raise CycleModelError(f"{' -> '.join((*callers, name))}: a circle of calls has no deepest stack")
    deepest: tuple[int, tuple[str, ...]] = (0, ())
    for index, callees in flow.calls.items():
        if flow.function[index] == name:
            for callee in callees:
                deepest = max(deepest, _stack(flow, callee, (*callers, name)))
    return frame_bytes(flow.program, name) + deepest[0], (name, *deepest[1])


def frame_bytes(program: Program, name: str) -> int:
    """Stack a function takes in its prologue: registers saved and locals, in bytes."""
    start = next(address for address, function in program.functions if function == name)
    taken = 0
    address = start
    while (instruction := program.instructions.get(address)) is not None and program.function_at(address) == name:
        effects = effects_of(instruction)
        stem = instruction.mnemonic.split(".")[0]
        if effects.kind is Kind.STORE_MANY and effects.base_update == "sp":
            taken += 4 * effects.count
        elif stem in {"sub", "subw"} and instruction.operands.startswith("sp") and "#" in instruction.operands:
            taken += int(instruction.operands.rsplit("#", 1)[1])
        elif effects.kind in {Kind.BRANCH, Kind.BRANCH_REGISTER, Kind.TABLE_BRANCH}:
            break
        address = instruction.next_address
    return taken
