"""One training run: windows, soft labels, network, quantisation, files."""

import json
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch

from hushkit_models.classifier.corpus import Clip, CorpusError
from hushkit_models.classifier.dataset import Recipe, build_windows
from hushkit_models.classifier.distil import soft_labels
from hushkit_models.classifier.network import ARCHITECTURES, Network, count_macs, count_weights
from hushkit_models.classifier.quantise import quantise
from hushkit_models.classifier.train import Schedule, train

CALIBRATION_WINDOWS = 2000


def train_and_write(
    name: str,
    clips: Sequence[Clip],
    *,
    teacher: Path | None,
    base: Path | None,
    epochs: int,
    seed: int,
    work: Path,
    output: Path,
    progress: Callable[[str, float], None],
) -> list[Path]:
    """Train one architecture and write ``<name>.tflite``, ``<name>.pt`` and ``<name>.training.json``.

    Args:
        name: Architecture.
        clips: Recordings to train on; synthesis covers every category in any case.
        teacher: YAMNet to distil from, or None.
        base: Weights to go on from, or None.
        epochs: Passes over the windows.
        seed: Of everything drawn.
        work: Where windows are kept between runs.
        output: Folder for the results.
        progress: Called with what is being done and how far it is, 0..1.

    Raises:
        CorpusError: Unknown architecture, or weights of another one.
    """
    if name not in ARCHITECTURES:
        raise CorpusError(f"unknown model {name!r}: expected one of {', '.join(ARCHITECTURES)}")
    architecture = ARCHITECTURES[name]
    start = None if base is None else _load(Network(architecture), base)
    recipe = Recipe(teacher=teacher, seed=seed)
    windows = build_windows(clips, recipe, directory=work, progress=progress)
    labels = soft_labels(windows, [clip.group for clip in clips], seed=seed) if teacher else None
    schedule = Schedule(epochs=epochs, seed=seed)
    network = train(
        architecture,
        windows,
        schedule,
        teacher=labels,
        base=start,
        progress=lambda epoch, loss: progress(f"training {name}, loss {loss:.3f}", epoch / epochs),
    )
    pick = np.random.default_rng(seed).permutation(len(windows))[:CALIBRATION_WINDOWS]
    output.mkdir(parents=True, exist_ok=True)
    files = {suffix: output / f"{name}{suffix}" for suffix in (".tflite", ".pt", ".training.json")}
    files[".tflite"].write_bytes(quantise(network, windows.features[pick], description=name))
    torch.save(network.state_dict(), files[".pt"])
    document = {
        "model": name,
        "layers": [type(layer).__name__ + str(asdict(layer)) for layer in architecture.layers],
        "weights": count_weights(architecture),
        "macs": count_macs(architecture),
        "windows": len(windows),
        "synthesised_windows": int((windows.clip < 0).sum()),
        "recordings": dict(sorted(Counter(clip.source for clip in clips).items())),
        "licences": sorted({clip.licence for clip in clips}),
        "recipe": asdict(recipe) | {"teacher": teacher.name if teacher else None},
        "schedule": asdict(schedule),
    }
    files[".training.json"].write_text(json.dumps(document, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    return list(files.values())


def _load(network: Network, path: Path) -> Network:
    try:
        network.load_state_dict(torch.load(path, weights_only=True))
    except (FileNotFoundError, RuntimeError, KeyError) as err:
        expected = f"weights of {network.architecture.name}"
        raise CorpusError(f"{path}: expected {expected}, written by hushkit model train ({err})") from err
    return network
