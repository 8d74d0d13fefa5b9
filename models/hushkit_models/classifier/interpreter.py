"""One adapter for the two TFLite interpreters: tflite-runtime up to Python 3.11, ai-edge-litert after it.

Both run their built-in kernels without a delegate: ai-edge-litert's default one rounds once where the kernels round
twice. The optimised kernels round exact ties up, TensorFlow Lite for Microcontrollers away from zero; behind a ReLU
there is no difference.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

try:
    from tflite_runtime import interpreter as runtime
except ModuleNotFoundError:
    from ai_edge_litert import interpreter as runtime


class Interpreter:
    """A model with one input.

    Args:
        model: File, or its bytes.
        keep: Keep intermediate tensors, so that :meth:`tensor` can read them.

    Raises:
        ValueError: Not a model that the interpreter takes.
    """

    def __init__(self, model: Path | bytes, *, keep: bool = False):
        content = model.read_bytes() if isinstance(model, Path) else model
        self._interpreter = runtime.Interpreter(
            model_content=content,
            experimental_op_resolver_type=runtime.OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
            experimental_preserve_all_tensors=keep,
        )
        self._interpreter.allocate_tensors()
        self._input = self._interpreter.get_input_details()[0]
        self._output = self._interpreter.get_output_details()[0]

    @property
    def tensors(self) -> list[dict[str, Any]]:
        """Details of every tensor, as the interpreter gives them."""
        return list(self._interpreter.get_tensor_details())

    @property
    def output_quantisation(self) -> tuple[float, int]:
        """Scale and zero point of the output."""
        scale, zero = self._output["quantization"]
        return float(scale), int(zero)

    def run(self, x: NDArray[Any]) -> NDArray[Any]:
        """One inference; x is reshaped to the input's shape. Returns a copy of the output without its batch axis."""
        self._interpreter.set_tensor(self._input["index"], x.reshape(self._input["shape"]))
        self._interpreter.invoke()
        return np.array(self._interpreter.get_tensor(self._output["index"])[0])

    def run_all(self, inputs: Sequence[NDArray[Any]]) -> list[NDArray[Any]]:
        """One inference of a model with any number of inputs and outputs; each in its own shape."""
        for details, x in zip(self._interpreter.get_input_details(), inputs, strict=True):
            self._interpreter.set_tensor(details["index"], x)
        self._interpreter.invoke()
        outputs = self._interpreter.get_output_details()
        return [np.array(self._interpreter.get_tensor(details["index"])) for details in outputs]

    def tensor(self, index: int) -> NDArray[Any]:
        """A copy of an intermediate tensor after :meth:`run`."""
        return np.array(self._interpreter.get_tensor(index))
