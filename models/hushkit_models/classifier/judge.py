"""Figures of a classifier on recordings: per clip, the mean of its windows' probabilities."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hushkit_models.classifier.corpus import Clip
from hushkit_models.classifier.dataset import judge_windows
from hushkit_models.classifier.taxonomy import CATEGORIES, SUPERCLASS_OF, SUPERCLASSES

Predict = Callable[[NDArray[np.int8]], NDArray[np.float32]]
"""Windows (n, 96, 40) to logits (n, 63)."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """Figures over clips.

    Attributes:
        clips: How many.
        top1: Share of clips whose category is right.
        macro_recall: Mean over the categories present of the recall of each.
        superclass: Share of clips whose superclass is right (probabilities of its categories added up).
        emergency_auc: Area under the receiver operating characteristic of the emergency head.
        emergency_recall: Recall of emergencies at ``false_alarm_rate``, the threshold set on these clips.
        false_alarm_rate: Share of other clips above that threshold.
        recall: Recall and number of clips of each category present.
        confusion: Clips by true and predicted superclass, shape (22, 22).
    """

    clips: int
    top1: float
    macro_recall: float
    superclass: float
    emergency_auc: float
    emergency_recall: float
    false_alarm_rate: float
    recall: dict[str, tuple[float, int]]
    confusion: NDArray[np.int64]


def softmax(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    """Probabilities along the last axis."""
    e = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return np.asarray(e / e.sum(axis=-1, keepdims=True))


def auc(scores: NDArray[np.float32], positive: NDArray[np.bool_]) -> float:
    """Area under the receiver operating characteristic, ties counted half; NaN without both kinds."""
    if positive.all() or not positive.any():
        return float("nan")
    a, b = scores[positive][:, None], scores[~positive][None, :]
    return float(((a > b) + 0.5 * (a == b)).mean())


def clip_probabilities(logits: Sequence[NDArray[np.float32]], temperature: float = 1.0) -> NDArray[np.float64]:
    """Category probabilities of each clip, the mean over its windows; shape (clips, 57)."""
    scale = np.float32(1.0 / temperature)
    return np.stack([softmax(x[:, : len(CATEGORIES)] * scale).mean(axis=0, dtype=np.float64) for x in logits])


def clip_alarms(logits: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
    """Highest emergency logit of each clip's windows, shape (clips,)."""
    return np.array([x[:, len(CATEGORIES)].max() for x in logits], np.float32)


def superclass_probabilities(probabilities: NDArray[np.float64]) -> NDArray[np.float64]:
    """Sums over the categories of each superclass; shape (clips, 57) to (clips, 22)."""
    gather = np.array([[SUPERCLASS_OF[c] == name for name in SUPERCLASSES] for c in CATEGORIES], float)
    return np.asarray(probabilities @ gather)


def judge(clips: Sequence[Clip], predict: Predict, *, temperature: float = 1.0) -> Judgement:
    """Judge a network on recordings, at least one."""
    return figures(clips, [predict(judge_windows(clip)) for clip in clips], temperature=temperature)


def figures(
    clips: Sequence[Clip],
    logits: Sequence[NDArray[np.float32]],
    *,
    temperature: float = 1.0,
    false_alarm_rate: float = 0.02,
) -> Judgement:
    """Compare what a network said with what was recorded.

    Args:
        clips: Recordings, at least one.
        logits: Of each clip's windows, shape (windows, 63).
        temperature: Divides category logits.
        false_alarm_rate: Where to read the emergency recall.
    """
    probabilities, alarm = clip_probabilities(logits, temperature), clip_alarms(logits)
    names = list(SUPERCLASSES)
    truth = np.array([CATEGORIES.index(clip.category) for clip in clips])
    super_truth = np.array([names.index(SUPERCLASS_OF[clip.category]) for clip in clips])
    guess = probabilities.argmax(axis=1)
    super_guess = superclass_probabilities(probabilities).argmax(axis=1)
    confusion = np.zeros((len(names), len(names)), np.int64)
    np.add.at(confusion, (super_truth, super_guess), 1)
    recall = {
        CATEGORIES[c]: (float((guess[truth == c] == c).mean()), int((truth == c).sum())) for c in np.unique(truth)
    }
    positive = truth == CATEGORIES.index("emergency")
    threshold = float(np.quantile(alarm[~positive], 1.0 - false_alarm_rate)) if (~positive).any() else 0.0
    return Judgement(
        clips=len(clips),
        top1=float((guess == truth).mean()),
        macro_recall=float(np.mean([value for value, _ in recall.values()])),
        superclass=float((super_guess == super_truth).mean()),
        emergency_auc=auc(alarm, positive),
        emergency_recall=float((alarm[positive] > threshold).mean()) if positive.any() else float("nan"),
        false_alarm_rate=float((alarm[~positive] > threshold).mean()) if (~positive).any() else float("nan"),
        recall=recall,
        confusion=confusion,
    )
