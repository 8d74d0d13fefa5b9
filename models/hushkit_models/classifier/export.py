"""The float network in the forms other tools read."""

import warnings
from pathlib import Path
from typing import Final

import torch

from hushkit_models.classifier import frontend
from hushkit_models.classifier.corpus import CorpusError
from hushkit_models.classifier.network import Network

FORMATS: Final = (".onnx", ".torchscript")


def export(network: Network, path: Path) -> None:
    """Write a network as ONNX (opset 17, any batch) or TorchScript, told by the suffix.

    Input ``features``, float32 (batch, 96, 40) as the front end gives them; output ``logits``, (batch, 63).

    Raises:
        CorpusError: Another suffix, or a file that cannot be written.
    """
    if path.suffix not in FORMATS:
        raise CorpusError(f"{path}: found suffix {path.suffix!r}, expected one of {', '.join(FORMATS)}")
    example = torch.zeros(1, frontend.N_FRAMES, frontend.N_MELS)
    network = network.eval().to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the window's sizes are constants of the graph, as they should be
            _write(network, example, path)
    except (OSError, RuntimeError) as err:
        raise CorpusError(f"{path}: cannot be written: {err}; choose a writable file") from err


def _write(network: Network, example: torch.Tensor, path: Path) -> None:
    if path.suffix == ".torchscript":
        torch.jit.trace(network, example).save(str(path))
        return
    torch.onnx.export(
        network,
        (example,),
        str(path),
        input_names=["features"],
        output_names=["logits"],
        dynamic_axes={"features": {0: "batch"}, "logits": {0: "batch"}},
        opset_version=17,
        dynamo=False,  # the other exporter wants a package more and writes the same graph
    )
