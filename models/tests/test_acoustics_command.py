"""``hushkit bound`` as a person runs it."""

import argparse
import json
from pathlib import Path

import pytest
from hushkit_models.acoustics import AcousticsError
from hushkit_models.commands import bound


def _options(*words: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    bound.add_arguments(parser)
    return parser.parse_args(words)


def test_bound_prints_a_table(capsys: pytest.CaptureFixture[str]) -> None:
    status = bound.run(
        _options("--noise", "pink", "--paths", "overear", "--seconds", "3", "--taps", "512", "--ears", "2")
    )

    lines = capsys.readouterr().out.splitlines()
    assert status == 0
    assert lines[0] == "pink at 85 dB SPL, overear, direct field, 100 us (4 samples, 83.3 us), 512 taps"
    assert lines[2].split()[:4] == ["octave", "/", "Hz", "63"]
    assert [line.split()[0] for line in lines[3:6]] == ["both", "left", "right"]


def test_bound_writes_json_and_a_reproducible_plot(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--noise", "engine", "--paths", "inear", "--seconds", "2", "--taps", "256", "--json", "-"]

    for name in ("one.svg", "two.svg"):
        assert bound.run(_options(*words, "--plot", str(tmp_path / name))) == 0

    result = json.loads(capsys.readouterr().out.split("\n}\n")[0] + "}")
    assert result["scenario"]["noise"] == "engine"
    assert result["bound"]["latency_samples"] == 4
    assert set(result["bound"]["octaves_db"]) >= {"63", "8000"}
    assert (tmp_path / "one.svg").read_bytes() == (tmp_path / "two.svg").read_bytes()


@pytest.mark.parametrize(
    "words",
    [
        ["--paths", "overear"],
        ["--noise", "pink", "--paths", "overear", "--recording", "pair.wav"],
        ["--noise", "pink", "--paths", "overear", "--seconds", "1", "--plot", "picture.txt"],
        ["--noise", "pink", "--paths", "overear", "--rate-hz", "3"],
        ["--noise", "pink", "--paths", "overear", "--seconds", "1", "--taps", "64", "--json", "no/such/folder/f.json"],
    ],
)
def test_bad_options_end_in_one_error(words: list[str]) -> None:
    with pytest.raises(AcousticsError):
        bound.run(_options(*words))
