"""One way to ask any form of a model: the INT8 file or the float weights it came from."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hushkit_models.classifier.corpus import CorpusError
from hushkit_models.classifier.interpreter import Interpreter
from hushkit_models.classifier.judge import Predict


def open_model(model: Path) -> Interpreter:
    """A ``.tflite`` in the interpreter.

    Raises:
        CorpusError: No such file, or not a model of ours.
    """
    _expect_file(model)
    try:
        return Interpreter(model)
    except ValueError as err:
        raise CorpusError(f"{model}: not a .tflite model ({err}); train one with: hushkit model train") from err


def predictor(model: Path) -> Predict:
    """Predict with a ``.tflite`` (INT8) or with float weights (``.pt``, wants the train extra).

    Raises:
        CorpusError: No such file, or not a model of ours.
    """
    _expect_file(model)
    return _float_predict(model) if model.suffix == ".pt" else _interpreter_predict(open_model(model))


def _expect_file(model: Path) -> None:
    if not model.is_file():
        raise CorpusError(f"{model}: found no file, expected a model; train one with: hushkit model train")


def _interpreter_predict(interpreter: Interpreter) -> Predict:
    scale, zero = interpreter.output_quantisation

    def predict(windows: NDArray[np.int8]) -> NDArray[np.float32]:
        codes = np.stack([interpreter.run(window) for window in windows])
        return np.asarray((codes.astype(np.float32) - zero) * scale, dtype=np.float32)

    return predict


def _float_predict(model: Path) -> Predict:
    from hushkit_models.classifier import train, training_run  # noqa: PLC0415 - wants the train extra

    network = training_run.load_weights(model)
    return lambda windows: train.predict(network, windows)
