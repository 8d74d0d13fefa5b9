"""The classifier's front end as constants for C: one file, the same for every headset."""

from hushkit_codegen.frontend.emit import emit_frontend

__all__ = ["emit_frontend"]
