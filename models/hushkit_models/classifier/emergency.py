"""From looks at the sound to an emergency: votes, and the rhythm of standard signals. Integers, as the headset decides.

A *look* is one inference over the latest half second, repeated to fill the network's window. Two looks in a row that
hint at it, or one that is sure, make an emergency *suspected*, which only makes way for outside sound and is taken back
silently. Enough votes over the last two seconds make it *confirmed*, which is an event; fewer are enough where the
rhythm of a standard signal speaks for it.

Rhythms are read off the strongest tone of each log-mel frame: temporal three and temporal four (ISO 8201: 0.5 s on and
off; 0.1 s on and off), and a tone that sweeps or steps over an octave's third or more and back, as wail, yelp and hi-lo
do.

Twin: firmware/src/classify/hk_emergency.c, equal bit for bit.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Final

import numpy as np
from numpy.typing import NDArray

from hushkit_models.classifier import frontend
from hushkit_models.classifier.taxonomy import EMERGENCIES

FRAME_MS: Final = 32
LOOK_FRAMES: Final = 16
"""Frames a look hears: more comes too late, half a second is enough for the network."""

_FIRST_BAND, _LAST_BAND = 9, 34
"""Bands a tone is looked for in: centres 440 Hz to 5.4 kHz; sirens, sounders and horns are between."""
_BESIDE: Final = 3
_TONE: Final = 853
"""How far a tone's band stands above those three bands to either side, in 1/256 octave of power: 10 dB. Noise in one
frame stands out by 6 dB now and then."""
_SAME: Final = 1
_SWEEP: Final = 3
"""Bands from one turn of the tone to the next: a third of an octave and more where signals are."""
_T3: Final = (11, 20)
_T4: Final = (2, 5)
_TURN: Final = (3, 100)
_JUMP: Final = 4
"""Bands a sweeping tone moves per frame at most; a yelp needs three."""
_LOST: Final = 2
"""Frames a sweeping tone may be lost for."""
_MEMORY: Final = 94
"""Frames a rhythm speaks for after its last beat: 3 s, a temporal three's pause and a wail's half."""


class State(IntEnum):
    """How sure it is; the wire's ``emergency_state``."""

    NONE = 0
    SUSPECTED = 1
    CONFIRMED = 2


@dataclass(frozen=True, slots=True)
class Rules:
    """When looks become an emergency.

    Attributes:
        threshold: Probability from which a look votes for it, in per mille.
        hint: Lower probability that is enough to suspect it, in per mille.
        suspect: So many looks in a row must hint at it ...
        sure: ... or one must be so sure, in per mille.
        window: Looks whose votes may confirm it.
        confirm: So many votes of those.
        cadence: So many where a rhythm speaks for it.
        release: Looks without a vote or a hint after which it is over.
    """

    threshold: int = 950
    hint: int = 940
    suspect: int = 2
    sure: int = 980
    window: int = 12
    confirm: int = 10
    cadence: int = 6
    release: int = 19


