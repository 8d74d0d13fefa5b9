"""``hushkit simulate``: the machine form has the bench's keys, the table compares, bad input is one error."""

import argparse
import json

import pytest
from hushkit.commands import simulate


def _options(*words: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    simulate.add_arguments(parser)
    return parser.parse_args(words)


def test_json_has_the_keys_of_the_bench(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["compact-m4", "--seconds", "3", "--algorithm", "warped_ls", "--change", "2:gain=3", "--json", "-"]

    assert simulate.run(_options(*words)) == 0

    result = json.loads(capsys.readouterr().out)
    assert result["spec"] == "compact-m4"
    assert result["scenario"]["algorithm"] == "warped_ls"
    assert {"noise", "paths", "field", "latency_us", "seconds", "seed"} <= result["scenario"].keys()
    assert {
        "attenuation_db",
        "attenuation_dba",
        "octaves_db",
        "bound_db",
        "distance_db",
        "t3_s",
        "worst_octave_amplification_db",
        "recovery_s",
        "thd_percent",
        "snr_db",
        "ears",
    } <= result["acoustics"].keys()
    assert result["acoustics"]["attenuation_db"] > 5.0


def test_several_algorithms_make_a_table(capsys: pytest.CaptureFixture[str]) -> None:
    assert simulate.run(_options("compact-m4", "--seconds", "2", "--algorithm", "fxnlms,fdaf")) == 0

    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines[2:]] == ["algorithm", "fxnlms", "fdaf"]


@pytest.mark.parametrize(
    "words",
    [
        ["no-such-spec"],
        ["compact-m4", "--algorithm", "magic"],
        ["compact-m4", "--seconds", "0.2"],
        ["compact-m4", "--latency-us", "1"],
        ["compact-m4", "--seconds", "1", "--noise", "no-such-noise"],
        ["compact-m4", "--seconds", "1", "--change", "5:gain=3"],
        ["compact-m4", "--seconds", "1", "--model-taps", "0"],
    ],
)
def test_bad_input_is_one_named_error(words: list[str]) -> None:
    with pytest.raises(simulate.ERRORS):
        simulate.run(_options(*words))
