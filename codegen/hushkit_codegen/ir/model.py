"""The integer design of one headset: frozen dataclasses that hold nothing but integers, names and tuples of them.

Numbers are stored as the firmware reads them (firmware/include/hk/hk_design.h, the same names): coefficients Q1.31 or
Q1.15, levels in thousandths of a decibel (mdb), powers in units of 2^-48 of full-scale power (q48).
"""

from dataclasses import dataclass
from typing import Literal

IR_SCHEMA = 3
N_CATEGORIES = 57


@dataclass(frozen=True, slots=True)
class SilentIr:
    """A filter that was left out: writes zeros."""

    kind: Literal["none"] = "none"


@dataclass(frozen=True, slots=True)
class BiquadIr:
    """A cascade of second-order sections with fraction saving.

    Attributes:
        sections: Rows b0, b1, b2, -a1, -a2 in Q1.31, scaled by 2^-post_shift.
        post_shift: 0..7.
        output_shift: 0..15; the last section's output is shifted left by it, saturating.
    """

    sections: tuple[tuple[int, int, int, int, int], ...]
    post_shift: int
    output_shift: int
    kind: Literal["sos"] = "sos"


@dataclass(frozen=True, slots=True)
class FirIr:
    """A transversal filter.

    Attributes:
        taps: Last in time first, as CMSIS-DSP wants them; a tap is worth taps[i] * 2^(exponent - bits), bits 31 or 15.
        exponent: 0..15; the sum is shifted left by it, saturating.
        format: ``q31`` or ``q15``: of the taps, and in q15 of the samples too.
    """

    taps: tuple[int, ...]
    exponent: int
    format: str = "q31"
    kind: Literal["fir"] = "fir"


FilterIr = SilentIr | BiquadIr | FirIr


@dataclass(frozen=True, slots=True)
class NoAdaptiveIr:
    """No adaptive filter."""

    algorithm: Literal["none"] = "none"


@dataclass(frozen=True, slots=True)
class FxNlmsIr:
    """Filtered-x NLMS (hk_fxnlms_design_t).

    Attributes:
        prior: Start weights; their exponent is the control filter's.
        step_q31: Normalised step.
        leak_q31: Share of each weight lost per update.
        regularisation_q48: Added to the power of the filtered reference, summed over the control filter's length.
        weight_sum_limit: Bound of the sum of |w|, in LSB.
    """

    prior: FirIr
    step_q31: int
    leak_q31: int
    regularisation_q48: int
    weight_sum_limit: int
    algorithm: Literal["fxnlms"] = "fxnlms"


@dataclass(frozen=True, slots=True)
class WarpedIr:
    """Weights in the firmware's order, each worth taps[i] * 2^(exponent - 31). On an all-pass chain taps[0] is on its
    input."""

    taps: tuple[int, ...]
    exponent: int


