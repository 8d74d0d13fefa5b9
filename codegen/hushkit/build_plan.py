"""What the firmware is built from and how: the one place that knows sources, flags, boards and memory maps.

Standard library only, because PlatformIO's builder (firmware/platform/builder/main.py) imports this module too, in
whatever Python PlatformIO runs in.
"""

import hashlib
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

CROSS_PREFIX = "arm-none-eabi-"
STACK_BYTES = 8192
IMAGE_HEADER_BYTES = 0x200  # in front of the vector table: MCUboot's header (hk_image.h has it too)
CORE_SYMBOL = "hk_core_part"  # absolute symbol of every image: CPUID part number of the core it is for

# Same bits on every core and on the host: signed overflow wraps, and no product is fused into a sum.
_SEMANTICS = ["-std=c11", "-fwrapv", "-ffp-contract=off"]
_CODE = ["-O3", "-g", "-ffunction-sections", "-fdata-sections", "-fno-common"]
_WARNINGS = ["-Wall", "-Wextra", "-Wconversion", "-Werror"]

# CMSIS-DSP is Arm's code: not compiled under our warnings. Unity files, one per folder of functions; a folder not named
# here has nothing that firmware or benchmarks call.
_CMSIS_FOLDERS = ("BasicMathFunctions", "CommonTables", "FastMathFunctions", "FilteringFunctions", "SupportFunctions")
# Single files of folders that would bring tables for all lengths.
_CMSIS_FILES = ("arm_bitreversal.c", "arm_bitreversal2.c", "arm_cfft_q31.c", "arm_cfft_radix4_q31.c")
_CMSIS_DEFINES = ["-DARM_MATH_LOOPUNROLL", "-DDISABLEFLOAT16"]
_CMSIS_HOST = ("__GNUC_PYTHON__",)  # CMSIS-DSP's own name for portable C
_ZCBOR_FILES = ("zcbor_common.c", "zcbor_decode.c", "zcbor_encode.c")
_PUBLIC_HEADERS = (("zcbor", "include"), ("cmsisdsp", "Include"), ("pymonocypher", "."))


@dataclass(frozen=True, slots=True)
class Board:
    """One entry of firmware/boards: a core, its memory map and its emulated machine."""

    name: str
    core: str
    port: str
    cpu_flags: tuple[str, ...]
    macros: dict[str, str]
    memory: dict[str, int]  # linker symbols, in bytes
    machine: str | None  # QEMU's name of it; None for the host
    shared_memory: str | None  # size of the machine's main memory as QEMU writes it

    @property
    def is_host(self) -> bool:
        """Whether this is the machine the build runs on."""
        return self.machine is None


def load_boards(root: Path) -> dict[str, Board]:
    """All boards of firmware/boards by name."""
    return {file.stem: read_board(file) for file in sorted((root / "firmware" / "boards").glob("*.json"))}


def read_board(file: Path) -> Board:
    """Read one board manifest (PlatformIO's format, plus what this firmware needs to know)."""
    manifest: dict[str, Any] = json.loads(file.read_text())
    build = manifest["build"]
    memory = {
        f"HK_{region.upper()}_{key.upper()}": int(value, 0)
        for region, bounds in build.get("memory", {}).items()
        for key, value in bounds.items()
    }
    qemu = manifest.get("qemu", {})
    return Board(
        name=file.stem,
        core=build["core"],
        port=build["port"],
        cpu_flags=tuple(build["cpu_flags"]),
        macros={name: str(value) for name, value in build.get("macros", {}).items()},
        memory=memory,
        machine=qemu.get("machine"),
        shared_memory=qemu.get("shared_memory"),
    )


def project_version(root: Path) -> str:
    """The version pyproject.toml gives."""
    found = re.search(r'^version = "([^"]+)"', (root / "pyproject.toml").read_text(), re.MULTILINE)
    return found.group(1) if found else "0.0.0"


def source_folders(board: Board, *, with_link: bool = False) -> list[str]:
    """Folders below firmware/src whose C files make the firmware of this board.

    The host's firmware has no serial line; its unit tests (``with_link``) test the line's code all the same.
    """
    shared = ["app", "classify", "dsp", "net", "update", f"port/{board.port}"]  # the linker drops what a spec lacks
    return ["link", *shared] if with_link or not board.is_host else shared


def firmware_sources(root: Path, board: Board, generated: Path) -> list[Path]:
    """Every C file of the firmware: ours, the generated wire codec, and one spec's generated design."""
    folders = [root / "firmware" / "src" / folder for folder in source_folders(board)]
    folders += [wire_dir(root), generated]
    return [file for folder in folders for file in sorted(folder.glob("*.c"))]


def wire_dir(root: Path) -> Path:
    """Folder of the generated wire codec."""
    return root / "firmware" / "generated" / "wire"


def include_dirs(root: Path, generated: Path) -> list[Path]:
    """Where our sources find our headers, the generated hk_config.h first."""
    return [generated, root / "firmware" / "include", wire_dir(root).parent]


def system_flags(root: Path, board: Board, third_party: dict[str, Path]) -> list[str]:
    """Where our sources find third-party headers, which our warnings are not for."""
    return [f"-isystem{folder}" for folder in third_party_includes(root, board, third_party)]


