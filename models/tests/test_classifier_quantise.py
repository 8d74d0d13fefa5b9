"""Post-training quantisation: runs in the golden interpreter, is repeatable, stays close to the float network."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

torch = pytest.importorskip("torch", reason="training needs the train extra")

from hushkit_models.classifier import frontend  # noqa: E402
from hushkit_models.classifier.interpreter import Interpreter  # noqa: E402
from hushkit_models.classifier.network import MCU, N_OUTPUTS, Network, count_macs, count_weights  # noqa: E402
from hushkit_models.classifier.quantise import quantise  # noqa: E402
from hushkit_models.classifier.synthesis import synthesise  # noqa: E402


@pytest.fixture(scope="module")
def windows() -> NDArray[Any]:
    seconds = frontend.WINDOW / frontend.RATE_HZ
    scenes = [synthesise(name, 3, seconds=seconds).samples for name in ("ocean", "train", "emergency", "music_bass")]
    return np.stack([frontend.features(frontend.log_mel(frontend.to_q31(x, rms_dbfs=-30.0))) for x in scenes])


@pytest.fixture(scope="module")
def network() -> Network:
    torch.manual_seed(1)
    network = Network(MCU)
    network.eval()
    return network


def test_int8_follows_the_float_network(network: Network, windows: NDArray[Any]) -> None:
    interpreter = Interpreter(quantise(network, windows, description="test"))
    scale, zero = interpreter.output_quantisation

    actual = (np.stack([interpreter.run(w) for w in windows]).astype(float) - zero) * scale

    expected = network(torch.tensor(windows).float()).detach().numpy()
    assert actual.shape == (len(windows), N_OUTPUTS)
    # Independent rounding in 15 layers of 8 bits leaves about 2 % of the logits' spread.
    assert np.abs(actual - expected).max() < 0.1 * expected.std()


def test_the_same_network_gives_the_same_bytes(network: Network, windows: NDArray[Any]) -> None:
    assert quantise(network, windows, description="test") == quantise(network, windows, description="test")


def test_the_headsets_network_keeps_its_budget() -> None:
    assert count_weights(MCU) <= 100_000
    assert count_macs(MCU) <= 2_400_000
