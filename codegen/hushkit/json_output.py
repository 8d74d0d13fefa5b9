"""The machine form of a command's result, with the toolchain's own error."""

from hushkit_models import json_output

from hushkit.errors import InputError


def write_json(target: str | None, document: object) -> None:
    """Write a document as JSON, as :func:`hushkit_models.json_output.write_json` does.

    Raises:
        InputError: The file cannot be written.
    """
    try:
        json_output.write_json(target, document)
    except json_output.UnwritableError as err:
        raise InputError(str(err)) from err
