"""Integer designs as JSON: what is written is read again, and every fault is one clear error."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hushkit.spec import load_spec, shipped_specs
from hushkit_codegen.design import design_headset
from hushkit_codegen.errors import IrError
from hushkit_codegen.ir import digest_ir, dump_ir, load_ir, parse_ir, save_ir

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An FxNLMS headset's design as a file."""
    path = tmp_path_factory.mktemp("fxnlms") / "design.json"
    save_ir(design_headset(load_spec(Path(__file__).parent / "specs" / "fxnlms-m7.toml")), path)
    return path


def changed(stored: Path, change: Callable[[dict[str, Any]], object]) -> str:
    data = json.loads(stored.read_text(encoding="utf-8"))
    change(data)
    return json.dumps(data)


@pytest.mark.parametrize("name", shipped_specs())
def test_stored_design_is_canonical(name: str) -> None:
    path = ROOT / "firmware" / "generated" / name / "design.json"

    assert dump_ir(load_ir(path)) == path.read_text(encoding="utf-8")


def test_saved_design_is_read_again(stored: Path, tmp_path: Path) -> None:
    ir = load_ir(stored)

    save_ir(ir, tmp_path / "deep" / "design.json")

    assert load_ir(tmp_path / "deep" / "design.json") == ir


def test_digest_ignores_what_the_firmware_does_not_read(stored: Path) -> None:
    ir = load_ir(stored)
    other_words = parse_ir(changed(stored, lambda d: d["quality"][0].update(warning="x")), "x")
    other_step = parse_ir(changed(stored, lambda d: d["adaptive"].update(step_q31=1)), "x")

    assert digest_ir(other_words) == digest_ir(ir)
    assert digest_ir(other_step) != digest_ir(ir)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda d: d["categories"]["row_of"].pop(), "categories.row_of: found 56 rows, expected 57"),
        (lambda d: d["categories"]["row_of"].__setitem__(0, 99), "categories.row_of: found 99, expected 0 to"),
        (lambda d: d.pop("rate_hz"), "rate_hz: found nothing, expected a value"),
        (lambda d: d.update(extra=1), "extra: found an unknown key"),
        (lambda d: d.update(schema=9), "schema 9, expected 3"),
        (lambda d: d.update(ears=3), "ears: found 3, expected 1 to 2"),
        (lambda d: d.update(block=1.0), "block: found 1.0, expected an integer"),
        (lambda d: d.update(ears=True), "ears: found True, expected an integer"),
        (lambda d: d.update(feedforward=3), "feedforward is not an object"),
        (lambda d: d["feedforward"].update(kind="iir"), 'feedforward.kind: found "iir", expected sos, fir or none'),
        (lambda d: d["feedforward"]["sections"].append([1, 2]), "feedforward.sections: .* expected rows of 5 integers"),
        (lambda d: d["feedforward"]["sections"][0].__setitem__(0, 1 << 31), "feedforward.sections: found 2147483648"),
        (lambda d: d["feedforward"].update(sections=[]), "feedforward.sections: found 0 sections, expected 1 to 12"),
        (lambda d: d["secondary"]["taps"].append(0), "secondary.kind: found another filter"),
        (lambda d: d["adaptive"].update(algorithm="lms"), 'adaptive.algorithm: found "lms"'),
        (lambda d: d["adaptive"]["prior"]["taps"].pop(), "adaptive.prior: .* multiple of 32 taps"),
        (lambda d: d["quality"][0].pop("name"), r"quality\[0\].name: found nothing"),
    ],
)
def test_fault_in_a_stored_design_is_one_clear_error(
    change: Callable[[dict[str, Any]], object], words: str, stored: Path
) -> None:
    with pytest.raises(IrError, match=f"^file: {words}") as caught:
        parse_ir(changed(stored, change), "file")

    assert "hushkit design" in str(caught.value)


@pytest.mark.parametrize(("content", "words"), [("{", "not JSON"), ("[1]", "not an object"), (None, "cannot be read")])
def test_unreadable_design_is_one_clear_error(content: str | None, words: str, tmp_path: Path) -> None:
    path = tmp_path / "design.json"
    if content is not None:
        path.write_text(content, encoding="utf-8")

    with pytest.raises(IrError, match=words):
        load_ir(path)
