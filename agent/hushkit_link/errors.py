"""What can go wrong on the serial line."""


class LinkError(Exception):
    """Root of the errors of this package: says what was found, what was expected and what to do."""


class WireError(LinkError):
    """A telemetry frame or a CBOR map that the wire specification does not allow."""


class RangeError(WireError):
    """A field whose value the wire specification does not allow."""


class SmpError(LinkError):
    """An SMP packet that cannot be read, or cannot be sent."""
