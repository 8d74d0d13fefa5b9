"""The Device Shadow service without its wires: one request in, the new shadow and every message to publish out.

Pure: bytes and a time come in, values go out; storage and transport live in ``store``, ``worker`` and the edges.

Source: AWS IoT Core developer guide, "Device Shadow service documents", "Device Shadow MQTT topics", "Device Shadow
error messages", "Interacting with shadows" (a deleted shadow's version is kept for 48 hours).
"""

from dataclasses import dataclass

from hushkit_iot.localcore import shadow_document as documents
from hushkit_iot.localcore.shadow_document import Annotated, JsonObject, JsonValue
from hushkit_iot.topics import SHADOW_NAME, THING_NAME

MAX_PAYLOAD_BYTES = 128 * 1024
"""Message broker quota: payload of one publish."""

MAX_CLIENT_TOKEN_BYTES = 64

KEEP_DELETED_VERSION_S = 48 * 3600

EMPTY = Annotated({}, {})


@dataclass(frozen=True, slots=True)
class ShadowKey:
    """One shadow: ``name`` is empty for the classic one."""

    thing: str
    name: str = ""

    def __str__(self) -> str:
        return f"{self.thing}~{self.name}" if self.name else self.thing


@dataclass(frozen=True, slots=True)
class Shadow:
    """A shadow as stored. A deleted one keeps its version until ``KEEP_DELETED_VERSION_S`` after ``timestamp``."""

    version: int
    timestamp: int
    desired: Annotated = EMPTY
    reported: Annotated = EMPTY
    deleted: bool = False

    def state(self) -> JsonObject:
        """State document; a section without fields is left out."""
        return {name: part.value for name, part in self._parts() if part.value}

    def metadata(self) -> JsonObject:
        """Metadata document, shaped like ``state``."""
        return {name: part.metadata for name, part in self._parts() if part.value}

    def delta(self) -> Annotated:
        """Desired fields that reported does not match, with desired's metadata."""
        return documents.delta(self.desired, self.reported.value)

    def _parts(self) -> tuple[tuple[str, Annotated], ...]:
        return (("desired", self.desired), ("reported", self.reported))


@dataclass(frozen=True, slots=True)
class Message:
    """A message for the topic ``<shadow prefix>/<topic>``."""

    topic: str
    payload: bytes


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a request led to.

    ``code`` is 200 or the error's; ``answer`` is the accepted or rejected document; ``others`` are the delta and
    documents messages that follow an accepted update; ``stored`` is the shadow to keep, None when nothing changed.
    """

    code: int
    answer: Message
    others: tuple[Message, ...] = ()
    stored: Shadow | None = None


class RejectedError(Exception):
    """A request that breaks the service's rules; becomes the rejected document."""

    def __init__(self, code: int, message: str):
        super().__init__(message)
        self.code = code
        self.message = message


def handle(operation: str, key: ShadowKey, payload: bytes, stored: Shadow | None, now: int) -> Outcome:
    """Carry out one request.

    Args:
        operation: ``get``, ``update`` or ``delete``.
        key: The shadow.
        payload: The request document; may be empty for get and delete.
        stored: The shadow as last stored, deleted ones included; None when there never was one.
        now: Unix time, seconds.
    """
    token: str | None = None
    try:
        _check_names(key)
        request = _parse(operation, payload)
        token = _client_token(request)
        current = _forget_old_version(stored, now)
        outcome = _OPERATIONS[operation](key, request, current, now)
    except RejectedError as rejected:
        return reject(operation, rejected, now, token)
    return outcome


def reject(operation: str, rejected: RejectedError, now: int, token: str | None = None) -> Outcome:
    """Make the rejected document; also for what goes wrong outside this module."""
    document: JsonObject = {"code": rejected.code, "message": rejected.message, "timestamp": now}
    return Outcome(rejected.code, _message(f"{operation}/rejected", document, token))


def _check_names(key: ShadowKey) -> None:
    if not THING_NAME.fullmatch(key.thing):
        raise RejectedError(400, f"Invalid thing name: expected {THING_NAME.pattern}")
    if key.name and not SHADOW_NAME.fullmatch(key.name):
        raise RejectedError(400, f"Invalid shadow name: expected {SHADOW_NAME.pattern}")


def _parse(operation: str, payload: bytes) -> JsonObject:
    if len(payload) > MAX_PAYLOAD_BYTES:
        raise RejectedError(413, "The payload exceeds the maximum size allowed")
    if not payload and operation != "update":
        return {}
    try:
        document = documents.decode(payload.decode())
    except UnicodeDecodeError as err:
        raise RejectedError(415, "Unsupported documented encoding; supported encoding is UTF-8") from err
    except RecursionError as err:
        raise _too_deep() from err
    except ValueError as err:
        raise RejectedError(400, "Invalid JSON") from err
    if not isinstance(document, dict):
        raise RejectedError(400, "Invalid JSON")
    return document


