"""The commands spec, design and generate: exit status, one line per error, machine forms, what --check notices."""

import json
import shutil
from pathlib import Path

import pytest
from hushkit.cli import main
from hushkit.commands.generate import check_generated
from hushkit.spec import SPEC_DIRECTORY, load_spec, shipped_specs
from hushkit_codegen.ir import load_ir

ROOT = Path(__file__).resolve().parents[2]
GENERATED = ROOT / "firmware" / "generated"

Capture = pytest.CaptureFixture[str]


def faulty_spec(folder: Path) -> Path:
    text = (SPEC_DIRECTORY / "compact-m4.toml").read_text(encoding="utf-8")
    file = folder / "faulty.toml"
    file.write_text(text.replace("block = 1", "block = 0").replace("[watch]", "[wach]"), encoding="utf-8")
    return file


def test_help_names_every_command_and_the_exit_status(capsys: Capture) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["--help"])

    text = capsys.readouterr().out
    assert caught.value.code == 0
    assert all(name in text for name in ("spec", "design", "generate", "build", "bench", "fleet"))
    assert "2 bad input" in text


@pytest.mark.parametrize("command", ["spec", "design", "generate"])
def test_help_of_a_command_has_an_example(command: str, capsys: Capture) -> None:
    with pytest.raises(SystemExit) as caught:
        main([command, "--help"])

    text = capsys.readouterr().out
    assert caught.value.code == 0
    assert f"hushkit {command}" in text
    assert "example:" in text


@pytest.mark.parametrize("arguments", [["nonesuch"], [], ["spec"], ["spec", "check"]])
def test_unusable_command_line_exits_2(arguments: list[str], capsys: Capture) -> None:
    with pytest.raises(SystemExit) as caught:
        main(arguments)

    assert caught.value.code == 2
    assert "usage: hushkit" in capsys.readouterr().err


@pytest.mark.parametrize("name", shipped_specs())
def test_spec_check_accepts_the_shipped_specs(name: str, capsys: Capture) -> None:
    assert main(["spec", "check", name]) == 0
    assert f"{name}: sound" in capsys.readouterr().out


def test_spec_check_lists_every_fault_and_exits_2(tmp_path: Path, capsys: Capture) -> None:
    status = main(["spec", "check", str(faulty_spec(tmp_path)), "--json", "-"])

    captured = capsys.readouterr()
    result = json.loads(captured.out)
    assert status == 2
    assert [fault["place"] for fault in result["faults"]] == ["audio.block"]
    assert result["passed"] is False
    assert "audio.block (line" in captured.err


@pytest.mark.parametrize("command", ["design", "generate"])
def test_faulty_spec_is_one_line_and_exit_2(command: str, tmp_path: Path, capsys: Capture) -> None:
    status = main([command, str(faulty_spec(tmp_path)), "-o", str(tmp_path / "out")])

    error = capsys.readouterr().err
    assert status == 2
    assert error.count("\n") == 1
    assert error.startswith(f"hushkit {command}: ")
    assert not (tmp_path / "out").exists()


def test_design_writes_the_integers_and_the_quality(tmp_path: Path, capsys: Capture) -> None:
    status = main(["design", "compact-m4", "--algorithm", "none", "-o", str(tmp_path), "--json", "-"])

    quality = json.loads(capsys.readouterr().out)
    ir = load_ir(tmp_path / "design.json")
    assert status == 0
    assert ir.adaptive.algorithm == "none"
    assert [item["name"] for item in quality["quality"]] == ["feedforward", "transparency", "secondary"]


def test_committed_files_are_current(capsys: Capture) -> None:
    assert main(["generate", "--check"]) == 0
    assert "are current" in capsys.readouterr().out


def test_generate_from_a_design_writes_what_is_committed(tmp_path: Path) -> None:
    stored = GENERATED / "compact-m4" / "design.json"

    assert main(["generate", "compact-m4", "--ir", str(stored), "-o", str(tmp_path)]) == 0

    for name in ("hk_config.h", "hk_design.c", "hk_kernels.c", "design.json"):
        assert (tmp_path / name).read_bytes() == (GENERATED / "compact-m4" / name).read_bytes()


@pytest.mark.parametrize(
    ("name", "change", "words"),
    [
        ("hk_config.h", lambda data: data.replace(b"48000UL", b"48001UL"), "hk_config.h:17: found "),
        ("hk_kernels.c", lambda data: data + b"\n", "lines, expected"),
        ("hk_design.c", lambda data: data.replace(b"\n", b"\r\n"), "hk_design.c:1: found "),
    ],
)
def test_check_names_the_file_and_the_first_differing_line(
    name: str, change: object, words: str, tmp_path: Path, capsys: Capture
) -> None:
    folder = tmp_path / "compact-m4"
    shutil.copytree(GENERATED / "compact-m4", folder)
    data = (folder / name).read_bytes()
    (folder / name).write_bytes(change(data))  # type: ignore[operator]

    status = main(["generate", "compact-m4", "--check", "-o", str(folder)])

    error = capsys.readouterr().err
    assert status == 1
    assert words in error
    assert "1 generated file(s) are not current" in error


def test_check_notices_a_design_of_another_spec(tmp_path: Path) -> None:
    folder = tmp_path / "compact-m4"
    shutil.copytree(GENERATED / "compact-m4", folder)
    (folder / "design.json").write_bytes((GENERATED / "balanced-m33" / "design.json").read_bytes())

    (difference,) = check_generated(load_spec("compact-m4"), folder)

    assert "run: hushkit generate compact-m4" in difference.reason


def test_check_notices_missing_files(tmp_path: Path) -> None:
    (difference,) = check_generated(load_spec("compact-m4"), tmp_path)

    assert difference.path == tmp_path / "design.json"
    assert "missing" in difference.reason


def test_private_spec_needs_a_folder(tmp_path: Path, capsys: Capture) -> None:
    file = tmp_path / "mine.toml"
    file.write_bytes((SPEC_DIRECTORY / "compact-m4.toml").read_bytes())

    assert main(["generate", str(file)]) == 2
    assert "say where with -o DIR" in capsys.readouterr().err
