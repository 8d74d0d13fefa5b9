"""From a teacher's embeddings to soft labels, each by a small network fitted on other recordings."""

from collections.abc import Sequence
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional

from hushkit_models.classifier.batches import category_targets, chances, handicap
from hushkit_models.classifier.dataset import Takes
from hushkit_models.classifier.taxonomy import CATEGORIES

FOLDS: Final = 3
_STEPS: Final = 1200
_BATCH: Final = 256
_TEMPERATURE: Final = 1.5


class Teacher(nn.Module):
    """Categories from embeddings: standardised, one hidden layer.

    Args:
        mean: Of the embeddings it is fitted on, shape (1024,).
        deviation: Of the same.
    """

    def __init__(self, mean: torch.Tensor, deviation: torch.Tensor):
        super().__init__()
        self.register_buffer("mean", mean)
        self.register_buffer("deviation", deviation)
        self.layers = nn.Sequential(
            nn.Dropout(0.2), nn.Linear(len(mean), 384), nn.ReLU(), nn.Dropout(0.4), nn.Linear(384, len(CATEGORIES))
        )

    def forward(self, embedding: torch.Tensor) -> torch.Tensor:
        """Logits, shape (n, 57)."""
        standard = (embedding - self.get_buffer("mean")) / self.get_buffer("deviation")
        logits: torch.Tensor = self.layers(standard)
        return logits


def fit_teacher(takes: Takes, fit: NDArray[np.bool_], *, seed: int) -> Teacher:
    """Fit on the embeddings of some takes.

    Args:
        takes: With embeddings.
        fit: Which takes, shape (n,).
        seed: Of weights and order.
    """
    torch.manual_seed(seed)
    generator = torch.Generator().manual_seed(seed)
    count = np.diff(takes.embedding_start)
    take = np.repeat(np.arange(len(takes)), count)
    chance = torch.tensor((chances(takes) / count)[take] * fit[take])
    x = torch.tensor(takes.embedding)
    y = category_targets(0.1)[torch.tensor(takes.category[take])]
    held_back = torch.tensor(takes.clip[take] >= 0)[:, None] * handicap(takes)
    fitted = x[torch.tensor(fit[take])].float()
    model = Teacher(fitted.mean(dim=0), fitted.std(dim=0) + 1e-3)
    optimiser = torch.optim.AdamW(model.parameters(), lr=1e-3, weight_decay=0.05)
    for _ in range(_STEPS):
        pick = torch.multinomial(chance, _BATCH, replacement=True, generator=generator)
        loss = functional.cross_entropy(model(x[pick].float()) - held_back[pick], y[pick])
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    return model.eval()


def soft_labels(takes: Takes, groups: Sequence[str], *, seed: int = 1) -> NDArray[np.float32]:
    """Category probabilities of each embedding, by a network that has not seen its recording.

    Args:
        takes: With embeddings.
        groups: Group of each recording that ``takes.clip`` points to.
        seed: Of weights and folds.

    Returns:
        Shape (m, 57), rows sum to 1.
    """
    names = sorted(set(groups))
    fold_of_group = dict(zip(names, np.random.default_rng(seed).permutation(len(names)) % FOLDS, strict=True))
    recorded = np.array([fold_of_group[groups[c]] if c >= 0 else -1 for c in takes.clip])
    fold = np.where(recorded >= 0, recorded, np.arange(len(takes)) % FOLDS)
    per_embedding = np.repeat(fold, np.diff(takes.embedding_start))
    out = np.empty((len(takes.embedding), len(CATEGORIES)), np.float32)
    for held in range(FOLDS):
        model = fit_teacher(takes, fold != held, seed=seed)
        mine = per_embedding == held
        with torch.no_grad():
            logits = model(torch.tensor(takes.embedding[mine]).float())
        out[mine] = functional.softmax(logits / _TEMPERATURE, dim=1).numpy()
    return out