@dataclass(frozen=True, slots=True)
class TrackingIr:
    """How the warped filter keeps up with the secondary path (hk_tracking_design_t). Ratios in parts per billion.

    Attributes:
        weighting_q28: The equations are of sum_j weighting[j] * section[k + j].
        equaliser: Section behind the weights, or none.
        inverse: Its inverse, for what was really played.
        hold_ppb: Regularisation of the secondary path toward its last estimate.
        change_ratio_ppb: Prediction error's power over its slow level that counts as a change.
        change_keeps_ppb: Share of the evidence a change leaves.
        harm_ratio_ppb: Error's power over that of silence that counts as harm.
        harm_keeps_ppb: Share of the evidence that a second detection within hurry_jobs leaves.
        fast_ppb, slow_ppb: Steps of the running powers, per equation.
        least_memory_ppb: Equations in the memory at the start, from where it grows.
        delay: Samples from a chain's state to the error that can first hear it.
        hurry_jobs: Update blocks after a start or a change in which solutions come faster.
        hurry_solve_jobs: Update blocks per solution then.
        blind_jobs: Update blocks after a change in which no other is looked for.
        fade_jobs: Update blocks of the weights' way in a hurry, and out of harm.
        auxiliary_ppb: Auxiliary noise over the residual, at the error microphone, in amplitude.
        auxiliary_pole_q31: Pole of the noise's colour.
        auxiliary_rms_ppb: Level of the noise at full scale.
        auxiliary_correlation_ppb: Correlation of the noise in sections d apart, d < weights of the secondary path.
    """

    weighting_q28: tuple[int, ...]
    equaliser: BiquadIr | SilentIr
    inverse: BiquadIr | SilentIr
    hold_ppb: int
    change_ratio_ppb: int
    change_keeps_ppb: int
    harm_ratio_ppb: int
    harm_keeps_ppb: int
    fast_ppb: int
    slow_ppb: int
    least_memory_ppb: int
    delay: int
    hurry_jobs: int
    hurry_solve_jobs: int
    blind_jobs: int
    fade_jobs: int
    auxiliary_ppb: int
    auxiliary_pole_q31: int
    auxiliary_rms_ppb: int
    auxiliary_correlation_ppb: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class WarpedLsIr:
    """Warped FIR by least squares (hk_warped_ls_design_t). Ratios in parts per billion, for the firmware's floats.

    Attributes:
        one_minus_lambda_q32: 1 - all-pass coefficient, times 2^32.
        secondary: The secondary path on the chain.
        prior: Start weights.
        equation_jobs: Update blocks per equation.
        solve_jobs: Update blocks per solution, a multiple of 4 * equation_jobs.
        forget_ppb: Share of the covariance kept per equation.
        ridge_ppb: Regularisation, of the mean diagonal.
        start_ridge_ppb: Regularisation added at start.
        start_fade_ppb: Share of that kept per solution.
        tracking: Of the secondary path, or None.
    """

    one_minus_lambda_q32: int
    secondary: WarpedIr
    prior: WarpedIr
    equation_jobs: int
    solve_jobs: int
    forget_ppb: int
    ridge_ppb: int
    start_ridge_ppb: int
    start_fade_ppb: int
    tracking: TrackingIr | None = None
    algorithm: Literal["warped_ls", "warped_ls_tracking"] = "warped_ls"


@dataclass(frozen=True, slots=True)
class HybridIr:
    """NLMS and least squares mixed (hk_hybrid_design_t).

    Attributes:
        prior: Start weights of the long filter; their exponent is the control filter's.
        step_q31, leak_q31: Of the long filter, per update block.
        regularisation_q48: Added to the power of the filtered reference, summed over the long filter's length.
        weight_sum_limit: Bound of the sum of its |w|, in LSB.
        short_taps: Weights of the short filter on the chain.
        one_minus_lambda_q32, secondary: As WarpedLsIr.
        forget_ppb, ridge_ppb, start_ridge_ppb: As WarpedLsIr, per update block.
        rule: 0: convex, 1: rate.
        worst_condition: Conditioning beyond which the least squares start afresh.
        reset_jobs: Update blocks between their periodic restarts; 0: none.
    """

    prior: FirIr
    step_q31: int
    leak_q31: int
    regularisation_q48: int
    weight_sum_limit: int
    short_taps: int
    one_minus_lambda_q32: int
    secondary: WarpedIr
    forget_ppb: int
    ridge_ppb: int
    start_ridge_ppb: int
    rule: int
    worst_condition: int
    reset_jobs: int
    algorithm: Literal["hybrid"] = "hybrid"


@dataclass(frozen=True, slots=True)
class FdafIr:
    """Frequency-domain adaptive filter (hk_fdaf_design_t).

    Attributes:
        prior: Start weights; their exponent is the control filter's.
        step_q31, leak_q31: Per block of 128 samples.
        regularisation_q48: Added to a bin's power, summed over the partitions.
        weight_sum_limit: Bound of the sum of |w|, in LSB.
    """

    prior: FirIr
    step_q31: int
    leak_q31: int
    regularisation_q48: int
    weight_sum_limit: int
    algorithm: Literal["fdaf"] = "fdaf"


TransversalIr = FxNlmsIr | HybridIr | FdafIr
"""Controllers whose filter, or one of whose filters, is transversal: ``prior`` has its length and exponent."""

AdaptiveIr = NoAdaptiveIr | TransversalIr | WarpedLsIr


