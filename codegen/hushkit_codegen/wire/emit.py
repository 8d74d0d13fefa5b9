"""Wire specification to text: C codec, Python messages, reference table, fuzz seeds.

Pure: no clock, path, user or tool version reaches the text, so regenerating and comparing bytes proves that the
committed files are current.
"""

import textwrap
from collections.abc import Iterable
from typing import Final

import jinja2

from hushkit_codegen.wire.corpus import emit_corpus
from hushkit_codegen.wire.spec import Field, Key, Message, WireSpec, load_wire_spec

_OUTPUTS: Final = {
    "firmware/generated/wire/hk_wire.h": "hk_wire.h.j2",
    "firmware/generated/wire/hk_wire.c": "hk_wire.c.j2",
    "agent/hushkit_link/wire.py": "wire.py.j2",
    "docs/wire.md": "wire.md.j2",
}
CORPUS: Final = "agent/tests/corpus/telemetry_seeds.hex"


def emit_wire(spec: WireSpec | None = None) -> dict[str, str]:
    """Render everything that comes from the wire specification.

    Args:
        spec: The specification; the project's own when None.

    Returns:
        Text per file, by path relative to the repository's root.

    Raises:
        WireSpecError: The project's specification breaks a rule.
    """
    spec = spec if spec is not None else load_wire_spec()
    environment = _environment()
    files = {path: environment.get_template(template).render(spec=spec) for path, template in _OUTPUTS.items()}
    files[CORPUS] = emit_corpus(spec)
    return files


def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("hushkit_codegen.wire"),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,  # noqa: S701 - the output is C, Python and Markdown, never HTML
    )
    environment.filters |= {
        "camel": _camel,
        "hex_byte": lambda value: f"0x{value:02X}",
        "hex_bytes": lambda data: [f"0x{byte:02X}U" for byte in data],
        "offsets": _offsets,
        "all_keys": lambda command: {key.name: key for key in (*command.request, *command.reply)}.values(),
        "type_name": _type_name,
        "range_text": _range_text,
        "pad": lambda text, width: text.ljust(width),
        "c_comment": _c_comment,
        "c_quantity": _c_quantity,
        "c_type": _c_type,
        "c_member": _c_member,
        "c_literal": _c_literal,
        "c_at": lambda offset: f"at + {offset}" if offset else "at",
        "c_outside": _c_outside,
        "py_layout": _py_layout,
        "py_type": _py_type,
        "py_rule": _py_rule,
        "py_doc": _py_doc,
        "py_key_type": _py_key_type,
        "py_key_rule": _py_key_rule,
    }
    environment.tests |= {
        "narrowed": _narrowed,
        "checked": lambda message: any(_narrowed(field) for field in message.fields),
    }
    return environment


def _camel(name: str) -> str:
    return "".join(part.capitalize() for part in name.split("_"))


def _offsets(message: Message) -> Iterable[tuple[Field, int]]:
    offset = 0
    for field in message.fields:
        yield field, offset
        offset += field.size


def _natural(field: Field) -> tuple[int, int]:
    bits = 8 * field.size
    return (-(1 << (bits - 1)), (1 << (bits - 1)) - 1) if field.signed else (0, (1 << bits) - 1)


def _narrowed(field: Field) -> bool:
    """Whether the field's width holds values that are neither in range nor the absent value."""
    if field.kind == "bytes":
        return False
    low, high = _natural(field)
    legal = field.maximum - field.minimum + 1 + (field.absent is not None)
    return legal < high - low + 1


def _per_unit(scale: float) -> int:
    return round(1 / scale)


def _number(raw: int, scale: float | None) -> str:
    return f"{raw / _per_unit(scale):g}" if scale else str(raw)


def _range_text(item: Field | Key) -> str:
    if item.kind == "bytes" and isinstance(item, Field):
        return ""
    if item.enum is not None:
        return ", ".join(name for name, _ in item.enum.values)
    unit = " bytes" if item.kind in {"text", "bytes"} else ""
    return f"{_number(item.minimum, item.scale)} … {_number(item.maximum, item.scale)}{unit}"


def _type_name(item: Field | Key) -> str:
    if item.enum is not None:
        return f"{item.enum.name} (u8)" if isinstance(item, Field) else f"{item.enum.name} (uint)"
    if isinstance(item, Key):
        return item.kind
    return f"bytes[{item.size}]" if item.kind == "bytes" else f"{'i' if item.signed else 'u'}{item.size * 8}"


