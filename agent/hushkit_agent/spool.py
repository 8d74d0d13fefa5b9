"""The spool: what is to be delivered survives the agent, the broker and the power.

A document gets its session and sequence number when it is kept, and may be sent once it is committed; it is deleted
after the broker acknowledged it. A crash in between delivers it twice with the same number, never with another. Commits
are grouped (about one a second): one row per commit manages 194 a second, and a flash card wears.
"""

import json
import sqlite3
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Final

from hushkit_agent.core.effects import Document
from hushkit_agent.errors import SpoolError

FORMAT: Final = 2
DEFAULT_BYTES: Final = 64 << 20
"""About 20 hours of telemetry at one batch a second (904 bytes measured with two ears)."""
MOST_PENDING: Final = 600
"""Documents held in memory while the disk refuses: ten minutes of batches."""

_SCHEMA: Final = """
CREATE TABLE about (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
CREATE TABLE counter (stream TEXT PRIMARY KEY, next INTEGER NOT NULL, dropped INTEGER NOT NULL) STRICT;
CREATE TABLE message (id INTEGER PRIMARY KEY AUTOINCREMENT, stream TEXT NOT NULL, body BLOB NOT NULL,
    urgent INTEGER NOT NULL DEFAULT 0) STRICT;
"""
_FROM_FORMAT_1: Final = "ALTER TABLE message ADD COLUMN urgent INTEGER NOT NULL DEFAULT 0"


@dataclass(frozen=True, slots=True)
class SpooledMessage:
    """One committed document, ready to publish."""

    id: int
    stream: str
    body: bytes


@dataclass(slots=True)
class _Counter:
    next: int = 0
    dropped: int = 0


