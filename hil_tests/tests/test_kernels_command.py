"""`hushkit kernels`: arguments, exit status, machine form."""

import argparse
import json
from pathlib import Path
from typing import Any

import pytest
from hushkit.errors import InputError
from hushkit_hil.commands import kernels
from hushkit_hil.errors import BenchError
from hushkit_hil.instruments.cycles import CORES
from hushkit_hil.instruments.cycles.validation import ValidationRow
from hushkit_hil.kernelbench.case import Case
from hushkit_hil.kernelbench.measured import read_console
from hushkit_hil.kernelbench.page import model_limits, render_page
from hushkit_hil.kernelbench.rows import Cost, Row, table

CASE = Case("fir", "fir_q31", "8 taps, block 1", 1, 4, "", "plain", (), target=2.0)


ROW = ValidationRow("cortex-m4", "a row", "a manual", "manual", 10.0, 10.0)


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
        (("--board", "cortex-m4"), "expected CORE=CONSOLE"),
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


CONSOLE = """region 0 empty empty
cycles empty empty 3
region 1 fir generated
cycles fir generated 13
cycles fir generated 15
cycles fir cmsis:arm_fir_q31 43
end
"""


def test_kernels_bench_shows_what_a_board_measured_beside_the_model(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    give(monkeypatch, row(generated=10.0, library=20.0))
    monkeypatch.setattr(kernels, "all_cases", lambda _core: (CASE,))
    monkeypatch.setattr(kernels, "validate_with", lambda _rows: (ROW,))
    (tmp_path / "console").write_text(CONSOLE)

    status = run(
        "bench", "--board", f"cortex-m4={tmp_path / 'console'}",
        "--json", str(tmp_path / "rows.json"), "--html", str(tmp_path / "page.html"),
    )  # fmt: skip

    (document,) = json.loads((tmp_path / "rows.json").read_text())
    own = {entry["what"]: entry for entry in document["measured"]}
    page = (tmp_path / "page.html").read_text()
    assert status == 0
    assert own["generated"].pop("evidence") == "measured"
    assert own["generated"] == {
        "what": "generated", "cycles_per_sample": 11.0, "cycles_per_sample_max": 12.0, "calls": 2,
    }  # fmt: skip
    assert own["cmsis:arm_fir_q31"]["cycles_per_sample"] == 40.0
    assert "measured" in capsys.readouterr().out
    assert "<th>measured</th>" in page
    assert "<td>11.0</td>" in page


@pytest.mark.parametrize(
    ("console", "message"),
    [
        ("cycles empty empty 3\n", "ends without the bench's end marker"),
        ("region 0 empty empty\nend\n", "has no cycle counts"),
        ("cycles empty empty 3\ncycles iir generated 4\nend\n", "the board ran iir, which this bench does not know"),
        ("cycles empty empty x3\nend\n", "the line lost characters"),
    ],
)
def test_kernels_console_of_a_board_is_whole_or_refused(console: str, message: str) -> None:
    with pytest.raises(BenchError, match=message):
        read_console("cortex-m4", console.splitlines(), [CASE])


def test_kernels_page_names_every_row_its_errors_and_the_limits_of_the_model() -> None:
    rows = [row(generated=10.0, library=20.0), row(generated=10.0, library=15.0)]
    missed = ValidationRow("cortex-m4", "a published loop", "a paper", "silicon", 10.0, 12.0)

    page = render_page(rows, [ROW, missed])

    assert "Falls short" in page
    assert "ratio 1.50, promised 2" in page
    assert "2.00\N{MULTIPLICATION SIGN}" in page
    assert 'class="missed">+20.0 %' in page
    assert "1 of 1 published rows (Arm&#39;s timing table) within 5 %" in page
    assert model_limits("cortex-m4")[:20] in page
    assert not any(text in page for text in ("<script", "src=", "@import", "url("))


@pytest.mark.parametrize("core", CORES)
def test_kernels_page_finds_the_limits_that_a_model_states(core: str) -> None:
    assert len(model_limits(core)) > 80


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
