"""Budgets, ratchet, quarantine, requests: the bench's decisions, without running anything."""

import dataclasses
import datetime
import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np
import pytest
from hushkit.errors import InputError
from hushkit.spec import load_spec
from hushkit.target import parse_target
from hushkit_hil.bench.board import board_failures, board_json, read_board
from hushkit_hil.bench.budgets import accept, limit_failures, load_budgets, ratchet_failures, spec_failures
from hushkit_hil.bench.result import Load, Result
from hushkit_hil.bench.run import compare
from hushkit_hil.bench.setup import Request, plant_latency, prepare
from hushkit_hil.errors import BenchError, TargetError
from hushkit_hil.pytest_plugin import read_quarantine
from hushkit_hil.report.junit import write_junit
from hushkit_hil.selfcheck.example import example_result
from hushkit_hil.targets.console import Console
from hushkit_link import wire
from hushkit_link.simulated_port import SimulatedPort
from hushkit_models.acoustics import AcousticsError


@pytest.fixture
def result() -> Result:
    return example_result()


def with_load(result: Result, **changes: float) -> Result:
    load: Load = dataclasses.replace(result.load, **changes)  # type: ignore[arg-type]
    return dataclasses.replace(result, load=load)


def test_result_has_the_published_keys(result: Result) -> None:
    document = result.as_json()

    assert set(document) >= {
        "spec", "target", "core", "build_id", "toolchain", "scenario", "latency", "load", "memory", "acoustics",
        "bit_exact", "passed", "failures",
    }  # fmt: skip
    assert set(document["scenario"]) >= {"noise", "paths", "field", "latency_us", "seconds", "seed", "algorithm"}
    assert set(document["latency"]) >= {
        "limit_us", "buffering_us", "compute_us", "converters_us", "total_us", "evidence",
    }  # fmt: skip
    assert set(document["load"]) >= {
        "cycles_per_sample_mean", "cycles_per_sample_max", "cpu_percent_max", "evidence",
        "instructions_per_sample_mean", "instructions_per_sample_max", "functions",
    }  # fmt: skip
    assert set(document["load"]["functions"][0]) >= {"name", "instructions", "cycles"}
    assert set(document["memory"]) == {"flash_bytes", "ram_bytes", "stack_bytes_max"}
    assert set(document["acoustics"]) >= {
        "attenuation_db", "attenuation_dba", "octaves_db", "bound_db", "distance_db", "t3_s",
        "worst_octave_amplification_db", "recovery_s", "thd_percent", "snr_db", "ears",
    }  # fmt: skip
    assert set(document["bit_exact"]) >= {"host_vs_target", "samples"}


def test_limits_of_the_bench_are_held(result: Result) -> None:
    memory = dataclasses.replace(result.memory, stack_bytes_max=5000)

    assert limit_failures(result, load_budgets()) == ()
    assert limit_failures(dataclasses.replace(result, memory=memory), load_budgets()) == ("stack 5000, limit 4096",)


def test_spec_budget_that_is_exceeded_fails(result: Result) -> None:
    failures = spec_failures(load_spec("flagship-m7"), with_load(result, cpu_percent_max=99.0))

    assert failures == ("load 99 %, budget 70",)


def test_different_bits_fail(result: Result) -> None:
    bit_exact = dataclasses.replace(result.bit_exact, host_vs_target=False, first_difference=17)

    failures = spec_failures(load_spec("flagship-m7"), dataclasses.replace(result, bit_exact=bit_exact))

    assert failures == ("host and qemu differ from sample 17 on",)


def test_ratchet_fails_what_is_worse_than_accepted(result: Result, tmp_path: Path) -> None:
    budgets = load_budgets()
    accept(result, budgets, tmp_path)
    assert result.load.instructions_per_sample_mean is not None
    worse = with_load(result, instructions_per_sample_mean=1.03 * result.load.instructions_per_sample_mean)
    better = with_load(result, instructions_per_sample_mean=0.5 * result.load.instructions_per_sample_mean)

    failures = ratchet_failures(worse, budgets, tmp_path)

    assert len(failures) == 1
    assert failures[0].startswith("mean_sample")
    assert ratchet_failures(better, budgets, tmp_path) == ()
    assert ratchet_failures(result, budgets, tmp_path) == ()


def test_baselines_hold_one_kind_of_evidence_each(result: Result, tmp_path: Path) -> None:
    accept(result, load_budgets(), tmp_path)

    assert "worst_exchange_cycles" not in (tmp_path / "emulated.json").read_text()
    assert "worst_exchange_cycles" in (tmp_path / "modelled.json").read_text()


def test_baseline_of_another_compiler_does_not_bind(result: Result, tmp_path: Path) -> None:
    accept(dataclasses.replace(result, toolchain="gcc 99"), load_budgets(), tmp_path)
    worse = with_load(result, instructions_per_sample_mean=1e9)

    assert ratchet_failures(worse, load_budgets(), tmp_path) == ()


def test_budget_file_with_a_fault_is_named(tmp_path: Path) -> None:
    (tmp_path / "budgets.toml").write_text("[stack]\nfigure = 'memory.stack_bytes_max'\n")

    with pytest.raises(BenchError, match="every table needs figure, evidence and ratchet"):
        load_budgets(tmp_path / "budgets.toml")


