"""A firmware image on disk: whether it is ours, for which core, and what it occupies."""

from dataclasses import dataclass
from pathlib import Path

from elftools.common.exceptions import ELFError
from elftools.elf.elffile import ELFFile
from elftools.elf.sections import NoteSection, Symbol, SymbolTableSection

from hushkit.build_plan import CORE_SYMBOL
from hushkit.errors import InputError

_CORES = {0xC24: "cortex-m4", 0xC27: "cortex-m7", 0xD21: "cortex-m33", 0xD22: "cortex-m55"}
_BUILD_ID = ".note.gnu.build-id"
_WRITE, _ALLOCATE = 0x1, 0x2  # ELF section flags


@dataclass(frozen=True, slots=True)
class Image:
    """What an ELF file of ours holds. Sizes in bytes.

    Attributes:
        sections: Size of each section that occupies flash or RAM.
        flash_bytes: What lies in flash: the slot's header, code, constants, and the start values of data.
        ram_bytes: What lies in RAM: stacks, data, and what starts as zero or is kept over a reset.
        symbols: Address of each function and object, with the Thumb bit cleared.
    """

    elf: Path
    core: str
    build_id: str
    sections: dict[str, int]
    flash_bytes: int
    ram_bytes: int
    stack_bytes: int
    symbols: dict[str, int]


def read_image(elf: Path, *, core: str | None = None) -> Image:
    """Read an image of ours.

    Args:
        elf: The file.
        core: Core it has to be for, e.g. ``cortex-m7``; None: any.

    Raises:
        InputError: No such file, not an ELF file, not for Arm, not built from this firmware, or for another core.
    """
    try:
        with elf.open("rb") as stream:
            image = _read(elf, ELFFile(stream))
    except OSError as err:
        raise InputError(f"cannot read {elf}: {err.strerror}; build it with `hushkit build`") from err
    except ELFError as err:
        raise InputError(f"{elf} is not an ELF file ({err}); expected firmware.elf of `hushkit build`") from err
    if core is not None and image.core != core:
        raise InputError(f"{elf} is built for {image.core}, expected {core}; build the spec for this core")
    return image


def _read(elf: Path, file: ELFFile) -> Image:
    if file["e_machine"] != "EM_ARM":
        raise InputError(f"{elf} is for {file['e_machine']}, expected EM_ARM; build it with `hushkit build`")
    table = file.get_section_by_name(".symtab")
    note = file.get_section_by_name(_BUILD_ID)
    if not isinstance(table, SymbolTableSection) or not isinstance(note, NoteSection):
        raise InputError(f"{elf} has no symbols or no build id; expected firmware.elf as `hushkit build` leaves it")
    symbols = {symbol.name: _address(symbol) for symbol in table.iter_symbols() if symbol.name}
    core = _CORES.get(symbols.get(CORE_SYMBOL, 0))
    if core is None or not {"hk_port_audio_sync", "hk_slot", "hk_image_end"} <= symbols.keys():
        raise InputError(f"{elf} is not headset firmware of this project; build it with `hushkit build`")
    occupied = [section for section in file.iter_sections() if section["sh_flags"] & _ALLOCATE and section["sh_size"]]
    writable = [section for section in occupied if section["sh_flags"] & _WRITE]
    return Image(
        elf=elf,
        core=core,
        build_id=next(note.iter_notes())["n_desc"],
        sections={section.name: section["sh_size"] for section in occupied},
        flash_bytes=symbols["hk_image_end"] - symbols["hk_slot"],
        ram_bytes=sum(section["sh_size"] for section in writable),
        stack_bytes=symbols["hk_stack_top"] - symbols["hk_stack_limit"],
        symbols=symbols,
    )


def _address(symbol: Symbol) -> int:
    entry = symbol.entry
    value = int(entry["st_value"])
    return value & ~1 if entry["st_info"]["type"] == "STT_FUNC" else value
