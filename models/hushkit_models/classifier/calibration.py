"""How far to believe a network: temperature and thresholds from recordings it was not trained on."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import optimize

from hushkit_models.classifier.corpus import Clip
from hushkit_models.classifier.judge import clip_alarms, clip_probabilities, softmax, superclass_probabilities
from hushkit_models.classifier.taxonomy import CATEGORIES, SUPERCLASS_OF, SUPERCLASSES


@dataclass(frozen=True, slots=True)
class Calibration:
    """What a decision needs beside the logits.

    Attributes:
        temperature: Divides category logits before the softmax.
        unknown_below: Confidence in a superclass below which the answer is "unknown".
        alarm_from: Probability of an emergency from which a window votes for one.
    """

    temperature: float = 1.0
    unknown_below: float = 0.0
    alarm_from: float = 0.5


def calibration_of(card: Mapping[str, Any]) -> Calibration:
    """What a model's card says; KeyError where it says nothing."""
    return Calibration(*(float(card[name]) for name in Calibration.__slots__))


def calibrate(
    clips: Sequence[Clip], logits: Sequence[NDArray[np.float32]], *, false_alarm_rate: float = 0.02
) -> Calibration:
    """Fit to recordings that the network was not trained on.

    The temperature gives the labels the highest likelihood, every clip counting alike. Below the threshold of
    "unknown" superclasses are wrong more often than right; the alarm's leaves the given share of other clips above it.

    Args:
        clips: With their true categories.
        logits: Of each clip's windows, shape (windows, 63).
        false_alarm_rate: Share of clips without an emergency that may hold a vote for one.
    """
    truth = [CATEGORIES.index(clip.category) for clip in clips]

    def cost(log_temperature: float) -> float:
        scale = np.float32(np.exp(-log_temperature))
        rows = (softmax(x[:, : len(CATEGORIES)] * scale)[:, t] for x, t in zip(logits, truth, strict=True))
        return float(-np.mean([np.log(row + 1e-9).mean() for row in rows]))

    temperature = float(np.exp(optimize.minimize_scalar(cost, bounds=(-1.5, 1.5), method="bounded").x))
    grouped = superclass_probabilities(clip_probabilities(logits, temperature))
    names = list(SUPERCLASSES)
    right = grouped.argmax(axis=1) == np.array([names.index(SUPERCLASS_OF[clip.category]) for clip in clips])
    others = clip_alarms(logits)[np.array([clip.category != "emergency" for clip in clips])]
    alarm = float(np.quantile(others, 1.0 - false_alarm_rate)) if len(others) else 0.0
    return Calibration(temperature, _worth_saying(grouped.max(axis=1), right), float(1.0 / (1.0 + np.exp(-alarm))))


def _worth_saying(confidence: NDArray[np.float64], right: NDArray[np.bool_]) -> float:
    """Threshold above which right answers outnumber wrong ones by most."""
    order = np.argsort(-confidence)
    gain = np.cumsum(np.where(right[order], 1, -1))
    best = int(gain.argmax())
    return float(confidence[order[best]]) if gain[best] > 0 else 1.0
