"""Rows of the network bench: one model on one core."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from hushkit_codegen.network.blob import Compiled, compile_model
from hushkit_codegen.network.ends import input_tensors, output_codes
from hushkit_codegen.network.errors import NetworkError
from hushkit_codegen.network.graph import Model
from hushkit_codegen.network.model import parse_model
from hushkit_models.classifier.interpreter import Interpreter
from numpy.typing import NDArray

from hushkit_hil.errors import BenchError
from hushkit_hil.instruments.cycles import EVIDENCE, model_cycles
from hushkit_hil.networkbench.program import code_bytes, network_inputs, output_hash, run_network

_NET_BYTES = 48  # sizeof(hk_net_t) on a 32-bit core


@dataclass(frozen=True, slots=True)
class OperatorCost:
    """One operator: what it is in the model, instructions (emulated) and cycles (modelled)."""

    op: str
    instructions: int
    cycles: float


@dataclass(frozen=True, slots=True)
class NetworkRow:
    """One model on one core; mismatches count inputs whose output differs from tflite-runtime's, core and host."""

    model: str
    compiled: Compiled
    operators: tuple[OperatorCost, ...]
    code: int
    inputs: int
    core_mismatches: int
    host_mismatches: int

    @property
    def instructions(self) -> int:
        """Of one inference."""
        return sum(operator.instructions for operator in self.operators)

    @property
    def cycles(self) -> float:
        """Of one inference."""
        return sum(operator.cycles for operator in self.operators)

    def document(self) -> dict[str, Any]:
        """Machine form, one entry of ``hushkit network bench --json``."""
        return {
            "model": self.model,
            "core": self.compiled.core,
            "macs": self.compiled.macs,
            "instructions": self.instructions,
            "cycles": round(self.cycles),
            "evidence": EVIDENCE,
            "cycles_per_mac": round(self.cycles / max(self.compiled.macs, 1), 3),
            "flash_code_bytes": self.code,
            "flash_model_bytes": len(self.compiled.blob),
            "ram_bytes": self.compiled.arena_bytes + _NET_BYTES,
            "arena_bytes": self.compiled.arena_bytes,
            "bit_exact": {
                "against": "tflite-runtime without delegates",
                "inputs": self.inputs,
                "mismatches": self.core_mismatches + self.host_mismatches,
            },
            "operators": [
                {"op": o.op, "instructions": o.instructions, "cycles": round(o.cycles)} for o in self.operators
            ],
        }


def bench_network(
    content: bytes, name: str, cores: Sequence[str], *, inputs: int, progress: Callable[[str], None]
) -> tuple[NetworkRow, ...]:
    """Compile a model for each core and compare, count and model it.

    Args:
        content: The ``.tflite`` file.
        name: For reports.
        cores: Out of the cycle models' cores.
        inputs: How many are compared, on the host and on each core.
        progress: Told what starts.

    Raises:
        NetworkError: The model does not compile, or tflite-runtime refuses it.
        BenchError: Build or run failed.
    """
    model = parse_model(content, name)
    progress(f"{name}: {inputs} inferences with tflite-runtime")
    size = sum(model.tensors[index].size for index in model.inputs)
    expected = [output_hash(codes) for codes in golden_outputs(content, model, network_inputs(inputs, size))]
    rows = []
    for core in cores:
        compiled = compile_model(model, core)
        progress(f"{core}: comparing {inputs} outputs on the host and on its emulated machine")
        host = run_network(compiled, "host", inputs=inputs, timed=False)
        compared = run_network(compiled, core, inputs=inputs, timed=False)
        progress(f"{core}: counting")
        operators = _costs(compiled, core)
        mismatches = [sum(a != b for a, b in zip(run.hashes, expected, strict=True)) for run in (compared, host)]
        rows.append(NetworkRow(name, compiled, operators, code_bytes(compiled, core), inputs, *mismatches))
    return tuple(rows)


def golden_outputs(content: bytes, model: Model, inputs: NDArray[np.int8]) -> Iterator[NDArray[np.int8]]:
    """What tflite-runtime gives for each row of codes, as the runtime's codes.

    Raises:
        NetworkError: It refuses the model.
    """
    try:
        interpreter = Interpreter(content)
    except (ValueError, RuntimeError) as err:
        raise NetworkError(f"{model.name}: tflite-runtime refuses it ({err}); export the model again") from err
    for codes in inputs:
        yield output_codes(model, interpreter.run_all(input_tensors(model, codes)))


def _costs(compiled: Compiled, core: str) -> tuple[OperatorCost, ...]:
    run = run_network(compiled, core, inputs=0, timed=True)
    assert run.trace is not None
    prefixes = run.trace.regions()
    if len(prefixes) != len(compiled.operators) + 1:
        raise BenchError(f"found {len(prefixes)} timed regions, expected {len(compiled.operators) + 1}; run it again")
    totals = [(profile.instructions, model_cycles(core, run.elf, run.trace, profile).cycles) for profile in prefixes]
    return tuple(
        OperatorCost(op, after[0] - before[0], after[1] - before[1])
        for op, before, after in zip(compiled.operators, totals[:-1], totals[1:], strict=True)
    )


def table(rows: Sequence[NetworkRow]) -> str:
    """The rows as text for a terminal."""
    lines = [
        f"{'model':<24} {'core':<11} {'MACs':>9} {'instr.':>9} {'cycles':>9} {'per MAC':>7} {'code':>6} {'model':>7} "
        f"{'arena':>6} {'inputs':>6} {'differ':>6}"
    ]
    for row in rows:
        d = row.document()
        lines.append(
            f"{d['model']:<24} {d['core']:<11} {d['macs']:>9} {d['instructions']:>9} {d['cycles']:>9} "
            f"{d['cycles_per_mac']:>7.2f} {d['flash_code_bytes']:>6} {d['flash_model_bytes']:>7} {d['arena_bytes']:>6} "
            f"{row.inputs:>6} {d['bit_exact']['mismatches']:>6}"
        )
        for operator in row.operators:
            lines.append(f"    {operator.op:<32} {operator.instructions:>22} {operator.cycles:>9.0f}")
    lines.append(f"Instructions emulated, cycles {EVIDENCE} at zero wait states; bytes without alignment of sections.")
    return "\n".join(lines)
