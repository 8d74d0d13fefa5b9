"""The classifier's network: one list of layers that training, export and the card all read.

A two-dimensional stem over time and mel bands, so that a sound is recognised a little higher or lower than it was
learnt; then one convolution over all bands at once, because where in the spectrum a sound lies is what tells most
noises apart; then convolutions along time. Padding is TensorFlow's SAME.
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

Extent = tuple[int, int]
"""Along time, along bands."""


@dataclass(frozen=True, slots=True)
class Convolution:
    """Convolution, batch normalisation, ReLU."""

    channels: int
    kernel: Extent
    stride: Extent = (1, 1)


@dataclass(frozen=True, slots=True)
class Separable:
    """Depthwise convolution and a pointwise one, each normalised and rectified.

    ``residual`` adds the block's input to its output, after the second ReLU; it needs equal channels and stride 1.
    """

    channels: int
    kernel: Extent = (3, 3)
    stride: Extent = (1, 1)
    residual: bool = False


@dataclass(frozen=True, slots=True)
class Collapse:
    """Convolution over all bands at once: one band is left."""

    channels: int


Layer = Convolution | Separable | Collapse


@dataclass(frozen=True, slots=True)
class Architecture:
    """Layers before the mean over what is left of time and bands, and the one fully connected layer."""

    name: str
    layers: tuple[Layer, ...]


MCU: Final = Architecture(
    "noise57-mcu",
    (
        Convolution(8, (3, 3), (2, 2)),
        Separable(24, stride=(2, 2)),
        Separable(36),
        Separable(64, stride=(2, 2)),
        Separable(64),
        Collapse(112),
        Separable(112, (5, 1)),
        Separable(144, (5, 1)),
    ),
)
"""For the headset: below 100 KB of weights and 2.4 M cycles of a Cortex-M7 a window.

The sum of a residual block would cost as much as its convolutions, so it has none.
"""

EDGE: Final = Architecture(
    "noise57-edge",
    (
        Convolution(16, (3, 3), (2, 2)),
        Separable(48),
        Separable(80, stride=(2, 2)),
        Separable(80, residual=True),
        Separable(160, stride=(2, 2)),
        Separable(160, residual=True),
        Collapse(320),
        Separable(320, (5, 1), residual=True),
        Separable(320, (5, 1), residual=True),
        Separable(448, (5, 1)),
    ),
)
"""For the agent: below 5 MB, and fast enough to train on two cores."""

ARCHITECTURES: Final = {architecture.name: architecture for architecture in (MCU, EDGE)}


def same_padding(n: int, kernel: int, stride: int) -> tuple[int, int]:
    """Zeros before and after n samples for TensorFlow's SAME padding."""
    total = max((-(-n // stride) - 1) * stride + kernel - n, 0)
    return total // 2, total - total // 2


class Step(nn.Module):
    """Convolution, batch normalisation, ReLU. A kernel as wide as all bands takes them without padding."""

    def __init__(self, inputs: int, outputs: int, kernel: Extent, stride: Extent, *, depthwise: bool, padded: bool):
        super().__init__()
        groups = inputs if depthwise else 1
        self.padded = padded
        self.convolution = nn.Conv2d(inputs, outputs, kernel, stride, groups=groups, bias=False)
        self.normalisation = nn.BatchNorm2d(outputs)

    @property
    def kernel(self) -> Extent:
        """Of the convolution."""
        time, bands = self.convolution.kernel_size
        return time, bands

    @property
    def stride(self) -> Extent:
        """Of the convolution."""
        time, bands = self.convolution.stride
        return time, bands

    @property
    def depthwise(self) -> bool:
        """Whether each channel is filtered alone."""
        return bool(self.convolution.groups > 1)

    def forward(self, x: Tensor) -> Tensor:
        """Shape (batch, inputs, time, bands) to (batch, outputs, ceil(time / stride), ceil(bands / stride))."""
        if self.padded and self.kernel != (1, 1):
            time = same_padding(x.shape[2], self.kernel[0], self.stride[0])
            bands = same_padding(x.shape[3], self.kernel[1], self.stride[1])
            x = functional.pad(x, (*bands, *time))
        return functional.relu(self.normalisation(self.convolution(x)))

    def folded(self) -> tuple[Tensor, Tensor]:
        """Weights (outputs, inputs per group, time, bands) and bias with the normalisation folded in."""
        norm = self.normalisation
        variance, mean = norm.get_buffer("running_var"), norm.get_buffer("running_mean")
        gain = norm.weight / torch.sqrt(variance + norm.eps)
        bias = norm.bias - mean * gain
        return (self.convolution.weight * gain[:, None, None, None]).detach(), bias.detach()


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
        blocks, channels, bands = [], 1, frontend.N_MELS
        for layer in architecture.layers:
            blocks.append(_block(layer, channels, bands))
            channels, bands = layer.channels, _bands_after(layer, bands)
        self.blocks = nn.ModuleList(blocks)
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(channels, N_OUTPUTS)

    def chain(self) -> list[Block]:
        """The blocks in order."""
        return [block for block in self.blocks if isinstance(block, Block)]

    def embed(self, features: Tensor) -> Tensor:
        """Mean over time and bands of the last block's channels, shape (batch, channels)."""
        x = (features * self.SCALE)[:, None]
        for block in self.blocks:
            x = block(x)
        return x.mean(dim=(2, 3))

    def forward(self, features: Tensor) -> Tensor:
        """Logits of each window, shape (batch, 63)."""
        logits: Tensor = self.head(self.dropout(self.embed(features)))
        return logits


def _block(layer: Layer, channels: int, bands: int) -> Block:
    if isinstance(layer, Collapse):
        return Block(
            [Step(channels, layer.channels, (1, bands), (1, 1), depthwise=False, padded=False)], residual=False
        )
    if isinstance(layer, Convolution):
        only = Step(channels, layer.channels, layer.kernel, layer.stride, depthwise=False, padded=True)
        return Block([only], residual=False)
    steps = [
        Step(channels, channels, layer.kernel, layer.stride, depthwise=True, padded=True),
        Step(channels, layer.channels, (1, 1), (1, 1), depthwise=False, padded=True),
    ]
    return Block(steps, residual=layer.residual)


def _bands_after(layer: Layer, bands: int) -> int:
    return 1 if isinstance(layer, Collapse) else -(-bands // layer.stride[1])


def count_weights(architecture: Architecture) -> int:
    """Weights of convolutions and the head, without biases: bytes in flash once they are INT8."""
    return sum(weights for weights, _ in _costs(architecture))


def count_macs(architecture: Architecture) -> int:
    """Multiply-accumulates of one window."""
    return sum(macs for _, macs in _costs(architecture))


def _costs(architecture: Architecture) -> list[tuple[int, int]]:
    """Weights and multiply-accumulates of each layer and of the head."""
    costs, channels, steps, bands = [], 1, frontend.N_FRAMES, frontend.N_MELS
    for layer in architecture.layers:
        if isinstance(layer, Collapse):
            weights = channels * bands * layer.channels
        elif isinstance(layer, Convolution):
            weights = channels * layer.kernel[0] * layer.kernel[1] * layer.channels
        else:
            weights = channels * layer.kernel[0] * layer.kernel[1] + channels * layer.channels
        steps = steps if isinstance(layer, Collapse) else -(-steps // layer.stride[0])
        bands = _bands_after(layer, bands)
        costs.append((weights, weights * steps * bands))
        channels = layer.channels
    return [*costs, (channels * N_OUTPUTS, channels * N_OUTPUTS)]
