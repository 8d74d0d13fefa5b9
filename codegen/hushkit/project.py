"""Where the project's own files are: firmware sources, fetched C sources, build output."""

from pathlib import Path

from hushkit.errors import InputError

_ROOT = Path(__file__).resolve().parents[2]


def project_root() -> Path:
    """Root of the checkout this package runs from.

    Returns:
        The folder that holds ``firmware/``, ``codegen/`` and ``platformio.ini``.

    Raises:
        InputError: The package runs from somewhere else (a wheel without the firmware sources).
    """
    if not (_ROOT / "firmware" / "include" / "hk").is_dir():
        raise InputError(
            f"no firmware sources beside this installation (looked in {_ROOT}); "
            "firmware is built from a checkout: run `make setup` there and use its .venv/bin/hushkit"
        )
    return _ROOT


def sources_dir() -> Path:
    """Folder of the fetched C sources (git-ignored), whether they are there or not."""
    return project_root() / ".deps"


def build_dir() -> Path:
    """Folder of build output (git-ignored)."""
    return project_root() / "build"
