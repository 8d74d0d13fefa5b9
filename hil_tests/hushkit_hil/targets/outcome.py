"""What a target hands back after a run."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hushkit_hil.instruments.trace import Trace

Progress = Callable[[int, int], None]
"""Called now and then with the samples heard so far, and how many there will be."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """One complete run.

    Attributes:
        output: What the headset played, Q1.31, shape (ears, samples); sample n was computed from input sample n.
        error: What the error microphones heard, Q1.31, 24 significant bits, shape (ears, samples).
        instructions: Per exchange, interrupt and background; empty where the target counts none.
        isr_instructions: Per exchange, inside the audio interrupt; empty where the target counts none.
        trace: Blocks and edges of the traced window, or None.
        stack_bytes: Deepest use of the stack, or None where the target has no stack of its own.
        seconds: Wall time from the first exchange to the end marker.
    """

    output: NDArray[np.int32]
    error: NDArray[np.int32]
    instructions: NDArray[np.uint32]
    isr_instructions: NDArray[np.uint32]
    trace: Trace | None
    stack_bytes: int | None
    seconds: float
