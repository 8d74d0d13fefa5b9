"""What goes wrong in the local IoT Core and in the fleet tools."""


class IotError(Exception):
    """Root of this package's errors; the message says what was found, what was expected and what to do."""


class LocalCoreError(IotError):
    """The local IoT Core cannot start, stop or answer."""


class FleetError(IotError):
    """A fleet operation cannot be carried out."""


class SchemaError(IotError):
    """A document breaks its schema."""
