"""The acoustic plant's files, and what was heard (layouts: plant.h)."""

import mmap
import struct
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from hushkit_hil.errors import BenchError, TargetError

_HEADER = struct.Struct("<16I")
_RECORD = struct.Struct("<8I2Q4I")
_PLANT_MAGIC = 0x4C504B48
_RECORD_MAGIC = 0x43524B48
_ABI = 2


class PlantState(IntEnum):
    """Where a run stands (``hk_plant_state_t``)."""

    RUNNING = 0
    DONE = 1
    WRONG_SHAPE = 2
    WRONG_ORDER = 3


@dataclass(frozen=True, slots=True)
class PlantRun:
    """What the plant plays in one run, in full-scale units.

    Attributes:
        rate_hz: Sample rate, in hertz.
        block: Samples per exchange; the firmware's.
        latency_samples: Whole delay from the reference microphone's sample to the driver's input, at least ``block``.
        reference: Reference microphone without the headset's own sound, shape (ears, samples).
        disturbance: Error microphone with ANC off, shape (ears, samples).
        secondary: Driver to error microphone, shape (segments, ears, taps).
        feedback: Driver to reference microphone, shape (segments, ears, taps), or None.
        starts: First sample of each segment, ascending from 0; a change acts at the next block's start.
        categories: Per segment, 1 + the noise category that acts, or 0 for the spec's own settings; all 0 when empty.
        programme: What the user listens to, Q1.31, shape (ears, samples), or None.
        loop: Whether the run starts again at its end, for ever.
    """

    rate_hz: int
    block: int
    latency_samples: int
    reference: NDArray[np.float64]
    disturbance: NDArray[np.float64]
    secondary: NDArray[np.float64]
    feedback: NDArray[np.float64] | None = None
    starts: tuple[int, ...] = (0,)
    categories: tuple[int, ...] = ()
    programme: NDArray[np.int32] | None = None
    loop: bool = False

    @property
    def n_ears(self) -> int:
        """Ears."""
        return int(self.reference.shape[0])

    @property
    def n_samples(self) -> int:
        """Samples per ear that are played: whole blocks."""
        return int(self.reference.shape[1]) // self.block * self.block


def write_plant(run: PlantRun, path: Path) -> None:
    """Write a plant file.

    Raises:
        BenchError: Shapes that do not fit together, or values that are not finite.
    """
    _check(run)
    feedback_taps = 0 if run.feedback is None else run.feedback.shape[2]
    header = _HEADER.pack(
        *(_PLANT_MAGIC, _ABI, run.n_ears, run.n_samples, run.block, run.rate_hz),
        *(len(run.starts), run.secondary.shape[2], feedback_taps, run.latency_samples),
        *(int(run.programme is not None), int(run.loop), 0, 0, 0, 0),
    )
    played = slice(0, run.n_samples)
    with path.open("wb") as file:
        file.write(header)
        file.write(np.asarray(run.starts, dtype="<u4").tobytes())
        file.write(np.asarray(run.categories or (0,) * len(run.starts), dtype="<u4").tobytes())
        file.write(run.secondary.astype("<f4").tobytes())
        if run.feedback is not None:
            file.write(run.feedback.astype("<f4").tobytes())
        file.write(run.reference[:, played].astype("<f4").tobytes())
        file.write(run.disturbance[:, played].astype("<f4").tobytes())
        if run.programme is not None:
            file.write(run.programme[:, played].astype("<i4").tobytes())


def _check(run: PlantRun) -> None:
    n_segments, n_ears = len(run.starts), run.n_ears
    expected = (n_segments, n_ears)
    if run.disturbance.shape != run.reference.shape or run.secondary.shape[:2] != expected:
        raise BenchError(
            f"plant: reference {run.reference.shape}, disturbance {run.disturbance.shape} and secondary "
            f"{run.secondary.shape} do not fit; expected (ears, n), (ears, n), {expected} + (taps,)"
        )
    if run.categories and len(run.categories) != n_segments:
        raise BenchError(f"plant: {len(run.categories)} categories for {n_segments} segments; give one for each")
    if run.feedback is not None and run.feedback.shape[:2] != expected:
        raise BenchError(f"plant: feedback has shape {run.feedback.shape}, expected {expected} + (taps,)")
    if run.latency_samples < run.block:
        raise BenchError(
            f"plant: latency of {run.latency_samples} samples is less than the block of {run.block}; raise --latency-us"
        )
    signals = (run.reference, run.disturbance, run.secondary, *(() if run.feedback is None else (run.feedback,)))
    if run.n_samples == 0 or not all(np.isfinite(signal).all() for signal in signals):
        raise BenchError("plant: empty or not finite signals; check the noise and the paths")


