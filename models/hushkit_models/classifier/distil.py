"""From a teacher's embeddings to soft labels, each by a small network fitted on other recordings."""

from collections.abc import Sequence
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional

from hushkit_models.classifier.dataset import Windows
from hushkit_models.classifier.taxonomy import CATEGORIES

FOLDS: Final = 4
_EPOCHS: Final = 25
_TEMPERATURE: Final = 1.5


def soft_labels(windows: Windows, groups: Sequence[str], *, seed: int = 1) -> NDArray[np.float32]:
    """Category probabilities of each window, by a network that has not seen its recording.

    Args:
        windows: With embeddings.
        groups: Group of each recording that ``windows.clip`` points to.
        seed: Of weights and folds.

    Returns:
        Shape (n, 57), rows sum to 1.
    """
    names = sorted(set(groups))
    fold_of_group = dict(zip(names, np.random.default_rng(seed).permutation(len(names)) % FOLDS, strict=True))
    synthetic_fold = np.arange(len(windows)) % FOLDS
    recorded = np.array([fold_of_group[groups[c]] if c >= 0 else -1 for c in windows.clip])
    fold = np.where(recorded >= 0, recorded, synthetic_fold)
    out = np.empty((len(windows), len(CATEGORIES)), np.float32)
    for held in range(FOLDS):
        out[fold == held] = _fit_and_label(windows, fold != held, fold == held, seed)
    return out


def _fit_and_label(
    windows: Windows, fit: NDArray[np.bool_], label: NDArray[np.bool_], seed: int
) -> NDArray[np.float32]:
    torch.manual_seed(seed)
    generator = torch.Generator().manual_seed(seed)
    x = torch.tensor(windows.embedding.astype(np.float32))
    y = torch.tensor(windows.category)
    mean, deviation = x[fit].mean(dim=0), x[fit].std(dim=0) + 1e-3
    x = (x - mean) / deviation
    model = nn.Sequential(
        nn.Dropout(0.2), nn.Linear(x.shape[1], 384), nn.ReLU(), nn.Dropout(0.4), nn.Linear(384, len(CATEGORIES))
    )
    optimiser = torch.optim.AdamW(model.parameters(), lr=1e-3, weight_decay=0.05)
    (indices,) = np.nonzero(fit)
    for _ in range(_EPOCHS):
        for pick in torch.tensor(indices)[torch.randperm(len(indices), generator=generator)].split(256):
            loss = functional.cross_entropy(model(x[pick]), y[pick], label_smoothing=0.1)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
    model.eval()
    with torch.no_grad():
        return np.asarray(functional.softmax(model(x[label]) / _TEMPERATURE, dim=1).numpy())
