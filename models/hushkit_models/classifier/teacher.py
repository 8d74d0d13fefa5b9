"""A large public audio model as a teacher: its embeddings of the training windows, and a classifier on top of them."""

from functools import cache
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from hushkit_models.classifier.interpreter import Interpreter

PATCH: Final = 15_600
"""Samples at 16 kHz the model takes at once (0.975 s)."""

HOP: Final = 31_232
"""Samples from one embedding to the next: 61 frames of the front end, about twice what the model takes at once."""

N_EMBEDDING: Final = 1024


@cache
def _loaded(path: Path) -> tuple[Interpreter, int]:
    interpreter = Interpreter(path, keep=True)
    pooled = [t["index"] for t in interpreter.tensors if list(t["shape"]) in ([1, N_EMBEDDING], [1, 1, 1, N_EMBEDDING])]
    if not pooled:
        raise ValueError(f"{path}: found no tensor of {N_EMBEDDING} values, expected a YAMNet; name another teacher")
    return interpreter, pooled[-1]


def embed(path: Path, samples: NDArray[np.float64]) -> NDArray[np.float16]:
    """Embeddings along a recording.

    Args:
        path: The teacher's ``.tflite``.
        samples: At 16 kHz, at least 0.975 s, any scale; brought to -20 dBFS RMS.

    Returns:
        Shape (n, 1024), one every ``HOP`` samples.
    """
    interpreter, index = _loaded(path)
    x = (samples * (0.1 / (np.sqrt(np.mean(samples**2)) + 1e-12))).astype(np.float32)
    out = []
    for start in range(0, len(x) - PATCH + 1, HOP):
        interpreter.run(np.clip(x[start : start + PATCH], -1.0, 1.0))
        out.append(interpreter.tensor(index).reshape(-1))
    return np.asarray(np.stack(out), dtype=np.float16)
