"""Corpus layouts are told apart by their index files, and bad ones get one clear error."""

from pathlib import Path

import numpy as np
import pytest
import soundfile
from hushkit_models.classifier.corpus import CorpusError, leave_one_source_out, read_audio, read_corpus


def _write(path: Path, *, rate: int = 16_000, seconds: float = 0.1) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, np.sin(np.arange(int(rate * seconds)) * 0.1), rate)
    return path


def test_plain_folders_are_named_after_categories(tmp_path: Path) -> None:
    _write(tmp_path / "ocean" / "a.wav")
    _write(tmp_path / "train" / "b.flac")

    clips = read_corpus(tmp_path)

    assert [(c.category, c.group, c.shippable) for c in clips] == [("ocean", "a", True), ("train", "b", True)]


def test_esc50_maps_classes_and_leaves_the_rest_out(tmp_path: Path) -> None:
    _write(tmp_path / "audio" / "1-1-A-0.wav")
    (tmp_path / "meta").mkdir()
    (tmp_path / "meta" / "esc50.csv").write_text(
        "filename,fold,target,category,esc10,src_file,take\n"
        "1-1-A-0.wav,5,0,dog,True,100032,A\n1-2-A-1.wav,1,1,rooster,False,5,A\n"
    )

    (clip,) = read_corpus(tmp_path)

    assert (clip.category, clip.split, clip.group, clip.shippable) == ("dog_barking", "dev", "freesound:100032", True)


def test_urbansound_and_fsd50k_are_never_shippable(tmp_path: Path) -> None:
    urban, fsd = tmp_path / "urban", tmp_path / "fsd"
    _write(urban / "audio" / "fold10" / "7.wav")
    (urban / "metadata").mkdir()
    (urban / "metadata" / "UrbanSound8K.csv").write_text("slice_file_name,fsID,fold,class\n7.wav,7,10,siren\n")
    _write(fsd / "FSD50K.dev_audio" / "64760.wav")
    (fsd / "FSD50K.ground_truth").mkdir()
    (fsd / "FSD50K.ground_truth" / "dev.csv").write_text('fname,labels,mids,split\n64760,"Music,Thunder",x,val\n')

    clips = [*read_corpus(urban), *read_corpus(fsd)]

    assert [(c.category, c.split, c.shippable) for c in clips] == [
        ("emergency", "dev", False),
        ("thunder", "dev", False),
    ]


@pytest.mark.parametrize(
    ("layout", "message"),
    [
        ("absent", "found no folder, expected a corpus"),
        ("empty", "found no clip; expected one of manifest.csv"),
        ("unknown", "found category 'volcano', expected one of the 57"),
    ],
)
def test_a_bad_corpus_is_one_clear_error(tmp_path: Path, layout: str, message: str) -> None:
    root = tmp_path / layout
    if layout != "absent":
        root.mkdir()
    if layout == "unknown":
        _write(root / "volcano" / "a.wav")

    with pytest.raises(CorpusError, match=message):
        read_corpus(root)


def test_audio_is_resampled_and_bad_audio_refused(tmp_path: Path) -> None:
    good = _write(tmp_path / "good.wav", rate=48_000, seconds=1.0)
    bad = tmp_path / "bad.wav"
    bad.write_text("not audio")

    assert read_audio(good).shape == (16_000,)
    with pytest.raises(CorpusError, match="not audio that libsndfile reads"):
        read_audio(bad)


def test_leave_one_source_out_never_shares_a_source(tmp_path: Path) -> None:
    for source in ("a", "b"):
        _write(tmp_path / source / "ocean" / f"{source}.wav")
    clips = [*read_corpus(tmp_path / "a"), *read_corpus(tmp_path / "b")]

    splits = list(leave_one_source_out(clips))

    assert [name for name, _, _ in splits] == ["a", "b"]
    for name, fit, held in splits:
        assert {c.source for c in held} == {name}
        assert name not in {c.source for c in fit}
