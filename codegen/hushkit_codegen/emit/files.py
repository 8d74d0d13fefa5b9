"""Generated files on disk: writing them, and comparing every byte with what should be there."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from hushkit_codegen.errors import EmitError


@dataclass(frozen=True, slots=True)
class Difference:
    """One generated file that is not what it should be: ``line`` is the first that differs, None for the whole file."""

    path: Path
    line: int | None
    reason: str

    def __str__(self) -> str:
        place = f"{self.path}:{self.line}" if self.line is not None else str(self.path)
        return f"{place}: {self.reason}"


def write_files(directory: Path, texts: Mapping[str, str]) -> tuple[Path, ...]:
    """Write texts into a folder, with LF line ends; files that already hold those bytes are not touched.

    Returns:
        The files written.

    Raises:
        EmitError: The folder or a file cannot be written.
    """
    written = []
    try:
        directory.mkdir(parents=True, exist_ok=True)
        for name, text in texts.items():
            path = directory / name
            path.parent.mkdir(parents=True, exist_ok=True)
            if not path.is_file() or path.read_bytes() != text.encode():
                path.write_bytes(text.encode())
                written.append(path)
    except OSError as err:
        raise EmitError(f"{directory}: cannot be written: {err.strerror}; choose a writable folder") from err
    return tuple(written)


def compare_files(directory: Path, texts: Mapping[str, str]) -> tuple[Difference, ...]:
    """Compare a folder with what should be in it, byte for byte.

    Returns:
        One difference per file that is missing or has other bytes, in the order of ``texts``.
    """
    found = []
    for name, text in texts.items():
        path = directory / name
        if not path.is_file():
            found.append(Difference(path, None, "missing"))
        elif path.read_bytes() != text.encode():
            line, reason = _first_difference(path.read_bytes(), text.encode())
            found.append(Difference(path, line, reason))
    return tuple(found)


def _first_difference(present: bytes, wanted: bytes) -> tuple[int, str]:
    old, new = present.splitlines(keepends=True), wanted.splitlines(keepends=True)
    for number, (have, want) in enumerate(zip(old, new, strict=False), start=1):
        if have != want:
            return number, f"found {_shown(have)}, expected {_shown(want)}"
    shorter = min(len(old), len(new))
    return shorter + 1, f"{len(old)} lines, expected {len(new)}"


def _shown(line: bytes) -> str:
    return repr(line.decode("utf-8", "backslashreplace")[:100])
