"""Telemetry and events kept by the core, served as DynamoDB serves them.

Fleet tools query the tables of ``hushkit_iot.history_tables`` on AWS; locally the same Query call is answered from the
history. Only the one key condition fleet tools use is understood. Pure but for ``HistoryQuery.run``.
"""

import base64
from dataclasses import dataclass
from typing import Any

from hushkit_iot.history_tables import KEY_CONDITION, TABLES
from hushkit_iot.localcore.aws_errors import AwsError
from hushkit_iot.localcore.store import HistoryEntry, Span, Store

_MAX_LIMIT = 500


@dataclass(frozen=True, slots=True)
class HistoryQuery:
    """A Query call."""

    kind: str
    thing: str
    span: Span
    limit: int
    newest_first: bool

    def run(self, store: Store) -> list[HistoryEntry]:
        """Fetch one entry more than wanted, to know whether there are more."""
        return store.history(self.kind, self.thing, self.span, self.limit + 1, newest_first=self.newest_first)

    def answer(self, entries: list[HistoryEntry]) -> dict[str, Any]:
        """Render DynamoDB's answer."""
        items = [_item(entry) for entry in entries[: self.limit]]
        answer: dict[str, Any] = {"Items": items, "Count": len(items), "ScannedCount": len(items)}
        if len(entries) > self.limit:
            answer["LastEvaluatedKey"] = {name: items[-1][name] for name in ("thing", "at_ms")}
        return answer


def parse_query(target: str, body: dict[str, Any]) -> HistoryQuery:
    """Read a DynamoDB call.

    Raises:
        AwsError: Not a Query, an unknown table, or a condition this core does not serve.
    """
    if target != "DynamoDB_20120810.Query":
        raise AwsError(400, f"{target}: the local IoT Core serves Query alone", "UnknownOperationException")
    table = body.get("TableName")
    if table not in TABLES:
        raise AwsError(400, f"Requested resource not found: table {table}", "ResourceNotFoundException")
    values = body.get("ExpressionAttributeValues", {})
    try:
        thing, after = values[":thing"]["S"], values[":after"]["N"]
        after_ms, limit = int(after), int(body.get("Limit", _MAX_LIMIT))
        start = body.get("ExclusiveStartKey")
        start_ms = int(start["at_ms"]["N"]) if start else None
    except (KeyError, TypeError, ValueError) as err:
        raise _refuse(
            "ExpressionAttributeValues needs :thing (S) and :after (N), ExclusiveStartKey an at_ms (N)"
        ) from err
    if " ".join(str(body.get("KeyConditionExpression")).split()) != KEY_CONDITION:
        raise _refuse(f"KeyConditionExpression: the local IoT Core serves '{KEY_CONDITION}' alone")
    if limit < 1:
        raise _refuse(f"Limit: found {limit}, expected at least 1")
    newest_first = not body.get("ScanIndexForward", True)
    span = _span(after_ms, start_ms, newest_first=newest_first)
    return HistoryQuery(TABLES[table], thing, span, min(limit, _MAX_LIMIT), newest_first)


def _span(after_ms: int, start_ms: int | None, *, newest_first: bool) -> Span:
    """Narrow the condition to what lies behind the page before, in the direction of travel."""
    if start_ms is None:
        return Span(after_ms)
    return Span(after_ms, start_ms) if newest_first else Span(max(after_ms, start_ms))


def base64_text(data: bytes) -> str:
    """Encode a blob as JSON protocols carry it."""
    return base64.b64encode(data).decode()


def _item(entry: HistoryEntry) -> dict[str, dict[str, str]]:
    return {"thing": {"S": entry.thing}, "at_ms": {"N": str(entry.at_ms)}, "payload": {"S": entry.payload}}


def _refuse(message: str) -> AwsError:
    return AwsError(400, message, "ValidationException")
