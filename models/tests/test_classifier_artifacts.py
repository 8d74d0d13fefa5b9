"""The shipped classifiers are what their cards say, and hear what they must."""

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hushkit_models.classifier import frontend
from hushkit_models.classifier.card import render_card
from hushkit_models.classifier.dataset import SELF_NOISE_DB, with_self_noise
from hushkit_models.classifier.interpreter import Interpreter
from hushkit_models.classifier.predictors import predictor
from hushkit_models.classifier.synthesis import synthesise
from hushkit_models.classifier.taxonomy import CATEGORIES
from numpy.typing import NDArray

ARTIFACTS = Path(__file__).resolve().parents[1] / "artifacts"
MODELS = sorted(ARTIFACTS.glob("*.tflite"))
HEADSET = ARTIFACTS / "noise57-mcu.tflite"


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.stem)
def test_a_model_is_the_one_on_its_card(model: Path) -> None:
    card: dict[str, Any] = json.loads(model.with_suffix(".json").read_text())

    assert card["sha256"] == hashlib.sha256(model.read_bytes()).hexdigest()
    assert card["outputs"]["categories"] == list(CATEGORIES)
    assert model.with_suffix(".md").read_text() == render_card(card)


def test_the_headsets_weights_keep_their_budget() -> None:
    card = json.loads(HEADSET.with_suffix(".json").read_text())

    assert card["weights"] <= 100_000
    assert Interpreter(HEADSET).run(np.zeros((96, 40), np.int8)).shape == (63,)


def _window(category: str, seed: int) -> NDArray[np.int8]:
    samples = synthesise(category, seed, seconds=frontend.WINDOW / frontend.RATE_HZ).samples
    noisy = with_self_noise(np.random.default_rng(seed), samples, SELF_NOISE_DB)
    return frontend.features(frontend.log_mel(frontend.to_q31(noisy, rms_dbfs=-30.0)))


@pytest.mark.parametrize("category", ["emergency", "rain_heavy", "dog_barking", "white_noise"])
def test_most_scenes_never_trained_on_are_named(category: str) -> None:
    """Training draws seeds of the order of a million; these are none of them."""
    windows = np.stack([_window(category, 77_000_000 + seed) for seed in range(30)])

    logits = predictor(HEADSET)(windows)

    alarms = logits[:, len(CATEGORIES)] > 0
    assert (alarms.mean() > 0.6) if category == "emergency" else (alarms.mean() < 0.2)
    assert (logits[:, : len(CATEGORIES)].argmax(axis=1) == CATEGORIES.index(category)).mean() > 0.5
