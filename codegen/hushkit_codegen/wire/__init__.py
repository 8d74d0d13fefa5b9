"""From ``codegen/specs/wire.toml`` to both codecs of the serial line, their reference table and fuzz seeds."""

from hushkit_codegen.wire.emit import emit_wire
from hushkit_codegen.wire.spec import WireSpec, WireSpecError, load_wire_spec

__all__ = ["WireSpec", "WireSpecError", "emit_wire", "load_wire_spec"]