@dataclass(frozen=True, slots=True)
class CategorySettingsIr:
    """What one noise category, or several alike, set (hk_category_settings_t). Unused by the algorithm: 0.

    Attributes:
        mode: In place of ANC: 0 off, 1 ANC, 2 transparency.
        intensity: Per mille, times the operator's.
        prior: 0: the algorithm's own prior; else one of CategoriesIr.priors, counted from 1.
        taps: Weights that adapt (fxnlms).
        step_q31, leak_q31: As the transversal controllers'.
        forget_ppb, ridge_ppb, start_ridge_ppb: As WarpedLsIr.
    """

    mode: int
    intensity: int
    prior: int
    taps: int
    step_q31: int
    leak_q31: int
    forget_ppb: int
    ridge_ppb: int
    start_ridge_ppb: int


@dataclass(frozen=True, slots=True)
class CategoriesIr:
    """Settings by noise category.

    Attributes:
        settings: Different rows beside the algorithm's own.
        row_of: Per category, in the classifier's order: 0 for the algorithm's own row, else one of `settings`, counted
            from 1.
        priors: Start weights that rows name.
    """

    settings: tuple[CategorySettingsIr, ...] = ()
    row_of: tuple[int, ...] = (0,) * N_CATEGORIES
    priors: tuple[WarpedIr, ...] = ()


@dataclass(frozen=True, slots=True)
class ClassifierIr:
    """The classifier's network and when it decides; the fields of ``hk_classifier_design_t``.

    Attributes:
        model: Name of the .tflite file it was compiled from.
        network: Signed file of the compiled network, hexadecimal.
        slice_work: Instructions per slice of the network, roughly.
        hop_frames, look_frames: Frames of 32 ms from window to window, from look to look.
        enter: Smoothed probability a category needs, per mille.
        step_factor: Octaves of probability per unit of a logit, Q16.
        threshold, hint, sure, suspect, window, confirm, cadence, release: Rules of an emergency.
    """

    model: str
    network: str
    slice_work: int
    hop_frames: int
    look_frames: int
    enter: int
    step_factor: int
    threshold: int
    hint: int
    sure: int
    suspect: int
    window: int
    confirm: int
    cadence: int
    release: int


@dataclass(frozen=True, slots=True)
class FilterQuality:
    """What the design stage found about one fixed filter, for reports; the firmware does not read it.

    Attributes:
        fit_error_mdb: Power of (fitted - ideal) over ideal, weighted by what reaches the ear.
        attenuation_mdb: Noise at the ear with the filter off over on, in the design scene; 0 for the others.
        worst_octave_mdb: The least of that over the octaves 63 Hz to 8 kHz; for transparency the largest deviation from
            the ideal, 100 Hz to 6 kHz.
        margin_mdb, margin_mdeg: Of feedback: least gain and phase margin over its set of fits; 0 for the others. There
            `fit_error_mdb` is the colour it lends to programme, `attenuation_mdb` what it takes from what the
            feedforward optimum leaves, `worst_octave_mdb` the waterbed, negative.
        warning: Empty, or what was given up and why.
    """

    name: str
    fit_error_mdb: int
    attenuation_mdb: int
    worst_octave_mdb: int
    warning: str = ""
    margin_mdb: int = 0
    margin_mdeg: int = 0


@dataclass(frozen=True, slots=True)
class HeadsetIr:
    """The integer design of one headset."""

    spec_name: str
    spec_digest: str
    core: str
    clock_hz: int
    rate_hz: int
    ears: int
    block: int
    has_error_microphone: int
    start_mode: int
    full_scale_mdb_spl: int
    latency_samples: int
    paths: str
    feedforward: FilterIr
    transparency: FilterIr
    secondary: FirIr | SilentIr
    update_block: int
    adaptive: AdaptiveIr
    dc_block_pole_q31: int
    limiter_threshold_q31: int
    limiter_release_q31: int
    ramp_samples: int
    watch_samples: int
    watch_ratio_q16: int
    quality: tuple[FilterQuality, ...]
    categories: CategoriesIr = CategoriesIr()
    classifier: ClassifierIr | None = None
    feedback: FilterIr = SilentIr()
    feedback_model: FilterIr = SilentIr()
    schema: int = IR_SCHEMA
