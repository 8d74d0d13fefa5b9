"""Put a spec's firmware on a headset and start it.

    hushkit flash flagship-m7                     build, boot in QEMU, leave it running
    hushkit flash flagship-m7 --pty               the same, its serial line on a pseudo terminal (smpmgr wants one)
    hushkit flash flagship-m7 --off               switch that emulated headset off
    hushkit monitor                               watch its serial line

On QEMU, flashing is booting: the headset keeps running, like a board on the desk, until it is flashed again or switched
off; its serial line is a TCP port of this machine, or with --pty a device file.
"""

import argparse
from pathlib import Path

from hushkit.build import board_of, build_firmware
from hushkit.emulator import HOST, EmulatorError, boot_detached, boot_on_terminal, switch_off
from hushkit.errors import InputError
from hushkit.generated import generated_code
from hushkit.image import read_image
from hushkit.project import project_root
from hushkit.spec import load_spec
from hushkit.target import HELP as TARGET_HELP
from hushkit.target import parse_target

HELP = "put the firmware of a spec on a headset"
ERRORS: tuple[type[Exception], ...] = (InputError, EmulatorError)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command line."""
    parser.add_argument("spec", metavar="SPEC", help="name of a shipped spec, or a TOML file")
    parser.add_argument("--target", default="qemu", metavar="T", help=TARGET_HELP)
    parser.add_argument("--elf", type=Path, metavar="FILE", help="flash this image instead of building the spec")
    parser.add_argument("--pty", action="store_true", help="offer the serial line as a device file, not as a TCP port")
    parser.add_argument("--off", action="store_true", help="switch the emulated headset off instead")


def run(options: argparse.Namespace) -> int:
    """Flash; 0 when the headset runs."""
    target = parse_target(options.target)
    if target.kind != "qemu":
        raise InputError(
            f"cannot flash {target}: the firmware has one image slot and takes no upload yet; "
            "flash a board with its own probe, or use --target qemu"
        )
    spec = load_spec(options.spec)
    board = board_of(spec.core.type)
    folder = project_root() / ".pio" / "emulated"
    if options.off:
        print("switched off" if switch_off(board, folder) else f"no emulated {board.core} was running")
        return 0
    if options.elf is not None:
        image = read_image(options.elf, core=spec.core.type)
    else:
        image = build_firmware(spec, generated=generated_code(spec)).image
    if options.pty:
        device = boot_on_terminal(board, image.elf, folder)
    else:
        device = f"socket://{HOST}:{boot_detached(board, image.elf, folder)}"
    print(
        f"{spec.name} runs on {board.machine}, build {image.build_id[:16]}\n"
        f"serial line  {device}\n"
        f"watch        hushkit monitor --target serial:{device}\n"
        f"switch off   hushkit flash {options.spec} --off"
    )
    return 0
