"""Telemetry and events of a headset, as the cloud kept them. Pure but for ``read``."""

import json
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Literal

from boto3.dynamodb.types import TypeDeserializer

from hushkit_iot.errors import FleetError
from hushkit_iot.fleet.connection import Cloud, reported_errors
from hushkit_iot.history_tables import KEY_CONDITION, TABLES

Kind = Literal["telemetry", "events"]

_TABLE_OF = {kind: table for table, kind in TABLES.items()}


@dataclass(frozen=True, slots=True)
class Received:
    """One telemetry batch or event; ``at_ms`` is when the cloud received it (Unix time)."""

    at_ms: int
    payload: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Spread:
    """A numeric field over the records looked at."""

    minimum: float
    mean: float
    maximum: float
    last: float


def read(cloud: Cloud, thing: str, kind: Kind, *, after_ms: int = 0, newest: int | None = None) -> list[Received]:
    """Fetch what was received after a moment, oldest first.

    Args:
        cloud: Where.
        thing: Whose.
        kind: Which table.
        after_ms: Unix time, milliseconds; 0 for all there is.
        newest: Only so many, the newest; None for all.
    """
    request: dict[str, Any] = {
        "TableName": _TABLE_OF[kind],
        "KeyConditionExpression": KEY_CONDITION,
        "ExpressionAttributeValues": {":thing": {"S": thing}, ":after": {"N": str(after_ms)}},
        "ScanIndexForward": newest is None,
    }
    found: list[Received] = []
    while newest is None or len(found) < newest:
        if newest is not None:
            request["Limit"] = newest - len(found)
        with reported_errors(cloud.endpoint):
            answer = cloud.tables.query(**request)
        found += [parse_item(item) for item in answer["Items"]]
        if "LastEvaluatedKey" not in answer:
            break
        request["ExclusiveStartKey"] = answer["LastEvaluatedKey"]
    return found if newest is None else found[::-1]


def parse_item(item: dict[str, Any]) -> Received:
    """Read a table's row: the payload is JSON text, or a map where the rule split the document.

    Raises:
        FleetError: The row is not one of ours.
    """
    try:
        row = {name: TypeDeserializer().deserialize(value) for name, value in item.items()}
        payload = row["payload"]
        document = json.loads(payload) if isinstance(payload, str) else json.loads(json.dumps(payload, default=_plain))
        return Received(int(row["at_ms"]), document)
    except (KeyError, TypeError, ValueError) as err:
        raise FleetError(f"history row not understood ({err!r}); expected thing, at_ms and a JSON payload") from err


def summarise(batches: list[Received]) -> dict[str, Spread]:
    """Minimum, mean, maximum and last value of every numeric field, keyed ``type.field`` or ``type[ear].field``."""
    series: dict[str, list[float]] = {}
    for batch in batches:
        for record in batch.payload.get("records", []):
            for field, value in record.get("data", {}).items():
                if isinstance(value, int | float) and not isinstance(value, bool) and field != "ear":
                    series.setdefault(f"{_label(record)}.{field}", []).append(float(value))
    return {
        name: Spread(min(values), sum(values) / len(values), max(values), values[-1])
        for name, values in sorted(series.items())
    }


def _label(record: dict[str, Any]) -> str:
    ear = record["data"].get("ear")
    return f"{record.get('type')}" if ear is None else f"{record.get('type')}[{ear}]"


def _plain(value: object) -> float:
    assert isinstance(value, Decimal)
    return float(value)
