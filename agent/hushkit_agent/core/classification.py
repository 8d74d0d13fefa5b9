"""What the headset's classifier says, as the shadow's `classifier` object: steady enough for a document in the cloud.

The headset speaks every period; the shadow follows at once where a category, an emergency or a network changed, and for
numbers alone only when they moved far or have not been told for a while. Telemetry has them all.
"""

from collections.abc import Mapping
from typing import Final

from hushkit_link import wire

_CONFIDENCE_STEP: Final = 0.1
_LEVEL_STEP_DB: Final = 3.0
_REFRESH_S: Final = 60.0


class ClassificationReport:
    """Decides which classification the shadow shows."""

    def __init__(self) -> None:
        self._shown: wire.Classification | None = None
        self._shown_at_s = 0.0

    def take(self, found: wire.Classification, now_s: float) -> Mapping[str, object] | None:
        """The object to report, or None to leave what is shown."""
        shown = self._shown
        if shown is not None and not self._is_news(shown, found) and now_s < self._shown_at_s + _REFRESH_S:
            return None
        self._shown, self._shown_at_s = found, now_s
        return _document(found)

    def forget(self) -> None:
        """The headset is gone: what it says next is news."""
        self._shown = None

    @staticmethod
    def _is_news(shown: wire.Classification, found: wire.Classification) -> bool:
        def names(c: wire.Classification) -> tuple[object, ...]:
            return c.category, c.superclass, c.emergency_state, c.emergency, c.model, c.shadow_model

        if names(shown) != names(found) or (shown.level is None) != (found.level is None):
            return True
        moved_db = abs((shown.level or 0.0) - (found.level or 0.0))
        return abs(shown.confidence - found.confidence) >= _CONFIDENCE_STEP or moved_db >= _LEVEL_STEP_DB


def _document(found: wire.Classification) -> Mapping[str, object]:
    document: dict[str, object] = {
        "category": found.category.name.lower(),
        "superclass": found.superclass.name.lower(),
        "confidence": round(found.confidence, 2),
        "level_db_spl": None if found.level is None else round(found.level, 1),
        "emergency": found.emergency_state.name.lower(),
        "model": model_name(found.model),
    }
    if found.shadow_model:
        document |= {
            "shadow_model": model_name(found.shadow_model),
            "compared": found.compared,
            "disagreed": found.disagreed,
        }
    return {key: value for key, value in document.items() if value is not None}


def model_name(model: int) -> str | None:
    """A network's identity as people write it: eight hexadecimal digits; None for no network."""
    return f"{model:08x}" if model else None
