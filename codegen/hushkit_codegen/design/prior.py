"""Start weights of the warped controller for one noise: what it plays before it has learned anything.

The weights are the causal least-squares optimum on the controller's own chain, over the noise's spectrum and over fits
of the headset at once, so that a fit a little tighter or leakier than the measured one is still cancelled. What comes
out louder than off in any scene and fit then counts more, and at last the weights are turned down until nothing does:
the classifier may be wrong, and noise changes before it says so.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from hushkit.spec import HeadsetSpec, WarpedLs
from hushkit_models.acoustics.paths import PathSet
from numpy.typing import NDArray

from hushkit_codegen.design.feedback import highpass_ratio
from hushkit_codegen.design.fixed import filter_response
from hushkit_codegen.design.spectra import DesignScene, Response, attenuation_db, design_scene
from hushkit_codegen.design.tracking import equaliser_response
from hushkit_codegen.design.warped import quantize_weights
from hushkit_codegen.ir import AdaptiveIr, FilterIr, FilterQuality, TrackingIr, WarpedIr, WarpedLsIr

WRONG_SCENES = ("pink", "aircraft", "engine", "street", "siren")
"""Scenes that must not become louder, whatever the prior was designed for."""

GAINS_DB = (-3.0, 0.0, 3.0)
LEAKS_HZ = (None, (60.0, 250.0))
SHIFTS = (0, 2)
"""Fits: as those within which feedback keeps its waterbed."""

_OTHER_SCENE, _OTHER_FIT = 0.03, 0.02
"""Shares of the other scenes and fits at first: with more the measured fit is cancelled less."""

_ROUNDS, _RAISE = 10, 3.0
"""After each round, what the shares of scenes and fits that came out louder are multiplied by."""

_RIDGE = 1e-6
"""Of the mean diagonal, against weights that cancel each other."""

_TURN_DOWN = 0.9
_LEAST = 0.1


@dataclass(frozen=True, slots=True)
class PriorTask:
    """What priors of one headset have in common.

    Attributes:
        spec: The headset; its [adaptive] is a warped controller.
        paths: Measured responses.
        latency_samples: From the reference microphone's sample to the driver.
        dc_pole: Of the microphones' DC blockers.
        feedforward: The fixed filter that plays beside the controller.
        tracking: The tracking controller, whose equaliser is part of the path; None without.
    """

    spec: HeadsetSpec
    paths: PathSet
    latency_samples: int
    dc_pole: float
    feedforward: FilterIr
    tracking: TrackingIr | None = None

    def scene(self, noise: str) -> DesignScene:
        """Spectra of one noise in the spec's field.

        Raises:
            DesignError: The noise cannot be loaded.
        """
        return design_scene(
            self.paths,
            noise=noise,
            field=self.spec.acoustics.field,
            latency_samples=self.latency_samples,
            dc_pole=self.dc_pole,
        )


def design_priors(task: PriorTask, adaptive: AdaptiveIr) -> tuple[AdaptiveIr, dict[str, WarpedIr], list[FilterQuality]]:
    """Every prior that a spec names.

    Args:
        task: The headset.
        adaptive: Its controller's design.

    Returns:
        The controller with its own prior; the categories' priors by noise; and what each brings at start.

    Raises:
        DesignError: As design_prior.
    """
    settings = task.spec.adaptive
    if not isinstance(adaptive, WarpedLsIr) or not isinstance(settings, WarpedLs):
        return adaptive, {}, []
    task = replace(task, tracking=adaptive.tracking)
    named = dict.fromkeys(category.prior for category in task.spec.categories if category.prior is not None)
    noises = [noise for noise in dict.fromkeys((settings.prior, *named)) if noise]
    scenes = {noise: task.scene(noise) for noise in dict.fromkeys((*noises, *WRONG_SCENES))} if noises else {}
    designed = {noise: design_prior(task, noise, scenes) for noise in noises}
    found = [FilterQuality(f"prior {noise}", 0, round(db * 1000), 0) for noise, (_, db) in designed.items()]
    if settings.prior:
        adaptive = replace(adaptive, prior=designed[settings.prior][0])
    return adaptive, {noise: designed[noise][0] for noise in named}, found


def design_prior(task: PriorTask, noise: str, scenes: Mapping[str, DesignScene]) -> tuple[WarpedIr, float]:
    """Start weights for one noise.

    Args:
        task: The headset.
        noise: One of the scenes.
        scenes: Spectra by noise, those of WRONG_SCENES at least.

    Returns:
        The weights; zeros where even a tenth of the optimum would make a scene louder. And what they and the fixed
        filter take from this noise in the measured fit, in dB.

    Raises:
        DesignError: The weights do not fit the number format.
    """
    tried = [scenes[name] for name in dict.fromkeys((noise, *WRONG_SCENES))]
    trial = Trial(task, tried)
    shares = np.outer([1.0, *[_OTHER_SCENE] * (len(tried) - 1)], [1.0, *[_OTHER_FIT] * (trial.n_fits - 1)])
    weights = trial.optimum(shares)
    for _ in range(_ROUNDS):
        loud = trial.loud(weights)
        if not loud.any():
            break
        shares[loud] *= _RAISE
        weights = trial.optimum(shares)
    gain = 1.0
    while gain >= _LEAST and trial.loud(gain * weights).any():
        gain *= _TURN_DOWN
    weights = weights * (gain if gain >= _LEAST else 0.0)
    return quantize_weights(weights, name="prior"), float(trial.attenuation_db(weights)[0, 0])


class Trial:
    """Weights tried in several scenes and in every fit of the set.

    Args:
        task: The headset.
        scenes: The noise designed for first.
    """

    def __init__(self, task: PriorTask, scenes: list[DesignScene]) -> None:
        settings = task.spec.adaptive
        assert isinstance(settings, WarpedLs)
        frequency, rate_hz = scenes[0].frequency, scenes[0].rate_hz
        omega = 2 * np.pi * frequency / rate_hz
        delay = np.exp(-1j * omega)
        section = (delay - settings.warping) / (1 - settings.warping * delay)
        self._chain = section[:, None] ** np.arange(settings.taps)
        if task.tracking is not None:
            self._chain *= equaliser_response(task.tracking, omega)[:, None]
        self._fixed = filter_response(task.feedforward, scenes[0])
        self._fits = _fits(frequency, rate_hz)
        self._scenes = scenes
        self.n_fits = len(self._fits)
        self._silent_db = self.attenuation_db(np.zeros(settings.taps))

    def attenuation_db(self, weights: NDArray[np.float64]) -> NDArray[np.float64]:
        """Noise at the ear off over on, in dB, shape (scenes, fits); the measured fit first."""
        responses = self._fits * (self._fixed + self._chain @ weights)
        return np.array(
            [[attenuation_db(scene, response) for response in responses] for scene in self._scenes], dtype=np.float64
        )

    def loud(self, weights: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Which scenes and fits are louder than off, or than with the fixed filter alone where that is louder."""
        return np.asarray(self.attenuation_db(weights) < np.minimum(0.0, self._silent_db), dtype=np.bool_)

    def optimum(self, shares: NDArray[np.float64]) -> NDArray[np.float64]:
        """Weights that leave least noise over all scenes and fits, each counting by its share, shape (scenes, fits)."""
        power = np.zeros(self._fixed.size)
        pull = np.zeros(self._fixed.size, dtype=np.complex128)
        for scene, by_fit in zip(self._scenes, shares, strict=True):
            density = scene.reference / scene.disturbance.sum()
            for share, change in zip(by_fit, self._fits, strict=True):
                path = scene.secondary * change
                power += share * density * np.abs(path) ** 2
                pull -= share * density * np.conj(path) * (scene.cross + path * self._fixed)
        normal = (self._chain.conj().T @ (power[:, None] * self._chain)).real
        ridge = _RIDGE * float(np.trace(normal)) / len(normal)
        toward = (self._chain.conj().T @ pull).real
        return np.asarray(np.linalg.solve(normal + ridge * np.eye(len(normal)), toward), dtype=np.float64)


def _fits(frequency: NDArray[np.float64], rate_hz: int) -> Response:
    """What each fit makes of the measured path, shape (fits, m); the first leaves it as it is."""
    s = 2j * np.pi * frequency
    changes = [np.ones(s.size, dtype=np.complex128)]
    for gain_db in GAINS_DB:
        for leak in LEAKS_HZ:
            moved = np.ones(s.size) if leak is None else highpass_ratio(s, *leak)
            changes += [10 ** (gain_db / 20) * moved * np.exp(-s * shift / rate_hz) for shift in SHIFTS]
    return np.array(changes)
