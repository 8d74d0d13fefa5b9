"""What a headset spec says, as frozen dataclasses. hushkit.spec reads them from TOML."""

import dataclasses
import hashlib
import json
import math
from dataclasses import dataclass
from typing import Literal

CoreType = Literal["cortex-m4", "cortex-m7", "cortex-m33", "cortex-m55"]
CORES: tuple[CoreType, ...] = ("cortex-m4", "cortex-m7", "cortex-m33", "cortex-m55")
BLOCKS = (1, 4, 8)
MODES = ("off", "anc", "transparency")
ALGORITHMS = ("fxnlms", "hybrid", "fdaf", "warped_ls", "warped_ls_tracking", "none")
HYBRID_RULES = ("convex", "rate")
FDAF_BLOCK = 128
MAX_SECTIONS = 12
MAX_TAPS = 1024


@dataclass(frozen=True, slots=True)
class Core:
    """The microcontroller: core, clock in hertz and memories in bytes."""

    type: str
    clock_hz: int
    flash_bytes: int
    ram_bytes: int


@dataclass(frozen=True, slots=True)
class Audio:
    """Sample rate in hertz, samples per interrupt, ears, and the microphones each ear has."""

    rate_hz: int
    block: int
    ears: int
    microphones: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Converters:
    """Group delays in microseconds, and the sound level that drives a microphone's converter to full scale."""

    adc_us: float
    dac_us: float
    full_scale_db_spl: float


@dataclass(frozen=True, slots=True)
class Acoustics:
    """What the fixed filters are designed for: path set, noise scene and field, as `hushkit bench` names them."""

    paths: str
    noise: str
    field: str


@dataclass(frozen=True, slots=True)
class Filter:
    """A fixed filter from the reference microphone to the driver.

    Attributes:
        kind: ``fit`` (fitted to the path set), ``sos`` (the rows given), ``fir`` (fitted, as taps) or ``none``.
        sections: Second-order sections of ``fit`` and ``sos``, else 0.
        taps: Length of ``fir``, else 0.
        format: Number format of ``fir``: ``q31`` or ``q15``.
        rows: Rows of ``sos`` as SciPy orders them, b0 b1 b2 a0 a1 a2, dimensionless.
    """

    kind: str
    sections: int = 0
    taps: int = 0
    format: str = "q31"
    rows: tuple[tuple[float, ...], ...] = ()


@dataclass(frozen=True, slots=True)
class Feedback:
    """The fixed controller from the error microphone to the driver, on top of which feedforward works.

    Attributes:
        kind: ``fit`` (shaped for the path set), ``sos`` (the rows given, checked) or ``none``.
        sections: Second-order sections of the controller.
        model_sections: Second-order sections of the path's model that keeps programme from being cancelled.
        margin_db, margin_deg: Gain and phase margin in every fit of the set.
        waterbed_db: Worst amplification of any frequency in every fit within 3 dB of the measured gain.
        rows: Rows of ``sos`` as SciPy orders them, b0 b1 b2 a0 a1 a2, dimensionless.
    """

    kind: str = "none"
    sections: int = 2
    model_sections: int = 3
    margin_db: float = 6.0
    margin_deg: float = 30.0
    waterbed_db: float = 3.0
    rows: tuple[tuple[float, ...], ...] = ()


@dataclass(frozen=True, slots=True)
class NoAdaptive:
    """No adaptive filter. A secondary-path model still lets the headset estimate its attenuation."""

    algorithm: Literal["none"] = "none"
    taps: int = 0
    secondary_taps: int = 0
    update_block: int = 0


@dataclass(frozen=True, slots=True)
class FxNlms:
    """Filtered-x NLMS on what the fixed filter leaves.

    Attributes:
        taps: Length of the control filter.
        secondary_taps: Length of the model of the path from the output to the error microphone.
        update_block: Samples per weight update; a power of two and a multiple of the audio block.
        step: Normalised step, 0..1.
        leak: Share of each weight lost per update.
        regularisation_db: Floor of the normalising power, in dB relative to a full-scale square wave.
    """

    taps: int = 256
    secondary_taps: int = 192
    update_block: int = 32
    step: float = 0.0003
    leak: float = 1e-3
    regularisation_db: float = -70.0
    algorithm: Literal["fxnlms"] = "fxnlms"


