"""What a model will be worth on recordings from elsewhere: train without some sources, listen to those, in turn."""

from collections import Counter
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from hushkit_models.classifier.corpus import Clip
from hushkit_models.classifier.dataset import Takes, judge_windows
from hushkit_models.classifier.distil import soft_labels
from hushkit_models.classifier.network import Architecture
from hushkit_models.classifier.train import Schedule, predict, train


def source_folds(clips: Sequence[Clip], folds: int) -> NDArray[np.int64]:
    """Fold of each clip, shape (n,): sources stay whole, and folds are as even as that allows."""
    size = np.zeros(folds, np.int64)
    fold_of: dict[str, int] = {}
    for source, count in sorted(Counter(clip.source for clip in clips).items(), key=lambda item: (-item[1], item[0])):
        fold_of[source] = int(size.argmin())
        size[fold_of[source]] += count
    return np.array([fold_of[clip.source] for clip in clips], np.int64)


def rehearse(
    architecture: Architecture,
    takes: Takes,
    clips: Sequence[Clip],
    schedule: Schedule,
    *,
    folds: int,
    progress: Callable[[str, float], None],
) -> list[NDArray[np.float32]]:
    """Judge every recording by a network that has heard nothing of its source.

    Args:
        architecture: What to train, once per fold.
        takes: Of these clips and of synthesis, with a teacher's embeddings or without.
        clips: From at least as many sources as there are folds.
        schedule: Of each training.
        folds: Into how many groups the sources are parted.
        progress: Called with what is being done and how far it is, 0..1.

    Returns:
        Logits of each clip's windows, in the order of ``clips``.
    """
    fold = source_folds(clips, folds)
    held_out: list[NDArray[np.float32]] = [np.zeros(0, np.float32)] * len(clips)
    groups = [clip.group for clip in clips]
    for held in range(folds):
        here = takes.where((takes.clip < 0) | (fold[takes.clip] != held))
        soft = soft_labels(here, groups, seed=schedule.seed) if len(here.embedding) else None
        network = train(
            architecture,
            here,
            schedule,
            soft=soft,
            progress=lambda epoch, loss, held=held: progress(  # type: ignore[misc]
                f"rehearsal {held + 1} of {folds}, loss {loss:.3f}", epoch / schedule.epochs
            ),
        )
        for index in np.flatnonzero(fold == held):
            held_out[index] = predict(network, judge_windows(clips[index]))
    return held_out
