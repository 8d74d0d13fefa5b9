"""The device's side of a classic shadow: learns what is desired, reports what is.

Pure: messages and times in, publishes out. After each (re)connection it asks for the whole shadow, then follows deltas
and accepted updates by version. One request is under way at a time; an answer that does not come, or an error that may
pass, is met by asking for the whole shadow again.
"""

import json
import math
from collections.abc import Mapping
from typing import Final

from hushkit_agent.core.backoff import Backoff
from hushkit_agent.core.documents import difference, merged
from hushkit_agent.core.effects import Effect, Level, Publish, Say

_ANSWER_S: Final = 5.0
_AGAIN_FIRST_S: Final = 1.0
_AGAIN_MOST_S: Final = 30.0
_HOPELESS: Final = frozenset({400, 401, 403, 413, 415})
_NOT_FOUND: Final = 404


def topics(thing: str) -> tuple[str, ...]:
    """Topics to subscribe to."""
    prefix = _prefix(thing)
    return (
        f"{prefix}get/accepted",
        f"{prefix}get/rejected",
        f"{prefix}update/accepted",
        f"{prefix}update/rejected",
        f"{prefix}update/delta",
    )


class Shadow:
    """State of one classic shadow.

    Args:
        thing: Thing name.
        session: Makes client tokens unique among runs of the agent.
    """

    def __init__(self, thing: str, *, session: str) -> None:
        self._prefix = _prefix(thing)
        self._session = session
        self._token_number = 0
        self._connected = False
        self._known = False  # the whole shadow was read in this connection
        self._version = 0
        self._desired: dict[str, object] = {}
        self._there: dict[str, object] = {}  # reported, as the cloud holds it
        self._report: dict[str, object] = {}  # reported, as it should be
        self._token: str | None = None  # of the request under way
        self._sent: dict[str, object] | None = None  # None: the request under way is a get
        self._answer_by_s = math.inf
        self._not_before_s = 0.0
        self._hopeless: dict[str, object] | None = None
        self._again = Backoff(_AGAIN_FIRST_S, _AGAIN_MOST_S)

    @property
    def desired(self) -> Mapping[str, object]:
        """The desired state as far as it is known; the last one while disconnected."""
        return self._desired

    @property
    def is_settled(self) -> bool:
        """Whether the cloud holds exactly what was reported."""
        return self._known and not difference(self._there, self._report)

    def connected(self, now_s: float) -> None:
        """Subscriptions are in place."""
        self._connected, self._known = True, False
        self._token, self._not_before_s = None, now_s
        self._version = 0
        self._again.reset()

    def disconnected(self) -> None:
        """The connection is gone."""
        self._connected = self._known = False
        self._token = None

    def report(self, reported: Mapping[str, object]) -> None:
        """The whole state to report from now on."""
        self._report = dict(reported)

    def deadline_s(self) -> float:
        """When `poll` has something to do, if nothing happens before."""
        if not self._connected:
            return math.inf
        if self._token is not None:
            return self._answer_by_s
        return math.inf if self._known and not self._change() else self._not_before_s

    def poll(self, now_s: float) -> list[Effect]:
        """Send what is due."""
        if now_s < self.deadline_s():
            return []
        if self._token is not None:
            self._retry(now_s)
            return [Say(Level.WARNING, "the shadow service does not answer; asking again")]
        if not self._known:
            return [self._request("get", {}, None, now_s)]
        change = self._change()
        return [self._request("update", {"state": {"reported": change}}, change, now_s)]

    def receive(self, topic: str, payload: bytes, now_s: float) -> list[Effect]:
        """Take a message from one of `topics`."""
        if not topic.startswith(self._prefix):
            return []
        try:
            document = json.loads(payload)
        except ValueError as err:
            return [Say(Level.WARNING, f"{topic}: not JSON: {err}")]
        if not isinstance(document, dict):
            return [Say(Level.WARNING, f"{topic}: found {type(document).__name__}, expected an object")]
        match topic.removeprefix(self._prefix):
            case "get/accepted":
                self._whole(document)
            case "update/accepted":
                self._updated(document)
            case "update/delta":
                self._delta(document)
            case "get/rejected" | "update/rejected":
                return self._rejected(document, now_s)
        return []

    def _request(
        self, operation: str, body: dict[str, object], sent: dict[str, object] | None, now_s: float
    ) -> Publish:
        self._token_number += 1
        self._token = f"{self._session}-{self._token_number}"
        self._sent, self._answer_by_s = sent, now_s + _ANSWER_S
        return Publish(self._prefix + operation, json.dumps({**body, "clientToken": self._token}).encode())

    def _change(self) -> dict[str, object]:
        change = difference(self._there, self._report)
        return {} if change == self._hopeless else change

    def _whole(self, document: Mapping[str, object]) -> None:
        if document.get("clientToken") != self._token or self._sent is not None:
            return
        state = _object(document.get("state"))
        self._desired, self._there = dict(_object(state.get("desired"))), dict(_object(state.get("reported")))
        self._version = _version(document)
        self._known = True
        self._answered()

    def _updated(self, document: Mapping[str, object]) -> None:
        own = self._token is not None and document.get("clientToken") == self._token and self._sent is not None
        if own and self._sent is not None:
            self._there = merged(self._there, self._sent)
            self._hopeless = None
            self._answered()
        if not self._known or _version(document) < self._version:
            return
        self._version = _version(document)
        state = document.get("state")
        if state is None:
            self._desired, self._there = {}, {}
            return
        changed = _object(state)
        if "desired" in changed:
            self._desired = {} if changed["desired"] is None else merged(self._desired, _object(changed["desired"]))
        if "reported" in changed and not own:
            self._there = {} if changed["reported"] is None else merged(self._there, _object(changed["reported"]))

    def _delta(self, document: Mapping[str, object]) -> None:
        if self._known and _version(document) >= self._version:
            self._version = _version(document)
            self._desired = merged(self._desired, _object(document.get("state")))

    def _rejected(self, document: Mapping[str, object], now_s: float) -> list[Effect]:
        if document.get("clientToken") != self._token or self._token is None:
            return []
        code, message = document.get("code"), document.get("message")
        if self._sent is None and code == _NOT_FOUND:
            self._desired, self._there, self._version, self._known = {}, {}, 0, True
            self._answered()
            return []
        if self._sent is not None and code in _HOPELESS:
            self._hopeless = self._sent
            self._answered()
            return [Say(Level.ERROR, f"the shadow refused the report: {code} {message}", {"report": self._sent or {}})]
        self._retry(now_s)
        return [Say(Level.WARNING, f"the shadow service answered {code} {message}; asking again")]

    def _answered(self) -> None:
        self._token, self._not_before_s = None, 0.0
        self._again.reset()

    def _retry(self, now_s: float) -> None:
        self._token, self._known = None, False
        self._not_before_s = now_s + self._again.wait_s()


def _prefix(thing: str) -> str:
    return f"$aws/things/{thing}/shadow/"


def _object(value: object) -> Mapping[str, object]:
    return value if isinstance(value, Mapping) else {}


def _version(document: Mapping[str, object]) -> int:
    version = document.get("version")
    return version if isinstance(version, int) else 0