@dataclass(frozen=True, slots=True)
class Tracking:
    """How the warped filter keeps up with the secondary path.

    Attributes:
        equaliser_hz: The driver's low end is equalised down to here, by a section behind the weights; 0: not at all.
        weighting_db, weighting_hz, weighting_q: Peak of the equations' weighting; 0 dB: none. It keeps cancellation of
            the low end from amplifying the octave where the delay no longer allows any.
        hold: Of the mean diagonal of its evidence, what holds the secondary path at its last estimate.
        auxiliary_db: Auxiliary noise relative to the residual, at the error microphone.
        change_db: Rise of the prediction error's power over its slow level that counts as a change of the fit.
            At 5 dB a recorded street is taken for changes, which costs 3 dB of it.
        change_keeps: Share of the evidence on the primary path that survives a change.
        hurry_s: For so long after a start or a change solutions come every hurry_solve_ms.
        hurry_solve_ms: Interval between solutions then.
        harm_db: Error over what it would be in silence from which the filter backs off.
        harm_keeps: Share of all evidence that survives a second detection within hurry_s.
    """

    equaliser_hz: float = 12.0
    weighting_db: float = 8.5
    weighting_hz: float = 1900.0
    weighting_q: float = 1.5
    hold: float = 1e-2
    auxiliary_db: float = -30.0
    change_db: float = 10.0
    change_keeps: float = 0.3
    hurry_s: float = 1.0
    hurry_solve_ms: float = 100.0
    harm_db: float = 1.0
    harm_keeps: float = 0.02


@dataclass(frozen=True, slots=True)
class WarpedLs:
    """Warped FIR filter fitted by recursive regularised least squares, on what the fixed filter leaves.

    Attributes:
        taps: Weights on the all-pass chain.
        secondary_taps: Length of the FIR model of the path from the output to the error microphone. It makes the
            target of one equation in `update_block` samples, so length costs little; too short a model leaves the low
            end uncancelled.
        warped_secondary_taps: Weights of the same path on the chain.
        update_block: Samples per equation; a power of two and a multiple of the audio block.
        warping: All-pass coefficient of the chain, 0..1: larger puts more of the weights to low frequencies.
        solve_ms: Interval between solutions.
        memory_s: Time constant of the covariance's forgetting.
        ridge: Regularisation, of the covariance's mean diagonal.
        start_ridge: Regularisation added at start.
        start_ms: Time constant with which it fades.
        prior: Noise scene or recording whose optimum is played at start and after a restart; empty: silence.
        tracking: How the secondary path is identified while the headset runs (warped_ls_tracking), or None: the model
            of the design is believed.
    """

    taps: int = 64
    secondary_taps: int = 1024
    warped_secondary_taps: int = 32
    update_block: int = 32
    warping: float = 0.95
    solve_ms: float = 50.0
    memory_s: float = 2.0
    ridge: float = 1e-6
    start_ridge: float = 0.03
    start_ms: float = 50.0
    prior: str = ""
    tracking: Tracking | None = None
    algorithm: Literal["warped_ls", "warped_ls_tracking"] = "warped_ls"


@dataclass(frozen=True, slots=True)
class Hybrid:
    """Long NLMS and short least-squares filter, mixed, on what the fixed filter leaves.

    Attributes:
        taps: Length of the NLMS filter.
        secondary_taps: As warped_ls: makes the target of one equation in `update_block` samples.
        update_block: Samples per equation; a power of two and a multiple of the audio block.
        short_taps: Weights of the least-squares filter, on an all-pass chain.
        warped_secondary_taps: Weights of the secondary path on the chain.
        warping: All-pass coefficient of the chain, 0..1.
        rule: What moves the mixture: ``convex`` (gradient of the joint error) or ``rate`` (the NLMS filter's share
            within 0.3 and 0.9, by whether the error still falls).
        step: Normalised step of the NLMS filter per equation, 0..1.
        leak: Share of each of its weights lost per equation.
        regularisation_db: Floor of its normalising power, in dB relative to a full-scale square wave.
        memory_s: Longest time constant of the least squares' forgetting.
        ridge: Least regularisation of the least squares, of the mean diagonal.
        start_ridge: Regularisation at start, of what the first equations bring.
        worst_condition: Conditioning beyond which the least squares start afresh, keeping their weights.
        reset_s: Seconds between periodic restarts of the least squares; 0: none.
    """

    taps: int = 256
    secondary_taps: int = 1024
    update_block: int = 32
    short_taps: int = 32
    warped_secondary_taps: int = 32
    warping: float = 0.95
    rule: str = "convex"
    step: float = 0.1
    leak: float = 1e-4
    regularisation_db: float = -70.0
    memory_s: float = 2.0
    ridge: float = 1e-6
    start_ridge: float = 0.1
    worst_condition: float = 1e12
    reset_s: float = 30.0
    algorithm: Literal["hybrid"] = "hybrid"


