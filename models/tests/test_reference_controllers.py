"""Reference controllers: each converges on a known system to a bound derived beside it."""

import numpy as np
import pytest
from hushkit_models.reference import ALGORITHMS, Controller, ControllerError, make_controller
from hushkit_models.reference.frequency import FrequencyDomain
from hushkit_models.reference.hybrid import Hybrid
from hushkit_models.reference.lms import Lms
from hushkit_models.reference.plant import Plant
from hushkit_models.reference.rls import Rls
from hushkit_models.reference.warped import WarpedLs
from numpy.typing import NDArray

Vector = NDArray[np.float64]

N = 24_000
TRUTH = 0.2 * np.random.default_rng(1).standard_normal(16)
SECONDARY = np.array([0.0, 0.0, 0.6, 0.3, -0.1])
NOISE_RMS = 1e-3


def _known_plant(secondary: Vector) -> Plant:
    """White reference; a disturbance that the 16-tap filter -TRUTH through the secondary path cancels down to noise."""
    rng = np.random.default_rng(2)
    x = 0.1 * rng.standard_normal(N)
    d = np.convolve(np.convolve(x, TRUTH), secondary)[:N] + NOISE_RMS * rng.standard_normal(N)
    return Plant(48_000, x, d, np.zeros(1, dtype=np.int64), secondary[None], np.zeros((1, 0)))


