"""One row per controller and scenario, and one cost per controller and core."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from hushkit.build import build_host
from hushkit.project import build_dir
from hushkit.spec import HeadsetSpec
from hushkit.spec_cost import estimate
from hushkit_codegen.design import design_headset
from hushkit_models.acoustics.bound import Bound
from hushkit_models.acoustics.metrics import ratio_db
from hushkit_models.acoustics.paths import load_paths
from hushkit_models.acoustics.scenario import PlantSignals, Scenario, latency_samples, render
from hushkit_models.reference.simulation import acoustic_figures, simulate
from numpy.typing import NDArray

from hushkit_hil.bench.load import emulated_load
from hushkit_hil.bench.quality import bound_of
from hushkit_hil.bench.run import run_target
from hushkit_hil.bench.setup import Request, Say, build_folder, plant_run, prepare
from hushkit_hil.controllerbench.cases import CASES, CORES, Case, headset, headset_text
from hushkit_hil.controllerbench.scenarios import LATENCY_US
from hushkit_hil.targets.host import run_on_host

INSTANTS_S = (1, 3, 10, 30)
_INSTANT_S = 0.5
"""What is heard "at" an instant: the half second that ends there."""

TARGET, REFERENCE = "target", "reference"
ESTIMATED = "estimated"
_WARPED_MODEL_TAPS, _MODEL_TAPS = 1024, 256


@dataclass(frozen=True, slots=True)
class Row:
    """One controller on one scenario.

    Attributes:
        algorithm: The case's name.
        subject: ``target``: the fixed-point firmware, built for this machine, which has the target's bits;
            ``reference``: float64, not on the target.
        scenario: Paths, field, noise, latency and length.
        db_at: Attenuation over the half second that ends at each instant; null beyond the run's end.
        attenuation_db, bound_db, distance_db: Over the protocol's window.
        t3_s: As the protocol; null when never reached.
        worst_octave_amplification_below_4khz_db, worst_sustained_db: As ``hushkit bench``.
    """

    algorithm: str
    subject: str
    scenario: dict[str, Any]
    db_at: dict[str, float | None]
    attenuation_db: float
    bound_db: float
    distance_db: float
    t3_s: float | None
    worst_octave_amplification_below_4khz_db: float
    worst_sustained_db: float


@dataclass(frozen=True, slots=True)
class Cost:
    """One controller's firmware on one core: one ear, the whole audio path and the watch included.

    Attributes:
        algorithm: The case's name.
        core, clock_hz: Of the headset.
        cycles_per_sample: Mean; of the busiest update block where it is only estimated.
        cpu_percent: In the busiest update block.
        fits: Whether the core carries it; where it does not, the figures are the spec check's estimate.
        evidence: Modelled (of a run's exact instructions), or estimated (before anything is built).
        toolchain: Compiler; None where nothing was built.
    """

    algorithm: str
    core: str
    clock_hz: int
    cycles_per_sample: float
    cpu_percent: float
    fits: bool
    evidence: str
    toolchain: str | None = None


class Stage:
    """One scenario's signals and bound, for every controller on it.

    Args:
        scenario: What is played.
        rate_hz: Sample rate.
        full_scale_db_spl: Level of a full-scale sine.
    """

    def __init__(self, scenario: Scenario, *, rate_hz: int, full_scale_db_spl: float) -> None:
        self.scenario = scenario
        self.latency = latency_samples(scenario.latency_us, rate_hz)
        self.signals: PlantSignals = render(scenario, rate_hz=rate_hz, n_ears=1, full_scale_db_spl=full_scale_db_spl)
        self.bound: Bound = bound_of(self.signals, self.latency)

    def on_target(self, case: Case) -> Row:
        """Run a case's firmware, built for this machine."""
        spec, _ = headset(case, "cortex-m7")
        paths = load_paths(self.scenario.paths, spec.audio.rate_hz)
        ir = design_headset(spec, paths, latency_us=self.latency * 1e6 / spec.audio.rate_hz)
        library = build_host(spec, ir=ir, directory=build_folder(ir))
        outcome = run_on_host(library, plant_run(self.signals, block=spec.audio.block, latency=self.latency))
        return self._row(case.name, TARGET, outcome.error / 2.0**31)

    def in_reference(self, algorithm: str) -> Row:
        """Run a reference controller with its defaults."""
        model_taps = _WARPED_MODEL_TAPS if algorithm.startswith("warped_ls") else _MODEL_TAPS
        run = simulate(self.signals, algorithm, latency_samples=self.latency, model_taps=model_taps)
        return self._row(algorithm, REFERENCE, run.error)

    def _row(self, name: str, subject: str, error: NDArray[np.float64]) -> Row:
        figures = acoustic_figures(self.signals, error, self.bound)
        scenario = self.scenario
        return Row(
            algorithm=name,
            subject=subject,
            scenario={
                "noise": scenario.noise,
                "paths": scenario.paths,
                "field": scenario.field,
                "latency_us": self.latency * 1e6 / self.signals.rate_hz,
                "seconds": scenario.seconds,
                "seed": scenario.seed,
            },
            db_at={str(at): self._heard_at(error, at) for at in INSTANTS_S},
            attenuation_db=figures["attenuation_db"],
            bound_db=figures["bound_db"],
            distance_db=figures["distance_db"],
            t3_s=figures["t3_s"],
            worst_octave_amplification_below_4khz_db=figures["worst_octave_amplification_below_4khz_db"],
            worst_sustained_db=figures["worst_sustained_db"],
        )

    def _heard_at(self, error: NDArray[np.float64], at_s: float) -> float | None:
        rate_hz = self.signals.rate_hz
        start, stop = round((at_s - _INSTANT_S) * rate_hz), round(at_s * rate_hz)
        if stop > error.shape[1]:
            return None
        off = self.signals.disturbance[:, start:stop]
        return ratio_db(float(np.sum(off**2)), float(np.sum(error[:, start:stop] ** 2)))


def cost(case: Case, core: str, *, seconds: float, say: Say) -> Cost:
    """Build a case for a core and run it on QEMU; the estimate where it does not fit.

    Args:
        case: The controller.
        core: One of CORES.
        seconds: Length of the run; the middle is traced.
        say: Takes lines of progress.
    """
    spec, fits = headset(case, core)
    if not fits:
        guess = estimate(spec)
        return Cost(case.name, core, CORES[core], guess.cycles_per_sample, guess.cpu_percent, False, ESTIMATED)
    file = build_dir() / "controllerbench" / f"{spec.name}-{core}.toml"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(headset_text(case, core))
    setup = prepare(Request(str(file), "qemu", latency_us=LATENCY_US, seconds=seconds), say)
    assert setup.build is not None
    load = emulated_load(spec, setup.build.elf, run_target(setup), setup.ir.update_block)
    assert load.cycles_per_sample_mean is not None
    assert load.cpu_percent_max is not None
    return Cost(
        case.name, core, CORES[core], load.cycles_per_sample_mean, load.cpu_percent_max, True, load.evidence,
        setup.build.toolchain,
    )  # fmt: skip


def reference_headset() -> HeadsetSpec:
    """The headset whose rate and full scale every scenario is rendered for."""
    return headset(CASES[0], "cortex-m7")[0]
