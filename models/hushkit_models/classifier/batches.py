"""Training windows drawn anew for every step: cut, stretched, mixed as powers, coloured and masked.

What can be done to logarithms of powers is done here and costs nothing to vary; what needs samples (rooms, speed) was
done once when the takes were made.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hushkit_models.classifier import frontend, teacher
from hushkit_models.classifier.dataset import NO_EMERGENCY, UNKNOWN_EMERGENCY, Takes
from hushkit_models.classifier.taxonomy import CATEGORIES, EMERGENCIES, SUPERCLASS_OF, SUPERCLASSES

UNITS_PER_DB: Final = 8.0 / (10.0 * np.log10(2.0))
"""Features are in 1/8 octave of power."""

SYNTHETIC_HANDICAP: Final = 2.0
"""In nats. At 0 the network learns that what sounds recorded is none of the categories known from synthesis alone, and
never finds those in the field; at 4 and above it takes half of the others for them."""

HANDICAP_KEPT: Final = 0.375
"""Share of the handicap that stays in the trained network, as a prior against those categories. On recordings of
sources left out, none of it costs 3 % of the categories right, all of it 5 % of the superclasses that have none."""

LOOK_FRAMES: Final = 24
"""Frames of a look in training: 0.77 s. The headset repeats 0.5 to 0.8 s (``emergency.LOOK_FRAMES``)."""

_KNOTS: Final = 7


@dataclass(frozen=True, slots=True)
class Variation:
    """Ranges to draw from, window by window.

    Attributes:
        stretch: Speed along time alone, lowest and highest.
        look: Probability that a window is one short look repeated, as the headset hears an emergency's first second.
        mixup: Probability that a second window is mixed in and shares the label.
        mixup_db: Level of the first over the second then, lowest and highest.
        background: Probability that a second window is mixed in without a label.
        background_db: Level of the first over the second then, lowest and highest.
        floor: Probability of a noise floor.
        floor_db: Level of the window over that floor, lowest and highest.
        equalise_db: Standard deviation of the gain at the knots of a random response.
        mask_frames: Longest stretch of time blanked.
        mask_bands: Most bands blanked.
    """

    stretch: tuple[float, float] = (0.85, 1.2)
    look: float = 0.2
    mixup: float = 0.4
    mixup_db: tuple[float, float] = (-9.0, 9.0)
    background: float = 0.3
    background_db: tuple[float, float] = (4.0, 24.0)
    floor: float = 0.3
    floor_db: tuple[float, float] = (10.0, 45.0)
    equalise_db: float = 2.0
    mask_frames: int = 24
    mask_bands: int = 9


@dataclass(frozen=True, slots=True)
class Batch:
    """Windows and what a network should say.

    Attributes:
        features: As the front end gives them, float, shape (n, 96, 40).
        category: Probabilities, shape (n, 57).
        alarm: 1 for an emergency, then for each kind; shape (n, 6).
        known: Which of ``alarm`` are known, shape (n, 6).
        handicap: Taken from the category logits in training, shape (n, 57); see :func:`handicap`.
    """

    features: Tensor
    category: Tensor
    handicap: Tensor
    alarm: Tensor
    known: Tensor


def category_targets(smoothing: float) -> Tensor:
    """Row per category: most on itself, some on its superclass, a little on all; shape (57, 57)."""
    rows = np.full((len(CATEGORIES), len(CATEGORIES)), smoothing / 3.0 / len(CATEGORIES))
    for index, category in enumerate(CATEGORIES):
        siblings = [CATEGORIES.index(other) for other in SUPERCLASSES[SUPERCLASS_OF[category]]]
        rows[index, siblings] += smoothing * 2.0 / 3.0 / len(siblings)
        rows[index, index] += 1.0 - smoothing
    return torch.tensor(rows, dtype=torch.float32)


def emergency_targets(kind: NDArray[np.int64]) -> tuple[Tensor, Tensor]:
    """Targets of the second head and which of them are known.

    Args:
        kind: Index into ``EMERGENCIES`` or one of the negative codes of :mod:`dataset`, shape (n,).

    Returns:
        Targets and mask, each shape (n, 6): any emergency, then each kind.
    """
    of_kind = torch.tensor(kind)[:, None] == torch.arange(len(EMERGENCIES))
    some = torch.tensor(kind != NO_EMERGENCY)[:, None]
    known = torch.ones(len(kind), 1 + len(EMERGENCIES))
    known[torch.tensor(kind == UNKNOWN_EMERGENCY), 1:] = 0.0
    return torch.cat([some, of_kind], dim=1).float(), known


class Batches:
    """A source of batches.

    Args:
        takes: What to cut windows from.
        smoothing: Share of a label spread over the category's superclass and over all.
        soft: A teacher's category probabilities for each of the takes' embeddings, shape (m, 57), or None.
        distillation: Share of the label taken from the teacher where there is one.
        variation: Ranges.
        seed: Of everything drawn.
    """

    def __init__(
        self,
        takes: Takes,
        *,
        smoothing: float,
        soft: NDArray[np.float32] | None,
        distillation: float,
        variation: Variation,
        seed: int,
    ):
        self._generator = torch.Generator().manual_seed(seed)
        self._variation = variation
        self._frames = torch.tensor(takes.frames)
        self._start = torch.tensor(takes.start[:-1])
        self._length = torch.tensor(np.diff(takes.start))
        self._hard = category_targets(smoothing)[torch.tensor(takes.category)]
        self._soft = None if soft is None else torch.tensor(soft)
        self._soft_start = torch.tensor(takes.embedding_start[:-1])
        self._soft_count = torch.tensor(np.diff(takes.embedding_start))
        self._distillation = distillation
        self._alarm, self._known = emergency_targets(takes.emergency)
        self._chance = torch.tensor(chances(takes))
        self._recorded = torch.tensor(takes.clip >= 0)
        self._handicap = handicap(takes)

    def draw(self, n: int) -> Batch:
        """The next n windows."""
        v = self._variation
        take = torch.multinomial(self._chance, 2 * n, replacement=True, generator=self._generator)
        x, category = self._cut(take)
        alarm, known = self._alarm[take], self._known[take]
        one, two = slice(0, n), slice(n, 2 * n)
        fate = self._uniform((n, 1), 0.0, 1.0)
        mixed, behind = fate < v.mixup, (fate >= v.mixup) & (fate < v.mixup + v.background)
        over_db = torch.where(mixed, self._uniform((n, 1), *v.mixup_db), self._uniform((n, 1), *v.background_db))
        over_db = torch.where(mixed | behind, over_db, torch.tensor(200.0))
        share = torch.where(mixed, torch.sigmoid(over_db / 4.0), torch.tensor(1.0))
        total = _add_powers(x[one], x[two] - (over_db * UNITS_PER_DB)[:, :, None])
        # An emergency 6 dB under another sound is still one; deeper in the background nobody says whether it is.
        heard = torch.maximum(alarm[one] * (over_db > -6.0), alarm[two] * (mixed & (over_db < 6.0)))
        unsure = (alarm[two][:, :1] > 0) & (behind | (mixed & (over_db >= 6.0)))
        unsure |= (alarm[one][:, :1] > 0) & (over_db <= -6.0)
        recorded = self._recorded[take]
        only_recorded = recorded[one] & (recorded[two] | ~mixed[:, 0])
        return Batch(
            features=self._finish(total),
            category=share * category[one] + (1.0 - share) * category[two],
            handicap=only_recorded[:, None] * self._handicap,
            alarm=heard,
            known=known[one] * torch.where(mixed, known[two], torch.tensor(1.0)) * ~unsure,
        )

    def _uniform(self, shape: tuple[int, ...], low: float, high: float) -> Tensor:
        return low + (high - low) * torch.rand(shape, generator=self._generator)

    def _cut(self, take: Tensor) -> tuple[Tensor, Tensor]:
        """Windows of unit mean power in 1/8 octave, shape (n, 96, 40), and their labels."""
        stretch = self._uniform((len(take),), *self._variation.stretch)
        room = (self._length[take] - frontend.N_FRAMES * stretch).clamp(min=0.0)
        start = (room * self._uniform((len(take),), 0.0, 1.0)).long()
        frames = torch.arange(frontend.N_FRAMES)[None, :]
        looks = self._uniform((len(take), 1), 0.0, 1.0) < self._variation.look
        steps = (torch.where(looks, frames % LOOK_FRAMES, frames) * stretch[:, None]).long()
        index = torch.minimum(start[:, None] + steps, self._length[take][:, None] - 1) + self._start[take][:, None]
        x = self._frames[index].float() / 2**frontend.FEATURE_SHIFT
        x = _unit_power(x + self._response(len(take)))
        labels = self._hard[take]
        if self._soft is not None:
            hop = teacher.HOP // frontend.FRAME
            nearest = ((start + frontend.N_FRAMES // 2) // hop).clamp(min=0)
            nearest = torch.minimum(nearest, self._soft_count[take] - 1) + self._soft_start[take]
            labels = (1.0 - self._distillation) * labels + self._distillation * self._soft[nearest]
        return x, labels

    def _response(self, n: int) -> Tensor:
        """Smooth random responses over the bands, shape (n, 1, 40)."""
        knots = torch.randn((n, 1, _KNOTS), generator=self._generator) * self._variation.equalise_db * UNITS_PER_DB
        return torch.nn.functional.interpolate(knots, frontend.N_MELS, mode="linear", align_corners=True)

    def _finish(self, x: Tensor) -> Tensor:
        """Add a noise floor, set the zero as the front end does, blank a stretch of time and of bands."""
        v, n = self._variation, len(x)
        floor_db = torch.where(
            self._uniform((n, 1, 1), 0.0, 1.0) < v.floor, self._uniform((n, 1, 1), *v.floor_db), torch.tensor(200.0)
        )
        tilt = self._uniform((n, 1, 1), -6.0, 6.0) * torch.linspace(-1.0, 1.0, frontend.N_MELS)
        x = _add_powers(x, (tilt - floor_db) * UNITS_PER_DB)
        x = x - x.mean(dim=(1, 2), keepdim=True)
        t, m = torch.arange(frontend.N_FRAMES)[None, :, None], torch.arange(frontend.N_MELS)[None, None, :]
        t0, m0 = self._uniform((n, 1, 1), 0.0, frontend.N_FRAMES), self._uniform((n, 1, 1), 0.0, frontend.N_MELS)
        t1, m1 = t0 + self._uniform((n, 1, 1), 0.0, v.mask_frames), m0 + self._uniform((n, 1, 1), 0.0, v.mask_bands)
        hidden = ((t >= t0) & (t < t1)) | ((m >= m0) & (m < m1))
        return x.clamp(-128.0, 127.0).round().masked_fill(hidden, 0.0)


def _add_powers(a: Tensor, b: Tensor) -> Tensor:
    """Sum of powers given in 1/8 octave."""
    return torch.logaddexp2(a / 8.0, b / 8.0) * 8.0


def _unit_power(x: Tensor) -> Tensor:
    """Shift windows in 1/8 octave to a mean power of 1."""
    mean = torch.logsumexp(x.flatten(1) * (np.log(2.0) / 8.0), dim=1) - np.log(frontend.N_FRAMES * frontend.N_MELS)
    return x - (mean * (8.0 / np.log(2.0)))[:, None, None]


def handicap(takes: Takes) -> Tensor:
    """What categories without any recording are held back by while a recording is learnt, in nats, shape (57,).

    The network then need not push them down as far, and a recording from elsewhere can still be taken for one.
    """
    recorded = np.isin(np.arange(len(CATEGORIES)), takes.category[takes.clip >= 0])
    return torch.tensor(np.where(recorded, 0.0, SYNTHETIC_HANDICAP), dtype=torch.float32)


def chances(takes: Takes) -> NDArray[np.float64]:
    """How often each take is drawn.

    Categories nearly equally, those with many recordings somewhat more, because they are also met more; recordings
    rather than synthesis the more there are, because a network soon knows a few by heart. Emergencies three times.
    """
    weight = np.zeros(len(takes))
    for category in np.unique(takes.category):
        mine = takes.category == category
        recorded = mine & (takes.clip >= 0)
        n = len(np.unique(takes.clip[recorded]))
        share = n / (n + 4.0) if (mine & ~recorded).any() else 1.0
        importance = (n + 5.0) ** 0.3 * (3.0 if CATEGORIES[category] == "emergency" else 1.0)
        for part, of in ((recorded, share), (mine & ~recorded, 1.0 - share)):
            if part.any():
                weight[part] = importance * of / part.sum()
    return weight / weight.sum()
