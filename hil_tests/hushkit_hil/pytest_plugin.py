"""Pytest plugin of the bench: which headsets on which target, their runs, and quarantine.

    pytest hil_tests --target qemu --spec flagship-m7

Every spec is run once per session; all tests of the suites judge that run.
"""

import datetime
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hushkit.threads import use_one_thread

if TYPE_CHECKING:
    from hushkit_hil.bench.result import Result
    from hushkit_hil.bench.setup import Setup
    from hushkit_hil.targets.outcome import Outcome

use_one_thread()

QUARANTINE = Path(__file__).resolve().parents[1] / "quarantine.toml"
_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class BenchRun:
    """One finished run of a suite."""

    result: "Result"
    setup: "Setup"
    outcome: "Outcome"


class Bench:
    """Runs each spec once per session."""

    def __init__(self, target: str, *, accepting: bool) -> None:
        self.target = target
        self.accepting = accepting
        self._runs: dict[str, BenchRun] = {}
        self._faults: dict[str, Exception] = {}

    def run(self, spec: str) -> BenchRun:
        """The spec's run on this session's target; made at the first call, and not tried again when that failed."""
        if spec in self._faults:
            raise self._faults[spec]
        if spec not in self._runs:
            try:
                self._runs[spec] = self._run(spec)
            except Exception as fault:
                self._faults[spec] = fault
                raise
        return self._runs[spec]

    def _run(self, spec: str) -> BenchRun:
        # Heavy, and only suites need them; this plugin is loaded for every room's tests.
        from hushkit_hil.bench.budgets import accept, load_budgets  # noqa: PLC0415
        from hushkit_hil.bench.run import bench  # noqa: PLC0415
        from hushkit_hil.bench.setup import Request  # noqa: PLC0415

        result, setup, outcome = bench(Request(spec, target=self.target, seconds=_SECONDS), print)
        if self.accepting:
            accept(result, load_budgets())
        return BenchRun(result, setup, outcome)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Declare --target, --spec and --accept-baselines."""
    group = parser.getgroup("bench", "Hushkit bench")
    group.addoption("--target", default="qemu", help="where suites run headsets: qemu (default) or host")
    group.addoption("--spec", action="append", help="spec the suites run; repeat for several (default: all shipped)")
    group.addoption("--accept-baselines", action="store_true", help="make this run's figures the accepted ones")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """One test per spec for every test that takes ``spec_name``."""
    if "spec_name" in metafunc.fixturenames:
        from hushkit.spec import shipped_specs  # noqa: PLC0415

        metafunc.parametrize("spec_name", metafunc.config.getoption("--spec") or shipped_specs())


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let quarantined tests run and report without failing the session, until their date."""
    entries = read_quarantine(QUARANTINE, datetime.date.today())
    for item in items:
        reason = entries.get(item.nodeid.split("[")[0])
        if reason is not None:
            item.add_marker(pytest.mark.xfail(reason=reason, strict=False))


def read_quarantine(path: Path, today: datetime.date) -> dict[str, str]:
    """Quarantined tests and why; entries past their date are left out, so that those tests count again.

    Raises:
        pytest.UsageError: An entry without test, owner, issue or expires.
    """
    if not path.is_file():
        return {}
    current = {}
    for entry in tomllib.loads(path.read_text()).get("quarantined", []):
        missing = {"test", "owner", "issue", "expires"} - entry.keys()
        if missing:
            raise pytest.UsageError(f"{path}: entry {entry.get('test', '?')} lacks {', '.join(sorted(missing))}")
        if entry["expires"] >= today:
            current[entry["test"]] = f"quarantined until {entry['expires']} by {entry['owner']}: {entry['issue']}"
    return current


@pytest.fixture(scope="session")
def hil_bench(request: pytest.FixtureRequest) -> Bench:
    """The session's bench."""
    return Bench(request.config.getoption("--target"), accepting=bool(request.config.getoption("--accept-baselines")))


@pytest.fixture
def bench_run(hil_bench: Bench, spec_name: str) -> BenchRun:
    """The run of the test's spec."""
    return hil_bench.run(spec_name)