def _client_token(request: JsonObject) -> str | None:
    token = request.get("clientToken")
    if token is None:
        return None
    if not isinstance(token, str) or len(token.encode()) > MAX_CLIENT_TOKEN_BYTES:
        raise RejectedError(400, "Invalid clientToken")
    return token


def _forget_old_version(stored: Shadow | None, now: int) -> Shadow | None:
    if stored and stored.deleted and now - stored.timestamp > KEEP_DELETED_VERSION_S:
        return None
    return stored


def _get(key: ShadowKey, request: JsonObject, current: Shadow | None, now: int) -> Outcome:
    shadow = _existing(key, current)
    state = shadow.state()
    delta = shadow.delta()
    if delta.value:
        state["delta"] = delta.value
    document: JsonObject = {
        "state": state,
        "metadata": shadow.metadata(),
        "version": shadow.version,
        "timestamp": now,
    }
    return Outcome(200, _message("get/accepted", document, _client_token(request)))


def _delete(key: ShadowKey, request: JsonObject, current: Shadow | None, now: int) -> Outcome:
    wanted_version = _version(request)
    shadow = _existing(key, current)
    _check_version(wanted_version, shadow.version)
    document: JsonObject = {"version": shadow.version, "timestamp": now}
    gone = Shadow(shadow.version, now, deleted=True)
    return Outcome(200, _message("delete/accepted", document, _client_token(request)), stored=gone)


def _update(key: ShadowKey, request: JsonObject, current: Shadow | None, now: int) -> Outcome:
    del key
    patch = _patch(request)
    _check_version(_version(request), current.version if current else 0)
    before = current if current and not current.deleted else Shadow(current.version if current else 0, now)
    after = Shadow(
        before.version + 1,
        now,
        _merge_section(before.desired, patch, "desired", now),
        _merge_section(before.reported, patch, "reported", now),
    )
    if sum(len(documents.encode(section)) for section in after.state().values()) > documents.MAX_STATE_BYTES:
        raise RejectedError(413, "The payload exceeds the maximum size allowed")
    token = _client_token(request)
    accepted: JsonObject = {
        "state": patch,
        "metadata": {name: documents.stamp(part, now) for name, part in patch.items()},
        "version": after.version,
        "timestamp": now,
    }
    return Outcome(200, _message("update/accepted", accepted, token), _consequences(before, after, now, token), after)


def _consequences(before: Shadow, after: Shadow, now: int, token: str | None) -> tuple[Message, ...]:
    """Build the delta message, when the two sections differ, and the documents message."""
    messages = []
    delta = after.delta()
    if delta.value:
        document: JsonObject = {
            "version": after.version,
            "timestamp": now,
            "state": delta.value,
            "metadata": delta.metadata,
        }
        messages.append(_message("update/delta", document, token))
    pair: JsonObject = {"previous": _snapshot(before), "current": _snapshot(after), "timestamp": now}
    messages.append(_message("update/documents", pair, token))
    return tuple(messages)


def _snapshot(shadow: Shadow) -> JsonObject:
    return {"state": shadow.state(), "metadata": shadow.metadata(), "version": shadow.version}


def _existing(key: ShadowKey, current: Shadow | None) -> Shadow:
    if current is None or current.deleted:
        raise RejectedError(404, f"No shadow exists with name: '{key}'")
    return current


def _patch(request: JsonObject) -> JsonObject:
    """Return the sections an update carries; anything else inside ``state`` is ignored, as the guide says."""
    if "state" not in request:
        raise RejectedError(400, "Missing required node: state")
    state = request["state"]
    if not isinstance(state, dict):
        raise RejectedError(400, "State node must be an object")
    patch = {name: state[name] for name in documents.SECTIONS if name in state}
    for name, part in patch.items():
        if part is not None and not isinstance(part, dict):
            raise RejectedError(400, f"{name.capitalize()} node must be an object")
        if documents.levels(part) > documents.MAX_LEVELS:
            raise _too_deep()
        if documents.has_null_in_array(part):
            raise RejectedError(400, "State contains an invalid node")
    return patch


def _merge_section(current: Annotated, patch: JsonObject, name: str, now: int) -> Annotated:
    if name not in patch:
        return current
    part = patch[name]
    return documents.merge(current, part, now) if isinstance(part, dict) else EMPTY


def _version(request: JsonObject) -> int | None:
    version = request.get("version")
    if version is None:
        return None
    if isinstance(version, bool) or not isinstance(version, int) or version < 0:
        raise RejectedError(400, "Invalid version")
    return version


def _check_version(wanted: int | None, actual: int) -> None:
    if wanted is not None and wanted != actual:
        raise RejectedError(409, "Version conflict")


def _too_deep() -> RejectedError:
    return RejectedError(400, f"JSON contains too many levels of nesting; maximum is {documents.MAX_LEVELS}")


def _message(topic: str, document: JsonObject, token: str | None) -> Message:
    content: dict[str, JsonValue] = {**document, "clientToken": token} if token is not None else document
    return Message(topic, documents.encode(content))


_OPERATIONS = {"get": _get, "update": _update, "delete": _delete}
