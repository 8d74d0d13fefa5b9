"""What to train on: synthesised scenes and varied recordings as log-mel takes, made once and kept by content."""

import hashlib
import json
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from hushkit_models.classifier import frontend
from hushkit_models.classifier.augment import Augmentation, augment, fit_length
from hushkit_models.classifier.corpus import Clip, read_audio
from hushkit_models.classifier.synthesis import synthesise
from hushkit_models.classifier.synthesis.primitives import coloured
from hushkit_models.classifier.taxonomy import CATEGORIES, EMERGENCIES
from hushkit_models.classifier.teacher import N_EMBEDDING, embed

RECIPE: Final = 3
"""Raised when the way takes are made changes, so that none made the old way is found again."""

SELF_NOISE_DB: Final = -60.0
"""Of the microphone under a recording that is judged, relative to its RMS; 65 dB below is a good MEMS microphone."""

NO_EMERGENCY: Final = -1
UNKNOWN_EMERGENCY: Final = -2


@dataclass(frozen=True, slots=True)
class Recipe:
    """How many takes, and how they are varied before the front end; the rest is drawn anew in every batch.

    Attributes:
        scenes: Synthesised scenes of each category.
        emergency_factor: So many times more for emergencies.
        scene_s: Length of a scene, in seconds.
        variants: Takes of each recording.
        floor: Fewest takes of recordings in a category that has any, reached by more variants.
        longest_s: Longest take of a recording, in seconds.
        augmentation: Ranges of the variation.
        teacher: Model whose embeddings along each take are kept, or None.
        seed: Changes every draw.
    """

    scenes: int = 60
    emergency_factor: int = 6
    scene_s: float = 8.0
    variants: int = 6
    floor: int = 24
    longest_s: float = 8.0
    augmentation: Augmentation = field(default_factory=Augmentation)
    teacher: Path | None = None
    seed: int = 1


@dataclass(frozen=True, slots=True)
class Takes:
    """Labelled stretches of sound as the front end hears them, at least one window long.

    Attributes:
        frames: Log-mels of all takes in a row, 1/256 octave of power, int16, shape (frames, 40).
        start: First frame of each take, and the end of the last; shape (n + 1,).
        category: Index into ``CATEGORIES``, shape (n,).
        emergency: Index into ``EMERGENCIES``, or one of the two negative codes; shape (n,).
        clip: Index of the recording, -1 when synthesised; shape (n,).
        embedding: The teacher's, one for each stretch of ``teacher.HOP`` frames of each take, float16, shape (m, 1024).
        embedding_start: First embedding of each take, and the end of the last; shape (n + 1,); zeros without a teacher.
    """

    frames: NDArray[np.int16]
    start: NDArray[np.int64]
    category: NDArray[np.int64]
    emergency: NDArray[np.int64]
    clip: NDArray[np.int64]
    embedding: NDArray[np.float16]
    embedding_start: NDArray[np.int64]

    def __len__(self) -> int:
        """Takes."""
        return len(self.category)

    def where(self, keep: NDArray[np.bool_]) -> "Takes":
        """Those marked in ``keep``, shape (n,); ``clip`` points where it did."""
        frames, embeddings = np.diff(self.start), np.diff(self.embedding_start)
        return Takes(
            frames=self.frames[np.repeat(keep, frames)],
            start=np.cumsum([0, *frames[keep]]),
            category=self.category[keep],
            emergency=self.emergency[keep],
            clip=self.clip[keep],
            embedding=self.embedding[np.repeat(keep, embeddings)],
            embedding_start=np.cumsum([0, *embeddings[keep]]),
        )


_Row = tuple[NDArray[np.int16], int, int, int, NDArray[np.float16]]


def _row(samples: NDArray[np.float64], rng: np.random.Generator, recipe: Recipe, label: tuple[int, int, int]) -> _Row:
    noisy = with_self_noise(rng, samples, float(rng.uniform(-75.0, -40.0)))
    log_mels = frontend.log_mel(frontend.to_q31(noisy, rms_dbfs=float(rng.uniform(-60.0, -25.0))))
    embedding = embed(recipe.teacher, samples) if recipe.teacher else np.zeros((0, N_EMBEDDING), np.float16)
    return log_mels.astype(np.int16), *label, embedding


def with_self_noise(rng: np.random.Generator, x: NDArray[np.float64], level_db: float) -> NDArray[np.float64]:
    """Add the noise of a microphone, ``level_db`` relative to the RMS of x.

    Without it the digital silence of edited recordings would be 100 dB below anything a headset can hear, and would
    drag the mean of the features, which is their zero, with it.
    """
    rms = float(np.sqrt(np.mean(x**2))) or 1.0
    return np.asarray(x + 10.0 ** (level_db / 20.0) * rms * coloured(rng, len(x), frontend.RATE_HZ, -1.5))


