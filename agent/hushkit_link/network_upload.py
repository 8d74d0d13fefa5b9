"""Upload of a network file to a headset's slot, piece by piece. Pure: replies in, requests out.

The first request begins the upload, or goes on with one of the same length that was cut off: the headset's reply tells
where. The last piece has the whole file checked; a refusal of it is final, and leaves the network that runs.
"""

from typing import Final

from hushkit_link import wire

PIECE: Final = 512
"""Bytes per request: with base64 and lines some 730 on the wire, 64 ms at 115200 baud."""


class NetworkUpload:
    """One upload.

    Args:
        file: What ``hushkit network compile`` wrote.
    """

    def __init__(self, file: bytes) -> None:
        self._file = file
        self._offset = 0

    @property
    def sent(self) -> int:
        """Bytes that the headset has."""
        return self._offset

    @property
    def is_done(self) -> bool:
        """Whether the headset has all of it, and accepted it."""
        return self._offset >= len(self._file)

    def request(self) -> wire.NetworkRequest:
        """The next request."""
        at = self._offset
        return wire.NetworkRequest(at, self._file[at : at + PIECE], len(self._file) if at == 0 else None)

    def take(self, reply: wire.NetworkReply) -> None:
        """A request succeeded."""
        self._offset = reply.offset

    def refusal(self, code: int) -> str | None:
        """Why an error ends the upload; None where it begins anew, because the headset knows nothing of it any more."""
        last = self._offset + PIECE >= len(self._file)
        if code == wire.Error.BUSY and self._offset > 0 and not last:
            self._offset = 0
            return None
        name = wire.Error(code).name.lower() if code in set(wire.Error) else f"code {code}"
        if last:
            return f"the headset refused the file ({name}); read `network` for the reason"
        return f"the headset refused bytes from {self._offset} on ({name})"
