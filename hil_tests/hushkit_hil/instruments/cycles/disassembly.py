"""Read a program's instructions and functions out of an ELF file with ``objdump``.

The cycle models work on text operands: GNU ``objdump`` names every instruction of Armv7E-M and Armv8.1-M (Helium
included), is part of the toolchain that built the file, and needs no further dependency.
"""

import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

_LINE = re.compile(r"^\s*([0-9a-f]+):\s+((?:[0-9a-f]{4} ?){1,2})\s*\t(\S+)(?:\t(.*))?$")
_UNKNOWN = re.compile(r"^\s*([0-9a-f]+):\s+((?:[0-9a-f]{4} ?){1,2})\s*@ <UNDEFINED>")
UNKNOWN = "unknown"  # mnemonic of what objdump does not know: binutils 2.40 lacks Helium's long scalar shifts
_LABEL = re.compile(r"^([0-9a-f]+) <([^>]+)>:$")
_TARGET = re.compile(r"^(?:.*\s)?([0-9a-f]+) <[^>]*>$")


class CycleModelError(Exception):
    """The cycle model cannot account for its input; the message says what to do."""


@dataclass(frozen=True, slots=True)
class Instruction:
    """One machine instruction.

    ``size`` is in bytes; ``operands`` is objdump's text without comments; ``target`` is the address of an immediate
    branch, else None.
    """

    address: int
    size: int
    mnemonic: str
    operands: str
    target: int | None

    @property
    def next_address(self) -> int:
        """Address of the instruction behind this one."""
        return self.address + self.size


@dataclass(frozen=True, slots=True)
class Program:
    """All instructions of an ELF file by address, and its functions as (start, name), ascending."""

    instructions: Mapping[int, Instruction]
    functions: tuple[tuple[int, str], ...]

    def function_at(self, address: int) -> str:
        """Name of the function that holds ``address``; ``"?"`` in front of the first one."""
        low, high = 0, len(self.functions)
        while low < high:
            middle = (low + high) // 2
            if self.functions[middle][0] <= address:
                low = middle + 1
            else:
                high = middle
        return self.functions[low - 1][1] if low else "?"

    def run(self, address: int, count: int) -> tuple[Instruction, ...]:
        """``count`` consecutive instructions from ``address``.

        Raises:
            CycleModelError: The range holds data or leaves the program: trace and ELF file do not belong together.
        """
        found: list[Instruction] = []
        for _ in range(count):
            instruction = self.instructions.get(address)
            if instruction is None:
                raise CycleModelError(
                    f"no instruction at 0x{address:08x}, expected code there; "
                    "use the ELF file that the trace was recorded with"
                )
            found.append(instruction)
            address = instruction.next_address
        return tuple(found)


def disassemble(elf: Path, *, helium: bool = False) -> Program:
    """Disassemble every executable section of ``elf``; with ``helium`` vector instructions get their names.

    Raises:
        CycleModelError: The file is missing, is no Arm ELF file, or the cross toolchain is not installed.
    """
    if not elf.is_file():
        raise CycleModelError(f"{elf}: no such file, expected an ELF file; build it first")
    return _disassemble(elf, elf.stat().st_mtime_ns, helium)


@lru_cache(maxsize=8)
def _disassemble(elf: Path, _modified_ns: int, helium: bool) -> Program:
    command = ["arm-none-eabi-objdump", "-d", "-w", *(["-marmv8.1-m.main"] if helium else []), str(elf)]
    try:
        text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    except FileNotFoundError as err:
        raise CycleModelError("arm-none-eabi-objdump is not on PATH; install gcc-arm-none-eabi") from err
    except subprocess.CalledProcessError as err:
        raise CycleModelError(f"{elf}: objdump failed, expected an Arm ELF file: {err.stderr.strip()}") from err
    return parse_listing(text)


def parse_listing(text: str) -> Program:
    """Parse ``objdump -d -w`` output; data words inside code are skipped."""
    instructions: dict[int, Instruction] = {}
    functions: list[tuple[int, str]] = []
    for line in text.splitlines():
        label = _LABEL.match(line)
        if label:
            if not label[2].startswith("$"):
                functions.append((int(label[1], 16), label[2]))
            continue
        unknown = _UNKNOWN.match(line)
        if unknown:
            address, size = int(unknown[1], 16), len(unknown[2].split()) * 2
            instructions[address] = Instruction(address, size, UNKNOWN, "", None)
            continue
        match = _LINE.match(line)
        if not match or match[3].startswith("."):
            continue
        address = int(match[1], 16)
        operands = re.split(r"\s*[@;]\s", match[4] or "")[0].strip()
        branch = _TARGET.match(operands)
        instructions[address] = Instruction(
            address=address,
            size=len(match[2].split()) * 2,
            mnemonic=match[3].lower(),
            operands=operands,
            target=int(branch[1], 16) if branch else None,
        )
    return Program(instructions, tuple(sorted(functions)))
