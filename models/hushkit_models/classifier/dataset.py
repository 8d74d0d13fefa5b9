"""Windows of features to train on: synthesised scenes and augmented recordings, made once and kept by content."""

import hashlib
import json
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hushkit_models.classifier import frontend
from hushkit_models.classifier.augment import Augmentation, augment, fit_length
from hushkit_models.classifier.corpus import Clip, read_audio
from hushkit_models.classifier.synthesis import synthesise
from hushkit_models.classifier.synthesis.primitives import unit
from hushkit_models.classifier.taxonomy import CATEGORIES, EMERGENCIES
from hushkit_models.classifier.teacher import embed

RECIPE = 2
"""Raised when the way windows are made changes, so that none made the old way is found again."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """How many windows, and how they are varied.

    Attributes:
        synthetic_per_category: Synthesised windows of each category.
        emergency_factor: So many times more for emergencies.
        variants: Augmented windows of each recording.
        floor: Fewest windows of recordings in a category that has any, reached by more variants.
        augmentation: Ranges of the augmentation.
        teacher: Model whose embedding of each window is kept, or None.
        seed: Changes every draw.
    """

    synthetic_per_category: int = 150
    emergency_factor: int = 8
    variants: int = 8
    floor: int = 120
    augmentation: Augmentation = field(default_factory=Augmentation)
    teacher: Path | None = None
    seed: int = 1


@dataclass(frozen=True, slots=True)
class Windows:
    """Labelled windows.

    Attributes:
        features: int8, shape (n, 96, 40).
        category: Index into ``CATEGORIES``, shape (n,).
        emergency: Index into ``EMERGENCIES``, or -1 for none, -2 for one of unknown kind; shape (n,).
        clip: Index of the recording, -1 when synthesised; shape (n,).
        embedding: The teacher's, float16, shape (n, 1024), or (n, 0) without a teacher.
    """

    features: NDArray[np.int8]
    category: NDArray[np.int64]
    emergency: NDArray[np.int64]
    clip: NDArray[np.int64]
    embedding: NDArray[np.float16]

    def __len__(self) -> int:
        """Windows."""
        return len(self.category)


_Row = tuple[NDArray[np.int8], int, int, int, NDArray[np.float16]]


def _row(samples: NDArray[np.float64], rng: np.random.Generator, recipe: Recipe, label: tuple[int, int, int]) -> _Row:
    q31 = frontend.to_q31(samples, rms_dbfs=float(rng.uniform(-60.0, -25.0)))
    embedding = embed(recipe.teacher, samples) if recipe.teacher else np.zeros(0, np.float16)
    return frontend.features(frontend.log_mel(q31)), *label, embedding


def _synthetic(job: tuple[str, int, Recipe]) -> list[_Row]:
    category, seed, recipe = job
    rng = np.random.default_rng([recipe.seed, 1, CATEGORIES.index(category), seed])
    scene = synthesise(category, recipe.seed * 1_000_003 + seed, seconds=frontend.WINDOW / frontend.RATE_HZ * 1.2)
    other = CATEGORIES[int(rng.integers(len(CATEGORIES)))]
    behind = synthesise(other, recipe.seed * 1_000_003 + seed, seconds=frontend.WINDOW / frontend.RATE_HZ).samples
    quiet = category in {"silence", "mixed_noise"} or other in {"emergency", category}
    x = augment(rng, scene.samples, frontend.WINDOW, recipe.augmentation, None if quiet else behind)
    kind = -1 if scene.emergency is None else EMERGENCIES.index(scene.emergency)
    return [_row(x, rng, recipe, (CATEGORIES.index(category), kind, -1))]


def _recorded(job: tuple[Clip, int, int, Recipe, tuple[Clip, ...]]) -> list[_Row]:
    clip, index, variants, recipe, backgrounds = job
    rng = np.random.default_rng([recipe.seed, 2, index])
    samples = read_audio(clip.path)
    label = CATEGORIES.index(clip.category)
    kind = -2 if clip.category == "emergency" else -1
    rows = [_row(fit_length(rng, samples, frontend.WINDOW), rng, recipe, (label, kind, index))]
    for variant in range(variants - 1):
        if backgrounds and variant % 2:
            behind = read_audio(backgrounds[int(rng.integers(len(backgrounds)))].path)
        else:
            other = [c for c in CATEGORIES if c not in {"emergency", clip.category}]
            behind = synthesise(str(rng.choice(other)), int(rng.integers(2**31)), seconds=3.2).samples
        behind = fit_length(rng, behind, frontend.WINDOW)
        x = augment(rng, samples, frontend.WINDOW, recipe.augmentation, unit(behind))
        rows.append(_row(x, rng, recipe, (label, kind, index)))
    return rows


def build_windows(
    clips: Sequence[Clip], recipe: Recipe, *, directory: Path, progress: Callable[[str, float], None]
) -> Windows:
    """Make, or find again, the training windows of these clips.

    Args:
        clips: Recordings to train on; may be empty.
        recipe: How to make them.
        directory: Where finished sets are kept, by the hash of recipe and clips.
        progress: Called with what is being made and how far it is, 0..1.
    """
    what = asdict(recipe) | {"teacher": recipe.teacher.name if recipe.teacher else None}
    identity = json.dumps([RECIPE, what, [[c.path.name, c.category] for c in clips]], sort_keys=True)
    path = directory / f"windows_{hashlib.sha256(identity.encode()).hexdigest()[:16]}.npz"
    if not path.exists():
        rows = _make(clips, recipe, progress)
        directory.mkdir(parents=True, exist_ok=True)
        part = path.with_suffix(".part.npz")
        columns = list(zip(*rows, strict=True))
        np.savez_compressed(
            part,
            features=np.stack(columns[0]),
            embedding=np.stack(columns[4]),
            **{name: np.array(columns[i + 1], np.int64) for i, name in enumerate(("category", "emergency", "clip"))},
        )
        part.replace(path)
    with np.load(path) as stored:
        return Windows(stored["features"], stored["category"], stored["emergency"], stored["clip"], stored["embedding"])


def _make(clips: Sequence[Clip], recipe: Recipe, progress: Callable[[str, float], None]) -> list[_Row]:
    synthetic = [
        (category, seed, recipe)
        for category in CATEGORIES
        for seed in range(recipe.synthetic_per_category * (recipe.emergency_factor if category == "emergency" else 1))
    ]
    counts = {category: sum(c.category == category for c in clips) for category in CATEGORIES}
    backgrounds = tuple(c for c in clips if c.category not in {"emergency", "silence"})
    recorded = [
        (
            clip,
            index,
            max(recipe.variants, -(-recipe.floor // counts[clip.category])),
            recipe,
            tuple(b for b in backgrounds if b.category != clip.category),
        )
        for index, clip in enumerate(clips)
    ]
    rows: list[_Row] = []
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        for done, more in enumerate(pool.map(_synthetic, synthetic, chunksize=16), start=1):
            rows += more
            progress("synthesising", done / len(synthetic))
        for done, more in enumerate(pool.map(_recorded, recorded, chunksize=4), start=1):
            rows += more
            progress("augmenting recordings", done / max(1, len(recorded)))
    return rows


def judge_windows(clip: Clip) -> NDArray[np.int8]:
    """Cut one recording in windows half overlapping, unaltered; shape (n, 96, 40), at least one window."""
    rng = np.random.default_rng(0)
    samples = read_audio(clip.path)
    if len(samples) < frontend.WINDOW:
        samples = fit_length(rng, samples, frontend.WINDOW)
    log_mels = frontend.log_mel(frontend.to_q31(samples, rms_dbfs=-30.0))
    starts = range(0, len(log_mels) - frontend.N_FRAMES + 1, frontend.N_FRAMES // 2)
    return np.stack([frontend.features(log_mels[start : start + frontend.N_FRAMES]) for start in starts])
