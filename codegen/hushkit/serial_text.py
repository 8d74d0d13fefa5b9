"""What a person reads of a serial line that text, SMP lines and telemetry frames share."""

_SMP_MARKS = (b"\x06\x09", b"\x04\x14")
_DELIMITER = 0
_LONGEST = 4096  # a line or frame longer than this is shown in pieces


class SerialText:
    """Turns received bytes into lines to show. Feed it in any pieces."""

    def __init__(self) -> None:
        self._waiting = bytearray()
        self._in_frame = False
        self.started = False

    def feed(self, received: bytes) -> list[str]:
        """Lines that these bytes complete."""
        self.started = self.started or bool(received)
        shown = []
        for byte in received:
            if byte == _DELIMITER:
                shown += self._take_frame()
            elif byte == ord("\n") and not self._in_frame:
                shown.append(self._take_line())
            else:
                self._waiting.append(byte)
                if len(self._waiting) >= _LONGEST:
                    shown.append(self._take_line())
        return shown

    def _take_frame(self) -> list[str]:
        """A delimiter: the end of a frame, or of nothing when it begins one."""
        held = bytes(self._waiting)
        self._waiting.clear()
        if self._in_frame and held:
            self._in_frame = False
            return [f"<telemetry, {len(held)} bytes: {held.hex()}>"]
        self._in_frame = True
        return [_printable(held)] if held else []

    def _take_line(self) -> str:
        held = bytes(self._waiting)
        self._waiting.clear()
        self._in_frame = False
        if held[:2] in _SMP_MARKS:
            return f"<management, {len(held)} bytes: {held[2:].decode('ascii', 'replace')}>"
        return _printable(held)


def _printable(raw: bytes) -> str:
    return "".join(chr(byte) if 32 <= byte < 127 or byte == 9 else f"\\x{byte:02x}" for byte in raw.rstrip(b"\r"))