def _c_comment(text: str, indent: int) -> str:
    """C comment of at most 120 columns, one line where it fits."""
    if indent + len(text) + 6 <= 120:
        return f"/* {text} */"
    start = " " * indent
    lines = textwrap.wrap(text, width=116 - indent)
    return "/*\n" + "".join(f"{start} * {line}\n" for line in lines) + f"{start} */"


def _c_quantity(item: Field | Key) -> str:
    quantity = " ".join(part for part in (f"{item.scale:g}" if item.scale else "", item.unit) if part)
    return f" /* {quantity} */" if quantity else ""


def _c_type(field: Field) -> str:
    return f"{'' if field.signed else 'u'}int{8 * field.size}_t"


def _c_member(field: Field) -> str:
    return f"uint8_t {field.name}[{field.size}]" if field.kind == "bytes" else f"{_c_type(field)} {field.name}"


def _c_literal(value: int, field: Field) -> str:
    if not field.signed:
        return f"{value}{'UL' if field.size == 4 else 'U'}"
    return f"({value})" if value < 0 else str(value)


def _c_outside(field: Field) -> str:
    """C expression that is true when the raw value is illegal."""
    low, high = _natural(field)
    name = f"m->{field.name}"
    bounds = []
    if field.minimum > low:
        bounds.append(f"{name} < {_c_literal(field.minimum, field)}")
    if field.maximum < high:
        bounds.append(f"{name} > {_c_literal(field.maximum, field)}")
    outside = " || ".join(bounds)
    if field.absent is None:
        return outside
    return f"{name} != {_c_literal(field.absent, field)} && ({outside})"


def _py_layout(message: Message) -> str:
    letters = {(1, False): "B", (2, False): "H", (4, False): "I", (1, True): "b", (2, True): "h", (4, True): "i"}
    return "".join(f"{f.size}s" if f.kind == "bytes" else letters[f.size, f.signed] for f in message.fields)


def _py_type(field: Field) -> str:
    if field.kind == "bytes":
        return "bytes"
    if field.enum is not None:
        return _camel(field.enum.name)
    return ("float" if field.scale else "int") + (" | None" if field.absent is not None else "")


def _py_rule(field: Field, message: str) -> str:
    place = f'"{message}.{field.name}"'
    if field.kind == "bytes":
        return f"Blob({place}, {field.size}, {field.size})"
    if field.enum is not None:
        return f"Choice({place}, {_camel(field.enum.name)})"
    bounds = f"{field.minimum}, {field.maximum}"
    optional, absent = ("", "") if field.absent is None else ("Optional", f", absent={field.absent}")
    if field.scale:
        return f"{optional}Scaled({place}, {bounds}, per_unit={_per_unit(field.scale)}{absent})"
    return f"{optional}Count({place}, {bounds}{absent})"


def _py_doc(item: Field | Key) -> str:
    detail = ", ".join(part for part in (item.unit and f"in {item.unit}", _legal(item)) if part)
    text = f"{item.name}: {item.doc.rstrip('.')} ({detail})." if detail else f"{item.name}: {item.doc}"
    return textwrap.fill(text, width=112, subsequent_indent=" " * 12)


def _legal(item: Field | Key) -> str:
    if item.enum is not None or item.kind in {"bytes", "text"}:
        return ""
    if isinstance(item, Field) and not item.scale and (item.minimum, item.maximum) == _natural(item):
        return ""
    return f"{_number(item.minimum, item.scale)}..{_number(item.maximum, item.scale)}"


def _py_key_type(key: Key) -> str:
    kinds = {"text": "str", "bytes": "bytes", "uint": "float" if key.scale else "int"}
    kind = _camel(key.enum.name) if key.enum is not None else kinds[key.kind]
    return f"{kind} | None" if key.optional else kind


def _py_key_rule(key: Key, command: str) -> str:
    place = f'"{command}.{key.name}"'
    bounds = f"{key.minimum}, {key.maximum}"
    if key.enum is not None:
        return f"Choice({place}, {_camel(key.enum.name)})"
    if key.kind == "uint":
        return (
            f"Scaled({place}, {bounds}, per_unit={_per_unit(key.scale)})" if key.scale else f"Count({place}, {bounds})"
        )
    return f"{'Text' if key.kind == 'text' else 'Blob'}({place}, {bounds})"
