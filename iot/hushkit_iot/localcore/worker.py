"""The one thread that owns the store: jobs run in the order they arrive, several to a commit.

A message is acknowledged, and its answer published, only after the commit that holds its effect: a crash in between
makes the broker deliver it again. One thread means requests for one thing never overtake each other.
"""

import logging
import queue
import sqlite3
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Generic, Protocol, TypeVar

from hushkit_iot.errors import LocalCoreError
from hushkit_iot.localcore.store import Store

_LOG = logging.getLogger(__name__)

JOBS_PER_COMMIT = 64
"""More saves little: a commit costs one fsync, a job about 0.1 ms."""

T = TypeVar("T")


class Job(Protocol):
    """A unit of work on the store."""

    def run(self, store: Store) -> None:
        """Read and write; inside a transaction that other jobs share."""

    def committed(self) -> None:
        """Tell the world; the transaction is on disk."""

    def failed(self, error: sqlite3.Error) -> None:
        """Tell whoever asked that nothing was kept."""


class Call(Generic[T]):
    """A job that answers with a value, through a future."""

    def __init__(self, function: Callable[[Store], T]):
        self.future: Future[T] = Future()
        self._function = function
        self._value: T | None = None

    def run(self, store: Store) -> None:
        """Call the function."""
        self._value = self._function(store)

    def committed(self) -> None:
        """Hand the value over."""
        if self.future.set_running_or_notify_cancel():
            self.future.set_result(self._value)  # type: ignore[arg-type]

    def failed(self, error: sqlite3.Error) -> None:
        """Hand the database's error over."""
        if self.future.set_running_or_notify_cancel():
            self.future.set_exception(error)


class Worker:
    """Runs jobs against a store in its own thread.

    Args:
        store: The database; belongs to the worker from now on.
        stopped: Called when the thread ends, wanted or not.
    """

    def __init__(self, store: Store, stopped: Callable[[], None]):
        self._store = store
        self._stopped = stopped
        self._jobs: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._closing = False
        self._thread = threading.Thread(target=self._work, name="shadow-worker", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def submit(self, job: Job) -> None:
        """Queue a job.

        Raises:
            LocalCoreError: The worker is closing.
        """
        if self._closing:
            raise LocalCoreError("the shadow engine is stopping; ask again when it is back")
        self._jobs.put(job)

    def close(self) -> None:
        """Finish what is queued and end the thread."""
        self._closing = True
        self._jobs.put(None)
        self._thread.join()

    def _work(self) -> None:
        try:
            while self._run_batch(self._next_batch()):
                pass
        finally:
            self._store.close()
            self._stopped()

    def _next_batch(self) -> list[Job | None]:
        batch = [self._jobs.get()]
        while len(batch) < JOBS_PER_COMMIT and not self._jobs.empty():
            batch.append(self._jobs.get())
        return batch

    def _run_batch(self, batch: list[Job | None]) -> bool:
        """Run and commit; False when the batch held the end mark."""
        jobs = [job for job in batch if job is not None]
        try:
            with self._store.transaction():
                for job in jobs:
                    job.run(self._store)
        except sqlite3.Error as err:
            _LOG.exception("database refused a batch of %d", len(jobs))
            for job in jobs:
                job.failed(err)
        else:
            for job in jobs:
                job.committed()
        return len(jobs) == len(batch)
