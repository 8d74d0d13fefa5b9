"""Long-running processes of a local core: started detached, known by pid file, stopped exactly.

A pid file also holds when the process started, so a pid the system gave to somebody else is never mistaken for ours.
"""

import contextlib
import json
import os
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from hushkit_iot.errors import LocalCoreError

_POLL_S = 0.02
_MAX_LOG_BYTES = 4 << 20


@dataclass(frozen=True, slots=True)
class Daemon:
    """One process: ``name.pid`` and ``name.log`` in the directory."""

    directory: Path
    name: str

    @property
    def log_file(self) -> Path:
        """Where its output goes."""
        return self.directory / f"{self.name}.log"

    def pid(self) -> int | None:
        """Return the running process, None when there is none."""
        try:
            record = json.loads(self._pid_file.read_text())
            pid, started = int(record["pid"]), str(record["started"])
        except (FileNotFoundError, ValueError, KeyError, TypeError):
            return None
        return pid if _started(pid) == started else None

    def run_id(self) -> str:
        """Tell one run of the process from the next; empty when none was started."""
        try:
            return self._pid_file.read_text()
        except FileNotFoundError:
            return ""

    def start(self, command: list[str]) -> None:
        """Start the process detached, output appended to the log.

        Raises:
            LocalCoreError: The program is not installed.
        """
        self._bound_log()
        try:
            with self.log_file.open("ab") as log:
                process = subprocess.Popen(
                    command,
                    cwd=self.directory,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                )
        except FileNotFoundError as err:
            raise LocalCoreError(
                f"{command[0]} is not installed; install it, for example: apt install {command[0]}"
            ) from err
        record = {"pid": process.pid, "started": _started(process.pid)}
        self._pid_file.write_text(json.dumps(record))
        process.returncode = 0  # detached on purpose: the object must not warn that the process outlives it

    def stop(self, *, kill: bool = False, timeout_s: float = 10.0) -> bool:
        """End the process: SIGTERM, SIGKILL after the timeout; ``kill`` goes there at once. False when none ran."""
        pid = self.pid()
        if pid is None:
            self._pid_file.unlink(missing_ok=True)
            return False
        _signal(pid, signal.SIGKILL if kill else signal.SIGTERM)
        deadline = time.monotonic() + timeout_s
        while self.pid() is not None:
            if time.monotonic() > deadline:
                _signal(pid, signal.SIGKILL)
                deadline += timeout_s
            time.sleep(_POLL_S)
        self._pid_file.unlink(missing_ok=True)
        return True

    def _bound_log(self) -> None:
        """Set a long log aside, so that at most two of them fill the disk."""
        if self.log_file.exists() and self.log_file.stat().st_size > _MAX_LOG_BYTES:
            self.log_file.replace(self.log_file.with_suffix(".log.1"))

    def last_words(self) -> str:
        """Return the log's last line, for an error message."""
        try:
            lines = self.log_file.read_text(errors="replace").split("\n")
        except FileNotFoundError:
            return "no output"
        return next((line for line in reversed(lines) if line.strip()), "no output")

    @property
    def _pid_file(self) -> Path:
        return self.directory / f"{self.name}.pid"


def _signal(pid: int, number: signal.Signals) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return
    except PermissionError as err:
        raise LocalCoreError(f"process {pid} belongs to another user; stop it as that user") from err


def _started(pid: int) -> str | None:
    """When a live process started, in the system's own terms; None when it is gone or a zombie."""
    with contextlib.suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)  # reap it when it is a child of ours
    try:
        # Source: proc_pid_stat(5); the command's name may hold spaces, so count behind its bracket.
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return None if fields[0] == "Z" else fields[19]
