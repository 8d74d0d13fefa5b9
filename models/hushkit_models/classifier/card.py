"""The model card: what a model was trained on, what it is worth, what it costs, and what it is not for."""

from collections.abc import Sequence
from typing import Any, Final

from hushkit_models.classifier.taxonomy import SUPERCLASSES

CYCLES_PER_MAC: Final = 1.45
"""Of noise57-mcu on a Cortex-M7, modelled at zero wait states by ``hushkit network bench``."""

NANOJOULE_PER_CYCLE: Final = 0.9
"""Run current of Cortex-M7 controllers of the 480 MHz class, about 0.28 mA/MHz at 3.3 V; a low-power core takes a tenth
of it, so put in the figure of yours."""


def energy_mj(macs: int) -> float:
    """Energy of one inference on a Cortex-M7, in millijoules: an estimate, MACs * cycles a MAC * energy a cycle."""
    return macs * CYCLES_PER_MAC * NANOJOULE_PER_CYCLE * 1e-6


def render_card(document: dict[str, Any]) -> str:
    """Render the machine form of a card as Markdown. Pure: the same document gives the same text."""
    parts = [
        f"# {document['model']}",
        "Names the noise around a headset (57 categories in 22 superclasses) and hears emergencies (siren, alarm, "
        "horn, glass, gunshot) in 3.07 s of log-mel features.",
        _table(
            ("", ""),
            [
                ("weights", f"{document['weights']:,} INT8"),
                ("file", f"{document['bytes']:,} bytes, sha256 `{document['sha256'][:16]}…`"),
                ("multiply-accumulates", f"{document['macs']:,} a window"),
                (
                    "energy of an inference",
                    f"{energy_mj(document['macs']):.1f} mJ on a Cortex-M7: an **estimate**, {document['macs']:,} MACs "
                    f"x {CYCLES_PER_MAC} cycles (modelled) x {NANOJOULE_PER_CYCLE} nJ (data sheets); nothing measured",
                ),
                ("temperature", f"{document['temperature']:.2f}"),
                ('"unknown" below', f"{document['unknown_below']:.2f} in a superclass"),
                ("a window votes for an emergency from", f"{document['alarm_from']:.2f}"),
            ],
        ),
        "## Intended use and limits",
        "Choosing settings of a noise-cancelling headset, and letting outside sound in early. Not a safety device: an "
        "emergency may be missed, and nothing may depend on one being heard. Levels are no cue to the network; light "
        "and heavy wind or rain, steady fans, places full of voices and phases of flight sound alike without level and "
        'context: rely on superclasses, and take "unknown" for an answer.',
        "## What it is worth on sources it never heard",
        _worth(document["left_out"]),
        "## What it was trained on",
        f"{document['takes']['synthesised']} synthesised scenes of all categories and {document['takes']['recorded']} "
        "varied takes of these recordings. Each source lists its authors; works were changed (cut, filtered, mixed)."
        + (
            f" Soft labels come from a classifier over the embeddings of `{document['recipe']['teacher']}`, which is "
            "not part of the model."
            if document["recipe"]["teacher"]
            else ""
        ),
        _table(
            ("source", "licence", "clips"),
            [(row["source"], row["licence"], str(row["clips"])) for row in document["sources"]],
        )
        if document["sources"]
        else "No recordings: synthesis alone.",
    ]
    return "\n\n".join(parts) + "\n"


def _worth(left_out: dict[str, Any] | None) -> str:
    if left_out is None:
        return "Not known: fewer than two sources of recordings. Temperature and thresholds are defaults, not fitted."
    names = list(SUPERCLASSES)
    rows = []
    for name, row in zip(names, left_out["confusion"], strict=True):
        if sum(row):
            most = sorted(zip(names, row, strict=True), key=lambda item: -item[1])[:4]
            heard = ", ".join(f"{other} {count}" for other, count in most if count)
            rows.append((name, str(sum(row)), f"{row[names.index(name)] / sum(row):.2f}", heard))
    recalls = [(name, str(count), f"{value:.2f}") for name, (value, count) in sorted(left_out["recall"].items())]
    return "\n\n".join(
        (
            f"{left_out['clips']} recordings, each judged by a network of {left_out['epochs']} epochs that was trained "
            f"without its source (sources in {left_out['folds']} groups), float, mean over the windows of a clip:",
            _table(
                ("figure", "value"),
                [
                    ("top-1 of 57", f"{left_out['top1']:.3f}"),
                    ("macro recall", f"{left_out['macro_recall']:.3f}"),
                    ("superclass of 22", f"{left_out['superclass']:.3f}"),
                    ("emergency AUC", f"{left_out['emergency_auc']:.3f}"),
                    (
                        f"emergency recall at {left_out['false_alarm_rate']:.1%} false alarms",
                        f"{left_out['emergency_recall']:.3f}",
                    ),
                ],
            ),
            _table(("superclass", "clips", "recall", "heard as"), rows),
            _table(("category", "clips", "recall"), recalls),
        )
    )


def _table(header: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    lines = [header, tuple("---" for _ in header), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)
