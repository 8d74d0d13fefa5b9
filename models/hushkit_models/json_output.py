"""The machine form of a command's result: what ``--json FILE`` writes."""

import json
import sys
from pathlib import Path


class UnwritableError(Exception):
    """The file named with ``--json`` cannot be written."""


def write_json(target: str | None, document: object) -> None:
    """Write a document as JSON.

    Args:
        target: A file, ``-`` for standard output, or None for nothing.
        document: What ``json`` can write.

    Raises:
        UnwritableError: The file cannot be written.
    """
    if target is None:
        return
    text = json.dumps(document, indent=2) + "\n"
    if target == "-":
        sys.stdout.write(text)
        return
    try:
        Path(target).write_text(text, encoding="utf-8")
    except OSError as err:
        raise UnwritableError(f"--json {target}: cannot be written: {err.strerror}; choose a writable file") from err
