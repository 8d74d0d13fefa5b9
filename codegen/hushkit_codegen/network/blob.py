"""The blob: header, operators and prepared constants in one little-endian file; layout in firmware's hk_net_blob.h."""

import struct
import zlib
from dataclasses import dataclass
from typing import Final

import numpy as np

from hushkit_codegen.network.arena import Arena, pack
from hushkit_codegen.network.ends import end_scale
from hushkit_codegen.network.errors import NetworkError
from hushkit_codegen.network.graph import Model
from hushkit_codegen.network.lower import lower
from hushkit_codegen.network.reference import Rounding
from hushkit_codegen.network.steps import Flag, Kind, Step, Value

MAGIC: Final = b"HKNN"
VERSION: Final = 2
CORES: Final = {"cortex-m4": 4, "cortex-m7": 7, "cortex-m33": 33, "cortex-m55": 55}
VECTOR_CORES: Final = ("cortex-m55",)
_HEADER: Final = "<4sHHIIHHIIIIIfhhf4s"
_OPERATOR: Final = "<BBbbIIIIIIHHHHHHBBBBBBBBhhhHII"
_HEADER_BYTES: Final = 64


@dataclass(frozen=True, slots=True)
class Compiled:
    """A compiled model.

    Attributes:
        blob: What the runtime loads.
        arena_bytes: RAM that it works in.
        operators: Operator of the model per step of the blob, e.g. ``"CONV_2D"``, in order.
        macs: Multiply-accumulates of the model as it was given.
    """

    blob: bytes
    core: str
    arena_bytes: int
    input_bytes: int
    output_bytes: int
    operators: tuple[str, ...]
    macs: int


def compile_model(model: Model, core: str, rounding: Rounding = "tflite") -> Compiled:
    """Compile a model for one core.

    Raises:
        NetworkError: Not a core, or a model that cannot be compiled.
    """
    if core not in CORES:
        raise NetworkError(f"found core {core!r}, expected one of {', '.join(CORES)}")
    try:
        steps, first, last = lower(model, rounding, pixels=core in VECTOR_CORES)
    except (IndexError, ValueError, KeyError, ZeroDivisionError, OverflowError) as err:
        raise NetworkError(
            f"{model.name}: shapes, scales and tensors of its operators do not fit together ({err}); export it again"
        ) from err
    arena = pack(steps, first, last)
    real = [(step, scratch) for step, scratch in zip(steps, arena.scratch, strict=True) if step.source]
    operators, data = _operators(model, real, arena)
    scales = [end_scale(model, index) for index in (model.inputs[0], model.outputs[0])]
    total = _HEADER_BYTES + len(operators) + len(data)
    body = struct.pack(
        _HEADER, MAGIC, VERSION, CORES[core], total, 0, len(real), 0, arena.size, arena.values[first.name], first.bytes,
        arena.values[last.name], last.bytes, scales[0][0], scales[0][1], scales[1][1], scales[1][0],
        model.digest[3::-1],
    )  # fmt: skip
    blob = body.ljust(_HEADER_BYTES, b"\0") + operators + data
    blob = blob[:12] + struct.pack("<I", zlib.crc32(blob[16:])) + blob[16:]
    return Compiled(
        blob, core, arena.size, first.bytes, last.bytes, tuple(step.source for step, _ in real),
        sum(step.macs for step in steps),
    )  # fmt: skip


def _operators(model: Model, steps: list[tuple[Step, int]], arena: Arena) -> tuple[bytes, bytes]:
    start = _HEADER_BYTES + struct.calcsize(_OPERATOR) * len(steps)
    records, data = [], bytearray()

    def put(content: bytes) -> int:
        offset = start + len(data)
        data.extend(content.ljust(-(-len(content) // 4) * 4, b"\0"))
        return offset

    for step, scratch in steps:
        where = put(step.data)
        second, flags = 0, step.flags
        if isinstance(step.second, Value):
            second = arena.values[step.second.name]
        elif step.second is not None:
            flags |= Flag.CONSTANT
            second = put(np.ascontiguousarray(step.second).tobytes())
        out = step.out
        first = out if step.kind is Kind.SLICE else step.first  # a slice is as large as its output
        fields = (
            int(step.kind), int(flags), *step.limits, arena.values[step.first.name] + step.first_offset, second,
            arena.values[out.name] + step.offset, scratch, where, len(step.data),
            first.channels, first.height, first.width, out.channels, out.height, out.width,
            *step.kernel, *step.stride, *step.dilation, *step.before, *step.zero_points, step.segment, *step.extra,
        )  # fmt: skip
        try:
            records.append(struct.pack(_OPERATOR, *fields))
        except struct.error as err:
            raise NetworkError(
                f"{model.name}: {step.source} with {first.channels}x{first.height}x{first.width} inputs and kernel "
                f"{step.kernel} is too large for the runtime ({err}); use sizes up to 65535 and kernels up to 255"
            ) from err
    return b"".join(records), bytes(data)
