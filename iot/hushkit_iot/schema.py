"""The documents' JSON schemas, and one clear error for a document that breaks one."""

import functools
import json
from collections.abc import Iterable
from importlib import resources
from pathlib import Path
from typing import Any

import jsonschema

from hushkit_iot.errors import SchemaError

_IN_TREE = Path(__file__).resolve().parents[1] / "schemas"


def load_schema(name: str) -> dict[str, Any]:
    """Read ``iot/schemas/<name>.schema.json``, from the source tree or from the installed package."""
    file = f"{name}.schema.json"
    if (_IN_TREE / file).is_file():
        text = (_IN_TREE / file).read_text()
    else:
        text = resources.files("hushkit_iot").joinpath("schemas", file).read_text()
    schema: dict[str, Any] = json.loads(text)
    return schema


def check(name: str, document: object) -> None:
    """Check a document against a schema.

    Raises:
        SchemaError: The first fault in the document's order: where, what was found, what was expected.
    """
    errors: Iterable[jsonschema.ValidationError] = _validator(name).iter_errors(document)
    first = min(errors, key=lambda error: [str(part) for part in error.absolute_path], default=None)
    if first is not None:
        raise SchemaError(_explain(first))


@functools.cache
def _validator(name: str) -> jsonschema.Draft202012Validator:
    return jsonschema.Draft202012Validator(load_schema(name))


def _explain(error: jsonschema.ValidationError) -> str:
    place = ".".join(str(part) for part in error.absolute_path) or "document"
    found = json.dumps(error.instance)
    found = found if len(found) <= 80 else f"{found[:77]}..."
    limit: Any = error.validator_value
    match error.validator:
        case "enum":
            return f"{place}: found {found}, expected one of {', '.join(map(str, limit))}"
        case "minimum" | "maximum":
            schema = error.schema
            assert isinstance(schema, dict)
            return f"{place}: found {found}, expected {_range(schema)}"
        case "type":
            kinds = limit if isinstance(limit, list) else [limit]
            return f"{place}: found {found}, expected {' or '.join(kinds)}"
        case "additionalProperties":
            schema, instance = error.schema, error.instance
            assert isinstance(schema, dict)
            assert isinstance(instance, dict)
            known = list(schema.get("properties", {}))
            unknown = ", ".join(sorted(set(instance) - set(known)))
            return f"{place}: found unknown {unknown}, expected {', '.join(known)}"
        case _:
            return f"{place}: {error.message}"


def _range(schema: dict[str, Any]) -> str:
    low, high = schema.get("minimum"), schema.get("maximum")
    if low is not None and high is not None:
        return f"{low:g} to {high:g}"
    return f"at least {low:g}" if low is not None else f"at most {high:g}"
