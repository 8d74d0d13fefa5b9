"""Train, judge and use the noise classifier.

examples:
  hushkit model train --corpus DIR -o models/artifacts      train on synthesis and a corpus, write .tflite
  hushkit model train --base M.pt --corpus MY_RECORDINGS    go on from trained weights with recordings of your own
  hushkit model evaluate M.tflite --corpus DIR              figures on recordings the model has not seen (split "dev")
  hushkit model classify M.tflite recording.wav             what is heard, window by window

A corpus is a folder: one with manifest.csv, the layouts of ESC-50, UrbanSound8K or FSD50K, or plain folders named after
categories. Training needs the train extra: pip install 'hushkit[train]'.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hushkit_models.classifier import frontend
from hushkit_models.classifier.corpus import Clip, CorpusError, read_audio, read_corpus
from hushkit_models.classifier.dataset import judge_windows
from hushkit_models.classifier.interpreter import Interpreter
from hushkit_models.classifier.judge import Judgement, Predict, judge, softmax
from hushkit_models.classifier.taxonomy import CATEGORIES, SUPERCLASS_OF

HELP = "train, evaluate and use the noise classifier"
ERRORS = (CorpusError,)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the subcommands."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    train = actions.add_parser("train", help="train a model, quantise it, write .tflite, weights and card")
    train.add_argument("--corpus", type=Path, action="append", default=[], help="folder of recordings; may be repeated")
    train.add_argument("--model", default="noise57-mcu", help="noise57-mcu (headset) or noise57-edge (agent)")
    train.add_argument("--teacher", type=Path, help="YAMNet .tflite to distil from")
    train.add_argument("--base", type=Path, help="weights (.pt) to go on from, for recordings of your own")
    train.add_argument("--epochs", type=int, default=40)
    train.add_argument("--seed", type=int, default=1)
    train.add_argument(
        "--all-licences", action="store_true", help="also train on clips whose licence forbids shipping weights"
    )
    train.add_argument("--work", type=Path, default=Path("build/classifier"), help="folder for training windows")
    train.add_argument("-o", "--output", type=Path, required=True)
    evaluate = actions.add_parser("evaluate", help="figures on recordings")
    evaluate.add_argument("file", type=Path, metavar="MODEL")
    evaluate.add_argument("--corpus", type=Path, required=True)
    evaluate.add_argument("--split", choices=("train", "dev", "all"), default="dev")
    evaluate.add_argument("--json", metavar="FILE", help="machine form; - for standard output")
    classify = actions.add_parser("classify", help="what is heard in a recording")
    classify.add_argument("file", type=Path, metavar="MODEL")
    classify.add_argument("recording", type=Path)
    classify.add_argument("--json", metavar="FILE", help="machine form; - for standard output")


def run(options: argparse.Namespace) -> int:
    """Run the action asked for."""
    return {"train": _train, "evaluate": _evaluate, "classify": _classify}[options.action](options)


def interpreter_predict(model: Path) -> Predict:
    """Predict with an INT8 model: logits as floats.

    Raises:
        CorpusError: No such file, or not a model of ours.
    """
    if not model.is_file():
        raise CorpusError(f"{model}: found no file, expected a .tflite model; train one with: hushkit model train")
    try:
        interpreter = Interpreter(model)
    except ValueError as err:
        raise CorpusError(f"{model}: not a .tflite model ({err}); train one with: hushkit model train") from err
    scale, zero = interpreter.output_quantisation

    def predict(windows: NDArray[np.int8]) -> NDArray[np.float32]:
        codes = np.stack([interpreter.run(window) for window in windows])
        return np.asarray((codes.astype(np.float32) - zero) * scale, dtype=np.float32)

    return predict


def _progress(what: str, share: float) -> None:
    if sys.stderr.isatty() or round(share * 100) % 10 == 0:
        print(f"\r{what}: {share:4.0%}", end="" if share < 1.0 else "\n", file=sys.stderr, flush=True)


def _train(options: argparse.Namespace) -> int:
    from hushkit_models.classifier.training_run import train_and_write  # noqa: PLC0415 - wants the train extra

    clips = [clip for root in options.corpus for clip in read_corpus(root)]
    if not options.all_licences:
        clips = [clip for clip in clips if clip.shippable]
    written = train_and_write(
        options.model,
        [clip for clip in clips if clip.split == "train"],
        teacher=options.teacher,
        base=options.base,
        epochs=options.epochs,
        seed=options.seed,
        work=options.work,
        output=options.output,
        progress=_progress,
    )
    print("\n".join(str(path) for path in written))
    return 0


def _evaluate(options: argparse.Namespace) -> int:
    clips: Sequence[Clip] = [c for c in read_corpus(options.corpus) if options.split in {"all", c.split}]
    if not clips:
        raise CorpusError(f"{options.corpus}: found no clip in split {options.split!r}; try --split all")
    result = judge(clips, interpreter_predict(options.file))
    document = asdict(result) | {"confusion": result.confusion.tolist(), "model": options.file.name}
    if options.json:
        _write_json(options.json, document)
    if options.json != "-":
        print(_table(result))
    return 0


def _table(result: Judgement) -> str:
    return "\n".join(
        (
            f"clips              {result.clips:8d}",
            f"top-1 of 57        {result.top1:8.3f}",
            f"macro recall       {result.macro_recall:8.3f}",
            f"superclass of 22   {result.superclass:8.3f}",
            f"emergency AUC      {result.emergency_auc:8.3f}",
            f"emergency recall   {result.emergency_recall:8.3f}  at {result.false_alarm_rate:.1%} false alarms",
        )
    )


def _classify(options: argparse.Namespace) -> int:
    predict = interpreter_predict(options.file)
    clip = Clip(options.recording, CATEGORIES[0], "", "", "", "", shippable=False)
    if not options.recording.is_file():
        raise CorpusError(f"{options.recording}: found no file, expected a recording")
    seconds = len(read_audio(options.recording)) / frontend.RATE_HZ
    logits = predict(judge_windows(clip))
    rows: list[dict[str, Any]] = []
    for index, row in enumerate(softmax(logits[:, : len(CATEGORIES)])):
        best = int(row.argmax())
        rows.append(
            {
                "start_s": index * frontend.WINDOW / frontend.RATE_HZ / 2,
                "category": CATEGORIES[best],
                "superclass": SUPERCLASS_OF[CATEGORIES[best]],
                "confidence": float(row[best]),
                "emergency": float(1.0 / (1.0 + np.exp(-logits[index, len(CATEGORIES)]))),
            }
        )
    if options.json:
        _write_json(options.json, {"recording": options.recording.name, "seconds": seconds, "windows": rows})
    if options.json != "-":
        for row in rows:
            heard = f"{row['start_s']:7.2f} s  {row['category']:24s} {row['confidence']:5.2f}"
            print(f"{heard}   emergency {row['emergency']:5.2f}")
    return 0


def _write_json(target: str, document: object) -> None:
    text = json.dumps(document, indent=2, sort_keys=True) + "\n"
    if target == "-":
        sys.stdout.write(text)
    else:
        Path(target).write_text(text, encoding="utf-8")