def third_party_includes(root: Path, board: Board, third_party: dict[str, Path]) -> list[Path]:
    """Public headers of third-party sources, and the compiler layer CMSIS-DSP wants on a Cortex-M."""
    shim = [] if board.is_host else [root / "firmware" / "src" / "cmsis"]
    return [*shim, *(third_party[name] / folder for name, folder in _PUBLIC_HEADERS)]


def private_includes(third_party: dict[str, Path]) -> list[Path]:
    """Headers that only third-party sources themselves include."""
    return [third_party["cmsisdsp"] / "PrivateInclude", third_party["cmsisdsp"] / "Source"]


def macros(root: Path, board: Board) -> dict[str, str]:
    """Macros of our own C files."""
    names = {"VERSION": project_version(root), "CORE": board.core, "BOARD": board.machine or board.name}
    identity = {f"HK_BUILD_{name}": f'"{value}"' for name, value in names.items()}
    portable = dict.fromkeys(_CMSIS_HOST, "1") if board.is_host else {}
    return {**identity, **board.macros, **portable}


def compile_flags(root: Path, board: Board) -> list[str]:
    """Flags of our own C files, without include folders, for a command without a shell."""
    return [*code_flags(root, board), *(f"-D{name}={value}" for name, value in macros(root, board).items())]


def code_flags(root: Path, board: Board) -> list[str]:
    """Flags of our own C files, without macros and include folders."""
    return [*board.cpu_flags, *_SEMANTICS, *_CODE, *_WARNINGS, *prefix_maps(root)]


def prefix_maps(root: Path) -> list[str]:
    """Keeps the checkout's place out of the image, so that two checkouts build the same bytes."""
    return [f"-ffile-prefix-map={root}=."]


def generated_maps(root: Path, generated: Path) -> list[str]:
    """The same for generated code, which may lie outside the checkout: absolute and relative, as tools may name it."""
    places = [generated, generated.relative_to(root)] if generated.is_relative_to(root) else [generated]
    return [f"-ffile-prefix-map={place}=generated" for place in places]


def third_party_flags(root: Path, board: Board) -> list[str]:
    """Flags of third-party C files, without include folders."""
    portable = [f"-D{name}" for name in _CMSIS_HOST] if board.is_host else []
    return [*board.cpu_flags, *_SEMANTICS, *_CODE, "-g1", "-w", *_CMSIS_DEFINES, *portable, *prefix_maps(root)]


def third_party_sources(third_party: dict[str, Path]) -> list[Path]:
    """C files of the third-party archive."""
    cmsis, zcbor = third_party["cmsisdsp"], third_party["zcbor"]
    files = [cmsis / "Source" / folder / f"{folder}.c" for folder in _CMSIS_FOLDERS]
    files += [cmsis / "Source" / "TransformFunctions" / name for name in _CMSIS_FILES]
    return [*files, *(zcbor / "src" / name for name in _ZCBOR_FILES), third_party["pymonocypher"] / "monocypher.c"]


def link_flags(root: Path, board: Board) -> list[str]:
    """Flags of the target's linker call, without inputs, output and map file."""
    part = int(board.macros["HK_BOARD_CPU_PART"].rstrip("UL"), 0)
    sizes = {"HK_STACK_LENGTH": STACK_BYTES, "HK_IMAGE_HEADER": IMAGE_HEADER_BYTES}
    symbols = {**board.memory, **sizes, CORE_SYMBOL: part}
    return [
        *board.cpu_flags,
        "-nostartfiles",
        "--specs=nano.specs",
        *(f"-Wl,--defsym={name}={value:#x}" for name, value in symbols.items()),
        f"-Wl,-T,{root / 'firmware' / 'platform' / 'ld' / 'hushkit.ld'}",
        "-Wl,--gc-sections,--build-id=sha1,--fatal-warnings,--no-warn-rwx-segments",
    ]


def host_link_flags() -> list[str]:
    """Flags that make the host's firmware a shared library."""
    return ["-shared", "-Wl,--gc-sections,--build-id=sha1,-z,defs"]


def source_digest(root: Path, board: Board, generated: Path, words: list[str]) -> str:
    """Digest of everything firmware is compiled from; the host's build id, where no linker makes one.

    Args:
        root: The checkout.
        board: What it is compiled for.
        generated: One spec's generated code.
        words: What else decides the result: the compiler, its flags.

    Returns:
        40 hexadecimal digits.
    """
    digest = hashlib.sha1("\0".join(words).encode(), usedforsecurity=False)
    headers = [*(root / "firmware" / "include").rglob("*.h"), *(root / "firmware" / "src").rglob("*.h")]
    headers += [*generated.glob("*.h"), *wire_dir(root).glob("*.h")]
    for file in [*firmware_sources(root, board, generated), *sorted(headers)]:
        digest.update(file.name.encode() + b"\0" + file.read_bytes())
    return digest.hexdigest()


def identity_source(digest: str) -> str:
    """C source that defines ``hk_build_id`` as a digest."""
    values = ", ".join(f"0x{byte:02x}" for byte in bytes.fromhex(digest))
    return f'#include "hk/hk_port.h"\n\nconst uint8_t hk_build_id[HK_BUILD_ID_BYTES] = {{{values}}};\n'
