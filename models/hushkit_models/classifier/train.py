"""Training: cross-entropy over categories, a second head for emergencies, mixup and masking on features."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from hushkit_models.classifier.dataset import Windows
from hushkit_models.classifier.network import Architecture, Network
from hushkit_models.classifier.taxonomy import CATEGORIES, EMERGENCIES, SUPERCLASS_OF, SUPERCLASSES


@dataclass(frozen=True, slots=True)
class Schedule:
    """How to train.

    Attributes:
        epochs: Passes over the windows.
        batch: Windows a step.
        rate: Peak of the one-cycle learning rate.
        mixup: Beta parameter; 0 is none.
        smoothing: Share of the label spread over the category's superclass and over all.
        emergency_weight: Weight of the second head's loss.
        distillation: Share of the category loss taken from the teacher where there is one.
        seed: Of weights, order and masks.
    """

    epochs: int = 40
    batch: int = 256
    rate: float = 4e-3
    mixup: float = 0.3
    smoothing: float = 0.15
    emergency_weight: float = 1.0
    distillation: float = 0.5
    seed: int = 1


def _soft_labels(smoothing: float) -> Tensor:
    """Row per category: most on itself, some on its superclass, a little on all."""
    rows = np.full((len(CATEGORIES), len(CATEGORIES)), smoothing / 3.0 / len(CATEGORIES))
    for index, category in enumerate(CATEGORIES):
        siblings = [CATEGORIES.index(other) for other in SUPERCLASSES[SUPERCLASS_OF[category]]]
        rows[index, siblings] += smoothing * 2.0 / 3.0 / len(siblings)
        rows[index, index] += 1.0 - smoothing
    return torch.tensor(rows, dtype=torch.float32)


def emergency_targets(kind: NDArray[np.int64]) -> tuple[Tensor, Tensor]:
    """Targets of the second head and which of them are known.

    Args:
        kind: Index into ``EMERGENCIES``, -1 for none, -2 for one of unknown kind; shape (n,).

    Returns:
        Targets and mask, each shape (n, 6): any emergency, then each kind.
    """
    target = torch.zeros(len(kind), 1 + len(EMERGENCIES))
    mask = torch.ones_like(target)
    target[:, 0] = torch.tensor(kind != -1, dtype=torch.float32)
    for row, value in enumerate(kind):
        if value >= 0:
            target[row, 1 + value] = 1.0
        elif value == -2:
            mask[row, 1:] = 0.0
    return target, mask


def _mask(x: Tensor, generator: torch.Generator) -> Tensor:
    """Blank one stretch of time and one of mel bands in each window, and tilt the spectrum."""
    n, steps, bands = x.shape

    def draw(low: int, high: int) -> Tensor:
        return torch.randint(low, high, (n, 1, 1), generator=generator)

    t, m = torch.arange(steps)[None, :, None], torch.arange(bands)[None, None, :]
    t0, m0 = draw(0, steps), draw(0, bands)
    hidden = ((t >= t0) & (t < t0 + draw(0, 20))) | ((m >= m0) & (m < m0 + draw(0, 7)))
    tilt = torch.randn((n, 1, 1), generator=generator) * 6.0 * torch.linspace(-1.0, 1.0, bands)[None, None, :]
    return (x + tilt).masked_fill(hidden, 0.0)


def train(
    architecture: Architecture,
    windows: Windows,
    schedule: Schedule,
    *,
    teacher: NDArray[np.float32] | None = None,
    base: Network | None = None,
    weights: NDArray[np.float32] | None = None,
    progress: Callable[[int, float], None],
) -> Network:
    """Train a network.

    Args:
        architecture: What to train.
        windows: Training windows.
        schedule: How.
        teacher: Category probabilities of a teacher, shape (n, 57), or None.
        base: Start from these weights (transfer learning) instead of random ones.
        weights: How often each window is drawn, relative; shape (n,).
        progress: Called after each epoch with its number and mean loss.
    """
    torch.manual_seed(schedule.seed)
    generator = torch.Generator().manual_seed(schedule.seed)
    network = Network(architecture)
    if base is not None:
        network.load_state_dict(base.state_dict())
    labels = _soft_labels(schedule.smoothing)[torch.tensor(windows.category)]
    if teacher is not None:
        labels = (1.0 - schedule.distillation) * labels + schedule.distillation * torch.tensor(teacher)
    alarm, known = emergency_targets(windows.emergency)
    features = torch.tensor(windows.features)
    chance = torch.tensor(_balance(windows) if weights is None else weights, dtype=torch.float64)
    optimiser = torch.optim.AdamW(network.parameters(), lr=schedule.rate, weight_decay=0.02)
    steps = -(-len(windows) // schedule.batch)
    cycle = torch.optim.lr_scheduler.OneCycleLR(optimiser, schedule.rate, total_steps=steps * schedule.epochs)
    network.train()
    for epoch in range(schedule.epochs):
        order = torch.multinomial(chance, steps * schedule.batch, replacement=True, generator=generator)
        total = 0.0
        for pick in order.split(schedule.batch):
            x, y = features[pick].float(), labels[pick]
            a, k = alarm[pick], known[pick]
            if schedule.mixup:
                share = float(
                    np.random.default_rng([schedule.seed, epoch, int(pick[0])]).beta(schedule.mixup, schedule.mixup)
                )
                other = torch.randperm(len(pick), generator=generator)
                x, y = _mix(x, x[other], share), share * y + (1.0 - share) * y[other]
                a, k = torch.maximum(a * (share > 0.25), a[other] * (share < 0.75)), k * k[other]
            logits = network(_mask(x, generator))
            category = functional.cross_entropy(logits[:, : len(CATEGORIES)], y)
            emergency = functional.binary_cross_entropy_with_logits(logits[:, len(CATEGORIES) :], a, weight=k)
            loss = category + schedule.emergency_weight * emergency
            optimiser.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(network.parameters(), 5.0)
            optimiser.step()
            cycle.step()
            total += float(loss.detach())
        progress(epoch + 1, total / steps)
    network.eval()
    return network


def _mix(a: Tensor, b: Tensor, share: float) -> Tensor:
    """Mix powers, as sounds add: features are logarithms in 1/8 octave."""
    octave = np.log(2.0) / 8.0
    here, there = np.log(max(share, 1e-6)), np.log(max(1.0 - share, 1e-6))
    return torch.logaddexp(a * octave + here, b * octave + there) / octave


def _balance(windows: Windows) -> NDArray[np.float64]:
    """Draw categories equally often, and recordings as often as synthesis where a category has both."""
    weight = np.zeros(len(windows))
    for category in range(len(CATEGORIES)):
        mine = windows.category == category
        for recorded in (True, False):
            part = mine & ((windows.clip >= 0) == recorded)
            if part.any():
                weight[part] = 1.0 / part.sum()
    weight[windows.category == CATEGORIES.index("emergency")] *= 3.0
    return weight


def predict(network: Network, features: NDArray[np.int8]) -> NDArray[np.float32]:
    """Logits of each window, shape (n, 63)."""
    with torch.no_grad():
        parts = [network(part.float()) for part in torch.tensor(features).split(512)]
    return np.asarray(torch.cat(parts).numpy())
