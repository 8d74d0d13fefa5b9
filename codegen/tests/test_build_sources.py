from pathlib import Path

import pytest
from hushkit import sources
from hushkit.errors import InputError
from hushkit.sources import Source, pinned_sources, read_pins, require_sources

DIGEST = "ab" * 32


def test_pins_are_read_with_comments_and_blank_lines_between() -> None:
    pins = read_pins(f"# why\n\nzcbor==0.9.1 --hash=sha256:{DIGEST}\n")

    assert pins == [Source("zcbor", "0.9.1", DIGEST)]


@pytest.mark.parametrize("line", ["zcbor==0.9.1", "zcbor --hash=sha256:" + DIGEST, "zcbor>=1 --hash=sha256:" + DIGEST])
def test_pin_without_version_or_hash_is_refused_with_its_line(line: str) -> None:
    with pytest.raises(InputError, match=r"third_party\.txt:2"):
        read_pins(f"# first\n{line}\n")


def test_project_pins_what_the_build_uses() -> None:
    assert {pin.name for pin in pinned_sources()} == {"cmsisdsp", "zcbor", "pymonocypher"}


def test_missing_sources_name_themselves_and_the_remedy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "sources_dir", lambda: tmp_path)

    with pytest.raises(InputError, match=r"not fetched: cmsisdsp, zcbor, pymonocypher .*make setup"):
        require_sources()


def test_half_unpacked_source_does_not_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "sources_dir", lambda: tmp_path)
    pin = Source("zcbor", "0.9.1", DIGEST)
    pin.folder.mkdir()

    assert not pin.present

    (pin.folder / ".fetched").write_text(DIGEST)
    assert pin.present
