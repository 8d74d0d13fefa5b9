"""Hours of mixed sound with an emergency now and then: what the headset would have called one, and how soon."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from hushkit_models.classifier import decision, frontend
from hushkit_models.classifier.augment import fit_length
from hushkit_models.classifier.corpus import Clip, read_audio
from hushkit_models.classifier.dataset import SELF_NOISE_DB, with_self_noise
from hushkit_models.classifier.emergency import FRAME_MS, LOOK_FRAMES, Cadence, Emergency, State, look_window, rules_for
from hushkit_models.classifier.interpreter import Interpreter
from hushkit_models.classifier.synthesis import synthesise
from hushkit_models.classifier.synthesis.primitives import unit
from hushkit_models.classifier.taxonomy import CATEGORIES

SCENE_S: Final = 10.0
_AFTERWARDS_S: Final = 5.0
"""An event this long after its emergency has ended still belongs to it."""
_UNSEEN: Final = 900_000_000
"""First seed of synthesis here, far from any that training draws."""


@dataclass(frozen=True, slots=True)
class Vigil:
    """What is listened to.

    Attributes:
        hours: Length.
        emergency_every_s: Mean time from one emergency to the next.
        over_db: Level of an emergency over the scene it is mixed with, lowest and highest.
        look_frames: Frames from look to look.
        threshold: Probability from which a look votes.
        temperature: Of the model.
        seed: Of everything drawn.
    """

    hours: float = 3.0
    emergency_every_s: float = 180.0
    over_db: tuple[float, float] = (0.0, 15.0)
    look_frames: int = 4
    threshold: float = 0.75
    temperature: float = 1.0
    seed: int = 1


@dataclass(frozen=True, slots=True)
class Watch:
    """What was heard.

    Attributes:
        hours: Listened to.
        emergencies: That there were.
        confirmed: Of those, called one.
        suspected: Of those, at least suspected.
        median_delay_s: From onset to the call, of those confirmed; NaN without any.
        false_events: Calls without an emergency.
        false_per_hour: The same for each hour.
        false_causes: Category of the scene at each false call.
    """

    hours: float
    emergencies: int
    confirmed: int
    suspected: int
    median_delay_s: float
    false_events: int
    false_per_hour: float
    false_causes: dict[str, int]


@dataclass(frozen=True, slots=True)
class _Scene:
    log_mels: NDArray[np.int32]
    category: str
    emergency: bool


def keep_watch(model: Interpreter, clips: Sequence[Clip], what: Vigil) -> Watch:
    """Listen through hours of scenes as the headset does: a look every ``look_frames``, rhythm, votes.

    Args:
        model: INT8 classifier.
        clips: Recordings to mix with synthesis, half and half; none of them in the model's training. May be empty.
        what: How long, how loud, how often.
    """
    cadence, votes = Cadence(), Emergency(rules_for(what.look_frames, what.threshold))
    scale, zero = model.output_quantisation
    step = decision.step_q16(scale, what.temperature)
    tail = np.zeros((0, frontend.N_MELS), np.int32)
    frame = emergencies = confirmed = suspected = 0
    delays: list[float] = []
    causes: dict[str, int] = {}
    grace = -1
    for scene in _scenes(clips, what):
        heard = np.concatenate([tail, scene.log_mels])
        emergencies += scene.emergency
        begin, caught, hinted = frame, False, votes.state is not State.NONE and scene.emergency
        for row in range(len(tail), len(heard)):
            cadence.step(heard[row].tolist())
            frame += 1
            if frame % what.look_frames:
                continue
            codes = model.run(look_window(heard, row + 1, LOOK_FRAMES))
            any_kind, kinds = decision.emergency_permille(codes, zero, step)
            changed = votes.look(any_kind, kinds, cadence=cadence.speaks)
            hinted |= scene.emergency and votes.state is not State.NONE
            if not changed or votes.state is not State.CONFIRMED:
                continue
            if scene.emergency and not caught:
                caught = True
                delays.append((frame - begin) * FRAME_MS / 1000.0)
            elif not scene.emergency and frame > grace:
                causes[scene.category] = causes.get(scene.category, 0) + 1
        confirmed += caught
        suspected += hinted
        if scene.emergency:
            grace = frame + int(_AFTERWARDS_S * 1000 / FRAME_MS)
        tail = heard[-frontend.N_FRAMES :]
    hours = frame * FRAME_MS / 3.6e6
    false = sum(causes.values())
    delay = float(np.median(delays)) if delays else float("nan")
    return Watch(hours, emergencies, confirmed, suspected, delay, false, false / hours, dict(sorted(causes.items())))


def _scenes(clips: Sequence[Clip], what: Vigil) -> Iterator[_Scene]:
    """Ten seconds each; never two emergencies in a row, so that each is called or missed by itself."""
    rng = np.random.default_rng(what.seed)
    n = int(SCENE_S * frontend.RATE_HZ) // frontend.FRAME * frontend.FRAME
    others = [clip for clip in clips if clip.category != "emergency"]
    alarms = [clip for clip in clips if clip.category == "emergency"]
    names = [category for category in CATEGORIES if category != "emergency"]
    chance = SCENE_S / what.emergency_every_s
    was_emergency = True
    for number in range(int(what.hours * 3600 / SCENE_S)):
        samples, category = _sound(rng, others, names, number, n)
        emergency = not was_emergency and rng.uniform() < chance
        if emergency:
            alarm, category = _sound(rng, alarms, ["emergency"], number, n)
            samples = samples + 10.0 ** (rng.uniform(*what.over_db) / 20.0) * alarm
        was_emergency = emergency
        noisy = with_self_noise(rng, samples, SELF_NOISE_DB)
        q31 = frontend.to_q31(noisy, rms_dbfs=float(rng.uniform(-45.0, -25.0)))
        yield _Scene(frontend.log_mel(q31), category, emergency)


def _sound(
    rng: np.random.Generator, clips: Sequence[Clip], names: Sequence[str], number: int, n: int
) -> tuple[NDArray[np.float64], str]:
    """A recording or a synthesised scene at an RMS of 1, and its category."""
    if clips and rng.uniform() < 0.5:
        clip = clips[int(rng.integers(len(clips)))]
        return unit(fit_length(rng, read_audio(clip.path), n)), clip.category
    name = names[int(rng.integers(len(names)))]
    return synthesise(name, _UNSEEN + number, seconds=n / frontend.RATE_HZ).samples, name
