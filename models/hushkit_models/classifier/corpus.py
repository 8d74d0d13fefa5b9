"""Recordings to learn from and to be judged by: several public layouts and plain folders, read as one kind of clip."""

import csv
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

from hushkit_models.classifier.frontend import RATE_HZ
from hushkit_models.classifier.taxonomy import CATEGORIES

AUDIO_SUFFIXES: Final = (".wav", ".flac", ".ogg", ".mp3", ".aiff")

ESC50: Final[dict[str, str]] = {
    "dog": "dog_barking",
    "rain": "rain_light",
    "sea_waves": "ocean",
    "crying_baby": "baby_crying",
    "siren": "emergency",
    "car_horn": "emergency",
    "glass_breaking": "emergency",
    "vacuum_cleaner": "vacuum",
    "clapping": "crowd_applause",
    "thunderstorm": "thunder",
    "wind": "wind_strong",
    "washing_machine": "washing_machine",
    "airplane": "aircraft_cruise",
    "train": "train",
    "engine": "generator",
    "hand_saw": "construction_sawing",
    "chainsaw": "construction_sawing",
    "chirping_birds": "forest",
    "crickets": "forest",
}
"""ESC-50 category to ours; the rest of its 50 has no counterpart and is left out."""

URBANSOUND8K: Final[dict[str, str]] = {
    "air_conditioner": "hvac",
    "car_horn": "emergency",
    "dog_bark": "dog_barking",
    "drilling": "construction_drilling",
    "engine_idling": "urban_traffic",
    "gun_shot": "emergency",
    "jackhammer": "construction_drilling",
    "siren": "emergency",
    "street_music": "music_treble",
}
"""UrbanSound8K class to ours; children_playing has no counterpart."""

FSD50K: Final[dict[str, str]] = {
    "Bark": "dog_barking",
    "Rain": "rain_light",
    "Ocean": "ocean",
    "Siren": "emergency",
    "Fire_alarm": "emergency",
    "Car_horn_and_honking": "emergency",
    "Shatter": "emergency",
    "Gunshot_and_gunfire": "emergency",
    "Applause": "crowd_applause",
    "Cheering": "crowd_cheering",
    "Crowd": "crowd_talking",
    "Thunder": "thunder",
    "Wind": "wind_strong",
    "Train": "train",
    "Subway_and_metro_and_underground": "subway",
    "Motorcycle": "motorcycle",
    "Bicycle": "bicycle",
    "Drill": "construction_drilling",
    "Hammer": "construction_hammering",
    "Sawing": "construction_sawing",
    "Waterfall": "waterfall",
    "Aircraft": "aircraft_cruise",
    "Crying_and_sobbing": "baby_crying",
    "Traffic_noise_and_roadway_noise": "urban_traffic",
    "Bass_guitar": "music_bass",
}
"""FSD50K label to ours; the first of a clip's labels that has a counterpart counts."""


class CorpusError(Exception):
    """A corpus that cannot be read: says what was found, expected and what to do."""


@dataclass(frozen=True, slots=True)
class Clip:
    """One labelled recording.

    Attributes:
        path: Audio file.
        category: One of the 57.
        group: Original recording: clips of one group never stand on both sides of a split.
        source: Collection it came from; what leave-one-source-out leaves out.
        split: ``"train"`` or ``"dev"``.
        licence: As documented by the source.
        shippable: Whether weights trained on it may be distributed.
    """

    path: Path
    category: str
    group: str
    source: str
    split: str
    licence: str
    shippable: bool


def read_corpus(root: Path) -> list[Clip]:
    """Read a corpus in any layout we know, told apart by its index file.

    Known: our manifest (``manifest.csv``), ESC-50 (``meta/esc50.csv``), UrbanSound8K (``metadata/UrbanSound8K.csv``),
    FSD50K (``FSD50K.ground_truth/dev.csv``), and plain folders named after categories.

    Raises:
        CorpusError: No folder, no known layout, an unknown category, or a missing file.
    """
    if not root.is_dir():
        raise CorpusError(f"{root}: found no folder, expected a corpus; name the folder that holds the recordings")
    for index, reader in _LAYOUTS.items():
        if (root / index).is_file():
            clips = list(reader(root, _rows(root / index)))
            break
    else:
        clips = list(_plain(root))
    if not clips:
        raise CorpusError(
            f"{root}: found no clip; expected one of {', '.join(_LAYOUTS)}, or folders named after categories "
            f"such as {CATEGORIES[0]}/"
        )
    for clip in clips:
        if clip.category not in CATEGORIES:
            raise CorpusError(f"{clip.path}: found category {clip.category!r}, expected one of the 57")
        if not clip.path.is_file():
            raise CorpusError(f"{clip.path}: listed in the index, but there is no such file; fetch the corpus again")
    return clips