@dataclass(frozen=True, slots=True)
class Fdaf:
    """Delayless partitioned-block frequency-domain adaptive filter on what the fixed filter leaves.

    Attributes:
        taps: Length of the control filter, a multiple of 256.
        secondary_taps: Length of the model of the path from the output to the error microphone.
        update_block: Samples per background job; weights move every 128 samples.
        step: Step of each bin per 128 samples, 0..1.
        leak: Share of each weight lost per 128 samples.
        regularisation_db: Floor of a bin's power, as a white signal's level in dB relative to a full-scale square wave.
    """

    taps: int = 512
    secondary_taps: int = 256
    update_block: int = 32
    step: float = 0.3
    leak: float = 1e-5
    regularisation_db: float = -80.0
    algorithm: Literal["fdaf"] = "fdaf"


WARPED_LS_TRACKING = WarpedLs(
    taps=96,
    secondary_taps=256,
    warped_secondary_taps=32,
    update_block=64,
    warping=0.91,
    solve_ms=100.0,
    start_ridge=1.0,
    start_ms=25.0,
    tracking=Tracking(),
    algorithm="warped_ls_tracking",
)
"""The usual settings of the tracking controller, where they differ from the plain one's."""

# Further algorithms join this union, each with its own keys, HK_ALGORITHM_ constant and emitter.
Adaptive = NoAdaptive | FxNlms | Hybrid | Fdaf | WarpedLs


@dataclass(frozen=True, slots=True)
class Modes:
    """Mode at power-on and length of the cross-fade between modes, in milliseconds."""

    start: str
    ramp_ms: float


@dataclass(frozen=True, slots=True)
class Limiter:
    """Output limiter: threshold in dBFS, and time from silence back to full gain in milliseconds."""

    threshold_dbfs: float
    release_ms: float


@dataclass(frozen=True, slots=True)
class Watch:
    """Divergence watch: window in milliseconds, and the rise of the error over its "off" estimate that counts."""

    window_ms: float
    ratio_db: float


@dataclass(frozen=True, slots=True)
class Classifier:
    """Noise classifier.

    Attributes:
        model: Name of a shipped model, or a .tflite file.
        hop_ms: From window to window.
        look_ms: From look to look, for emergencies.
        confidence: Smoothed probability from which a category is in force, 0..1.
        emergency_confidence: Probability from which a look votes for an emergency, 0..1.
    """

    model: str
    hop_ms: float
    look_ms: float
    confidence: float
    emergency_confidence: float


@dataclass(frozen=True, slots=True)
class Category:
    """What one noise category changes; None keeps the spec's own value.

    Attributes:
        name: Of the category.
        taps: Weights that adapt, of the control filter's `adaptive.taps` (fxnlms).
        step, leak: As `adaptive` (fxnlms, hybrid, fdaf).
        memory_s, ridge, start_ridge: As `adaptive` (warped_ls, hybrid).
        prior: As `adaptive` (warped_ls); categories may share one.
        mode: In place of ``anc``.
        intensity: Share of the operator's intensity, 0..1.
    """

    name: str
    taps: int | None = None
    step: float | None = None
    leak: float | None = None
    memory_s: float | None = None
    ridge: float | None = None
    start_ridge: float | None = None
    prior: str | None = None
    mode: str | None = None
    intensity: float | None = None


@dataclass(frozen=True, slots=True)
class Budgets:
    """Limits the product must keep: latency in microseconds, load in percent of the clock, memory in bytes."""

    latency_us: float
    cpu_percent: float
    flash_bytes: int
    ram_bytes: int


@dataclass(frozen=True, slots=True)
class HeadsetSpec:
    """One headset product. Frozen; every value is in range and they fit each other."""

    name: str
    core: Core
    audio: Audio
    converters: Converters
    acoustics: Acoustics
    feedforward: Filter
    transparency: Filter
    adaptive: Adaptive
    modes: Modes
    limiter: Limiter
    watch: Watch
    dc_block_hz: float
    budgets: Budgets
    classifier: Classifier | None = None
    categories: tuple[Category, ...] = ()
    feedback: Feedback = Feedback()

    @property
    def buffering_samples(self) -> int:
        """Delay of the block exchange: the first sample waits block - 1, the output one block more to be latched."""
        return 2 * self.audio.block - 1

    @property
    def buffering_us(self) -> float:
        """The same in microseconds."""
        return self.buffering_samples * 1e6 / self.audio.rate_hz

    @property
    def needed_latency_us(self) -> float:
        """Least delay from the reference microphone's sample to the driver: buffering and both converters."""
        return self.buffering_us + self.converters.adc_us + self.converters.dac_us

    @property
    def needed_latency_samples(self) -> int:
        """The same in whole samples, rounded up: the plant pads what is left over."""
        return math.ceil(self.needed_latency_us * self.audio.rate_hz / 1e6 - 1e-9)

    def digest(self) -> str:
        """First 16 hex digits of the SHA-256 of the spec's canonical JSON: equal specs, equal digests."""
        canonical = json.dumps(dataclasses.asdict(self), sort_keys=True).encode()
        return hashlib.sha256(canonical).hexdigest()[:16]
