"""Tables of the classifier to C. Pure: the same tables give the same bytes."""

from typing import Final

import jinja2

from hushkit_codegen.frontend.tables import FrontendIr, design_frontend

_OUTPUTS: Final = ("hk_frontend_tables.h", "hk_decision_tables.h")
_FOLDER: Final = "firmware/generated/frontend"
_PER_LINE: Final = 8


def emit_frontend(ir: FrontendIr | None = None) -> dict[str, str]:
    """Render the tables.

    Args:
        ir: The tables; those of the project's own front end when None.

    Returns:
        Text by path relative to the repository's root.
    """
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("hushkit_codegen.frontend"),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,  # noqa: S701 - the output is C
    )
    environment.filters["lines"] = _lines
    tables = ir or design_frontend()
    return {f"{_FOLDER}/{name}": environment.get_template(f"{name}.j2").render(ir=tables) for name in _OUTPUTS}


def _lines(values: tuple[int, ...]) -> str:
    rows = [values[at : at + _PER_LINE] for at in range(0, len(values), _PER_LINE)]
    return "\n".join("    " + " ".join(f"{value}," for value in row) for row in rows)
