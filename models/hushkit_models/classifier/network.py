"""The classifier's network: one list of layers that training, export and the card all read.

Mel bands are channels and convolutions run along time alone, so that nearly all of the work is in pointwise
convolutions, the operator a microcontroller does best. Padding is TensorFlow's SAME.
"""

from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor, nn
from torch.nn import functional

from hushkit_models.classifier import frontend
from hushkit_models.classifier.taxonomy import CATEGORIES, EMERGENCIES

N_OUTPUTS: Final = len(CATEGORIES) + 1 + len(EMERGENCIES)
"""Logits: the categories, any emergency, then each kind of emergency."""


@dataclass(frozen=True, slots=True)
class Convolution:
    """Convolution along time, batch normalisation, ReLU."""

    channels: int
    kernel: int
    stride: int = 1


@dataclass(frozen=True, slots=True)
class Separable:
    """Depthwise convolution along time and a pointwise one, each normalised and rectified.

    ``residual`` adds the block's input to its output, after the second ReLU; it needs equal channels and stride 1.
    """

    channels: int
    kernel: int
    stride: int = 1
    residual: bool = False


Layer = Convolution | Separable


@dataclass(frozen=True, slots=True)
class Architecture:
    """Layers before the mean over time and the one fully connected layer."""

    name: str
    layers: tuple[Layer, ...]


MCU: Final = Architecture(
    "noise57-mcu",
    (
        Convolution(64, 5, 2),
        Separable(88, 5),
        Separable(96, 5, 2),
        Separable(96, 5, residual=True),
        Separable(128, 5, 2),
        Separable(128, 5, residual=True),
        Separable(160, 3),
    ),
)
"""For the headset: below 100 KB of weights and 2.4 M multiply-accumulates a window."""

EDGE: Final = Architecture(
    "noise57-edge",
    (
        Convolution(192, 5),
        Separable(256, 7),
        Separable(256, 7, residual=True),
        Separable(384, 7, 2),
        Separable(384, 7, residual=True),
        Separable(384, 7, residual=True),
        Separable(512, 7, 2),
        Separable(512, 7, residual=True),
        Separable(512, 7, residual=True),
        Separable(768, 5, 2),
        Separable(768, 5, residual=True),
    ),
)
"""For the agent: below 5 MB."""

ARCHITECTURES: Final = {architecture.name: architecture for architecture in (MCU, EDGE)}


def same_padding(n: int, kernel: int, stride: int) -> tuple[int, int]:
    """Zeros before and after n samples for TensorFlow's SAME padding."""
    total = max((-(-n // stride) - 1) * stride + kernel - n, 0)
    return total // 2, total - total // 2


class Step(nn.Module):
    """Convolution along time, batch normalisation, ReLU."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int, *, depthwise: bool = False):
        super().__init__()
        groups = inputs if depthwise else 1
        self.convolution = nn.Conv1d(inputs, outputs, kernel, stride, groups=groups, bias=False)
        self.normalisation = nn.BatchNorm1d(outputs)

    def forward(self, x: Tensor) -> Tensor:
        """Shape (batch, inputs, n) to (batch, outputs, ceil(n / stride))."""
        before, after = same_padding(x.shape[2], self.convolution.kernel_size[0], self.convolution.stride[0])
        return functional.relu(self.normalisation(self.convolution(functional.pad(x, (before, after)))))

    def folded(self) -> tuple[Tensor, Tensor]:
        """Weights (outputs, inputs per group, kernel) and bias with the normalisation folded in."""
        norm = self.normalisation
        variance, mean = norm.get_buffer("running_var"), norm.get_buffer("running_mean")
        gain = norm.weight / torch.sqrt(variance + norm.eps)
        bias = norm.bias - mean * gain
        return (self.convolution.weight * gain[:, None, None]).detach(), bias.detach()


class Block(nn.Module):
    """Steps in a row, with the input added to their output when residual."""

    def __init__(self, steps: list[Step], *, residual: bool):
        super().__init__()
        self.steps = nn.ModuleList(steps)
        self.residual = residual

    def chain(self) -> list[Step]:
        """The steps in order."""
        return [step for step in self.steps if isinstance(step, Step)]

    def forward(self, x: Tensor) -> Tensor:
        """As its steps."""
        y = x
        for step in self.steps:
            y = step(y)
        return x + y if self.residual else y


class Network(nn.Module):
    """The float network.

    Input: features as the front end gives them, float, shape (batch, 96, 40). Output: logits, shape (batch, 63).
    """

    SCALE: Final = 1.0 / 32.0

    def __init__(self, architecture: Architecture, *, dropout: float = 0.2):
        super().__init__()
        self.architecture = architecture
        blocks, channels = [], frontend.N_MELS
        for layer in architecture.layers:
            if isinstance(layer, Convolution):
                steps, residual = [Step(channels, layer.channels, layer.kernel, layer.stride)], False
            else:
                steps = [
                    Step(channels, channels, layer.kernel, layer.stride, depthwise=True),
                    Step(channels, layer.channels, 1, 1),
                ]
                residual = layer.residual
            blocks.append(Block(steps, residual=residual))
            channels = layer.channels
        self.blocks = nn.ModuleList(blocks)
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(channels, N_OUTPUTS)

    def chain(self) -> list[Block]:
        """The blocks in order."""
        return [block for block in self.blocks if isinstance(block, Block)]

    def embed(self, features: Tensor) -> Tensor:
        """Mean over time of the last block's channels, shape (batch, channels)."""
        x = features.transpose(1, 2) * self.SCALE
        for block in self.blocks:
            x = block(x)
        return x.mean(dim=2)

    def forward(self, features: Tensor) -> Tensor:
        """Logits of each window, shape (batch, 63)."""
        logits: Tensor = self.head(self.dropout(self.embed(features)))
        return logits


def count_weights(architecture: Architecture) -> int:
    """Weights of convolutions and the head, without biases: bytes in flash once they are INT8."""
    return sum(weights for weights, _ in _costs(architecture))


def count_macs(architecture: Architecture) -> int:
    """Multiply-accumulates of one window."""
    return sum(macs for _, macs in _costs(architecture))


def _costs(architecture: Architecture) -> list[tuple[int, int]]:
    costs, channels, steps = [], frontend.N_MELS, frontend.N_FRAMES
    for layer in architecture.layers:
        steps = -(-steps // layer.stride)
        if isinstance(layer, Convolution):
            weights = channels * layer.kernel * layer.channels
        else:
            weights = channels * layer.kernel + channels * layer.channels
        costs.append((weights, weights * steps))
        channels = layer.channels
    return [*costs, (channels * N_OUTPUTS, channels * N_OUTPUTS)]
