"""The ``hushkit`` command: finds its subcommands through entry points, so a missing extra costs one subcommand."""

import argparse
import sys
from collections.abc import Sequence
from importlib.metadata import EntryPoint, entry_points
from types import ModuleType

from hushkit.threads import use_one_thread

_GROUP = "hushkit.commands"
_DESCRIPTION = "Design, build, prove and operate noise-cancelling headsets."
_EPILOG = (
    "Exit status: 0 success, 1 what was checked falls short, 2 bad input. "
    "`hushkit COMMAND --help` explains one command."
)

EXIT_BAD_INPUT = 2


def main(argv: Sequence[str] | None = None) -> int:
    """Run one subcommand.

    Args:
        argv: Arguments without the program name; ``sys.argv`` when None.

    Returns:
        0 on success, 1 when what was checked falls short, 2 on bad input.
    """
    use_one_thread()
    arguments = list(sys.argv[1:] if argv is None else argv)
    available = {point.name: point for point in entry_points(group=_GROUP)}
    wanted = next((word for word in arguments if not word.startswith("-")), None)
    if wanted in available:
        return _run(available[wanted], arguments)
    parser = argparse.ArgumentParser(prog="hushkit", description=_DESCRIPTION, epilog=_EPILOG)
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for name in sorted(available):
        commands.add_parser(name, help=_summary(available[name]), add_help=False)
    parser.parse_args(arguments)
    return 0


def _run(point: EntryPoint, arguments: list[str]) -> int:
    try:
        command: ModuleType = point.load()
    except ModuleNotFoundError as err:
        extra = _extra_of(point)
        advice = f"install it with: pip install 'hushkit[{extra}]'"
        print(f"hushkit {point.name}: module {err.name} is not installed; {advice}", file=sys.stderr)
        return EXIT_BAD_INPUT
    parser = argparse.ArgumentParser(
        prog=f"hushkit {point.name}",
        description=command.__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    command.add_arguments(parser)
    at = arguments.index(point.name)
    options = parser.parse_args(arguments[:at] + arguments[at + 1 :])
    try:
        return int(command.run(options))
    except command.ERRORS as err:
        print(f"hushkit {point.name}: {err}", file=sys.stderr)
        return EXIT_BAD_INPUT


def _extra_of(point: EntryPoint) -> str:
    package = point.value.split(".", maxsplit=1)[0]
    return {"hushkit_agent": "agent", "hushkit_iot": "cloud"}.get(package, "toolchain")


def _summary(point: EntryPoint) -> str:
    try:
        return str(point.load().HELP)
    except ModuleNotFoundError as err:
        return f"(needs the {_extra_of(point)} extra: module {err.name} is not installed)"
