"""A training run from end to end, small: files, card, float against INT8, and going on with a user's recordings."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

torch = pytest.importorskip("torch", reason="training needs the train extra")
onnx = pytest.importorskip("onnx", reason="export needs the train extra")

from hushkit_models.classifier import training_run  # noqa: E402
from hushkit_models.classifier.corpus import CorpusError, read_corpus  # noqa: E402
from hushkit_models.classifier.dataset import Recipe, judge_windows  # noqa: E402
from hushkit_models.classifier.export import export  # noqa: E402
from hushkit_models.classifier.network import ARCHITECTURES, Architecture, Collapse, Convolution, Separable  # noqa: E402
from hushkit_models.classifier.predictors import predictor  # noqa: E402
from hushkit_models.classifier.rehearsal import source_folds  # noqa: E402
from hushkit_models.classifier.synthesis import synthesise  # noqa: E402
from hushkit_models.classifier.taxonomy import CATEGORIES  # noqa: E402
from hushkit_models.classifier.training_run import Plan, load_weights, train_and_write  # noqa: E402

TINY = Architecture(
    "tiny", (Convolution(8, (3, 3), (4, 4)), Separable(16, stride=(2, 2)), Collapse(16), Separable(24, (5, 1)))
)
PLAN = Plan("tiny", epochs=2, folds=2, rehearsal_epochs=1)


def _quiet(what: str, share: float) -> None:
    assert what
    assert 0.0 <= share <= 1.0


@pytest.fixture(scope="module")
def corpora(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Two sources of two categories, eight recordings each."""
    roots = [tmp_path_factory.mktemp(name) for name in ("one", "two")]
    for number, root in enumerate(roots):
        for category in ("ocean", "dog_barking"):
            (root / category).mkdir()
            for index in range(4):
                scene = synthesise(category, 100 * number + index, seconds=3.2)
                soundfile.write(root / category / f"{category}{index}.wav", 0.1 * scene.samples, 16_000)
    return roots


@pytest.fixture(scope="module")
def patched() -> Any:
    """Few scenes and a network that trains in a second."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(ARCHITECTURES, "tiny", TINY)
        small = Recipe(scenes=1, emergency_factor=2, scene_s=4.0, variants=2, floor=2)
        patch.setattr(training_run, "Recipe", lambda **chosen: replace(small, **chosen))
        yield patch


@pytest.fixture(scope="module")
def trained(corpora: list[Path], patched: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("trained")
    clips = [clip for root in corpora for clip in read_corpus(root)]
    train_and_write(PLAN, clips, work=folder / "work", output=folder, progress=_quiet)
    return folder


def test_a_run_writes_model_weights_and_card(trained: Path) -> None:
    card = json.loads((trained / "tiny.json").read_text())

    assert card["bytes"] == (trained / "tiny.tflite").stat().st_size
    assert card["left_out"]["clips"] == 16
    assert [row["clips"] for row in card["sources"]] == [8, 8]
    assert (trained / "tiny.md").read_text().startswith("# tiny\n")


def test_the_same_run_gives_the_same_bytes(trained: Path, corpora: list[Path], patched: Any, tmp_path: Path) -> None:
    clips = [clip for root in corpora for clip in read_corpus(root)]
    train_and_write(PLAN, clips, work=tmp_path / "work", output=tmp_path, progress=_quiet)

    for name in ("tiny.tflite", "tiny.json", "tiny.md"):
        assert (tmp_path / name).read_bytes() == (trained / name).read_bytes()


def test_int8_and_float_say_nearly_the_same(trained: Path, corpora: list[Path], patched: Any) -> None:
    windows = np.concatenate([judge_windows(clip) for clip in read_corpus(corpora[0])])

    int8, float32 = (predictor(trained / name)(windows) for name in ("tiny.tflite", "tiny.pt"))

    assert np.abs(int8 - float32).max() < 0.1 * float32.std()


def test_a_users_recordings_move_the_network_toward_them(
    trained: Path, corpora: list[Path], patched: Any, tmp_path: Path
) -> None:
    clips = read_corpus(corpora[1])
    plan = replace(PLAN, epochs=6, folds=0, base=trained / "tiny.pt", seed=2)

    train_and_write(plan, clips, work=tmp_path / "work", output=tmp_path, progress=_quiet)

    def loss(model: Path) -> float:
        total = 0.0
        for clip in clips:
            logits = torch.tensor(predictor(model)(judge_windows(clip))[:, :57])
            label = torch.full((len(logits),), CATEGORIES.index(clip.category))
            total += float(torch.nn.functional.cross_entropy(logits, label))
        return total

    assert loss(tmp_path / "tiny.pt") < loss(trained / "tiny.pt")
    assert json.loads((tmp_path / "tiny.json").read_text())["left_out"] is None


def test_exports_say_what_the_network_says(trained: Path, patched: Any, tmp_path: Path) -> None:
    network = load_weights(trained / "tiny.pt")
    x = torch.randn(3, 96, 40, generator=torch.Generator().manual_seed(1)) * 30.0

    export(network, tmp_path / "m.onnx")
    export(network, tmp_path / "m.torchscript")

    model = onnx.load(tmp_path / "m.onnx")
    onnx.checker.check_model(model)
    assert [d.dim_param or d.dim_value for d in model.graph.input[0].type.tensor_type.shape.dim] == ["batch", 96, 40]
    assert torch.equal(torch.jit.load(tmp_path / "m.torchscript")(x), network(x))


def test_unknown_networks_formats_and_weights_are_refused(trained: Path, patched: Any, tmp_path: Path) -> None:
    (tmp_path / "bad.pt").write_text("not weights")
    network = load_weights(trained / "tiny.pt")

    with pytest.raises(CorpusError, match="unknown model 'huge': expected one of noise57-mcu"):
        train_and_write(replace(PLAN, name="huge"), [], work=tmp_path, output=tmp_path, progress=_quiet)
    wrong = replace(PLAN, name="noise57-mcu", base=trained / "tiny.pt")
    with pytest.raises(CorpusError, match=r"found weights of tiny, expected noise57-mcu"):
        train_and_write(wrong, [], work=tmp_path, output=tmp_path, progress=_quiet)
    with pytest.raises(CorpusError, match="expected weights"):
        load_weights(tmp_path / "bad.pt")
    with pytest.raises(CorpusError, match=r"found suffix '.h5', expected one of .onnx, .torchscript"):
        export(network, tmp_path / "m.h5")


def test_sources_stay_whole_in_even_folds(corpora: list[Path]) -> None:
    clips = [clip for root in corpora for clip in read_corpus(root)]

    folds = source_folds(clips, 2)

    assert sorted(np.bincount(folds)) == [8, 8]
    assert len({(clip.source, fold) for clip, fold in zip(clips, folds, strict=True)}) == 2
