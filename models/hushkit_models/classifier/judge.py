"""Figures of a classifier on recordings: per clip, the mean of its windows' logits."""

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
        confusion: Clips by true and predicted superclass, shape (22, 22).
    """

    clips: int
    top1: float
    macro_recall: float
    superclass: float
    emergency_auc: float
    emergency_recall: float
    false_alarm_rate: float
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


def judge(clips: Sequence[Clip], predict: Predict, *, false_alarm_rate: float = 0.02) -> Judgement:
    """Judge a network on recordings.

    Args:
        clips: Recordings, at least one.
        predict: The network.
        false_alarm_rate: Where to read the emergency recall.
    """
    probabilities, alarms = [], []
    for clip in clips:
        logits = predict(judge_windows(clip))
        probabilities.append(softmax(logits[:, : len(CATEGORIES)]).mean(axis=0))
        alarms.append(float(logits[:, len(CATEGORIES)].max()))
    p, alarm = np.stack(probabilities), np.array(alarms, np.float32)
    truth = np.array([CATEGORIES.index(clip.category) for clip in clips])
    guess = p.argmax(axis=1)
    names = list(SUPERCLASSES)
    gather = np.array([[SUPERCLASS_OF[c] == name for name in names] for c in CATEGORIES], float)
    super_guess = (p @ gather).argmax(axis=1)
    super_truth = np.array([names.index(SUPERCLASS_OF[clip.category]) for clip in clips])
    confusion = np.zeros((len(names), len(names)), np.int64)
    np.add.at(confusion, (super_truth, super_guess), 1)
    positive = truth == CATEGORIES.index("emergency")
    threshold = float(np.quantile(alarm[~positive], 1.0 - false_alarm_rate)) if (~positive).any() else 0.0
    return Judgement(
        clips=len(clips),
        top1=float((guess == truth).mean()),
        macro_recall=float(np.mean([(guess[truth == c] == c).mean() for c in np.unique(truth)])),
        superclass=float((super_guess == super_truth).mean()),
        emergency_auc=auc(alarm, positive),
        emergency_recall=float((alarm[positive] > threshold).mean()) if positive.any() else float("nan"),
        false_alarm_rate=float((alarm[~positive] > threshold).mean()) if (~positive).any() else float("nan"),
        confusion=confusion,
    )
