"""What the bench reads from a firmware image: symbols, return instructions, build id."""

from bisect import bisect_right
from dataclasses import dataclass
from pathlib import Path

from elftools.common.exceptions import ELFError
from elftools.elf.elffile import ELFFile
from elftools.elf.sections import SymbolTableSection

from hushkit_hil.errors import BenchError

_MACHINE = "EM_ARM"
_BUILD_ID_BYTES = 20


@dataclass(frozen=True, slots=True)
class Function:
    """One function: address with the Thumb bit clear, and size in bytes."""

    name: str
    address: int
    size: int


class Image:
    """One ELF file, read completely at construction.

    Raises:
        BenchError: No such file, not an ELF file for Arm, or stripped.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            with path.open("rb") as file:
                elf = ELFFile(file)
                if elf["e_machine"] != _MACHINE:
                    raise BenchError(f"{path}: found an ELF file for {elf['e_machine']}, expected {_MACHINE}")
                self._read(elf)
        except FileNotFoundError as err:
            raise BenchError(f"no image at {path}; build it with `hushkit build`") from err
        except ELFError as err:
            raise BenchError(f"{path} is not an ELF file ({err}); build it with `hushkit build`") from err

    def _read(self, elf: ELFFile) -> None:
        table = elf.get_section_by_name(".symtab")
        if not isinstance(table, SymbolTableSection):
            raise BenchError(f"{self.path} has no symbols; the bench needs an unstripped image")
        self._symbols = {symbol.name: int(symbol["st_value"]) for symbol in table.iter_symbols() if symbol.name}
        functions = {
            int(symbol["st_value"]) & ~1: Function(symbol.name, int(symbol["st_value"]) & ~1, int(symbol["st_size"]))
            for symbol in table.iter_symbols()
            if symbol["st_info"]["type"] == "STT_FUNC" and symbol["st_size"] > 0
        }
        self._functions = [functions[address] for address in sorted(functions)]
        self._starts = [function.address for function in self._functions]
        self._contents = [
            (int(section["sh_addr"]), bytes(section.data()))
            for section in elf.iter_sections()
            if section["sh_type"] != "SHT_NOBITS" and section["sh_addr"] + section["sh_size"] > 0
        ]
        self.flash_bytes, self.ram_bytes = _sizes(elf)

    def symbol(self, name: str) -> int:
        """Address of a symbol; everything asked for is aligned, so a set bit 0 is a function's Thumb bit and cleared.

        Raises:
            BenchError: No such symbol.
        """
        if name not in self._symbols:
            raise BenchError(
                f"{self.path} has no symbol {name}; it is no Hushkit firmware, or an older one: rebuild it"
            )
        return self._symbols[name] & ~1

    def has(self, name: str) -> bool:
        """Whether there is such a symbol."""
        return name in self._symbols

    def function(self, name: str) -> Function:
        """A function by name. Raises BenchError when there is none."""
        address = self.symbol(name)
        found = self.function_at(address)
        if found is None or found.address != address:
            raise BenchError(f"{self.path}: {name} is not a function of known size")
        return found

    def function_at(self, address: int) -> Function | None:
        """The function that holds an address."""
        index = bisect_right(self._starts, address) - 1
        if index < 0 or address >= self._functions[index].address + self._functions[index].size:
            return None
        return self._functions[index]

    def data(self, address: int, size: int) -> bytes:
        """Initial contents of memory. Raises BenchError when the image holds none there."""
        for start, contents in self._contents:
            if start <= address and address + size <= start + len(contents):
                return contents[address - start : address - start + size]
        raise BenchError(f"{self.path} holds no {size} bytes at {address:#x}")

    @property
    def build_id(self) -> bytes:
        """The image's digest, 20 bytes."""
        return self.data(self.symbol("hk_build_id"), _BUILD_ID_BYTES)

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
            raise BenchError(f"{self.path}: {name} has no return instruction the bench knows")
        return sorted(found)

    def _instructions(self, function: Function) -> list[tuple[int, int, int | None]]:
        """Address and halfwords; a literal pool reads as instructions too, which at worst adds hooks that never run."""
        code = self.data(function.address, function.size)
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


def _sizes(elf: ELFFile) -> tuple[int, int]:
    """Bytes of flash and of RAM, as a linker counts them: initialised data takes both."""
    flash = ram = 0
    for segment in elf.iter_segments():
        if segment["p_type"] == "PT_LOAD":
            flash += int(segment["p_filesz"])
    for section in elf.iter_sections():
        if section["sh_flags"] & 0x3 == 0x3:  # writable, allocated
            ram += int(section["sh_size"])
    return flash, ram
