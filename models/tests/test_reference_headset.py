"""Reference controllers on a headset: the warped filter against the causal bound, and the order of the others."""

import numpy as np
import pytest
from hushkit_models.acoustics.bound import causal_bound
from hushkit_models.acoustics.metrics import attenuation, convergence_time, worst_moment_db
from hushkit_models.acoustics.scenario import PlantSignals, Scenario, render
from hushkit_models.reference import make_controller
from hushkit_models.reference.plant import plant_of
from numpy.typing import NDArray

RATE_HZ, LATENCY, WINDOW_S = 48_000, 4, (1.5, 4.0)


def _signals(noise: str, paths: str, field: str) -> PlantSignals:
    return render(Scenario(noise, paths, field, seconds=4.0))


def _run(signals: PlantSignals, algorithm: str, model_taps: int) -> NDArray[np.float64]:
    plant = plant_of(signals, 0, LATENCY)
    model = plant.secondary[0][: LATENCY + model_taps]
    power = float(np.mean(plant.reference**2))
    return make_controller(algorithm, rate_hz=RATE_HZ, model=model, reference_power=power).run(plant).error


@pytest.mark.parametrize(
    ("noise", "paths", "field"),
    [("aircraft", "overear", "diffuse"), ("pink", "inear", "direct"), ("engine", "overear", "diffuse")],
)
def test_warped_filter_comes_within_3_db_of_the_causal_bound(noise: str, paths: str, field: str) -> None:
    signals = _signals(noise, paths, field)
    bound = causal_bound(signals, latency_samples=LATENCY, taps=4096, window_s=WINDOW_S)

    error = _run(signals, "warped_ls", 1024)

    reached = attenuation(signals.disturbance[0], error, rate_hz=RATE_HZ, window_s=WINDOW_S).attenuation_db
    t3_s = convergence_time(error, bound.residual[0], rate_hz=RATE_HZ)
    assert bound.attenuation_db - reached < 3.0
    assert t3_s is not None
    assert t3_s <= 1.0
    assert worst_moment_db(signals.disturbance[0], error, rate_hz=RATE_HZ) < 1.5


def test_algorithms_rank_as_their_structure_says() -> None:
    signals = _signals("aircraft", "overear", "direct")

    reached = {
        algorithm: attenuation(
            signals.disturbance[0], _run(signals, algorithm, 256), rate_hz=RATE_HZ, window_s=WINDOW_S
        ).attenuation_db
        for algorithm in ("fxnlms", "fdaf", "warped_ls")
    }

    # 1024 taps and a step per bin beat 512 taps and one step; neither spans what 64 warped coefficients do.
    assert 3.0 < reached["fxnlms"] < reached["fdaf"] < reached["warped_ls"]
