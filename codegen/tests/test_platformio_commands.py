"""Each PlatformIO command a firmware engineer uses, with no package registry within reach."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pexpect
import pytest
from hushkit.build import board_of
from hushkit.emulator import serial_port
from hushkit.project import project_root

ENVIRONMENT = "qemu-m7"


def settings(folder: Path) -> dict[str, str]:
    """A build folder of the test's own, and a proxy that refuses: any attempt at the registry fails at once."""
    refusing = dict.fromkeys(("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"), "http://127.0.0.1:9")
    return {
        **os.environ,
        **refusing,
        "PLATFORMIO_BUILD_DIR": str(folder),
        "PLATFORMIO_DISABLE_UPGRADE_CHECK": "true",
        "PLATFORMIO_SETTING_ENABLE_TELEMETRY": "no",
        "PLATFORMIO_NO_ANSI": "true",
    }


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("pio")


def pio(folder: Path, *words: str, status: int = 0) -> str:
    command = [sys.executable, "-m", "platformio", *words]
    result = subprocess.run(
        command,
        cwd=project_root(),
        env=settings(folder),
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
        stdin=subprocess.DEVNULL,
    )
    assert result.returncode == status, result.stdout + result.stderr
    return result.stdout + result.stderr


def test_run_builds_and_size_tells_sections(folder: Path) -> None:
    pio(folder, "run", "-e", ENVIRONMENT)
    sizes = pio(folder, "run", "-e", ENVIRONMENT, "-t", "size")

    assert (folder / ENVIRONMENT / "firmware.elf").is_file()
    assert re.search(r"^\.text +\d{4,}", sizes, re.MULTILINE)
    assert re.search(r"^\.stack +\d{4,}", sizes, re.MULTILINE)


def test_upload_boots_monitor_connects_and_poweroff_stops(folder: Path) -> None:
    port = serial_port(board_of("cortex-m7"))
    booted = pio(folder, "run", "-e", ENVIRONMENT, "-t", "upload")
    try:
        monitor = pexpect.spawn(
            sys.executable,
            ["-m", "platformio", "device", "monitor", "-e", ENVIRONMENT],
            cwd=str(project_root()),
            env=settings(folder),
            timeout=30,
        )
        monitor.expect(rf"Terminal on socket://127\.0\.0\.1:{port}")
        monitor.expect("Quit")
        monitor.sendcontrol("c")
        monitor.expect(pexpect.EOF)
    finally:
        stopped = pio(folder, "run", "-e", ENVIRONMENT, "-t", "poweroff")

    assert f"socket://127.0.0.1:{port}" in booted
    assert "stopped" in stopped


@pytest.mark.parametrize(
    ("environment", "suites"),
    [("host", ["test_*"]), (ENVIRONMENT, ["test_link", "test_dsp"])],
    ids=["host", "emulated"],
)
def test_unit_tests_pass(folder: Path, tmp_path: Path, environment: str, suites: list[str]) -> None:
    report = tmp_path / "report.xml"
    filters = [word for suite in suites for word in ("-f", suite)]

    said = pio(folder, "test", "-e", environment, *filters, "--junit-output-path", str(report))

    assert re.search(r"(\d\d) test cases: \1 succeeded", said)
    assert "noise_never_becomes_a_packet" in report.read_text()


def test_unit_test_that_faults_is_an_error_and_ends(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The fault handler reports and resets the core; the emulator ends then, so the program does not start over."""
    tests = tmp_path / "test"
    suite = tests / "test_fault"
    suite.mkdir(parents=True)
    for name in ("hk_test.c", "hk_test.h", "test_custom_runner.py"):
        shutil.copy(project_root() / "firmware" / "test" / name, tests)
    (suite / "test_fault.c").write_text(
        '#include "hk_test.h"\n'
        "static void passes(void) {}\n"
        'static void faults(void) { __asm volatile("udf 0"); }\n'
        "const hk_test_t hk_tests[] = {HK_TEST(passes), HK_TEST(faults)};\n"
        "const uint32_t hk_n_tests = 2U;\n"
    )
    monkeypatch.setenv("PLATFORMIO_TEST_DIR", str(tests))

    said = pio(folder, "test", "-e", ENVIRONMENT, status=1)

    assert "*** hushkit" in said
    assert "fault: usage fault" in said
    assert "the program did not run all its tests" in said


def test_check_finds_no_defect(folder: Path) -> None:
    said = pio(folder, "check", "-e", ENVIRONMENT, "--fail-on-defect", "medium", "--fail-on-defect", "high")

    assert "No defects found" in said


def test_compile_database_names_our_flags(folder: Path) -> None:
    database = project_root() / "compile_commands.json"

    pio(folder, "run", "-e", ENVIRONMENT, "-t", "compiledb")

    entries = json.loads(database.read_text())
    ours = [entry for entry in entries if entry["file"].endswith("hk_smp.c")]
    assert len(ours) == 1
    assert "-mcpu=cortex-m7" in ours[0]["command"]
    assert "-Werror" in ours[0]["command"]


def test_debug_stops_at_main_and_at_a_breakpoint(folder: Path) -> None:
    session = pexpect.spawn(
        sys.executable,
        ["-m", "platformio", "debug", "-e", ENVIRONMENT, "--interface=gdb", "-x", ".pioinit"],
        cwd=str(project_root()),
        env=settings(folder),
        timeout=120,
    )
    try:
        session.expect(r"breakpoint 1, main \(\)")
        session.sendline("break hk_systick_isr")
        session.sendline("continue")
        session.expect(r"Breakpoint 2, hk_systick_isr \(\)")
        session.sendline("quit")
        session.expect(pexpect.EOF)
    finally:
        session.close(force=True)


def test_missing_generated_code_is_one_clear_error(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HUSHKIT_GENERATED", "build/no-such-headset")

    said = pio(folder, "run", "-e", ENVIRONMENT, status=1)

    assert "no generated code in" in said
    assert "hushkit generate" in said
