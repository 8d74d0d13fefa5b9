"""Every command writes its machine form the same way."""

import json
from pathlib import Path

import pytest
from hushkit.errors import InputError
from hushkit.json_output import write_json


def test_writes_to_a_file_or_to_standard_output(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "result.json"

    write_json(str(file), {"passed": True})
    write_json("-", {"passed": False})
    write_json(None, {"passed": None})

    assert json.loads(file.read_text()) == {"passed": True}
    assert json.loads(capsys.readouterr().out) == {"passed": False}


def test_a_file_that_cannot_be_written_is_one_clear_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be written: Is a directory; choose a writable file"):
        write_json(str(tmp_path), {})
