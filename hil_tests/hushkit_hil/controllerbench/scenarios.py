"""The development scenarios: two path sets, two fields, four noises, 100 us from reference microphone to driver."""

from collections.abc import Iterator
from pathlib import Path

from hushkit_models.acoustics.scenario import Scenario

LATENCY_US = 100.0
_PATHS = ("inear_a", "overear_b")
_RECORDED = ("aircraft_cabin", "busy_street")
_BUILT_IN = {"inear_a": "inear", "overear_b": "overear", "aircraft_cabin": "aircraft", "busy_street": "street"}


def development_scenarios(data: Path, seconds: float, seed: int = 1) -> Iterator[Scenario]:
    """Every scenario of the set.

    Args:
        data: Folder with ``paths/*.npz`` and ``noise48/*.flac``; what is missing there is replaced by the built-in path
            set or scene of its kind, under that one's own name.
        seconds: Length of each.
        seed: Of noise and field.

    Yields:
        Scenarios in the order of the table, those of one path set together.
    """
    for paths in _PATHS:
        for field in ("direct", "diffuse"):
            for noise in ("pink", "engine", *_RECORDED):
                yield Scenario(
                    noise=_found(data / "noise48", noise, ".flac"),
                    paths=_found(data / "paths", paths, ".npz"),
                    field=field,
                    latency_us=LATENCY_US,
                    seconds=seconds,
                    seed=seed,
                    recording=None,
                )


def label(scenario: Scenario) -> str:
    """Paths, field and noise in three words."""
    return f"{Path(scenario.paths).stem} {scenario.field} {Path(scenario.noise).stem}"


def _found(folder: Path, name: str, suffix: str) -> str:
    file = folder / (name + suffix)
    return str(file) if file.is_file() else _BUILT_IN.get(name, name)
