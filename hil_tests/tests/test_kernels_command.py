"""`hushkit kernels`: arguments, exit status, machine form."""

import argparse
import json
from pathlib import Path
from typing import Any

import pytest
from hushkit.errors import InputError
from hushkit_hil.commands import kernels
from hushkit_hil.instruments.cycles.validation import ValidationRow
from hushkit_hil.kernelbench.case import Case
from hushkit_hil.kernelbench.rows import Cost, Row, table

CASE = Case("fir", "fir_q31", "8 taps, block 1", 1, 4, "", "plain", (), target=2.0)


def row(*, generated: float, library: float, exact: bool = True) -> Row:
    cost = Cost(1.0, generated, generated, generated, 40)
    return Row(CASE, "cortex-m4", cost, (("arm_fir_q31", Cost(2.0, library, library, library, 80)),), exact, 64)


def run(*words: str) -> int:
    parser = argparse.ArgumentParser()
    kernels.add_arguments(parser)
    return kernels.run(parser.parse_args(words))


def give(monkeypatch: pytest.MonkeyPatch, *rows: Row) -> None:
    monkeypatch.setattr(kernels, "bench_rows", lambda *_args, **_options: rows)


def test_kernels_bench_passes_when_promises_are_kept(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    give(monkeypatch, row(generated=10.0, library=20.0))

    status = run("bench", "--core", "cortex-m4", "--json", str(tmp_path / "rows.json"))

    (document,) = json.loads((tmp_path / "rows.json").read_text())
    assert status == 0
    assert document["ratio_cycles"] == 2.0
    assert document["cmsis"]["function"] == "arm_fir_q31"
    assert document["evidence"] == "modelled"


@pytest.mark.parametrize(
    "bad", [row(generated=10.0, library=19.0), row(generated=10.0, library=30.0, exact=False)], ids=["slow", "inexact"]
)
def test_kernels_bench_fails_on_a_missed_promise(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], bad: Row
) -> None:
    give(monkeypatch, row(generated=10.0, library=20.0), bad)

    assert run("bench") == 1
    assert capsys.readouterr().out.count("FALLS SHORT") == 1


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--samples", "8"), "--samples 8: expected 64 to 2"),
        (("--only", "nothing"), "--only 'nothing' matches no kernel"),
    ],
)
def test_kernels_bench_refuses_bad_input(monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], message: str) -> None:
    give(monkeypatch)

    with pytest.raises(InputError, match=message):
        run("bench", *words)


def test_kernels_row_without_a_peer_has_no_ratio() -> None:
    alone = Row(CASE, "cortex-m55", Cost(1.0, 10.0, 10.0, 10.0, 40), (), exact=True, samples=64)

    document: dict[str, Any] = alone.document()

    assert document["cmsis"] is None
    assert document["ratio_cycles"] is None
    assert "nan" not in table([alone])


@pytest.mark.parametrize(("m7_error", "status"), [(0.1, 0), (0.2, 1)])
def test_kernels_validate_counts_reproduced_rows(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], m7_error: float, status: int
) -> None:
    rows = [ValidationRow("cortex-m4", f"row {k}", "manual", "manual", 10.0, 10.0) for k in range(8)]
    rows += [ValidationRow("cortex-m7", f"row {k}", "part", "silicon", 10.0, 10.0 * (1 + m7_error)) for k in range(5)]
    monkeypatch.setattr(kernels, "validate", lambda **_: tuple(rows))

    assert run("validate") == status
    text = capsys.readouterr().out
    assert text.count("MISSED") == (0 if status == 0 else 5)
    assert "cortex-m4: 8 of 8 manual rows within 5%" in text
