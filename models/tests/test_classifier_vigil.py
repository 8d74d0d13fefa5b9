"""The watch counts a call by what was there when it came."""

import itertools
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from hushkit_models.classifier import frontend, vigil
from hushkit_models.classifier.taxonomy import CATEGORIES
from hushkit_models.classifier.vigil import Vigil, _Scene, keep_watch
from numpy.typing import NDArray

_FRAMES = 312


class Ear:
    """Sure of an emergency where the upper bands are louder than the lower ones."""

    output_quantisation = (0.25, 0)

    def run(self, window: NDArray[Any]) -> NDArray[np.int8]:
        codes = np.full(len(CATEGORIES) + 6, -40, np.int8)
        if window[:, 20:].mean() > window[:, :20].mean():
            codes[len(CATEGORIES) :] = 40
        return codes


def _scene(category: str, *, loud: bool) -> _Scene:
    log_mels = np.full((_FRAMES, frontend.N_MELS), -6000, np.int32)
    log_mels[:, 20:] += 2000 if loud else -2000
    return _Scene(log_mels, category, category == "emergency")


def _watch(monkeypatch: pytest.MonkeyPatch, *scenes: _Scene) -> vigil.Watch:
    def made(clips: Any, what: Vigil) -> Iterator[_Scene]:
        return iter(scenes)

    monkeypatch.setattr(vigil, "_scenes", made)
    return keep_watch(Ear(), [], Vigil())  # type: ignore[arg-type]


def test_an_emergency_is_confirmed_with_its_delay(monkeypatch: pytest.MonkeyPatch) -> None:
    watch = _watch(monkeypatch, _scene("ocean", loud=False), _scene("emergency", loud=True))

    assert (watch.emergencies, watch.confirmed, watch.suspected, watch.false_events) == (1, 1, 1, 0)
    assert 1.0 < watch.median_delay_s < 3.0  # five of six votes over 1.92 s, after the look has turned
    assert watch.hours == pytest.approx(2 * _FRAMES * 0.032 / 3600)


def test_a_call_without_an_emergency_is_false_and_has_a_cause(monkeypatch: pytest.MonkeyPatch) -> None:
    watch = _watch(monkeypatch, _scene("ocean", loud=False), _scene("music_treble", loud=True))

    assert watch.false_causes == {"music_treble": 1}
    assert watch.false_per_hour == pytest.approx(1 / watch.hours)


def test_a_silent_emergency_is_missed(monkeypatch: pytest.MonkeyPatch) -> None:
    watch = _watch(monkeypatch, _scene("ocean", loud=False), _scene("emergency", loud=False))

    assert (watch.emergencies, watch.confirmed, watch.suspected) == (1, 0, 0)
    assert np.isnan(watch.median_delay_s)


def test_scenes_are_repeatable_and_emergencies_stand_alone() -> None:
    what = Vigil(hours=0.05, emergency_every_s=15.0, seed=3)

    scenes, again = (list(vigil._scenes([], what)) for _ in range(2))

    flags = [scene.emergency for scene in scenes]
    assert any(flags)
    assert not any(a and b for a, b in itertools.pairwise(flags))
    assert all(np.array_equal(a.log_mels, b.log_mels) for a, b in zip(scenes, again, strict=True))
