"""Batches: what is drawn, how windows are mixed, what a mixed label says."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="training needs the train extra")

from hushkit_models.classifier import frontend  # noqa: E402
from hushkit_models.classifier.batches import (  # noqa: E402
    SYNTHETIC_HANDICAP,
    Batches,
    Variation,
    chances,
    emergency_targets,
    handicap,
)
from hushkit_models.classifier.dataset import NO_EMERGENCY, UNKNOWN_EMERGENCY, Takes  # noqa: E402
from hushkit_models.classifier.taxonomy import CATEGORIES, EMERGENCIES  # noqa: E402

PLAIN = Variation(
    stretch=(1.0, 1.0), look=0.0, mixup=0.0, background=0.0, floor=0.0, equalise_db=0.0, mask_frames=0, mask_bands=0
)
OCEAN, TRAIN, EMERGENCY = (CATEGORIES.index(name) for name in ("ocean", "train", "emergency"))


def _takes(*, recorded: tuple[bool, ...] = (True, False, False)) -> Takes:
    frames = np.random.default_rng(1).integers(-9000, -2000, (3 * frontend.N_FRAMES, frontend.N_MELS), dtype=np.int16)
    return Takes(
        frames=frames,
        start=np.arange(4) * frontend.N_FRAMES,
        category=np.array([OCEAN, TRAIN, EMERGENCY]),
        emergency=np.array([NO_EMERGENCY, NO_EMERGENCY, EMERGENCIES.index("horn")]),
        clip=np.where(recorded, np.arange(3), -1),
        embedding=np.zeros((0, 1024), np.float16),
        embedding_start=np.zeros(4, np.int64),
    )


def _batches(variation: Variation, takes: Takes | None = None, *, seed: int = 1) -> Batches:
    source = takes or _takes()
    return Batches(source, smoothing=0.0, soft=None, distillation=0.0, variation=variation, seed=seed)


def test_an_unvaried_window_is_what_the_front_end_gives() -> None:
    takes = _takes()

    batch = _batches(PLAIN, takes).draw(16)

    expected = {
        int(category): frontend.features(takes.frames[a : a + frontend.N_FRAMES].astype(np.int32))
        for category, a in zip(takes.category, takes.start, strict=False)
    }
    for window, label in zip(batch.features.numpy(), batch.category.argmax(dim=1).tolist(), strict=True):
        assert np.abs(window - expected[label]).max() <= 1.0  # the front end rounds its mean down first


def test_the_same_seed_draws_the_same_windows() -> None:
    first, again, other = (_batches(Variation(), seed=seed).draw(8).features for seed in (3, 3, 4))

    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_windows_stay_in_the_range_of_the_front_end() -> None:
    features = _batches(Variation()).draw(64).features

    assert float(features.min()) >= -128
    assert float(features.max()) <= 127
    assert torch.equal(features, features.round())


def test_a_look_repeats_its_frames() -> None:
    features = _batches(replace(PLAIN, look=1.0)).draw(4).features

    assert torch.equal(features[:, :24], features[:, 24:48])
    assert torch.equal(features[:, :24], features[:, 72:])


def test_mixup_shares_the_label_by_level() -> None:
    equal = _batches(replace(PLAIN, mixup=1.0, mixup_db=(0.0, 0.0))).draw(64).category

    shares = equal.max(dim=1).values
    assert set(shares.numpy().round(3)) == {0.5, 1.0}  # 1.0 where a window met its own category


@pytest.mark.parametrize(("over_db", "alarm", "known"), [(0.0, 1.0, 1.0), (20.0, 0.0, 0.0)])
def test_an_emergency_deep_in_the_background_is_left_open(over_db: float, alarm: float, known: float) -> None:
    mixed = _batches(replace(PLAIN, mixup=1.0, mixup_db=(over_db, over_db))).draw(256)

    under = (mixed.category[:, EMERGENCY] > 0) & (mixed.category.argmax(dim=1) != EMERGENCY)
    if over_db == 0.0:
        under = (mixed.category[:, EMERGENCY] > 0) & (mixed.category[:, EMERGENCY] < 1)

    assert under.any()
    assert set(mixed.alarm[under, 0].tolist()) == {alarm}
    assert set(mixed.known[under, 0].tolist()) == {known}


def test_recordings_hold_back_what_only_synthesis_knows() -> None:
    takes = _takes()

    batch = _batches(PLAIN, takes).draw(64)

    recorded = batch.category.argmax(dim=1) == OCEAN
    held_back = handicap(takes)
    assert float(held_back[OCEAN]) == 0.0
    assert float(held_back[TRAIN]) == SYNTHETIC_HANDICAP
    assert torch.equal(batch.handicap[recorded][0], held_back)
    assert not batch.handicap[~recorded].any()


def test_kinds_of_unknown_emergencies_are_not_learnt() -> None:
    target, known = emergency_targets(np.array([NO_EMERGENCY, UNKNOWN_EMERGENCY, 2]))

    assert target.tolist() == [[0, 0, 0, 0, 0, 0], [1, 0, 0, 0, 0, 0], [1, 0, 0, 1, 0, 0]]
    assert known.tolist() == [[1] * 6, [1, 0, 0, 0, 0, 0], [1] * 6]


def test_chances_add_up_and_prefer_emergencies() -> None:
    weight: Any = chances(_takes(recorded=(False, False, False)))

    assert weight.sum() == pytest.approx(1.0)
    assert weight[2] == pytest.approx(3.0 * weight[0])
