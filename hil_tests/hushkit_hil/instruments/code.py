"""What the plugin hooks in an image: where functions lie, and by which instructions they return."""

from bisect import bisect_right
from dataclasses import dataclass
from pathlib import Path

from elftools.elf.elffile import ELFFile
from elftools.elf.sections import SymbolTableSection

from hushkit_hil.errors import BenchError

_EXECUTABLE = 0x4  # ELF section flag


@dataclass(frozen=True, slots=True)
class Function:
    """One function: address with the Thumb bit clear, and size in bytes."""

    name: str
    address: int
    size: int


class Code:
    """The functions of one ELF file, which ``hushkit.image.read_image`` has accepted."""

    def __init__(self, elf: Path) -> None:
        self._elf = elf
        with elf.open("rb") as file:
            image = ELFFile(file)
            table = image.get_section_by_name(".symtab")
            if not isinstance(table, SymbolTableSection):
                raise BenchError(f"{elf} has no symbols; the bench needs an unstripped image")
            functions = [
                Function(symbol.name, int(symbol["st_value"]) & ~1, int(symbol["st_size"]))
                for symbol in table.iter_symbols()
                if symbol["st_info"]["type"] == "STT_FUNC" and symbol["st_size"] > 0
            ]
            self._sections = [
                (int(section["sh_addr"]), bytes(section.data()))
                for section in image.iter_sections()
                if section["sh_flags"] & _EXECUTABLE
            ]
        self._functions = sorted(functions, key=lambda function: function.address)
        self._starts = [function.address for function in self._functions]
        self._by_name = {function.name: function for function in functions}

    def function(self, name: str) -> Function:
        """A function by name.

        Raises:
            BenchError: There is none of known size.
        """
        if name not in self._by_name:
            raise BenchError(f"{self._elf} has no function {name}; it is an older firmware: rebuild it")
        return self._by_name[name]

    def has(self, name: str) -> bool:
        """Whether there is such a function."""
        return name in self._by_name

    def function_at(self, address: int) -> Function | None:
        """The function that holds an address."""
        index = bisect_right(self._starts, address) - 1
        if index < 0 or address >= self._functions[index].address + self._functions[index].size:
            return None
        return self._functions[index]

    def returns_of(self, name: str) -> list[int]:
        """Addresses of the instructions by which a handler returns, through functions it jumps to at its end.

        Raises:
            BenchError: There is none, so its end cannot be seen.
        """
        found: list[int] = []
        waiting, seen = [self.function(name)], set()
        while waiting:
            function = waiting.pop()
            if function.address in seen:
                continue
            seen.add(function.address)
            for address, first, second in self._instructions(function):
                if _is_return(first, second):
                    found.append(address)
                target = _jump_target(address, first, second)
                if target is not None and not function.address <= target < function.address + function.size:
                    next_function = self.function_at(target)
                    if next_function is not None:
                        waiting.append(next_function)
        if not found:
            raise BenchError(f"{self._elf}: {name} has no return instruction the bench knows")
        return sorted(found)

    def _instructions(self, function: Function) -> list[tuple[int, int, int | None]]:
        """Address and halfwords; a literal pool reads as instructions too, which at worst adds hooks that never run."""
        start, section = next(s for s in self._sections if s[0] <= function.address < s[0] + len(s[1]))
        code = section[function.address - start : function.address - start + function.size]
        halfwords = [int.from_bytes(code[i : i + 2], "little") for i in range(0, len(code) - 1, 2)]
        instructions: list[tuple[int, int, int | None]] = []
        at = 0
        while at < len(halfwords):
            is_wide = halfwords[at] >> 11 in {0b11101, 0b11110, 0b11111} and at + 1 < len(halfwords)
            instructions.append((function.address + 2 * at, halfwords[at], halfwords[at + 1] if is_wide else None))
            at += 2 if is_wide else 1
        return instructions


def _is_return(first: int, second: int | None) -> bool:
    if second is None:
        return first == 0x4770 or first >> 8 == 0xBD  # BX LR, POP {..., PC}
    is_pop = first == 0xE8BD and second & 0x8000 != 0  # LDMIA SP!, {..., PC}
    return is_pop or (first == 0xF85D and second == 0xFB04)  # LDR PC, [SP], #4


def _jump_target(address: int, first: int, second: int | None) -> int | None:
    """Target of an unconditional branch without link (B.W, encoding T4; B, encoding T2)."""
    if second is None:
        if first >> 11 != 0b11100:
            return None
        offset = (first & 0x7FF) << 1
        return address + 4 + (offset - 0x1000 if offset & 0x800 else offset)
    if first >> 11 != 0b11110 or second & 0xD000 != 0x9000:
        return None
    sign = first >> 10 & 1
    high = (1 - ((second >> 13 & 1) ^ sign)) << 23 | (1 - ((second >> 11 & 1) ^ sign)) << 22
    offset = high | (first & 0x3FF) << 12 | (second & 0x7FF) << 1
    return address + 4 + offset - (sign << 24)
