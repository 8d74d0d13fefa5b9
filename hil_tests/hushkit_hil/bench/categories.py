"""Noise categories in a bench run: the bench plays the classifier's part."""

import difflib
from dataclasses import replace

import numpy as np
from hushkit.spec import CATEGORIES

from hushkit_hil.errors import BenchError
from hushkit_hil.targets.plant import PlantRun

SYNTAX = "NAME from the start, or SECONDS:NAME from then on"


def parse_category(text: str) -> tuple[float, int]:
    """Read one ``--category``.

    Args:
        text: ``NAME`` or ``SECONDS:NAME``.

    Returns:
        When it begins to act, in seconds, and the category's number.

    Raises:
        BenchError: Not of that form, or no such category.
    """
    before, colon, name = text.rpartition(":")
    try:
        at_s = float(before) if colon else 0.0
    except ValueError:
        at_s = -1.0
    if not 0.0 <= at_s < np.inf:
        raise BenchError(f"--category {text}: {before!r} is not a time; give {SYNTAX}")
    if name not in CATEGORIES:
        close = difflib.get_close_matches(name, CATEGORIES, n=1, cutoff=0.5) or CATEGORIES[:1]
        raise BenchError(
            f"--category {text}: no category {name!r}; did you mean {close[0]}? See [categories] in the spec"
        )
    return at_s, CATEGORIES.index(name)


def with_categories(run: PlantRun, texts: tuple[str, ...]) -> PlantRun:
    """The same run with categories that act from given times on; its paths change when they did.

    Raises:
        BenchError: A text cannot be read, or its time is beyond the run's end.
    """
    events = sorted((round(at_s * run.rate_hz), number) for at_s, number in map(parse_category, texts))
    if not events:
        return run
    if events[-1][0] >= run.n_samples:
        raise BenchError(f"--category at {events[-1][0] / run.rate_hz:g} s: the run ends before; lengthen --seconds")
    starts = tuple(sorted({*run.starts, *(at for at, _ in events)}))
    paths = [max(i for i, start in enumerate(run.starts) if start <= at) for at in starts]
    acting = [[number + 1 for begins, number in events if begins <= at] for at in starts]
    return replace(
        run,
        starts=starts,
        categories=tuple(numbers[-1] if numbers else 0 for numbers in acting),
        secondary=run.secondary[paths],
        feedback=None if run.feedback is None else run.feedback[paths],
    )
