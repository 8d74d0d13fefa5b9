"""The classifier of a simulated headset: what it says it heard, and a slot that takes uploads."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from hushkit_link import wire
from hushkit_link.smp import Op

CLASSIFIER_COMMANDS: Final = frozenset(
    {wire.ClassifierReply.COMMAND, wire.NetworkReply.COMMAND, wire.FeaturesReply.COMMAND}
)
MOST_BYTES: Final = 192 * 1024
_MAGIC: Final = b"HKNN"
_ERR_UNKNOWN: Final = 8  # HK_ERR_UNKNOWN, positive
_ROWS: Final = 16
_N_ROWS, _BANDS = 96, 40


@dataclass(slots=True)
class SimulatedClassifier:
    """State of one classifier; tests set what it found.

    Attributes:
        found: What it takes the noise for.
        features: Of the last window, 96 rows of 40 int8.
        previous: Identity of the network before the running one; 0 without one.
        uploads: Uploads that were accepted.
        refused: Why the last one was not, as the wire tells; 0 otherwise.
    """

    found: wire.Classification = field(
        default_factory=lambda: wire.Classification(
            category=wire.Category.AIRCRAFT_CRUISE, superclass=wire.Superclass.AIRCRAFT, confidence=0.8,
            guess=wire.Category.AIRCRAFT_CRUISE, level=82.0, emergency=wire.EmergencyKind.NONE,
            emergency_state=wire.EmergencyState.NONE, emergency_confidence=0.01, windows=10, model=0x1234ABCD,
            shadow_model=0, compared=0, disagreed=0,
        )
    )  # fmt: skip
    features: bytes = bytes(_N_ROWS * _BANDS)
    previous: int = 0
    uploads: int = 0
    refused: int = 0
    _length: int = 0
    _received: bytes = b""

    def status(self) -> wire.ClassifierReply:
        """The reply to `classifier`."""
        f = self.found
        level = None if f.level is None else f.level + 100.0
        return wire.ClassifierReply(
            f.category, f.superclass, f.confidence, f.guess, level, f.emergency, f.emergency_state, f.windows, f.model,
            f.shadow_model, f.compared, f.disagreed,
        )  # fmt: skip

    def network(self, offset: int | None = None) -> Mapping[str, object]:
        """The reply to `network`."""
        at = len(self._received) if offset is None else offset
        return wire.NetworkReply(
            at, self.found.model, self.previous, 0, self.uploads, MOST_BYTES, self.refused
        ).to_map()  # fmt: skip

    def answer(self, command: int, op: Op, body: Mapping[str, object]) -> Mapping[str, object] | wire.Error:
        """The reply to one of `CLASSIFIER_COMMANDS`, or the error it is refused with.

        Raises:
            WireError: The request breaks the wire specification.
        """
        match (command, op):
            case (wire.ClassifierReply.COMMAND, Op.READ):
                return self.status().to_map()
            case (wire.NetworkReply.COMMAND, Op.READ):
                return self.network()
            case (wire.NetworkRequest.COMMAND, Op.WRITE):
                return self.take(wire.NetworkRequest.from_map(body)) or self.network()
            case (wire.FeaturesRequest.COMMAND, Op.WRITE):
                return self.take_features(wire.FeaturesRequest.from_map(body))
        return wire.Error.UNKNOWN

    def take(self, request: wire.NetworkRequest) -> wire.Error:
        """One piece of an upload."""
        if request.length is not None and request.offset == 0 and request.length != self._length:
            if not 0 < request.length <= MOST_BYTES:
                return wire.Error.RANGE
            self._length, self._received = request.length, b""
        if not self._length:
            return wire.Error.BUSY if request.data else wire.Error.OK
        end = request.offset + len(request.data)
        if request.offset > len(self._received) or end > self._length:
            return wire.Error.RANGE
        self._received += request.data[len(self._received) - request.offset :]
        return self._finish() if len(self._received) == self._length else wire.Error.OK

    def take_features(self, request: wire.FeaturesRequest) -> Mapping[str, object]:
        """The reply to `features`."""
        rows = self.features[request.row * _BANDS : (request.row + _ROWS) * _BANDS]
        return wire.FeaturesReply(self.found.windows, request.row, rows).to_map()

    def _finish(self) -> wire.Error:
        file, self._length = self._received, 0
        if not file.startswith(_MAGIC):
            self.refused, self._received = _ERR_UNKNOWN, b""
            return wire.Error.MALFORMED
        self.previous, self.refused = self.found.model, 0
        self.uploads += 1
        found = {name: getattr(self.found, name) for name in self.found.__slots__}
        model = int.from_bytes(hashlib.sha256(file).digest()[:4])
        self.found = wire.Classification(**(found | {"model": model, "shadow_model": self.previous}))
        return wire.Error.OK
