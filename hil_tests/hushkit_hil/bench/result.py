"""A bench run's result; ``as_json`` gives the keys of ``hushkit bench --json``, which others rely on."""

from dataclasses import asdict, dataclass
from typing import Any

MEASURED, EMULATED, MODELLED = "measured", "emulated", "modelled"
"""Kinds of evidence: from silicon; exact counts on an emulator; computed by a model. They never share a baseline."""


@dataclass(frozen=True, slots=True)
class ScenarioResult:
    """What was played. ``latency_us`` is the plant's, in whole samples; ``changes`` and ``categories`` as asked for."""

    noise: str
    paths: str
    field: str
    latency_us: float
    seconds: float
    seed: int
    algorithm: str
    recording: str | None
    level_db_spl: float
    changes: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Latency:
    """From the reference microphone's sample to the driver."""

    limit_us: float
    buffering_us: float
    compute_us: float | None
    converters_us: float
    total_us: float | None
    evidence: str


@dataclass(frozen=True, slots=True)
class FunctionLoad:
    """Mean share of one function per sample.

    ``cycles_worst`` is its share of the dearest interrupt or exchange that was traced, per sample. ``path_cycles`` and
    ``stack_bytes`` bound one call, callees included: the longest path through the code that ran, the deepest stack.
    """

    name: str
    instructions: float
    cycles: float
    context: str
    cycles_worst: float | None = None
    path_cycles: int | None = None
    stack_bytes: int | None = None


@dataclass(frozen=True, slots=True)
class Load:
    """What a sample costs, interrupt and background together; ``isr`` figures are the interrupt alone.

    ``evidence`` is that of cycles and of ``cpu_percent_max``; instructions are ``instructions_evidence``.
    ``isr_cycles_per_sample_path`` is the interrupt's longest path through the code that ran, ``isr_stack_bytes`` the
    deepest stack on it.
    """

    cycles_per_sample_mean: float | None
    cycles_per_sample_max: float | None
    cpu_percent_max: float | None
    evidence: str
    instructions_per_sample_mean: float | None
    instructions_per_sample_max: float | None
    isr_instructions_per_sample_mean: float | None
    isr_instructions_per_sample_max: float | None
    isr_cycles_per_sample_max: float | None
    instructions_evidence: str
    functions: tuple[FunctionLoad, ...]
    isr_cycles_per_sample_mean: float | None = None
    isr_cycles_per_sample_path: float | None = None
    isr_stack_bytes: int | None = None


@dataclass(frozen=True, slots=True)
class Memory:
    """Bytes the image occupies, and the deepest stack seen."""

    flash_bytes: int | None
    ram_bytes: int | None
    stack_bytes_max: int | None


@dataclass(frozen=True, slots=True)
class EarResult:
    """One ear."""

    attenuation_db: float
    attenuation_dba: float
    bound_db: float | None


@dataclass(frozen=True, slots=True)
class Acoustics:
    """Against the same run with cancellation off, over ``window_s``; all ears together unless per ear.

    ``worst_moment_db`` and ``worst_sustained_db`` are of the whole run: any 50 ms, and any 100 ms of one ear beyond the
    first 100 ms after the start and after each change. ``recovery_s`` is that of the last change.
    """

    attenuation_db: float
    attenuation_dba: float
    octaves_db: dict[str, float]
    bound_db: float | None
    bound_octaves_db: dict[str, float] | None
    bound_taps: int | None
    distance_db: float | None
    t3_s: float | None
    worst_octave_amplification_db: float
    worst_octave_amplification_below_4khz_db: float
    worst_moment_db: float
    worst_sustained_db: float
    recovery_s: float | None
    thd_percent: float | None
    snr_db: float | None
    window_s: tuple[float, float]
    ears: tuple[EarResult, ...]
    evidence: str


@dataclass(frozen=True, slots=True)
class BitExact:
    """Whether the host's output equals the target's; None where only one of them ran."""

    host_vs_target: bool | None
    samples: int
    first_difference: int | None


@dataclass(frozen=True, slots=True)
class Result:
    """Everything one bench run found."""

    spec: str
    target: str
    core: str
    build_id: str
    toolchain: str
    scenario: ScenarioResult
    latency: Latency
    load: Load
    memory: Memory
    acoustics: Acoustics
    bit_exact: BitExact
    times_real_time: float
    passed: bool
    failures: tuple[str, ...]

    def as_json(self) -> dict[str, Any]:
        """Plain dictionaries, lists and numbers."""
        return asdict(self)
