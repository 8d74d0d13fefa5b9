"""Print kernels: IR to C with assembly bodies, and the portable C of the same functions. Decides nothing."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import jinja2

from hushkit_codegen.kernels.ir import Kernel, Loop, Op, loop_body, loop_entry


@dataclass(frozen=True, slots=True)
class Line:
    """One line of assembly text and its note."""

    text: str
    note: str


def kernel_lines(steps: Sequence[Op | Loop]) -> list[Line]:
    """The text of steps, each loop printed once."""
    lines: list[Line] = []
    for step in steps:
        if isinstance(step, Op):
            lines.append(Line(step.text, step.note))
            continue
        lines += [Line(op.text, op.note) for op in loop_entry(step)]
        lines.append(Line(".p2align 2", ""))
        lines.append(Line(f"{step.label}:", f"{step.count} times"))
        lines += kernel_lines(loop_body(step))
    return lines


def print_kernel(kernel: Kernel) -> str:
    """Render one kernel as a naked C function."""
    return environment().get_template("kernel.c.j2").render(kernel=kernel, lines=kernel_lines(kernel.steps))


def environment() -> jinja2.Environment:
    """Template environment of the kernels."""
    found: Final = jinja2.Environment(
        loader=jinja2.PackageLoader("hushkit_codegen.kernels"),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,  # noqa: S701 - the output is C
    )
    return found
