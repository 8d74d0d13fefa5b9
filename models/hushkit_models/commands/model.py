"""Train, judge and use the noise classifier.

examples:
  hushkit model train --corpus DIR -o DIR                   train on synthesis and a corpus; write .tflite and card
  hushkit model train --base M.pt --corpus MINE -o DIR      go on from trained weights with recordings of your own
  hushkit model evaluate M.tflite --corpus DIR              figures on recordings the model has not seen (split "dev")
  hushkit model classify M.tflite recording.wav             what is heard, window by window
  hushkit model emergency M.tflite --corpus DIR             false emergencies an hour after voting, recall and delay
  hushkit model card models/artifacts/M.json                the model card as Markdown
  hushkit model export M.pt M.onnx                          the float model as ONNX or TorchScript

A corpus is a folder: one with manifest.csv, the layouts of ESC-50, UrbanSound8K or FSD50K, or plain folders named after
categories. Training and float weights (.pt) need the train extra: pip install -r requirements/train.txt.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from hushkit_models.classifier import frontend
from hushkit_models.classifier.calibration import Calibration, calibration_of
from hushkit_models.classifier.card import render_card
from hushkit_models.classifier.corpus import Clip, CorpusError, read_audio, read_corpus
from hushkit_models.classifier.dataset import judge_windows
from hushkit_models.classifier.judge import Judgement, judge, softmax, superclass_probabilities
from hushkit_models.classifier.predictors import open_model, predictor
from hushkit_models.classifier.taxonomy import CATEGORIES, SUPERCLASSES
from hushkit_models.classifier.vigil import Vigil, keep_watch
from hushkit_models.json_output import UnwritableError, write_json

HELP = "train, evaluate and use the noise classifier"
ERRORS = (CorpusError, UnwritableError)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the subcommands."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    _add_train(actions.add_parser("train", help="train a model, quantise it, write .tflite, weights and card"))
    evaluate = actions.add_parser("evaluate", help="figures on recordings")
    evaluate.add_argument("file", type=Path, metavar="MODEL", help=".tflite (INT8) or .pt (float)")
    evaluate.add_argument("--corpus", type=Path, required=True)
    evaluate.add_argument("--split", choices=("train", "dev", "all"), default="dev")
    evaluate.add_argument("--source", help="only clips whose source contains this text")
    evaluate.add_argument(
        "--unshippable", action="store_true", help="only clips that shipped weights are never trained on"
    )
    classify = actions.add_parser("classify", help="what is heard in a recording")
    classify.add_argument("file", type=Path, metavar="MODEL", help=".tflite (INT8) or .pt (float)")
    classify.add_argument("recording", type=Path)
    emergency = actions.add_parser(
        "emergency", help="hours of mixed sound with emergencies in it, as the headset hears"
    )
    emergency.add_argument("file", type=Path, metavar="MODEL", help=".tflite (INT8)")
    emergency.add_argument("--corpus", type=Path, help="recordings to mix with synthesis")
    emergency.add_argument(
        "--unshippable", action="store_true", help="only clips that shipped weights are never trained on"
    )
    emergency.add_argument("--hours", type=float, default=3.0)
    emergency.add_argument("--threshold", type=float, default=0.75, help="probability from which a look votes")
    emergency.add_argument("--seed", type=int, default=1)
    for action in (evaluate, classify, emergency):
        action.add_argument("--json", metavar="FILE", help="machine form; - for standard output")
    card = actions.add_parser("card", help="the model card as Markdown")
    card.add_argument("card", type=Path, metavar="CARD", help="the .json beside the model")
    export = actions.add_parser("export", help="the float model as ONNX or TorchScript")
    export.add_argument("file", type=Path, metavar="WEIGHTS", help=".pt")
    export.add_argument("output", type=Path, metavar="OUTPUT", help="name.onnx or name.torchscript")


def _add_train(train: argparse.ArgumentParser) -> None:
    train.add_argument("--corpus", type=Path, action="append", default=[], help="folder of recordings; may be repeated")
    train.add_argument("--model", default="noise57-mcu", help="noise57-mcu (headset) or noise57-edge (agent)")
    train.add_argument("--teacher", type=Path, help="YAMNet .tflite to distil from")
    train.add_argument("--base", type=Path, help="weights (.pt) to go on from, for recordings of your own")
    train.add_argument("--epochs", type=int, default=60)
    train.add_argument(
        "--folds", type=int, default=3, help="groups of sources left out in turn for calibration and card; 0 for none"
    )
    train.add_argument("--rehearsal-epochs", type=int, default=30, metavar="N", help="epochs of each of those")
    train.add_argument("--seed", type=int, default=1)
    train.add_argument(
        "--all-licences", action="store_true", help="also train on clips whose licence forbids shipping weights"
    )
    train.add_argument("--work", type=Path, default=Path("build/classifier"), help="folder for training takes")
    train.add_argument("-o", "--output", type=Path, required=True)


def run(options: argparse.Namespace) -> int:
    """Run the action asked for."""
    actions = {
        "train": _train,
        "evaluate": _evaluate,
        "classify": _classify,
        "emergency": _emergency,
        "card": _card,
        "export": _export,
    }
    return actions[options.action](options)


def _progress(what: str, share: float) -> None:
    if sys.stderr.isatty() or round(share * 100) % 10 == 0:
        print(f"\r{what}: {share:4.0%}", end="" if share < 1.0 else "\n", file=sys.stderr, flush=True)


def _train(options: argparse.Namespace) -> int:
    from hushkit_models.classifier.training_run import Plan, train_and_write  # noqa: PLC0415 - wants the train extra

    clips = [clip for root in options.corpus for clip in read_corpus(root)]
    if not options.all_licences:
        clips = [clip for clip in clips if clip.shippable]
    if not clips:
        print("no recordings to train on: synthesis alone", file=sys.stderr)
    plan = Plan(
        name=options.model,
        epochs=options.epochs,
        folds=options.folds,
        rehearsal_epochs=options.rehearsal_epochs,
        seed=options.seed,
        teacher=options.teacher,
        base=options.base,
    )
    written = train_and_write(plan, clips, work=options.work, output=options.output, progress=_progress)
    print("\n".join(str(path) for path in written))
    return 0


def _evaluate(options: argparse.Namespace) -> int:
    clips: Sequence[Clip] = [
        clip
        for clip in read_corpus(options.corpus)
        if options.split in {"all", clip.split}
        and (options.source or "") in clip.source
        and not (options.unshippable and clip.shippable)
    ]
    if not clips:
        raise CorpusError(f"{options.corpus}: found no such clip in split {options.split!r}; try --split all")
    predict, temperature = predictor(options.file), _calibration(options.file).temperature
    result = judge(clips, predict, temperature=temperature)
    document = asdict(result) | {"confusion": result.confusion.tolist(), "model": options.file.name}
    write_json(options.json, document)
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
    if not options.recording.is_file():
        raise CorpusError(f"{options.recording}: found no file, expected a recording")
    predict, calibration = predictor(options.file), _calibration(options.file)
    seconds = len(read_audio(options.recording)) / frontend.RATE_HZ
    logits = predict(judge_windows(Clip(options.recording, CATEGORIES[0], "", "", "", "", shippable=False)))
    probabilities = softmax(logits[:, : len(CATEGORIES)] / np.float32(calibration.temperature)).astype(np.float64)
    rows: list[dict[str, Any]] = []
    for index, (row, grouped) in enumerate(zip(probabilities, superclass_probabilities(probabilities), strict=True)):
        rows.append(
            {
                "start_s": index * frontend.WINDOW / frontend.RATE_HZ / 2,
                "category": CATEGORIES[int(row.argmax())],
                "confidence": float(row.max()),
                "superclass": list(SUPERCLASSES)[int(grouped.argmax())],
                "superclass_confidence": float(grouped.max()),
                "known": bool(grouped.max() >= calibration.unknown_below),
                "emergency": float(1.0 / (1.0 + np.exp(-logits[index, len(CATEGORIES)]))),
            }
        )
    write_json(options.json, {"recording": options.recording.name, "seconds": seconds, "windows": rows})
    if options.json != "-":
        for row in rows:
            heard = f"{row['category']:24s} {row['confidence']:5.2f}   {row['superclass']:16s}"
            sure = "" if row["known"] else "unknown"
            print(f"{row['start_s']:7.2f} s  {heard} {row['superclass_confidence']:5.2f} {sure:8s}", end="")
            print(f"   emergency {row['emergency']:5.2f}")
    return 0


def _emergency(options: argparse.Namespace) -> int:
    clips = [] if options.corpus is None else read_corpus(options.corpus)
    if options.unshippable:
        clips = [clip for clip in clips if not clip.shippable]
    what = Vigil(
        hours=options.hours,
        threshold=options.threshold,
        temperature=_calibration(options.file).temperature,
        seed=options.seed,
    )
    watch = keep_watch(open_model(options.file), clips, what)
    write_json(options.json, asdict(watch) | {"model": options.file.name, "vigil": asdict(what)})
    if options.json != "-":
        causes = ", ".join(f"{name} {count}" for name, count in watch.false_causes.items())
        print(f"listened           {watch.hours:8.2f} h")
        print(f"false emergencies  {watch.false_per_hour:8.2f} an hour{f'  ({causes})' if causes else ''}")
        delay = f"median {watch.median_delay_s:.1f} s after onset"
        print(f"confirmed          {watch.confirmed:8d} of {watch.emergencies}, {delay}")
        print(f"suspected          {watch.suspected:8d} of {watch.emergencies}")
    return 0


def _card(options: argparse.Namespace) -> int:
    sys.stdout.write(render_card(_read_card(options.card)))
    return 0


def _export(options: argparse.Namespace) -> int:
    from hushkit_models.classifier.export import export  # noqa: PLC0415 - wants the train extra
    from hushkit_models.classifier.training_run import load_weights  # noqa: PLC0415

    export(load_weights(options.file), options.output)
    print(options.output)
    return 0


def _calibration(model: Path) -> Calibration:
    """From the card beside a model; the defaults where it has none."""
    card = model.with_suffix(".json")
    return calibration_of(_read_card(card)) if card.is_file() else Calibration()


def _read_card(path: Path) -> dict[str, Any]:
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        calibration_of(document)
    except (OSError, ValueError, KeyError, TypeError) as err:
        raise CorpusError(f"{path}: expected a model card (.json) written by hushkit model train: {err!r}") from err
    return dict(document)
