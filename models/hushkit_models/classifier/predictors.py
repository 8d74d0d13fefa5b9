"""One way to ask any form of a model: the INT8 file or the float weights it came from."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hushkit_models.classifier.corpus import CorpusError
from hushkit_models.classifier.interpreter import Interpreter
from hushkit_models.classifier.judge import Predict


def predictor(model: Path) -> Predict:
    """Predict with a ``.tflite`` (INT8) or with float weights (``.pt``, wants the train extra).

    Raises:
        CorpusError: No such file, or not a model of ours.
    """
    if not model.is_file():
        raise CorpusError(f"{model}: found no file, expected a .tflite model; train one with: hushkit model train")
    return _float_predict(model) if model.suffix == ".pt" else _interpreter_predict(model)


def _interpreter_predict(model: Path) -> Predict:
    try:
        interpreter = Interpreter(model)
    except ValueError as err:
        raise CorpusError(f"{model}: not a .tflite model ({err}); train one with: hushkit model train") from err
    scale, zero = interpreter.output_quantisation

    def predict(windows: NDArray[np.int8]) -> NDArray[np.float32]:
        codes = np.stack([interpreter.run(window) for window in windows])
        return np.asarray((codes.astype(np.float32) - zero) * scale, dtype=np.float32)

    return predict


def _float_predict(model: Path) -> Predict:
    from hushkit_models.classifier import train, training_run  # noqa: PLC0415 - wants the train extra

    network = training_run.load_weights(model)
    return lambda windows: train.predict(network, windows)
