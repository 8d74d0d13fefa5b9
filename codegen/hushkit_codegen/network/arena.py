"""Pack activations and working memory into one arena; a step that works in place shares its input's buffer."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from hushkit_codegen.network.steps import Step, Value

ALIGNMENT = 4


@dataclass(slots=True)
class _Buffer:
    """One stretch of memory; steps ``first`` to ``last`` need it."""

    size: int
    first: int
    last: int
    offset: int = -1


@dataclass(frozen=True, slots=True)
class Arena:
    """Where everything lies, in bytes from the arena's start."""

    size: int
    values: Mapping[str, int]
    scratch: tuple[int, ...]


def pack(steps: Sequence[Step], first: Value, last: Value) -> Arena:
    """Place every value and every step's scratch memory.

    Args:
        steps: In order.
        first: The network's input: written by the caller before the first step.
        last: The output: lives past the last step.

    Returns:
        Offsets, multiples of four. Larger buffers are placed first, each as low as its neighbours in time allow.
    """
    last_use: dict[str, int] = {first.name: -1}
    for index, step in enumerate(steps):
        for value in (step.first, step.second, step.out):
            if isinstance(value, Value):
                last_use[value.name] = index
    last_use[last.name] = len(steps)
    owners: dict[str, _Buffer] = {first.name: _Buffer(first.bytes, -1, last_use[first.name])}
    buffers = [owners[first.name]]
    for index, step in enumerate(steps):
        out = step.out
        if out.name in owners:
            continue
        shared = owners[step.first.name]
        is_last_user = last_use[step.first.name] == index and shared.last == index
        if not step.source:  # a view: nothing may work in place while either is needed
            shared.last = max(shared.last, last_use[out.name])
            owners[out.name] = shared
        elif step.in_place and is_last_user:
            shared.size = max(shared.size, out.bytes)
            shared.last = last_use[out.name]
            owners[out.name] = shared
        else:
            owners[out.name] = _Buffer(out.bytes, index, last_use[out.name])
            buffers.append(owners[out.name])
    scratch = [_Buffer(step.scratch_bytes(), index, index) for index, step in enumerate(steps)]
    size = _place([*buffers, *(buffer for buffer in scratch if buffer.size)])
    return Arena(
        size, {name: buffer.offset for name, buffer in owners.items()}, tuple(max(b.offset, 0) for b in scratch)
    )


def _place(buffers: Sequence[_Buffer]) -> int:
    placed: list[_Buffer] = []
    for buffer in sorted(buffers, key=lambda b: (-b.size, b.first)):
        offset = 0
        for other in sorted(placed, key=lambda b: b.offset):
            if other.last < buffer.first or other.first > buffer.last:
                continue
            if offset + buffer.size <= other.offset:
                break
            offset = max(offset, -(-(other.offset + other.size) // ALIGNMENT) * ALIGNMENT)
        buffer.offset = offset
        placed.append(buffer)
    return max((-(-(b.offset + b.size) // ALIGNMENT) * ALIGNMENT for b in placed), default=0)
