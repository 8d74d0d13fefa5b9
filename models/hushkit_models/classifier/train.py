"""Training: cross-entropy over categories, a second head for emergencies, an average of the weights along the way."""

from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from hushkit_models.classifier.batches import HANDICAP_KEPT, Batch, Batches, Variation, handicap
from hushkit_models.classifier.dataset import Takes
from hushkit_models.classifier.network import Architecture, Network
from hushkit_models.classifier.taxonomy import CATEGORIES


@dataclass(frozen=True, slots=True)
class Schedule:
    """How to train.

    Attributes:
        epochs: Times as many windows as there are takes.
        batch: Windows a step.
        rate: Peak of the one-cycle learning rate.
        decay: Weight decay.
        smoothing: Share of the label spread over the category's superclass and over all.
        emergency_weight: Weight of the second head's loss.
        distillation: Share of the label taken from the teacher where there is one.
        average: Decay of the running average of the weights, which is what is returned.
        variation: Of the windows.
        seed: Of weights and everything drawn.
    """

    epochs: int = 50
    batch: int = 128
    rate: float = 4e-3
    decay: float = 0.02
    smoothing: float = 0.15
    emergency_weight: float = 1.0
    distillation: float = 0.5
    average: float = 0.995
    variation: Variation = field(default_factory=Variation)
    seed: int = 1


def train(
    architecture: Architecture,
    takes: Takes,
    schedule: Schedule,
    *,
    soft: NDArray[np.float32] | None = None,
    base: Network | None = None,
    progress: Callable[[int, float], None],
) -> Network:
    """Train a network.

    Args:
        architecture: What to train.
        takes: What to train on.
        schedule: How.
        soft: A teacher's category probabilities for each embedding of the takes, shape (m, 57), or None.
        base: Start from these weights (transfer learning) instead of random ones.
        progress: Called after each epoch with its number and mean loss.

    Returns:
        The running average of the network, in evaluation mode; the handicap's lasting share is in its biases.
    """
    torch.manual_seed(schedule.seed)
    network = Network(architecture)
    if base is not None:
        network.load_state_dict(base.state_dict())
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    average = deepcopy(network).eval()
    batches = Batches(
        takes,
        smoothing=schedule.smoothing,
        soft=soft,
        distillation=schedule.distillation,
        variation=schedule.variation,
        seed=schedule.seed,
    )
    optimiser = torch.optim.AdamW(network.parameters(), lr=schedule.rate, weight_decay=schedule.decay)
    steps = max(1, len(takes) // schedule.batch)
    cycle = torch.optim.lr_scheduler.OneCycleLR(optimiser, schedule.rate, total_steps=steps * schedule.epochs)
    network.train()
    done = 0
    for epoch in range(schedule.epochs):
        total = 0.0
        for _ in range(steps):
            loss = _loss(network, batches.draw(schedule.batch), schedule)
            optimiser.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(network.parameters(), 5.0)
            optimiser.step()
            cycle.step()
            done += 1
            _follow(average, network, min(schedule.average, done / (done + 10.0)))
            total += float(loss.detach())
        progress(epoch + 1, total / steps)
    if base is None:
        with torch.no_grad():
            average.head.bias[: len(CATEGORIES)] -= HANDICAP_KEPT * handicap(takes)
    return average


def _loss(network: Network, batch: Batch, schedule: Schedule) -> torch.Tensor:
    logits = network(batch.features)
    category = functional.cross_entropy(logits[:, : len(CATEGORIES)] - batch.handicap, batch.category)
    alarm = functional.binary_cross_entropy_with_logits(logits[:, len(CATEGORIES) :], batch.alarm, weight=batch.known)
    loss: torch.Tensor = category + schedule.emergency_weight * alarm
    return loss


@torch.no_grad()
def _follow(average: Network, network: Network, decay: float) -> None:
    """Move the average of weights and statistics toward the network."""
    for slow, fast in zip(average.state_dict().values(), network.state_dict().values(), strict=True):
        if slow.dtype.is_floating_point:
            slow.lerp_(fast, 1.0 - decay)


def predict(network: Network, features: NDArray[np.int8]) -> NDArray[np.float32]:
    """Logits of each window, shape (n, 63)."""
    with torch.no_grad():
        parts = [network(part.float()) for part in torch.tensor(features).split(512)]
    return np.asarray(torch.cat(parts).numpy())
