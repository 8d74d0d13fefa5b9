"""Procedural synthesis of every category, physically motivated and seeded.

Recordings of most categories are few and come from one or two sources; a network trained on them learns the source.
Synthesis gives each category unlimited variety of the parameters that define it (speeds, cadences, rooms, distances).
"""

import zlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hushkit_models.classifier.synthesis.emergencies import EMERGENCY_SOUNDS
from hushkit_models.classifier.synthesis.living import LIVING
from hushkit_models.classifier.synthesis.machines import MACHINES
from hushkit_models.classifier.synthesis.nature import NATURE
from hushkit_models.classifier.synthesis.primitives import unit
from hushkit_models.classifier.synthesis.vehicles import VEHICLES
from hushkit_models.classifier.taxonomy import CATEGORIES, EMERGENCIES

__all__ = ["RATE_HZ", "Scene", "synthesise"]

RATE_HZ = 16_000

_SCENES = VEHICLES | NATURE | MACHINES | LIVING


@dataclass(frozen=True, slots=True)
class Scene:
    """One synthesised clip.

    Attributes:
        samples: Shape (n,), RMS 1 unless silent, at 16 kHz.
        category: One of the 57.
        emergency: Kind of emergency, or None.
    """

    samples: NDArray[np.float64]
    category: str
    emergency: str | None


def synthesise(category: str, seed: int, *, seconds: float) -> Scene:
    """Synthesise one clip of a category.

    The same category and seed give the same clip; another category with the same seed is unrelated.

    Args:
        category: One of the 57 categories.
        seed: Any non-negative integer.
        seconds: Length.

    Raises:
        ValueError: Unknown category.
    """
    if category not in CATEGORIES:
        raise ValueError(f"unknown category {category!r}: expected one of {', '.join(CATEGORIES)}")
    rng = np.random.default_rng([zlib.crc32(category.encode()), seed])
    n = int(seconds * RATE_HZ)
    if category == "emergency":
        kind = str(rng.choice(EMERGENCIES, p=[0.35, 0.3, 0.15, 0.1, 0.1]))
        return Scene(unit(EMERGENCY_SOUNDS[kind](rng, n, RATE_HZ)), category, kind)
    if category == "mixed_noise":
        parts = rng.choice(list(_SCENES), int(rng.integers(2, 5)), replace=False)
        total = sum(10 ** (rng.uniform(-6, 0) / 20) * unit(_SCENES[str(p)](rng, n, RATE_HZ)) for p in parts)
        return Scene(unit(np.asarray(total)), category, None)
    return Scene(unit(_SCENES[category](rng, n, RATE_HZ)), category, None)
