"""Steps of a longer job: a line each, how long it took, and what to read when one fails."""

import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from hushkit_hil.errors import BenchError

_TAIL_LINES = 12


@dataclass(slots=True)
class Step:
    """One step's record."""

    name: str
    seconds: float = 0.0
    ok: bool = False
    note: str = ""


@dataclass(slots=True)
class Steps:
    """Runs steps and remembers how they went.

    Attributes:
        total: How many there will be.
        logs: Folder for the output of commands.
        done: Steps so far.
    """

    total: int
    logs: Path
    done: list[Step] = field(default_factory=list)

    @contextmanager
    def step(self, name: str, what: str) -> Iterator[Step]:
        """Announce a step, time its body and close its line with the note the body left."""
        step = Step(name)
        self.done.append(step)
        start = time.monotonic()
        print(f"{len(self.done):2d}/{self.total} {name:10s} {what}", flush=True)
        try:
            yield step
            step.ok = True
        finally:
            step.seconds = time.monotonic() - start
            mark = "ok" if step.ok else "FAILED"
            print(f"      {mark:6s} {step.seconds:6.1f} s  {step.note}".rstrip(), flush=True)

    def command(self, name: str, *arguments: str, show_progress: bool = False) -> str:
        """Run ``hushkit`` with arguments, keep what it printed, and return its standard output.

        Raises:
            BenchError: It failed; says where the log is and how it ended.
        """
        return run_logged([sys.executable, "-m", "hushkit", *arguments], self.logs / f"{name}.log", show_progress)


def run_logged(command: Sequence[str], log: Path, show_progress: bool = False) -> str:
    """Run a command with its standard error in a log file, or on the terminal when it shows progress there.

    Returns:
        Standard output, which is appended to the log as well.

    Raises:
        BenchError: A non-zero exit status.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("w", encoding="utf-8") as file:
        done = subprocess.run(
            command, stdout=subprocess.PIPE, stderr=None if show_progress else file, text=True, check=False
        )
    with log.open("a", encoding="utf-8") as file:
        file.write(done.stdout)
    if done.returncode != 0:
        tail = "\n".join(log.read_text(encoding="utf-8").splitlines()[-_TAIL_LINES:])
        words = " ".join(command[1:])
        raise BenchError(f"hushkit {words}: exit status {done.returncode}; the whole output is in {log}\n{tail}")
    return done.stdout