def _excess_db(controller: Controller, secondary: Vector = SECONDARY) -> float:
    """Error power over the last sixth, over the noise nobody can cancel."""
    error = controller.run(_known_plant(secondary)).error[-N // 6 :]
    return float(10 * np.log10(np.mean(error**2) / NOISE_RMS**2))


def test_lms_reaches_its_misadjustment() -> None:
    # Misadjustment of LMS with white input: mu N p / (2 - mu N p) with mu N p = 0.05: 2.6 %, 0.11 dB; the mean over
    # 4000 samples is known to sqrt(2 / 4000) = 2.2 % (0.1 dB): 3 sigma and the misadjustment make 0.4 dB.
    identity = np.ones(1)

    assert abs(_excess_db(Lms(taps=16, model=identity, step=0.05 / 16 / 0.01, normalised=False), identity)) < 0.5


def test_leaky_lms_settles_at_the_biased_solution() -> None:
    # The stationary point solves (p + leak / mu) w = -p truth: the error keeps truth * q, q = leak / (mu p + leak).
    identity = np.ones(1)
    mu, leak, power = 0.05 / 16 / 0.01, 1e-4, 0.01
    controller = Lms(taps=16, model=identity, step=mu, leak=leak, normalised=False)

    controller.run(_known_plant(identity))

    share = 1 - leak / (mu * power + leak)
    # Gradient noise: a variance of mu / 2 times the error's power (the leak leaves 3 % of d): 1e-3 rms; 5 sigma.
    np.testing.assert_allclose(controller.weights, -share * TRUTH, atol=5e-3)


def test_nlms_reaches_its_misadjustment() -> None:
    # Misadjustment of NLMS: mu / (2 - mu) = 5.3 % at mu = 0.1 (0.22 dB), plus 3 sigma of the mean (0.3 dB).
    identity = np.ones(1)

    assert abs(_excess_db(Lms(taps=16, model=identity, step=0.1), identity)) < 0.6


@pytest.mark.parametrize("modified", [False, True])
@pytest.mark.parametrize("normalised", [False, True])
def test_filtered_x_lms_converges_through_a_delay(normalised: bool, modified: bool) -> None:
    # r has the power 0.46 * 0.01 and is coloured by a path whose gain varies between 0.4 and 0.8: the slowest mode has
    # a third of the mean power and still passes 10 time constants. Misadjustment as above, at most twice for colour.
    step = 0.1 if normalised else 0.1 / (16 * 0.0046)
    controller = Lms(taps=16, model=SECONDARY, step=step, normalised=normalised, modified=modified)

    assert abs(_excess_db(controller)) < 0.8


def test_modified_filtered_x_stands_steps_that_delay_makes_unstable() -> None:
    delayed = np.concatenate([np.zeros(40), SECONDARY])

    plain = Lms(taps=16, model=delayed, step=1.0, modified=False).run(_known_plant(delayed))
    modified = Lms(taps=16, model=delayed, step=1.0, modified=True).run(_known_plant(delayed))

    # A step of 1 needs the error within a few samples; 42 samples late it diverges. Modified, misadjustment is
    # 1 / (2 - 1): 3 dB, twice that for colour.
    assert np.mean(plain.error[-2000:] ** 2) > np.mean(plain.error[:2000] ** 2)
    assert 10 * np.log10(np.mean(modified.error[-2000:] ** 2) / NOISE_RMS**2) < 6.0


@pytest.mark.parametrize("form", ["ud", "conventional"])
def test_rls_reaches_the_least_squares_error(form: str) -> None:
    # Misadjustment of RLS: N (1 - lambda) / (1 + lambda) = 16 * 1e-4 / 2 = 0.1 %; what remains is the mean's 2.2 %.
    controller = Rls(taps=16, model=SECONDARY, forgetting=0.9999, form="ud" if form == "ud" else "conventional")

    assert abs(_excess_db(controller)) < 0.35
    np.testing.assert_allclose(controller.weights, -TRUTH, atol=1e-3)


def test_rls_forms_agree_while_arithmetic_is_good() -> None:
    runs = [Rls(taps=16, model=SECONDARY, form=form).run(_known_plant(SECONDARY)) for form in ("ud", "conventional")]

    # Both compute the same recursion; rounding of 1e-16 grows with the condition number (about 1e4) and 24000 steps.
    np.testing.assert_allclose(runs[0].weights, runs[1].weights, atol=1e-8)


def test_rls_restarts_on_bad_conditioning_and_on_schedule() -> None:
    rng = np.random.default_rng(3)
    tone = 0.1 * np.sin(0.05 * np.arange(N)) + 1e-9 * rng.standard_normal(N)
    plant = Plant(48_000, tone, tone, np.zeros(1, dtype=np.int64), np.ones((1, 1)), np.zeros((1, 0)))
    watched = Rls(taps=32, model=np.ones(1), forgetting=0.999, worst_condition=1e8)
    scheduled = Rls(taps=32, model=np.ones(1), forgetting=0.9999, worst_condition=1e30, reset_every=6400)

    # A tone excites 2 of 32 directions; the others' covariance grows by 1 / lambda per sample: 1e8 after 18000 samples.
    assert watched.run(plant).health["resets"] >= 1
    assert scheduled.run(plant).health["resets"] == N // 6400
    assert np.isfinite(watched.weights).all()


@pytest.mark.parametrize("rule", ["convex", "documents"])
def test_hybrid_is_about_as_good_as_its_better_half(rule: str) -> None:
    # The short RLS filter holds all 16 taps here and is the better half, at 0.0 dB. Convex: its share is at least
    # 1 - 0.018; NLMS at 0.5 has 33 % of misadjustment, of which alpha^2 enters. Documents: alpha ends at 0.9, so the
    # mixture has 0.81 * 33 %: 1.03 dB, and 3 sigma.
    controller = Hybrid(
        taps=32, short_taps=16, model=SECONDARY, step=0.5, rule="convex" if rule == "convex" else "documents"
    )

    assert _excess_db(controller) < (0.8 if rule == "convex" else 1.8)
    assert 0.0 < controller.health()["nlms_weight"] <= (0.99 if rule == "convex" else 0.9)


def test_documented_hybrid_keeps_its_weight_within_limits() -> None:
    controller = Hybrid(taps=32, short_taps=16, model=SECONDARY, rule="documents")

    seen = []
    for x, e in np.random.default_rng(4).standard_normal((400, 2)) * 0.1:
        controller.output(float(x))
        controller.adapt(float(e))
        seen.append(controller.health()["nlms_weight"])

    assert 0.3 <= min(seen) <= max(seen) <= 0.9


def test_frequency_domain_filter_converges_and_is_causal() -> None:
    # Misadjustment about step / (2 - step) = 5 % per bin, times the share of the constrained gradient: 0.3 dB with
    # 3 sigma 0.6 dB.
    controller = FrequencyDomain(taps=64, model=SECONDARY, block=32, step=0.1)

    assert abs(_excess_db(controller)) < 0.7
    np.testing.assert_allclose(controller.weights[:16], -TRUTH, atol=5e-3)
    np.testing.assert_allclose(controller.weights[16:], 0.0, atol=5e-3)


def test_warped_filter_with_pole_zero_is_an_fir_filter() -> None:
    # Ridge 1e-9 of the mean diagonal biases the weights by 1e-9; with 750 equations the error over the noise is
    # 16 / 750 * (evidence fading over 2 s: none within 0.5 s) = 2 %: 0.1 dB, and 3 sigma of the mean.
    controller = WarpedLs(coefficients=16, model=SECONDARY, pole=0.0, ridge=1e-9, ridge_decay_s=0.02)

    assert abs(_excess_db(controller)) < 0.5
    np.testing.assert_allclose(controller.weights, -TRUTH, atol=5e-3)


def test_warped_filter_takes_a_pole_for_each_section() -> None:
    poles = np.linspace(0.3, 0.0, 24)

    # 24 sections with poles within 0.3 of the origin span 16 taps up to what the last ones lose: 0.3^8.
    assert _excess_db(WarpedLs(coefficients=24, model=SECONDARY, pole=poles, ridge=1e-9, ridge_decay_s=0.02)) < 0.6
    with pytest.raises(ControllerError, match="pole"):
        WarpedLs(coefficients=24, model=SECONDARY, pole=poles[:5])


def test_loop_and_single_steps_are_the_same() -> None:
    plant = _known_plant(SECONDARY)
    short = Plant(48_000, plant.reference[:600], plant.disturbance[:600], plant.starts, plant.secondary, plant.feedback)
    looped = FrequencyDomain(taps=32, model=SECONDARY, block=16, step=0.2)
    stepped = FrequencyDomain(taps=32, model=SECONDARY, block=16, step=0.2)

    run = looped.run(short)
    spoken = np.zeros(600 + SECONDARY.size)
    for n in range(600):
        spoken[n + SECONDARY.size] = stepped.output(float(short.reference[n]))
        window = spoken[n + 1 : n + SECONDARY.size + 1][::-1]
        stepped.adapt(float(short.disturbance[n] + SECONDARY @ window))

    np.testing.assert_allclose(spoken[SECONDARY.size :], run.output, atol=1e-9)
    np.testing.assert_allclose(stepped.weights, looped.weights, atol=1e-9)


def test_output_is_limited_to_full_scale_when_a_controller_diverges() -> None:
    delayed = np.concatenate([np.zeros(40), SECONDARY])

    run = Lms(taps=16, model=delayed, step=5.0).run(_known_plant(delayed))

    assert np.abs(run.output).max() == 1.0


def test_feedback_is_heard_and_neutralised_by_its_model() -> None:
    plant = _known_plant(SECONDARY)
    feedback = np.array([0.0, 0.05, -0.02, 0.01])
    coupled = Plant(48_000, plant.reference, plant.disturbance, plant.starts, plant.secondary, feedback[None])

    free = Rls(taps=16, model=SECONDARY).run(plant)
    neutral = Rls(taps=16, model=SECONDARY).run(coupled, feedback_model=feedback)
    raw = Rls(taps=16, model=SECONDARY).run(coupled)

    np.testing.assert_allclose(neutral.error, free.error, atol=1e-12)
    assert not np.allclose(raw.error, free.error, atol=1e-4)


def test_plant_changes_its_path_at_the_named_sample() -> None:
    plant = _known_plant(SECONDARY)
    starts = np.array([0, 12_000], dtype=np.int64)
    swapped = Plant(
        48_000, plant.reference, plant.disturbance, starts, np.stack([SECONDARY, -SECONDARY]), plant.feedback
    )

    before = Rls(taps=16, model=SECONDARY).run(plant).error
    after = Rls(taps=16, model=SECONDARY).run(swapped).error

    np.testing.assert_array_equal(before[:12_000], after[:12_000])
    assert np.mean(after[12_000:12_200] ** 2) > 10 * np.mean(before[12_000:12_200] ** 2)


@pytest.mark.parametrize("algorithm", sorted(ALGORITHMS))
def test_every_name_builds_a_controller_that_starts_silent(algorithm: str) -> None:
    controller = make_controller(algorithm, rate_hz=48_000, model=SECONDARY, reference_power=1e-4)

    assert controller.output(0.5) == 0.0
    assert not controller.weights.any()


@pytest.mark.parametrize(
    ("algorithm", "model", "power", "taps"),
    [
        ("magic", SECONDARY, 1e-4, None),
        ("fxnlms", np.zeros(4), 1e-4, None),
        ("fxnlms", np.array([np.nan]), 1e-4, None),
        ("fxnlms", SECONDARY, 0.0, None),
        ("rls", SECONDARY, 1e-4, -3),
        ("fdaf", SECONDARY, 1e-4, 100),
        ("warped_ls", SECONDARY, 1e-4, 1),
    ],
)
def test_unusable_settings_are_refused(algorithm: str, model: Vector, power: float, taps: int | None) -> None:
    with pytest.raises(ControllerError):
        make_controller(algorithm, rate_hz=48_000, model=model, reference_power=power, taps=taps)
