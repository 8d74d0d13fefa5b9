"""The machine form of a command's answer: ``--json FILE``, or ``-`` for standard output."""

import argparse
import json
import sys
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TextIO

from hushkit_iot.errors import IotError


def add_option(parser: argparse.ArgumentParser) -> None:
    """Add ``--json``."""
    parser.add_argument("--json", metavar="FILE", help="write the machine form to FILE, - for standard output")


def open_output(target: str) -> AbstractContextManager[TextIO]:
    """Open what ``--json`` names.

    Raises:
        IotError: The file cannot be written.
    """
    if target == "-":
        return nullcontext(sys.stdout)
    try:
        return Path(target).open("w", encoding="utf-8")
    except OSError as err:
        raise IotError(f"--json {target}: {err.strerror}; name a file that can be written") from err


def write(target: str, document: object) -> None:
    """Write one document."""
    with open_output(target) as stream:
        json.dump(document, stream, indent=2)
        stream.write("\n")
