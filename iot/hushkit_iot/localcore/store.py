"""Everything the local core must not forget, in one SQLite file: things, shadows, retained messages, history.

Write-ahead log with ``synchronous=FULL``: what a committed transaction wrote survives a power cut.
"""

import json
import sqlite3
import uuid
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hushkit_iot.errors import LocalCoreError
from hushkit_iot.localcore.shadow_document import Annotated
from hushkit_iot.localcore.shadow_service import Shadow, ShadowKey

HISTORY_LIMIT = 10_000
"""Messages kept for each thing and kind; older ones go."""

_TRIM_EVERY = 100

_SCHEMA = """
CREATE TABLE IF NOT EXISTS things (
    name TEXT PRIMARY KEY, id TEXT NOT NULL, type TEXT, attributes TEXT NOT NULL, version INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS shadows (
    thing TEXT NOT NULL, name TEXT NOT NULL, version INTEGER NOT NULL, timestamp INTEGER NOT NULL,
    deleted INTEGER NOT NULL, document TEXT NOT NULL, PRIMARY KEY (thing, name)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS retained (
    topic TEXT PRIMARY KEY, payload BLOB NOT NULL, qos INTEGER NOT NULL, modified_ms INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS history (
    thing TEXT NOT NULL, kind TEXT NOT NULL, at_ms INTEGER NOT NULL, session TEXT NOT NULL, seq INTEGER NOT NULL,
    payload TEXT NOT NULL, PRIMARY KEY (thing, kind, at_ms)
) WITHOUT ROWID;
CREATE UNIQUE INDEX IF NOT EXISTS history_once ON history (thing, kind, session, seq);
CREATE TABLE IF NOT EXISTS notes (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
"""

_OLDEST_FIRST = (
    "SELECT thing, at_ms, payload FROM history WHERE thing=? AND kind=? AND at_ms>? AND at_ms<? ORDER BY at_ms LIMIT ?"
)
_NEWEST_FIRST = (
    "SELECT thing, at_ms, payload FROM history WHERE thing=? AND kind=? AND at_ms>? AND at_ms<? "
    "ORDER BY at_ms DESC LIMIT ?"
)

END_OF_TIME_MS = 2**62


@dataclass(frozen=True, slots=True)
class Thing:
    """An entry of the registry, as DescribeThing shows it."""

    name: str
    id: str
    type: str | None
    attributes: dict[str, str]
    version: int


@dataclass(frozen=True, slots=True)
class Retained:
    """The last retained message of a topic."""

    topic: str
    payload: bytes
    qos: int
    modified_ms: int


@dataclass(frozen=True, slots=True)
class HistoryEntry:
    """A telemetry batch or an event as received; ``at_ms`` grows strictly within one thing and kind."""

    thing: str
    at_ms: int
    payload: str


@dataclass(frozen=True, slots=True)
class Span:
    """From behind ``after_ms`` to before ``before_ms``, Unix time."""

    after_ms: int = 0
    before_ms: int = END_OF_TIME_MS


