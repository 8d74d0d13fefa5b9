"""A made-up result and made-up signals, for tests of what judges and draws results. Nothing here was ever run."""

import numpy as np
from hushkit_models.acoustics.bound import Bound, causal_bound
from hushkit_models.acoustics.scenario import PlantSignals, Segment
from numpy.typing import NDArray

from hushkit_hil.bench.result import (
    EMULATED,
    MODELLED,
    Acoustics,
    BitExact,
    EarResult,
    FunctionLoad,
    Latency,
    Load,
    Memory,
    Result,
    ScenarioResult,
)

RATE_HZ = 48_000
_OCTAVES = {"63": 20.0, "125": 22.5, "250": 18.0, "500": 12.0, "1000": 4.0, "2000": -0.5, "4000": -2.0, "8000": -0.1}


def example_result() -> Result:
    """A result in which every figure has a value."""
    return Result(
        spec="flagship-m7",
        target="qemu",
        core="cortex-m7",
        build_id="0123456789abcdef0123456789abcdef01234567",
        toolchain="arm-none-eabi-gcc 12.2.1",
        scenario=ScenarioResult("pink", "overear", "diffuse", 62.5, 2.0, 1, "fxnlms", None, 85.0),
        latency=Latency(100.0, 20.8, 5.0, 40.0, 65.8, MODELLED),
        load=Load(
            cycles_per_sample_mean=5000.0,
            cycles_per_sample_max=12_000.0,
            cpu_percent_max=60.0,
            evidence=MODELLED,
            instructions_per_sample_mean=7000.0,
            instructions_per_sample_max=15_000.0,
            isr_instructions_per_sample_mean=2900.0,
            isr_instructions_per_sample_max=3000.0,
            isr_cycles_per_sample_max=2400.0,
            instructions_evidence=EMULATED,
            functions=(
                FunctionLoad("hk_control<&>", 1600.0, 1100.0, "isr", 1250.0, 1300, 88),
                FunctionLoad("hk_jobs_slice", 400.0, 350.0, "background"),
            ),
            isr_cycles_per_sample_mean=2100.0,
            isr_cycles_per_sample_path=2600.0,
            isr_stack_bytes=172,
        ),
        memory=Memory(40_000, 36_000, 700),
        acoustics=Acoustics(
            attenuation_db=16.0,
            attenuation_dba=12.0,
            octaves_db=_OCTAVES,
            bound_db=20.0,
            bound_octaves_db={name: value + 3.0 for name, value in _OCTAVES.items()},
            bound_taps=4096,
            distance_db=4.0,
            t3_s=0.5,
            worst_octave_amplification_db=2.0,
            worst_octave_amplification_below_4khz_db=-3.0,
            worst_moment_db=1.0,
            worst_sustained_db=0.5,
            recovery_s=0.75,
            thd_percent=0.01,
            snr_db=70.0,
            window_s=(0.7, 2.0),
            ears=(EarResult(16.1, 12.1, 20.0), EarResult(15.9, 11.9, 20.0)),
            evidence=MODELLED,
        ),
        bit_exact=BitExact(host_vs_target=True, samples=96_000, first_difference=None),
        times_real_time=1.5,
        passed=True,
        failures=(),
    )


def example_signals() -> tuple[PlantSignals, NDArray[np.int32], Bound]:
    """Two ears of noise for two seconds, error microphones 12 dB quieter, and the bound."""
    rng = np.random.default_rng(seed=7)
    reference = 0.01 * rng.standard_normal((2, 2 * RATE_HZ))
    disturbance = np.stack([np.convolve(ear, [0.0, 0.0, 0.0, 0.0, 0.5, 0.3])[: ear.size] for ear in reference])
    secondary = np.tile([0.0, 0.8, 0.1], (2, 1))
    signals = PlantSignals(
        rate_hz=RATE_HZ,
        reference=reference,
        disturbance=disturbance,
        secondary=secondary,
        feedback=None,
        segments=(Segment(0, secondary, None),),
        full_scale_db_spl=120.0,
        level_db_spl=85.0,
        name="example",
    )
    error = np.round(disturbance / 4.0 * 2.0**31).astype(np.int32)
    return signals, error, causal_bound(signals, latency_samples=2, taps=32)