class Record:
    """What the microphones heard and the headset played; grows while a target runs.

    Use as a context manager. ``create`` before the target starts.
    """

    def __init__(self, path: Path, run: PlantRun) -> None:
        self._file = path.open("r+b")
        self._map = mmap.mmap(self._file.fileno(), 0)
        n_ears, n, blocks = run.n_ears, run.n_samples, run.n_samples // run.block
        words = np.frombuffer(self._map, dtype="<i4", offset=_RECORD.size)
        self._y = words[: n_ears * n].reshape(n_ears, n)
        self._e = words[n_ears * n : 2 * n_ears * n].reshape(n_ears, n)
        costs = words[2 * n_ears * n :].view("<u4")
        self._instructions, self._isr = costs[:blocks], costs[blocks:]

    @classmethod
    def create(cls, path: Path, run: PlantRun) -> Self:
        """Make an empty record file for ``run`` and open it."""
        words = 2 * run.n_ears * run.n_samples + 2 * (run.n_samples // run.block)
        with path.open("wb") as file:
            file.truncate(_RECORD.size + 4 * words)
        return cls(path, run)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        del self._y, self._e, self._instructions, self._isr
        self._map.close()
        self._file.close()

    @property
    def started(self) -> bool:
        """Whether the plant has opened the record."""
        return bool(self._header()[0] == _RECORD_MAGIC)

    @property
    def state(self) -> PlantState:
        """Where the run stands."""
        return PlantState(self._header()[2])

    @property
    def build_id(self) -> int:
        """First four bytes of the running firmware's build id, little-endian."""
        return int(self._header()[6])

    @property
    def samples(self) -> int:
        """Samples per ear heard so far, over all loops."""
        return int(self._header()[8])

    @property
    def shape_found(self) -> str:
        """Ears, block and rate that the firmware reports."""
        header = self._header()
        return f"{header[3]} ear(s), block {header[4]}, {header[5]} Hz"

    @property
    def output(self) -> NDArray[np.int32]:
        """What the headset played, Q1.31, shape (ears, samples); a view that changes while the target runs."""
        return self._y

    @property
    def error(self) -> NDArray[np.int32]:
        """What the error microphones heard, Q1.31 with 24 significant bits, shape (ears, samples); a view."""
        return self._e

    @property
    def instructions(self) -> NDArray[np.uint32]:
        """Instructions per exchange, interrupt and background; zeros where the target counts none; a view."""
        return self._instructions

    @property
    def isr_instructions(self) -> NDArray[np.uint32]:
        """Instructions per exchange inside the audio interrupt; a view."""
        return self._isr

    def require_done(self, run: PlantRun, *, target: str) -> None:
        """Make sure that the run reached its end.

        Raises:
            TargetError: It did not; says what the firmware did instead.
        """
        if self.state is PlantState.WRONG_SHAPE:
            raise TargetError(
                f"{target}: the firmware runs {self.shape_found}, the bench expected {run.n_ears} ear(s), block "
                f"{run.block}, {run.rate_hz} Hz; the image was built from another spec"
            )
        if self.state is PlantState.WRONG_ORDER:
            raise TargetError(
                f"{target}: the firmware lost or repeated an exchange after {self.samples} samples; it was reset"
            )
        if self.state is not PlantState.DONE:
            raise TargetError(
                f"{target}: the run stopped after {self.samples} of {run.n_samples} samples, before its end marker"
            )

    def _header(self) -> tuple[int, ...]:
        return _RECORD.unpack_from(self._map, 0)
