"""What can go wrong between a headset spec and its C."""

from hushkit.errors import InputError


class CodegenError(InputError):
    """Root of the generator's errors."""


class DesignError(CodegenError):
    """A spec or its path set cannot be designed: says what was found, what was expected and what to do."""


class IrError(CodegenError):
    """A stored integer design cannot be used."""


class EmitError(CodegenError):
    """Generated files cannot be written or compared."""
