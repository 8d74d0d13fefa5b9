"""Hold the compiler against tflite-runtime on random graphs: the integer reference, and the runtime on a core or here.

``python -m hushkit_hil.networkbench.soak 20000`` compares that many on this machine, as compiled for every core's
kernels, and a hundredth of them on each emulated core.
"""

import sys
from collections.abc import Sequence
from typing import Final

import numpy as np
from hushkit_codegen.network.blob import CORES, compile_model
from hushkit_codegen.network.model import parse_model
from hushkit_codegen.network.random_graphs import random_graph
from hushkit_codegen.network.reference import run_reference

from hushkit_hil.networkbench.program import network_inputs, output_hash, run_networks
from hushkit_hil.networkbench.rows import golden_outputs

_INPUTS: Final = 17  # one of extremes among them
_BATCH: Final = 250  # graphs per program
_LAYOUTS: Final = ("cortex-m4", "cortex-m55")  # planes, and pixel by pixel
_SHARE: Final = 100


def differing_references(seeds: Sequence[int]) -> list[int]:
    """Seeds of graphs on which the integer reference differs from tflite-runtime."""
    found = []
    for seed in seeds:
        content = random_graph(seed)
        model = parse_model(content, f"graph {seed}")
        x = network_inputs(_INPUTS, sum(model.tensors[t].size for t in model.inputs))
        expected = np.stack(list(golden_outputs(content, model, x)))
        if not np.array_equal(run_reference(model, x)[model.outputs[0]].reshape(_INPUTS, -1), expected):
            found.append(seed)
    return found


def differing_runs(seeds: Sequence[int], core: str, where: str) -> list[int]:
    """Seeds of graphs whose blob for ``core``, run on ``where``, differs from the integer reference."""
    networks, expected = [], []
    for seed in seeds:
        model = parse_model(random_graph(seed), f"graph {seed}")
        x = network_inputs(_INPUTS, sum(model.tensors[t].size for t in model.inputs))
        y = run_reference(model, x)[model.outputs[0]].astype(np.int8).reshape(_INPUTS, -1)
        networks.append(compile_model(model, core))
        expected.append(tuple(output_hash(row) for row in y))
    runs = run_networks(networks, where, inputs=_INPUTS)
    return [seed for seed, run, right in zip(seeds, runs, expected, strict=True) if run != right]


def _soak(n: int) -> list[str]:
    found = []
    for first in range(0, n, _BATCH):
        seeds = range(first, min(first + _BATCH, n))
        found += [f"reference, seed {seed}" for seed in differing_references(seeds)]
        for core in _LAYOUTS:
            found += [f"{core}'s blob here, seed {seed}" for seed in differing_runs(seeds, core, "host")]
    for core in CORES:
        seeds = range(max(n // _SHARE, 1))
        found += [f"{core}, seed {seed}" for seed in differing_runs(seeds, core, core)]
    return found


if __name__ == "__main__":
    differing = _soak(int(sys.argv[1]))
    print("\n".join(differing) or f"{sys.argv[1]} graphs, nothing differs")
    sys.exit(1 if differing else 0)
