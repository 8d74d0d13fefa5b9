"""The wire specification and what is generated from it."""

import re
import subprocess
import sys
import tomllib
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from hushkit.cli import main
from hushkit_codegen.wire import WireSpecError, emit_wire, load_wire_spec
from hushkit_codegen.wire.spec import WIRE_SPEC, parse_wire_spec, wire_digest

_ROOT = Path(__file__).parents[2]


@pytest.fixture
def table() -> dict[str, Any]:
    return tomllib.loads(WIRE_SPEC.read_text(encoding="utf-8"))


@pytest.mark.parametrize("path", sorted(emit_wire()))
def test_committed_file_is_current(path: str) -> None:
    assert (_ROOT / path).read_text(encoding="utf-8") == emit_wire()[path], f"{path}: run hushkit generate"


def test_digest_changes_with_a_range_but_not_with_a_text(table: dict[str, Any]) -> None:
    reworded, narrowed = deepcopy(table), deepcopy(table)
    reworded["message"]["levels"]["doc"] = "Other words."
    narrowed["message"]["levels"]["field"][1]["range"] = [-100.0, 0.0]

    assert wire_digest(reworded) == wire_digest(table) == load_wire_spec().digest
    assert wire_digest(narrowed) != wire_digest(table)


def test_every_fault_is_named_with_its_place(table: dict[str, Any]) -> None:
    table["message"]["levels"]["id"] = 0x09
    table["message"]["health"]["id"] = 0x30
    table["message"]["event"]["field"][1]["type"] = "u24"
    table["message"]["hello"]["field"][3]["range"] = [0, 2**33]
    table["smp"]["command"]["lease"]["request"][0]["rnge"] = [0, 1]
    table["frame"]["max_payload"] = 30

    with pytest.raises(WireSpecError) as caught:
        parse_wire_spec(table)

    for words in (
        "message.levels.id is 0x09",
        "0x30 is taken by health",
        "event.uptime_ms.type is 'u24'",
        "hello.rate_hz.range is [0, 8589934592]",
        "lease.request.period_ms.rnge is unknown",
        "message.health: 40 payload bytes; expected at most 30",
    ):
        assert words in str(caught.value)


def test_absent_value_must_lie_outside_the_range(table: dict[str, Any]) -> None:
    table["message"]["levels"]["field"][1]["absent"] = -100

    with pytest.raises(WireSpecError, match=r"reference_level\.absent is -100"):
        parse_wire_spec(table)


def test_missing_file_is_one_clear_error(tmp_path: Path) -> None:
    with pytest.raises(WireSpecError, match=r"^wire\.toml: .*No such file.*; expected a TOML file"):
        load_wire_spec(tmp_path / "wire.toml")


def test_headers_macros_are_unique() -> None:
    names = re.findall(r"^#define (\w+)", emit_wire()["firmware/generated/wire/hk_wire.h"], flags=re.MULTILINE)

    assert len(names) == len(set(names)) > 60


def test_generated_python_is_formatted_as_the_project_is() -> None:
    command = [sys.executable, "-m", "ruff", "format", "--check", str(_ROOT / "agent/hushkit_link/wire.py")]

    subprocess.run(command, check=True)


def test_generate_command_checks_and_writes_the_wire(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["generate", "wire", "-o", str(tmp_path)]) == 0
    assert main(["generate", "wire", "--check", "-o", str(tmp_path)]) == 0

    header = tmp_path / "firmware/generated/wire/hk_wire.h"
    header.write_text(header.read_text(encoding="utf-8").replace("HK_WIRE_SCHEMA", "HK_WIRE_SCHEME"), encoding="utf-8")

    assert main(["generate", "wire", "--check", "-o", str(tmp_path)]) == 1
    assert "hk_wire.h" in capsys.readouterr().err
