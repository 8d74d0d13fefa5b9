"""Integer design to C: rendering, writing, and comparing with what is committed."""

from hushkit_codegen.emit.files import Difference, compare_files, write_files
from hushkit_codegen.emit.render import emit_headset

__all__ = ["Difference", "compare_files", "emit_headset", "write_files"]