class Store:
    """The database; one thread uses it."""

    def __init__(self, file: Path):
        """Open or create the database.

        Raises:
            LocalCoreError: The file is not usable.
        """
        try:
            self._db = sqlite3.connect(file, isolation_level=None, check_same_thread=False)
            self._db.execute("PRAGMA journal_mode=WAL")
            self._db.execute("PRAGMA synchronous=FULL")
            self._db.executescript(_SCHEMA)
        except sqlite3.Error as err:
            raise LocalCoreError(
                f"{file}: not usable as the shadow database ({err}); move it away to start empty"
            ) from err
        self._writes = 0

    def close(self) -> None:
        """Close the database."""
        self._db.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Commit all that happens inside at once, or nothing of it when an exception leaves."""
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")

    def shadow(self, key: ShadowKey) -> Shadow | None:
        """The shadow as last stored, deleted ones included."""
        row = self._one(
            "SELECT version, timestamp, deleted, document FROM shadows WHERE thing=? AND name=?", key.thing, key.name
        )
        if row is None:
            return None
        document = json.loads(row[3])
        return Shadow(row[0], row[1], Annotated(*document["desired"]), Annotated(*document["reported"]), bool(row[2]))

    def put_shadow(self, key: ShadowKey, shadow: Shadow) -> None:
        """Replace the shadow."""
        sections = {"desired": shadow.desired, "reported": shadow.reported}
        document = {name: [part.value, part.metadata] for name, part in sections.items()}
        self._db.execute(
            "INSERT OR REPLACE INTO shadows VALUES (?, ?, ?, ?, ?, ?)",
            (key.thing, key.name, shadow.version, shadow.timestamp, shadow.deleted, json.dumps(document)),
        )

    def named_shadows(self, thing: str, after: str, limit: int) -> list[str]:
        """Names of the thing's named shadows behind ``after``, in order."""
        rows = self._all(
            "SELECT name FROM shadows WHERE thing=? AND name>? AND name<>'' AND NOT deleted ORDER BY name LIMIT ?",
            thing,
            after,
            limit,
        )
        return [row[0] for row in rows]

    def thing(self, name: str) -> Thing | None:
        """One entry of the registry."""
        row = self._one("SELECT name, id, type, attributes, version FROM things WHERE name=?", name)
        return _thing(row) if row else None

    def things(self, after: str, limit: int) -> list[Thing]:
        """Entries behind ``after``, by name."""
        rows = self._all(
            "SELECT name, id, type, attributes, version FROM things WHERE name>? ORDER BY name LIMIT ?", after, limit
        )
        return [_thing(row) for row in rows]

    def add_thing(self, name: str, type_name: str | None = None, attributes: dict[str, str] | None = None) -> Thing:
        """Add an entry; an existing one stays as it is and is returned."""
        self._db.execute(
            "INSERT OR IGNORE INTO things VALUES (?, ?, ?, ?, 1)",
            (name, str(uuid.uuid4()), type_name, json.dumps(attributes or {})),
        )
        thing = self.thing(name)
        assert thing is not None
        return thing

    def remove_thing(self, name: str) -> bool:
        """Remove an entry of the registry; its shadows stay, as on AWS. False when there was none."""
        return self._db.execute("DELETE FROM things WHERE name=?", (name,)).rowcount > 0

    def retained(self, topic: str) -> Retained | None:
        """The retained message of one topic."""
        row = self._one("SELECT topic, payload, qos, modified_ms FROM retained WHERE topic=?", topic)
        return Retained(*row) if row else None

    def all_retained(self, after: str, limit: int) -> list[Retained]:
        """Retained messages of the topics behind ``after``, by topic."""
        rows = self._all(
            "SELECT topic, payload, qos, modified_ms FROM retained WHERE topic>? ORDER BY topic LIMIT ?", after, limit
        )
        return [Retained(*row) for row in rows]

    def put_retained(self, message: Retained) -> None:
        """Keep a retained message; an empty payload removes it, as in MQTT."""
        if message.payload:
            row = (message.topic, message.payload, message.qos, message.modified_ms)
            self._db.execute("INSERT OR REPLACE INTO retained VALUES (?, ?, ?, ?)", row)
        else:
            self._db.execute("DELETE FROM retained WHERE topic=?", (message.topic,))

    def add_history(self, kind: str, entry: HistoryEntry, session: str, seq: int) -> bool:
        """Append a message; False when the same (session, seq) is there already: a redelivery."""
        latest = self._one("SELECT MAX(at_ms) FROM history WHERE thing=? AND kind=?", entry.thing, kind)
        at_ms = max(entry.at_ms, (latest[0] or 0) + 1 if latest else 0)
        added = self._db.execute(
            "INSERT OR IGNORE INTO history VALUES (?, ?, ?, ?, ?, ?)",
            (entry.thing, kind, at_ms, session, seq, entry.payload),
        )
        self._writes += 1
        if self._writes % _TRIM_EVERY == 0:
            self._trim(entry.thing, kind)
        return added.rowcount > 0

    def history(self, kind: str, thing: str, span: Span, limit: int, *, newest_first: bool) -> list[HistoryEntry]:
        """Messages received within a span, at most ``limit`` from the chosen end."""
        query = _NEWEST_FIRST if newest_first else _OLDEST_FIRST
        rows = self._all(query, thing, kind, span.after_ms, span.before_ms, limit)
        return [HistoryEntry(*row) for row in rows]

    def note(self, name: str) -> str | None:
        """A remembered value."""
        row = self._one("SELECT value FROM notes WHERE name=?", name)
        return row[0] if row else None

    def put_note(self, name: str, value: str) -> None:
        """Remember a value."""
        self._db.execute("INSERT OR REPLACE INTO notes VALUES (?, ?)", (name, value))

    def _trim(self, thing: str, kind: str) -> None:
        self._db.execute(
            "DELETE FROM history WHERE thing=? AND kind=? AND at_ms <= "
            "(SELECT at_ms FROM history WHERE thing=? AND kind=? ORDER BY at_ms DESC LIMIT 1 OFFSET ?)",
            (thing, kind, thing, kind, HISTORY_LIMIT),
        )

    def _one(self, sql: str, *values: object) -> tuple[Any, ...] | None:
        with closing(self._db.execute(sql, values)) as cursor:
            row: tuple[Any, ...] | None = cursor.fetchone()
            return row

    def _all(self, sql: str, *values: object) -> list[tuple[Any, ...]]:
        with closing(self._db.execute(sql, values)) as cursor:
            return cursor.fetchall()


def _thing(row: tuple[Any, ...]) -> Thing:
    return Thing(row[0], row[1], row[2], json.loads(row[3]), row[4])
