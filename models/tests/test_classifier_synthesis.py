"""Synthesis covers every category, is repeatable, and keeps the cadences that the emergency detector relies on."""

import itertools

import numpy as np
import pytest
from hushkit_models.classifier.synthesis import RATE_HZ, synthesise
from hushkit_models.classifier.synthesis.emergencies import EMERGENCY_SOUNDS, _cadence
from hushkit_models.classifier.taxonomy import CATEGORIES, SUPERCLASS_OF, SUPERCLASSES


def test_taxonomy_has_57_categories_in_22_superclasses() -> None:
    assert len(CATEGORIES) == len(set(CATEGORIES)) == 57
    assert len(SUPERCLASSES) == 22
    assert set(SUPERCLASS_OF) == set(CATEGORIES)


@pytest.mark.parametrize("category", CATEGORIES)
def test_synthesis_is_repeatable_and_has_unit_level(category: str) -> None:
    first = synthesise(category, 7, seconds=1.0)
    again = synthesise(category, 7, seconds=1.0)
    other = synthesise(category, 8, seconds=1.0)

    np.testing.assert_array_equal(first.samples, again.samples)
    assert not np.array_equal(first.samples, other.samples)
    assert first.samples.shape == (RATE_HZ,)
    assert np.sqrt(np.mean(first.samples**2)) == pytest.approx(1.0)


def test_unknown_category_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ValueError, match="unknown category 'volcano': expected one of white_noise"):
        synthesise("volcano", 0, seconds=1.0)


@pytest.mark.parametrize(("category", "slope_db"), [("white_noise", 0), ("pink_noise", -3), ("brown_noise", -6)])
def test_coloured_noise_falls_by_its_definition(category: str, slope_db: float) -> None:
    x = np.concatenate([synthesise(category, seed, seconds=4.0).samples for seed in range(8)])

    power = np.abs(np.fft.rfft(x)) ** 2
    f = np.fft.rfftfreq(len(x), 1 / RATE_HZ)
    octaves = [10 * np.log10(power[(f >= low) & (f < 2 * low)].mean()) for low in (250, 500, 1000, 2000)]

    assert np.diff(octaves).mean() == pytest.approx(slope_db, abs=0.7)


def test_temporal_three_has_the_intervals_of_iso_8201() -> None:
    for seed in range(200):
        on = _cadence(np.random.default_rng(seed), 12.0)
        lengths = {round(stop - start, 2) for start, stop in on}
        gaps = sorted({round(b[0] - a[1], 2) for a, b in itertools.pairwise(on)})
        if len(gaps) == 2 and 0.47 < min(lengths) < 0.53:
            assert gaps[0] == pytest.approx(0.5, abs=0.03)
            assert gaps[1] == pytest.approx(1.5, abs=0.05)
            return
    pytest.fail("no temporal-three cadence in 200 draws")


@pytest.mark.parametrize("kind", EMERGENCY_SOUNDS)
def test_every_emergency_kind_is_drawn(kind: str) -> None:
    drawn = {synthesise("emergency", seed, seconds=0.5).emergency for seed in range(40)}

    assert kind in drawn
