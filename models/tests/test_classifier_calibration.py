"""Calibration recovers a known temperature, and thresholds keep their promises on the clips they were set on."""

from pathlib import Path

import numpy as np
import pytest
from hushkit_models.classifier.calibration import calibrate
from hushkit_models.classifier.corpus import Clip
from hushkit_models.classifier.judge import clip_alarms, clip_probabilities, figures, superclass_probabilities
from hushkit_models.classifier.taxonomy import CATEGORIES, SUPERCLASS_OF, SUPERCLASSES
from numpy.typing import NDArray


def _drawn(seed: int, n: int, overconfidence: float) -> tuple[list[Clip], list[NDArray[np.float32]]]:
    """Clips whose labels are drawn from the very probabilities that the logits stand for, times ``overconfidence``."""
    rng = np.random.default_rng(seed)
    honest = rng.normal(0.0, 2.0, (n, len(CATEGORIES)))
    p = np.exp(honest) / np.exp(honest).sum(axis=1, keepdims=True)
    clips, logits = [], []
    for row, probabilities in zip(honest, p, strict=True):
        category = CATEGORIES[int(rng.choice(len(CATEGORIES), p=probabilities))]
        clips.append(Clip(Path("none"), category, "", "", "dev", "", shippable=True))
        alarm = rng.normal(3.0 if category == "emergency" else -3.0, 1.0, 6)
        logits.append(np.concatenate([row * overconfidence, alarm]).astype(np.float32)[None])
    return clips, logits


@pytest.mark.parametrize("overconfidence", [0.5, 1.0, 2.0])
def test_the_temperature_undoes_overconfidence(overconfidence: float) -> None:
    clips, logits = _drawn(1, 3000, overconfidence)

    assert calibrate(clips, logits).temperature == pytest.approx(overconfidence, rel=0.1)


def test_more_answers_above_the_threshold_are_right_than_wrong() -> None:
    clips, logits = _drawn(2, 1000, 1.0)

    calibration = calibrate(clips, logits)

    grouped = superclass_probabilities(clip_probabilities(logits, calibration.temperature))
    truth = [list(SUPERCLASSES).index(SUPERCLASS_OF[clip.category]) for clip in clips]
    said = grouped.max(axis=1) >= calibration.unknown_below
    right = grouped.argmax(axis=1) == truth
    assert 0 < said.sum() < len(clips)
    assert right[said].mean() > 0.5 > right[~said].mean()


def test_the_alarm_leaves_two_percent_of_other_clips_above_it() -> None:
    clips, logits = _drawn(3, 2000, 1.0)

    threshold = calibrate(clips, logits).alarm_from

    others = np.array([clip.category != "emergency" for clip in clips])
    above = 1.0 / (1.0 + np.exp(-clip_alarms(logits).astype(float))) > threshold
    assert above[others].mean() == pytest.approx(0.02, abs=0.002)
    assert above[~others].mean() > 0.95


def test_figures_count_what_they_say() -> None:
    names = ("ocean", "ocean", "waterfall", "emergency")
    clips = [Clip(Path("none"), name, "", "", "dev", "", shippable=True) for name in names]
    logits = [np.full((1, 63), -9.0, np.float32) for _ in names]
    for row, heard in zip(logits, ("ocean", "waterfall", "train", "emergency"), strict=True):
        row[0, CATEGORIES.index(heard)] = 9.0
    logits[3][0, len(CATEGORIES)] = 9.0

    result = figures(clips, logits)

    assert result.top1 == pytest.approx(0.5)
    assert result.superclass == pytest.approx(0.75)
    assert result.macro_recall == pytest.approx((0.5 + 0.0 + 1.0) / 3)
    assert result.recall["ocean"] == (0.5, 2)
    assert result.emergency_auc == 1.0
    assert result.confusion[list(SUPERCLASSES).index("water"), list(SUPERCLASSES).index("rail")] == 1
