"""Headset specs: the one TOML file that says everything about a product.

``load_spec`` reads a shipped spec by name or any file, checks all of it, and raises one SpecError that lists every
fault. The dataclasses live in hushkit.spec_model, reading in hushkit.spec_tables, checks that look at several values
together in hushkit.spec_checks, the cost model in hushkit.spec_cost.
"""

import tomllib
from pathlib import Path

from hushkit_models.classifier.taxonomy import CATEGORIES

from hushkit.errors import InputError
from hushkit.spec_checks import check_together
from hushkit.spec_model import (
    ALGORITHMS,
    BLOCKS,
    CORES,
    HYBRID_RULES,
    MODES,
    WARPED_LS_TRACKING,
    Acoustics,
    Adaptive,
    Audio,
    Budgets,
    Category,
    Classifier,
    Converters,
    Core,
    Fdaf,
    Feedback,
    Filter,
    FxNlms,
    HeadsetSpec,
    Hybrid,
    Limiter,
    Modes,
    NoAdaptive,
    Tracking,
    WarpedLs,
    Watch,
)
from hushkit.spec_reader import Fault, Reader, find_lines
from hushkit.spec_tables import SCHEMA, read_spec

__all__ = [
    "ALGORITHMS",
    "BLOCKS",
    "CATEGORIES",
    "CORES",
    "HYBRID_RULES",
    "MODES",
    "SCHEMA",
    "SPEC_DIRECTORY",
    "WARPED_LS_TRACKING",
    "Acoustics",
    "Adaptive",
    "Audio",
    "Budgets",
    "Category",
    "Classifier",
    "Converters",
    "Core",
    "Fault",
    "Fdaf",
    "Feedback",
    "Filter",
    "FxNlms",
    "HeadsetSpec",
    "Hybrid",
    "Limiter",
    "Modes",
    "NoAdaptive",
    "SpecError",
    "Tracking",
    "WarpedLs",
    "Watch",
    "check_spec",
    "load_spec",
    "parse_spec",
    "shipped_specs",
]

SPEC_DIRECTORY = Path(__file__).resolve().parents[1] / "specs"


class SpecError(InputError):
    """A spec that cannot be used. The message is one line; ``faults`` has them all.

    Args:
        name: The spec's name or file, as the caller gave it.
        faults: Every fault found, at least one.
    """

    def __init__(self, name: str, faults: tuple[Fault, ...]) -> None:
        more = f" (and {len(faults) - 1} more: hushkit spec check {name})" if len(faults) > 1 else ""
        super().__init__(f"{name}: {faults[0]}{more}")
        self.faults = faults


def shipped_specs() -> tuple[str, ...]:
    """Names of the specs that come with Hushkit, sorted."""
    return tuple(sorted(path.stem for path in SPEC_DIRECTORY.glob("*.toml") if _is_headset(path)))


def load_spec(name_or_file: str | Path) -> HeadsetSpec:
    """Read and check a headset spec.

    Args:
        name_or_file: Name of a shipped spec (``flagship-m7``) or a TOML file.

    Returns:
        The spec.

    Raises:
        SpecError: Unreadable, or faulty; ``faults`` lists every fault.
    """
    spec, faults = check_spec(name_or_file)
    if spec is None or faults:
        raise SpecError(str(name_or_file), faults)
    return spec


def check_spec(name_or_file: str | Path) -> tuple[HeadsetSpec | None, tuple[Fault, ...]]:
    """Read a spec and find all its faults.

    Returns:
        The spec, or None where values are missing or out of range; and every fault, ordered by line.

    Raises:
        SpecError: The file cannot be read as TOML at all.
    """
    return parse_spec(_read(name_or_file), str(name_or_file))


def parse_spec(text: str, name: str) -> tuple[HeadsetSpec | None, tuple[Fault, ...]]:
    """Check a spec given as text, as check_spec does; `name` is used in messages only."""
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as err:
        raise SpecError(name, (Fault("", None, f"not TOML: {err}", "correct the syntax at that line"),)) from err
    lines = find_lines(text)
    reader = Reader(data, lines, [])
    spec = read_spec(reader)
    if not reader.faults:
        reader.faults.extend(check_together(spec, lines))
        return spec, _by_line(reader.faults)
    return None, _by_line(reader.faults)


def _by_line(faults: list[Fault]) -> tuple[Fault, ...]:
    return tuple(sorted(faults, key=lambda fault: (fault.line or 0, fault.place)))


def _is_headset(path: Path) -> bool:
    return "[core]" in path.read_text(encoding="utf-8")


def _read(name_or_file: str | Path) -> str:
    path = Path(name_or_file)
    shipped = SPEC_DIRECTORY / f"{name_or_file}.toml"
    if not path.suffix and shipped.is_file():
        path = shipped
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError as err:
        advice = f"give a TOML file or one of {', '.join(shipped_specs())}"
        raise SpecError(str(name_or_file), (Fault("", None, "no such spec or file", advice),)) from err
    except (OSError, UnicodeDecodeError) as err:
        reason = err.strerror if isinstance(err, OSError) else "not UTF-8 text"
        fault = Fault("", None, f"cannot be read: {reason}", "give a readable TOML file")
        raise SpecError(str(name_or_file), (fault,)) from err