def read_audio(path: Path) -> NDArray[np.float64]:
    """Read one recording as mono at 16 kHz, shape (n,), full scale 1.

    Raises:
        CorpusError: Not audio, empty, or not finite.
    """
    try:
        samples, rate = soundfile.read(path, dtype="float64", always_2d=True)
    except (soundfile.LibsndfileError, RuntimeError) as err:
        raise CorpusError(f"{path}: not audio that libsndfile reads ({err}); convert it to WAV or FLAC") from err
    mono = samples.mean(axis=1)
    if not len(mono) or not np.isfinite(mono).all():
        raise CorpusError(f"{path}: found {len(mono)} samples, some not finite or none at all; record it again")
    return np.asarray(mono if rate == RATE_HZ else soxr.resample(mono, rate, RATE_HZ))


def leave_one_source_out(clips: list[Clip]) -> Iterator[tuple[str, list[Clip], list[Clip]]]:
    """Yield (source, clips to train on, clips to judge by) for each source; the honest test of a small corpus."""
    for source in sorted({clip.source for clip in clips}):
        yield source, [c for c in clips if c.source != source], [c for c in clips if c.source == source]


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def _manifest(root: Path, rows: list[dict[str, str]]) -> Iterator[Clip]:
    for row in rows:
        if row["superclass"] == "extra":
            continue
        yield Clip(
            path=root / row["path"],
            category=row["category"],
            group=row["group_id"],
            source=row["source_repo"],
            split=row["split"],
            licence=row["licence"],
            shippable=row["licence_risk"] == "green",
        )


def _esc50(root: Path, rows: list[dict[str, str]]) -> Iterator[Clip]:
    for row in rows:
        if category := ESC50.get(row["category"]):
            split = "dev" if row["fold"] == "5" else "train"
            free = row.get("esc10") == "True"  # ESC-10 is CC BY; the other 40 classes are CC BY-NC
            path = root / "audio" / row["filename"]
            yield Clip(path, category, f"freesound:{row['src_file']}", "ESC-50", split, "CC BY or CC BY-NC 3.0", free)


def _urbansound(root: Path, rows: list[dict[str, str]]) -> Iterator[Clip]:
    for row in rows:
        if category := URBANSOUND8K.get(row["class"]):
            split = "dev" if row["fold"] == "10" else "train"
            path = root / "audio" / f"fold{row['fold']}" / row["slice_file_name"]
            yield Clip(
                path, category, f"freesound:{row['fsID']}", "UrbanSound8K", split, "CC BY-NC 3.0", shippable=False
            )


def _fsd50k(root: Path, rows: list[dict[str, str]]) -> Iterator[Clip]:
    for row in rows:
        category = next((FSD50K[label] for label in row["labels"].split(",") if label in FSD50K), None)
        if category:
            split = "dev" if row["split"] == "val" else "train"
            path = root / "FSD50K.dev_audio" / f"{row['fname']}.wav"
            yield Clip(path, category, f"freesound:{row['fname']}", "FSD50K", split, "per clip", shippable=False)


def _plain(root: Path) -> Iterator[Clip]:
    for path in sorted(root.glob("*/*")):
        if path.suffix.lower() in AUDIO_SUFFIXES:
            yield Clip(path, path.parent.name, path.stem, root.name, "train", "the user's own", shippable=True)


_LAYOUTS: Final[dict[str, Callable[[Path, list[dict[str, str]]], Iterator[Clip]]]] = {
    "manifest.csv": _manifest,
    "meta/esc50.csv": _esc50,
    "metadata/UrbanSound8K.csv": _urbansound,
    "FSD50K.ground_truth/dev.csv": _fsd50k,
}
