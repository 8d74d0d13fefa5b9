"""Integer twin of one ear's audio path (firmware/src/app/hk_audio.c): microphones and programme in, driver out."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from hushkit_models.twin.level import DcBlockTwin, LimiterTwin, RampTwin

Ints = NDArray[np.int32]

_INT32_MIN = -(1 << 31)
_INT32_MAX = (1 << 31) - 1
_MUTE_HASTE = 4
_GAIN_UNITY_Q30 = 1 << 30


class FilterTwin(Protocol):
    """Any twin that filters samples and keeps its state."""

    def run(self, x: Ints) -> Ints:
        """Filter samples, shape (n,) Q1.31."""
        ...


class ControllerTwin(Protocol):
    """Any twin of an adaptive controller's filter."""

    def filter(self, x: Ints) -> Ints:
        """Full-gain anti-noise, shape (n,) Q1.31."""
        ...


@dataclass(frozen=True, slots=True)
class PathRecord:
    """What one call leaves for the background (hk_record_t), shape (n,) Q1.31 each, and the driver's signal."""

    reference: Ints
    error: Ints
    anti: Ints
    played: Ints
    other: Ints
    out: Ints


class ControlPathTwin:
    """One ear: DC blockers, fixed, hear-through and adaptive filters, gain ramps and the limiter.

    Args:
        feedforward: Twin of the fixed filter, or None where it is left out.
        transparency: Twin of the hear-through filter, or None.
        controller: Twin of the adaptive controller, or None.
        dc_block_pole_q31, limiter_threshold_q31, limiter_release_q31, ramp_samples: As in hk_design_t.
    """

    def __init__(
        self,
        feedforward: FilterTwin | None,
        transparency: FilterTwin | None,
        controller: ControllerTwin | None,
        *,
        dc_block_pole_q31: int,
        limiter_threshold_q31: int,
        limiter_release_q31: int,
        ramp_samples: int,
    ) -> None:
        self._feedforward = feedforward
        self._transparency = transparency
        self._controller = controller
        self._reference_dc = DcBlockTwin(dc_block_pole_q31)
        self._error_dc = DcBlockTwin(dc_block_pole_q31)
        self._anti = RampTwin(ramp_samples)
        self._through = RampTwin(ramp_samples)
        self._limiter = LimiterTwin(limiter_threshold_q31, limiter_release_q31)
        self._step_q30 = self._anti.step_q30
        self._anti_target = 0
        self._through_target = 0

    def aim(self, anti_q30: int, transparency_q30: int, *, mute: bool = False) -> None:
        """Set the gains to ramp to, Q30; muting ramps four times as fast."""
        hasty = mute and self._step_q30 < _GAIN_UNITY_Q30 // _MUTE_HASTE
        self._anti.step_q30 = self._step_q30 * (_MUTE_HASTE if hasty else 1)
        self._anti_target = 0 if mute else anti_q30
        self._through_target = transparency_q30

    def run(self, reference: Ints, error: Ints, programme: Ints) -> PathRecord:
        """Run any number of samples, shape (n,) Q1.31 each."""
        x = self._reference_dc.run(reference)
        silence = np.zeros(x.size, dtype=np.int64)
        fixed = self._feedforward.run(x) if self._feedforward else silence
        through = self._transparency.run(x) if self._transparency else silence
        control = self._controller.filter(x) if self._controller else silence
        anti = np.clip(fixed.astype(np.int64) + control, _INT32_MIN, _INT32_MAX)
        played = anti * np.array(self._anti.run(self._anti_target, x.size), dtype=np.int64) >> 30
        heard = through * np.array(self._through.run(self._through_target, x.size), dtype=np.int64) >> 30
        out, after = self._limit(played + heard + programme, played)
        return PathRecord(
            reference=x,
            error=self._error_dc.run(error),
            anti=anti.astype(np.int32),
            played=after,
            other=np.clip(out.astype(np.int64) - after, _INT32_MIN, _INT32_MAX).astype(np.int32),
            out=out,
        )

    def _limit(self, total: NDArray[np.int64], played: NDArray[np.int64]) -> tuple[Ints, Ints]:
        out, after = np.empty(total.size, dtype=np.int32), np.empty(total.size, dtype=np.int32)
        for n in range(total.size):
            out[n] = self._limiter.run([int(total[n])])[0]
            after[n] = int(played[n]) * self._limiter.gain_q30 >> 30
        return out, after