def _synthetic(job: tuple[str, int, Recipe]) -> list[_Row]:
    category, seed, recipe = job
    rng = np.random.default_rng([recipe.seed, 1, CATEGORIES.index(category), seed])
    n = int(recipe.scene_s * frontend.RATE_HZ) // frontend.FRAME * frontend.FRAME
    scene = synthesise(category, recipe.seed * 1_000_003 + seed, seconds=recipe.scene_s * recipe.augmentation.speed[1])
    x = augment(rng, scene.samples, n, recipe.augmentation)
    kind = NO_EMERGENCY if scene.emergency is None else EMERGENCIES.index(scene.emergency)
    return [_row(x, rng, recipe, (CATEGORIES.index(category), kind, -1))]


def _recorded(job: tuple[Clip, int, int, Recipe]) -> list[_Row]:
    clip, index, variants, recipe = job
    rng = np.random.default_rng([recipe.seed, 2, index])
    samples = read_audio(clip.path)
    longest = int(recipe.longest_s * frontend.RATE_HZ)
    n = max(frontend.WINDOW, min(len(samples), longest) // frontend.FRAME * frontend.FRAME)
    kind = UNKNOWN_EMERGENCY if clip.category == "emergency" else NO_EMERGENCY
    label = (CATEGORIES.index(clip.category), kind, index)
    plain = _row(fit_length(rng, samples, n), rng, recipe, label)
    varied = [augment(rng, samples, n, recipe.augmentation) for _ in range(variants - 1)]
    return [plain, *(_row(x, rng, recipe, label) for x in varied)]


def build_takes(
    clips: Sequence[Clip], recipe: Recipe, *, directory: Path, progress: Callable[[str, float], None]
) -> Takes:
    """Make, or find again, the takes of these clips and of every category's synthesis.

    Args:
        clips: Recordings to train on; may be empty.
        recipe: How to make them.
        directory: Where finished sets are kept, by the hash of recipe and clips.
        progress: Called with what is being made and how far it is, 0..1.
    """
    what = asdict(recipe) | {"teacher": recipe.teacher.name if recipe.teacher else None}
    identity = json.dumps([RECIPE, what, [[c.path.name, c.category] for c in clips]], sort_keys=True)
    path = directory / f"takes_{hashlib.sha256(identity.encode()).hexdigest()[:16]}.npz"
    if not path.exists():
        directory.mkdir(parents=True, exist_ok=True)
        part = path.with_suffix(".part.npz")
        np.savez(part, **asdict(_gather(_make(clips, recipe, progress))))
        part.replace(path)
    with np.load(path) as stored:
        return Takes(**{name: stored[name] for name in Takes.__slots__})


def _gather(rows: Sequence[_Row]) -> Takes:
    frames, category, emergency, clip, embedding = zip(*rows, strict=True)
    return Takes(
        frames=np.concatenate(frames),
        start=np.cumsum([0, *(len(f) for f in frames)]),
        category=np.array(category, np.int64),
        emergency=np.array(emergency, np.int64),
        clip=np.array(clip, np.int64),
        embedding=np.concatenate(embedding),
        embedding_start=np.cumsum([0, *(len(e) for e in embedding)]),
    )


def _make(clips: Sequence[Clip], recipe: Recipe, progress: Callable[[str, float], None]) -> list[_Row]:
    synthetic = [
        (category, seed, recipe)
        for category in CATEGORIES
        for seed in range(recipe.scenes * (recipe.emergency_factor if category == "emergency" else 1))
    ]
    counts = {category: sum(c.category == category for c in clips) for category in CATEGORIES}
    recorded = [
        (clip, index, max(recipe.variants, -(-recipe.floor // counts[clip.category])), recipe)
        for index, clip in enumerate(clips)
    ]
    rows: list[_Row] = []
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        for done, more in enumerate(pool.map(_recorded, recorded, chunksize=2), start=1):
            rows += more
            progress("varying recordings", done / max(1, len(recorded)))
        for done, more in enumerate(pool.map(_synthetic, synthetic, chunksize=8), start=1):
            rows += more
            progress("synthesising", done / len(synthetic))
    return rows


def judge_windows(clip: Clip) -> NDArray[np.int8]:
    """Cut one recording in windows half overlapping, unaltered; shape (n, 96, 40), at least one window."""
    rng = np.random.default_rng(0)
    samples = read_audio(clip.path)
    if len(samples) < frontend.WINDOW:
        samples = fit_length(rng, samples, frontend.WINDOW)
    samples = with_self_noise(rng, samples, SELF_NOISE_DB)
    log_mels = frontend.log_mel(frontend.to_q31(samples, rms_dbfs=-30.0))
    starts = range(0, len(log_mels) - frontend.N_FRAMES + 1, frontend.N_FRAMES // 2)
    return np.stack([frontend.features(log_mels[start : start + frontend.N_FRAMES]) for start in starts])