class Spool:
    """A bounded, durable queue in one SQLite file; a context manager.

    Args:
        path: The file; made when absent, its directory is not.
        most_bytes: Documents beyond this total push out the oldest, which is counted.

    Raises:
        SpoolError: The file cannot be opened, is no spool, or another agent uses it.
    """

    def __init__(self, path: Path, *, most_bytes: int = DEFAULT_BYTES) -> None:
        self._path = path
        self._most_bytes = most_bytes
        self._new: list[tuple[str, bytes, bool]] = []
        self._acknowledged: list[int] = []
        self._counters: dict[str, _Counter] = {}
        self._bytes = 0
        try:
            self._database = sqlite3.connect(path, timeout=0.5, isolation_level=None, check_same_thread=False)
            self._open()
        except sqlite3.Error as err:
            raise SpoolError(
                f"spool {path}: {err}; expected a file this agent may write, used by no other agent"
            ) from err

    @property
    def session(self) -> str:
        """Identifies the run of sequence numbers: made with the file."""
        return self._session

    @property
    def is_dirty(self) -> bool:
        """Whether `commit` has something to write."""
        return bool(self._new or self._acknowledged)

    def keep(self, stream: str, document: Document, *, urgent: bool = False) -> int:
        """Number a document and hold it for the next commit; returns its sequence number.

        Args:
            stream: Which sequence of numbers.
            document: What to keep.
            urgent: To be sent before everything that is not.
        """
        counter = self._counters.setdefault(stream, _Counter())
        sequence, counter.next = counter.next, counter.next + 1
        head: dict[str, object] = {"session": self._session, "seq": sequence}
        if counter.dropped:
            head["dropped"] = counter.dropped
        body = json.dumps({**document, **head}, separators=(",", ":"), default=str).encode()
        self._new.append((stream, body, urgent))
        if len(self._new) > MOST_PENDING:
            lost_stream = self._new.pop(0)[0]
            self._counters[lost_stream].dropped += 1
        return sequence

    def acknowledge(self, message_id: int) -> None:
        """A message was delivered: the next commit deletes it."""
        self._acknowledged.append(message_id)

    def commit(self) -> None:
        """Write what was kept and acknowledged, in one transaction, to the disk.

        Raises:
            SpoolError: The disk refuses; what was kept stays in memory, call again.
        """
        with self._transaction() as database:
            held = self._bytes + sum(len(body) for _, body, _ in self._new)
            for message_id in self._acknowledged:
                held -= self._delete(database, message_id)
            database.executemany("INSERT INTO message (stream, body, urgent) VALUES (?, ?, ?)", self._new)
            held = self._bound(database, held)
            database.executemany(
                "INSERT OR REPLACE INTO counter VALUES (?, ?, ?)",
                [(stream, counter.next, counter.dropped) for stream, counter in self._counters.items()],
            )
        self._bytes = held
        self._new.clear()
        self._acknowledged.clear()

    def after(self, message_id: int, limit: int, *, urgent: bool = False) -> list[SpooledMessage]:
        """Committed messages, urgent or not, with larger ids than ``message_id``: oldest first, at most ``limit``."""
        gone = set(self._acknowledged)
        with self._named():
            rows = self._database.execute(
                "SELECT id, stream, body FROM message WHERE id > ? AND urgent = ? ORDER BY id LIMIT ?",
                (message_id, urgent, limit),
            ).fetchall()
        return [SpooledMessage(*row) for row in rows if row[0] not in gone]

    def depth(self) -> int:
        """Committed messages that wait for their delivery."""
        with self._named():
            count: int = self._database.execute("SELECT count(*) FROM message").fetchone()[0]
        return count

    def close(self) -> None:
        """Close the file; what is not committed is lost."""
        self._database.close()

    def __enter__(self) -> "Spool":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _open(self) -> None:
        database = self._database
        database.execute("PRAGMA locking_mode = EXCLUSIVE")
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("PRAGMA synchronous = FULL")
        database.execute("BEGIN IMMEDIATE")
        (version,) = database.execute("PRAGMA user_version").fetchone()
        if version == 0:
            for statement in _SCHEMA.split(";")[:-1]:
                database.execute(statement)
            database.execute("INSERT INTO about VALUES ('session', ?)", (uuid.uuid4().hex[:16],))
            database.execute(f"PRAGMA user_version = {FORMAT}")
        elif version == 1:
            database.execute(_FROM_FORMAT_1)
            database.execute(f"PRAGMA user_version = {FORMAT}")
        elif version != FORMAT:
            raise SpoolError(f"spool {self._path}: format {version}, expected {FORMAT}; move the file away")
        database.execute("COMMIT")
        self._session = str(database.execute("SELECT value FROM about WHERE key = 'session'").fetchone()[0])
        for stream, following, dropped in database.execute("SELECT stream, next, dropped FROM counter"):
            self._counters[stream] = _Counter(following, dropped)
        (self._bytes,) = database.execute("SELECT coalesce(sum(length(body)), 0) FROM message").fetchone()

    def _bound(self, database: sqlite3.Connection, held: int) -> int:
        """Push out the oldest beyond the limit; returns the bytes that stay."""
        while held > self._most_bytes:
            message_id, stream = database.execute("SELECT id, stream FROM message ORDER BY urgent, id").fetchone()
            held -= self._delete(database, message_id)
            self._counters[stream].dropped += 1
        return held

    def _delete(self, database: sqlite3.Connection, message_id: int) -> int:
        rows = database.execute("DELETE FROM message WHERE id = ? RETURNING length(body)", (message_id,)).fetchall()
        return int(rows[0][0]) if rows else 0

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        counted = {stream: counter.dropped for stream, counter in self._counters.items()}
        with self._named():
            self._database.execute("BEGIN IMMEDIATE")
            try:
                yield self._database
                self._database.execute("COMMIT")
            except sqlite3.Error:
                self._database.execute("ROLLBACK")
                for stream, dropped in counted.items():
                    self._counters[stream].dropped = dropped
                raise

    @contextmanager
    def _named(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as err:
            raise SpoolError(f"spool {self._path}: {err}; check the disk") from err
