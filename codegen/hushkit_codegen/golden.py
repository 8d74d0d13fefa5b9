"""Pytest plugin: golden files, compared byte for byte and rewritten only by ``pytest --update-golden``.

It also keeps linear algebra on one thread, as the ``hushkit`` command does.
"""

import os
from collections.abc import Mapping
from pathlib import Path

import pytest

from hushkit_codegen.emit import compare_files, write_files


class Golden:
    """Golden files of one test: ``golden/`` beside the test module, one folder per case."""

    def __init__(self, root: Path, *, update: bool) -> None:
        self._root = root
        self._update = update

    def check(self, case: str, texts: Mapping[str, str]) -> None:
        """Compare texts by file name with the folder of a case; fail naming the first differing line of every file."""
        directory = self._root / case
        if self._update:
            write_files(directory, texts)
            return
        differences = compare_files(directory, texts)
        if differences:
            shown = "\n".join(str(difference) for difference in differences)
            pytest.fail(f"golden files differ; if that is meant, run pytest --update-golden\n{shown}", pytrace=False)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Declare --update-golden."""
    parser.addoption("--update-golden", action="store_true", help="rewrite golden files instead of comparing them")


def pytest_configure() -> None:
    """Before any test module imports NumPy."""
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Golden:
    """The golden files beside the requesting test's module."""
    return Golden(request.path.parent / "golden", update=bool(request.config.getoption("--update-golden")))