def test_compare_finds_the_first_different_sample() -> None:
    target = np.zeros((2, 100), dtype=np.int32)
    host = target.copy()
    host[1, 42] = 1

    assert compare(target, host).first_difference == 42
    assert compare(target, host).host_vs_target is False
    assert compare(target, target).host_vs_target is True
    assert compare(target, target).samples == 100


def test_latency_is_in_whole_samples_and_never_less_than_needed() -> None:
    spec = load_spec("flagship-m7")

    assert plant_latency(spec, None) == spec.needed_latency_samples == 3
    assert plant_latency(spec, 61.0) == 3
    assert plant_latency(spec, 100.0) == 4
    with pytest.raises(BenchError, match=r"needs 60\.8 us"):
        plant_latency(spec, 60.0)


def test_requests_that_cannot_run_are_refused() -> None:
    with pytest.raises(BenchError, match="at least 1 s"):
        prepare(Request("flagship-m7", seconds=0.2), print)
    with pytest.raises(InputError, match="unknown"):
        prepare(Request("flagship-m7", target="toaster"), print)
    with pytest.raises(AcousticsError, match="expected SECONDS"):
        prepare(Request("flagship-m7", changes=("gain=6",)), print)


def test_junit_has_a_case_per_failure(result: Result, tmp_path: Path) -> None:
    failing = dataclasses.replace(result, passed=False, failures=("load 99 %, budget 70", "flash 9 bytes, budget 8"))
    write_junit(tmp_path / "good.xml", result)
    write_junit(tmp_path / "bad.xml", failing)

    good = ET.parse(tmp_path / "good.xml").getroot()
    bad = ET.parse(tmp_path / "bad.xml").getroot()

    assert good.get("failures") == "0"
    assert len(good.findall("testcase")) == 1
    assert bad.get("failures") == "2"
    assert [case.get("message") for case in bad.iter("failure")] == list(failing.failures)


def test_quarantine_ends_on_its_date(tmp_path: Path) -> None:
    file = tmp_path / "quarantine.toml"
    file.write_text('[[quarantined]]\ntest = "a.py::b"\nowner = "x"\nissue = "#1"\nexpires = 2026-06-30\n')

    assert "a.py::b" in read_quarantine(file, datetime.date(2026, 6, 30))
    assert read_quarantine(file, datetime.date(2026, 7, 1)) == {}
    file.write_text('[[quarantined]]\ntest = "a.py::b"\nowner = "x"\n')
    with pytest.raises(pytest.UsageError, match="lacks expires, issue"):
        read_quarantine(file, datetime.date(2026, 6, 30))


def test_board_reading_needs_a_serial_target() -> None:
    with pytest.raises(TargetError, match="expected serial:DEVICE; a board run needs"):
        read_board(load_spec("flagship-m7"), parse_target("qemu"), seconds=1.0)
    with pytest.raises(TargetError, match="cannot be opened"):
        read_board(load_spec("flagship-m7"), parse_target("serial:/dev/none-there"), seconds=1.0)


class FakeConsole(Console):
    """A board with a cycle counter, without a line."""

    def __init__(self, cycles: int) -> None:
        self.messages: list[wire.Message] = []
        self._cycles = cycles

    def __exit__(self, *_: object) -> None:
        pass

    def about(self) -> wire.AboutReply:
        return wire.AboutReply(1, bytes(8), "flagship-m7", "0.1.0", bytes.fromhex("0123456789abcdef"))

    def write(self, command: int, body: dict[str, object]) -> dict[str, object]:
        assert command == wire.LeaseRequest.COMMAND
        return body

    def listen(self, seconds: float) -> None:
        for n in range(3):
            stats = wire.BlockStats(n, wire.Mode.ANC, 0, 1.0, 40.0 + n, self._cycles, self._cycles + n)
            self.messages.append(stats)

    def statistics(self) -> wire.StatisticsReply:
        zeros = {field.name: 0 for field in dataclasses.fields(wire.StatisticsReply)}
        return wire.StatisticsReply(**zeros | {"stack_used": 700})


def test_board_reading_is_measured_and_judged() -> None:
    spec, target = load_spec("flagship-m7"), parse_target("serial:/dev/ttyACM0")

    reading = read_board(spec, target, seconds=0.0, connect=lambda _url, _baud: FakeConsole(2400))
    document = board_json(spec, reading)
    slow = read_board(spec, target, seconds=0.0, connect=lambda _url, _baud: FakeConsole(48_000))

    assert (reading.isr_cycles_mean, reading.isr_cycles_max, reading.cpu_percent_max) == (2400.0, 2402, 42.0)
    assert reading.compute_us_max == pytest.approx(2402 / 480)
    assert document["latency"]["evidence"] == document["load"]["evidence"] == "measured"
    assert document["acoustics"] is None
    assert document["passed"] is True
    assert board_failures(spec, slow)[0].startswith("latency 160.8 us")


def test_board_without_a_cycle_counter_is_an_error() -> None:
    with SimulatedPort() as port, pytest.raises(TargetError, match="no cycle counter"):
        read_board(load_spec("flagship-m7"), parse_target(f"serial:{port.path}"), seconds=1.0)


def test_board_that_runs_another_spec_is_an_error() -> None:
    with SimulatedPort() as port, pytest.raises(TargetError, match="runs flagship-m7, expected compact-m4"):
        read_board(load_spec("compact-m4"), parse_target(f"serial:{port.path}"), seconds=1.0)
