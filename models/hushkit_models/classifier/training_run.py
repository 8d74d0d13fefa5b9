"""One training run: takes, rehearsals on sources left out, the network itself, quantisation, files."""

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from pickle import UnpicklingError
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray

from hushkit_models.classifier.batches import Batches, Variation
from hushkit_models.classifier.calibration import Calibration, calibrate
from hushkit_models.classifier.card import render_card
from hushkit_models.classifier.corpus import Clip, CorpusError
from hushkit_models.classifier.dataset import Recipe, Takes, build_takes
from hushkit_models.classifier.distil import soft_labels
from hushkit_models.classifier.judge import Judgement, figures
from hushkit_models.classifier.network import ARCHITECTURES, Network, count_macs, count_weights
from hushkit_models.classifier.quantise import quantise
from hushkit_models.classifier.rehearsal import rehearse
from hushkit_models.classifier.taxonomy import CATEGORIES, EMERGENCIES
from hushkit_models.classifier.train import Schedule, train

CALIBRATION_WINDOWS: Final = 2000


@dataclass(frozen=True, slots=True)
class Plan:
    """What to train and how long.

    Attributes:
        name: Architecture.
        epochs: Of the network that is written.
        folds: Groups of sources left out in turn first, which is where calibration and the card's figures come from;
            fewer than 2 is none.
        rehearsal_epochs: Of each of those.
        seed: Of everything drawn.
        teacher: YAMNet to distil from, or None.
        base: Weights to go on from, or None.
    """

    name: str
    epochs: int
    folds: int = 3
    rehearsal_epochs: int = 30
    seed: int = 1
    teacher: Path | None = None
    base: Path | None = None


Progress = Callable[[str, float], None]


def train_and_write(plan: Plan, clips: Sequence[Clip], *, work: Path, output: Path, progress: Progress) -> list[Path]:
    """Train one architecture and write ``<name>.tflite``, ``.pt`` (float weights), ``.json`` and ``.md`` (card).

    Args:
        plan: What and how long.
        clips: Recordings to train on; synthesis covers every category in any case.
        work: Where takes are kept between runs.
        output: Folder for the results.
        progress: Called with what is being done and how far it is, 0..1.

    Raises:
        CorpusError: Unknown architecture, weights of another one, or a folder that cannot be written.
    """
    network_of_base = None if plan.base is None else load_weights(plan.base)
    if plan.name not in ARCHITECTURES:
        raise CorpusError(f"unknown model {plan.name!r}: expected one of {', '.join(ARCHITECTURES)}")
    if network_of_base and network_of_base.architecture.name != plan.name:
        raise CorpusError(f"{plan.base}: found weights of {network_of_base.architecture.name}, expected {plan.name}")
    recipe = Recipe(teacher=plan.teacher, seed=plan.seed)
    takes = build_takes(clips, recipe, directory=work, progress=progress)
    schedule = Schedule(epochs=plan.epochs, seed=plan.seed)
    held_out, calibration = _rehearse(plan, takes, clips, progress)
    soft = soft_labels(takes, [clip.group for clip in clips], seed=plan.seed) if plan.teacher else None
    network = train(
        ARCHITECTURES[plan.name],
        takes,
        schedule,
        soft=soft,
        base=network_of_base,
        progress=lambda epoch, loss: progress(f"training {plan.name}, loss {loss:.3f}", epoch / plan.epochs),
    )
    model = quantise(network, calibration_windows(takes, plan.seed), description=plan.name)
    document = _document(
        plan,
        clips=clips,
        takes=takes,
        recipe=recipe,
        schedule=schedule,
        calibration=calibration,
        held_out=held_out,
        model=model,
    )
    try:
        output.mkdir(parents=True, exist_ok=True)
        files = {suffix: output / f"{plan.name}{suffix}" for suffix in (".tflite", ".pt", ".json", ".md")}
        files[".tflite"].write_bytes(model)
        torch.save({"model": plan.name, "weights": network.state_dict()}, files[".pt"])
        files[".json"].write_text(json.dumps(document, indent=2, sort_keys=True) + "\n", encoding="utf-8")
        files[".md"].write_text(render_card(document), encoding="utf-8")
    except OSError as err:
        raise CorpusError(f"{output}: cannot be written: {err.strerror}; choose another folder with -o") from err
    return list(files.values())


def calibration_windows(takes: Takes, seed: int) -> NDArray[np.int8]:
    """Windows to read activation ranges off, as training draws them but unmixed; shape (2000, 96, 40)."""
    plain = Variation(mixup=0.0, background=0.0, mask_frames=0, mask_bands=0)
    batches = Batches(takes, smoothing=0.0, soft=None, distillation=0.0, variation=plain, seed=seed)
    drawn = batches.draw(CALIBRATION_WINDOWS).features
    return np.asarray(drawn.numpy().astype(np.int8))


def load_weights(path: Path) -> Network:
    """The float network that a training run wrote, in evaluation mode.

    Raises:
        CorpusError: No such file, or not the weights of one of our networks.
    """
    try:
        stored = torch.load(path, weights_only=True)
        network = Network(ARCHITECTURES[stored["model"]])
        network.load_state_dict(stored["weights"])
    except (OSError, RuntimeError, KeyError, TypeError, ValueError, UnpicklingError) as err:
        reason = str(err).partition("\n")[0]
        raise CorpusError(f"{path}: expected weights (.pt) written by hushkit model train: {reason}") from err
    return network.eval()


def _rehearse(
    plan: Plan, takes: Takes, clips: Sequence[Clip], progress: Progress
) -> tuple[Judgement | None, Calibration]:
    if plan.folds < 2 or len({clip.source for clip in clips}) < plan.folds:
        return None, Calibration()
    schedule = Schedule(epochs=plan.rehearsal_epochs, seed=plan.seed)
    logits = rehearse(ARCHITECTURES[plan.name], takes, clips, schedule, folds=plan.folds, progress=progress)
    calibration = calibrate(clips, logits)
    return figures(clips, logits, temperature=calibration.temperature), calibration


def _document(
    plan: Plan,
    *,
    clips: Sequence[Clip],
    takes: Takes,
    recipe: Recipe,
    schedule: Schedule,
    calibration: Calibration,
    held_out: Judgement | None,
    model: bytes,
) -> dict[str, Any]:
    """The card in its machine form."""
    architecture = ARCHITECTURES[plan.name]
    sources = Counter((clip.source, clip.licence) for clip in clips)
    return {
        "model": plan.name,
        "bytes": len(model),
        "sha256": hashlib.sha256(model).hexdigest(),
        "outputs": {"categories": list(CATEGORIES), "emergencies": ["any", *EMERGENCIES]},
        "layers": [type(layer).__name__ + str(asdict(layer)) for layer in architecture.layers],
        "weights": count_weights(architecture),
        "macs": count_macs(architecture),
        **asdict(calibration),
        "takes": {"synthesised": int((takes.clip < 0).sum()), "recorded": int((takes.clip >= 0).sum())},
        "sources": [
            {"source": source, "licence": licence, "clips": count}
            for (source, licence), count in sorted(sources.items())
        ],
        "recipe": asdict(recipe) | {"teacher": recipe.teacher.name if recipe.teacher else None},
        "schedule": asdict(schedule),
        "left_out": None
        if held_out is None
        else asdict(held_out)
        | {
            "confusion": held_out.confusion.tolist(),
            "folds": plan.folds,
            "epochs": plan.rehearsal_epochs,
        },
    }
