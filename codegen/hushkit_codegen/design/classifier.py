"""Headset spec and .tflite file to the classifier's integers: the compiled network, and when it decides."""

import json
import math
from pathlib import Path
from typing import Any, Final

from hushkit.project import project_root
from hushkit.spec import HeadsetSpec
from hushkit_models.classifier import decision, emergency, frontend
from hushkit_models.classifier.taxonomy import CATEGORIES, EMERGENCIES

from hushkit_codegen.errors import DesignError
from hushkit_codegen.ir import ClassifierIr
from hushkit_codegen.network.blob import Compiled, compile_model
from hushkit_codegen.network.errors import NetworkError
from hushkit_codegen.network.model import read_model
from hushkit_codegen.network.signature import development_key, sign
from hushkit_codegen.network.work import work_of

ARENA_BYTES: Final = 48 * 1024
"""HK_CLASSIFIER_ARENA: RAM that a network may work in."""

_SLICE_SAMPLES: Final = 8
"""Samples at 48 kHz per slice: HK_KERNEL_SLICE."""
_FRONT_END_SLICES: Final = 7
"""Slices per frame that the front end takes from the network."""
_FEATURE_SLICES: Final = 2 * frontend.N_FRAMES // 8
_MARGIN: Final = 1.25
"""Slices run over or under what they are given, for units of work are whole."""


def design_classifier(spec: HeadsetSpec) -> ClassifierIr | None:
    """Compile the spec's network and work out its schedule.

    Returns:
        None where the spec has no [classifier].

    Raises:
        DesignError: No such model, one that does not compile, or one that is no classifier of this front end.
    """
    settings = spec.classifier
    if settings is None:
        return None
    path = model_path(settings.model)
    compiled = _compile(path, spec.core.type)
    hop, look = _frames(settings.hop_ms), _frames(settings.look_ms)
    rules = emergency.rules_for(look, settings.emergency_confidence)
    return ClassifierIr(
        model=path.name,
        network=sign(compiled.blob, development_key()).hex(),
        slice_work=_slice_work(compiled, work_of(read_model(path), spec.core.type), hop, look),
        hop_frames=hop,
        look_frames=look,
        enter=round(settings.confidence * 1000),
        step_factor=decision.step_factor(_temperature(path)),
        threshold=rules.threshold,
        hint=rules.hint,
        sure=rules.sure,
        suspect=rules.suspect,
        window=rules.window,
        confirm=rules.confirm,
        cadence=rules.cadence,
        release=rules.release,
    )


def model_path(name: str) -> Path:
    """File of a shipped model, or the file that was named.

    Raises:
        DesignError: There is none.
    """
    shipped = project_root() / "models" / "artifacts" / f"{name}.tflite"
    for path in (shipped, Path(name)):
        if path.is_file():
            return path
    known = ", ".join(sorted(file.stem for file in shipped.parent.glob("*.tflite"))) or "none"
    raise DesignError(f"classifier.model: {name}: no such file, nor a shipped model ({known}); name one of them")


def _compile(path: Path, core: str) -> Compiled:
    try:
        compiled = compile_model(read_model(path), core)
    except NetworkError as err:
        raise DesignError(f"classifier.model: {err}") from err
    inputs, outputs = frontend.N_FRAMES * frontend.N_MELS, len(CATEGORIES) + 1 + len(EMERGENCIES)
    if (compiled.input_bytes, compiled.output_bytes) != (inputs, outputs):
        raise DesignError(
            f"classifier.model: {path.name} takes {compiled.input_bytes} codes and gives {compiled.output_bytes}, "
            f"expected {inputs} and {outputs}; train it with `hushkit model train`"
        )
    if compiled.arena_bytes > ARENA_BYTES:
        raise DesignError(
            f"classifier.model: {path.name} needs {compiled.arena_bytes} bytes to work in, expected at most "
            f"{ARENA_BYTES}; take a smaller model"
        )
    return compiled


def _frames(milliseconds: float) -> int:
    """Whole frames within a time, at least one."""
    return max(1, int(milliseconds / emergency.FRAME_MS + 1e-9))


def _slice_work(compiled: Compiled, work: int, hop: int, look: int) -> int:
    """Work per slice with which looks, the window and a second network beside it end within a hop."""
    slices = hop * (frontend.DECIMATION * frontend.FRAME / _SLICE_SAMPLES - _FRONT_END_SLICES)
    passes = hop / look + 2
    available = slices - (passes - 1) * _FEATURE_SLICES - passes * len(compiled.operators)
    if available <= 0:
        raise DesignError(
            f"classifier.look_ms: {look * emergency.FRAME_MS} ms leaves no time for inference; look less often"
        )
    return math.ceil(_MARGIN * passes * work / available)


def _temperature(path: Path) -> float:
    """The model's calibrated temperature, from the card beside it; 1 without a card."""
    card = path.with_suffix(".json")
    if not card.is_file():
        return 1.0
    document: dict[str, Any] = json.loads(card.read_text(encoding="utf-8"))
    return float(document.get("temperature", 1.0))