def rules_for(look_frames: int, threshold: float) -> Rules:
    """Rules for one interval of looks: the same times, whatever the interval.

    Args:
        look_frames: Frames from look to look.
        threshold: Probability from which a look votes, 0..1.
    """
    window = max(3, round(1920 / (FRAME_MS * look_frames)))
    return Rules(
        threshold=round(threshold * 1000),
        hint=max(0, round(1000 - 1200 * (1.0 - threshold))),
        suspect=2 if FRAME_MS * look_frames <= 256 else 1,
        sure=round(1000 - 400 * (1.0 - threshold)),
        window=window,
        confirm=max(2, -(-5 * window // 6)),
        cadence=max(2, -(-window // 2)),
        release=min(31, max(2, round(3000 / (FRAME_MS * look_frames)))),
    )


@dataclass(slots=True)
class Cadence:
    """Rhythm of the strongest tone. Feed it every frame."""

    _band: int = -1  # of the tone now, -1 without
    _run: int = 0  # frames it has lasted
    _gap: int = 0  # frames since the last tone ended
    _last_band: int = -1
    _last_run: int = 0
    _beats: int = 0
    _beat_kind: int = 0  # 3 or 4
    _followed: int = -1  # band of the tone that sweeps
    _lost: int = 0  # frames since it was heard
    _extreme: int = -1  # band where the tone last turned
    _direction: int = 0
    _since_turn: int = 0
    _turns: int = 0
    _speaks: int = 0  # frames a rhythm goes on speaking

    @property
    def speaks(self) -> bool:
        """Whether the rhythm of a standard signal has been heard lately."""
        return self._speaks > 0

    def step(self, log_mel: Sequence[int]) -> None:
        """Take one frame of 40 logarithms."""
        self._speaks = max(0, self._speaks - 1)
        band = strongest_tone(log_mel)
        self._beat(band)
        self._sweep(band)

    def _beat(self, band: int) -> None:
        if band >= 0 and self._band >= 0 and abs(band - self._band) <= _SAME:
            self._run += 1
            return
        if self._band >= 0:  # a tone ended
            self._judge_beat()
            self._last_band, self._last_run, self._gap = self._band, self._run, 0
        if band >= 0:
            self._run = 1
        else:
            self._gap = min(self._gap + 1, 255)
        self._band = band

    def _judge_beat(self) -> None:
        kind = 3 if _T3[0] <= self._run <= _T3[1] else 4 if _T4[0] <= self._run <= _T4[1] else 0
        low, high = _T3 if kind == 3 else _T4
        follows = (
            kind != 0
            and kind == self._beat_kind
            and abs(self._band - self._last_band) <= _SAME
            and abs(self._run - self._last_run) <= 2
            and low <= self._gap <= high
        )
        self._beats = self._beats + 1 if follows else int(kind != 0)
        self._beat_kind = kind
        if self._beats >= (2 if kind == 3 else 3):
            self._speaks = _MEMORY

    def _sweep(self, band: int) -> None:
        self._since_turn = min(self._since_turn + 1, 255)
        if band < 0:
            self._lost = min(self._lost + 1, 255)
            return
        torn = self._lost > _LOST or abs(band - self._followed) > _JUMP
        self._followed, self._lost = band, 0
        if self._extreme < 0 or torn or self._since_turn > _TURN[1]:
            self._extreme, self._direction, self._since_turn, self._turns = band, 0, 0, 0
            return
        way = band - self._extreme
        if self._direction == 0 or way * self._direction > 0:  # on its way, or no way yet
            if abs(way) >= _SWEEP or self._direction != 0:
                self._direction = 1 if way > 0 else -1
                self._extreme = band
            return
        if abs(way) >= _SWEEP:
            self._turns = self._turns + 1 if self._since_turn >= _TURN[0] else 0
            self._extreme, self._direction, self._since_turn = band, -self._direction, 0
            if self._turns >= 2:
                self._speaks = _MEMORY


def strongest_tone(log_mel: Sequence[int]) -> int:
    """Band of the strongest tone of a frame, -1 without one."""
    best, found = _TONE - 1, -1
    for band in range(_FIRST_BAND, _LAST_BAND + 1):
        above = 2 * log_mel[band] - log_mel[band - _BESIDE] - log_mel[band + _BESIDE]
        if above > 2 * best and log_mel[band] >= max(log_mel[band - 1], log_mel[band + 1]):
            best, found = above // 2, band
    return found if found >= 0 and log_mel[found] == max(log_mel[_FIRST_BAND : _LAST_BAND + 1]) else -1


@dataclass(slots=True)
class Emergency:
    """Votes of looks. Feed it every look.

    Attributes:
        rules: When votes become an emergency.
        state: How sure it is.
        kind: Index into ``EMERGENCIES``, of what the votes were for.
        confidence: Mean probability of the votes, per mille.
        evidence_looks: Looks since the first vote.
    """

    rules: Rules = field(default_factory=Rules)
    state: State = State.NONE
    kind: int = 0
    confidence: int = 0
    evidence_looks: int = 0
    _votes: int = 0
    _hints: int = 0
    _n_votes: int = 0
    _sum: int = 0
    _kinds: list[int] = field(default_factory=lambda: [0] * len(EMERGENCIES))

    def look(self, probability: int, kinds: Sequence[int], *, cadence: bool) -> bool:
        """Take one look; whether the state changed to or from ``CONFIRMED``.

        Args:
            probability: Of any emergency, per mille.
            kinds: Of each kind, per mille.
            cadence: Whether a rhythm speaks for it.
        """
        rules = self.rules
        vote = probability >= rules.threshold
        self._votes = (self._votes << 1 | vote) & 0xFFFFFFFF
        self._hints = (self._hints << 1 | (probability >= rules.hint)) & 0xFFFFFFFF
        if vote:
            self._n_votes += 1
            self._sum += probability
            self._kinds = [total + p for total, p in zip(self._kinds, kinds, strict=True)]
            self.kind = self._kinds.index(max(self._kinds))
            self.confidence = self._sum // self._n_votes
        if self._n_votes:
            self.evidence_looks += 1
        before = self.state
        if _count(self._votes | self._hints, rules.release) == 0:
            self.state, self._n_votes, self._sum, self.evidence_looks = State.NONE, 0, 0, 0
            self._kinds = [0] * len(EMERGENCIES)
        elif self.state is not State.CONFIRMED:
            if _count(self._votes, rules.window) >= (rules.cadence if cadence else rules.confirm):
                self.state = State.CONFIRMED
            elif probability >= rules.sure or _count(self._hints, rules.suspect) == rules.suspect:
                self.state = State.SUSPECTED
        return (before is State.CONFIRMED) != (self.state is State.CONFIRMED)


def _count(bits: int, looks: int) -> int:
    return (bits & ((1 << looks) - 1)).bit_count()


def look_window(log_mels: NDArray[np.int32], end: int, span: int) -> NDArray[np.int8]:
    """Features of a look: the last ``span`` frames before ``end``, repeated to fill the network's window.

    Args:
        log_mels: Shape (n, 40), from :func:`frontend.log_mel`.
        end: Behind the last frame, at least 1.
        span: Frames that the look hears; fewer where there are not so many yet.

    Returns:
        Shape (96, 40).
    """
    span = min(span, end)
    rows = end - 1 - np.arange(frontend.N_FRAMES - 1, -1, -1) % span
    return frontend.features(log_mels[rows])
