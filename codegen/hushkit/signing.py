"""Wrap a linked image as MCUboot wants it: header in front, hash and signature behind.

A product's key never comes near this code: pass its file. Without one, a development key is made once in the build
folder; what it signs is for the desk, and its name says so.
"""

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from hushkit import build_plan
from hushkit.build import Build
from hushkit.errors import InputError
from hushkit.project import build_dir, project_root

_SHA256_TLV = 0x10
_TRAILER_MAGIC = 0x6907
_ALIGN = 4  # bytes per flash write


class SigningError(InputError):
    """The image cannot be signed: says why and what to do."""


@dataclass(frozen=True, slots=True)
class SignedImage:
    """An image a bootloader accepts.

    Attributes:
        file: Bytes of the slot: header, image, trailer.
        sha256: Hash in its trailer, which image state reports when the image was started from it.
        key: The key it was signed with.
    """

    file: Path
    sha256: bytes
    key: Path


def development_key() -> Path:
    """The key for the desk (Ed25519), made now when there is none. Below ``build/``, never committed."""
    key = build_dir() / "keys" / "development.pem"
    if not key.is_file():
        key.parent.mkdir(parents=True, exist_ok=True)
        _imgtool("keygen", "-k", str(key), "-t", "ed25519")
        key.chmod(0o600)
    return key


def sign(build: Build, key: Path | None = None) -> SignedImage:
    """Sign a build.

    Args:
        build: Firmware for a core.
        key: PEM file with a private key imgtool knows; None: the development key.

    Returns:
        The signed image, beside the build's ELF file.

    Raises:
        SigningError: imgtool is missing, the key is none, or the image does not fit its slot.
    """
    key = key or development_key()
    if not key.is_file():
        raise SigningError(f"no key in {key}; expected a PEM file with a private key")
    plain = build.elf.with_suffix(".bin")
    signed = build.elf.with_name("firmware.signed.bin")
    subprocess.run(
        [f"{build_plan.CROSS_PREFIX}objcopy", "-O", "binary", "-R", ".boot", str(build.elf), str(plain)], check=True
    )
    _imgtool(
        *("sign", "--key", str(key), "--version", build_plan.project_version(project_root())),
        *("--header-size", str(build_plan.IMAGE_HEADER_BYTES), "--pad-header", "--align", str(_ALIGN)),
        *("--slot-size", str(build.board.memory["HK_FLASH_LENGTH"]), str(plain), str(signed)),
    )
    return SignedImage(signed, read_hash(signed.read_bytes()), key)


def read_hash(image: bytes) -> bytes:
    """SHA-256 from the trailer of a signed image.

    Raises:
        SigningError: There is no such trailer.
    """
    header, protected = int.from_bytes(image[8:10], "little"), int.from_bytes(image[10:12], "little")
    at = header + protected + int.from_bytes(image[12:16], "little")
    if int.from_bytes(image[at : at + 2], "little") != _TRAILER_MAGIC:
        raise SigningError("the image has no MCUboot trailer; expected one that `hushkit build` signed")
    end = at + int.from_bytes(image[at + 2 : at + 4], "little")
    at += 4
    while at + 4 <= end:
        kind, length = int.from_bytes(image[at : at + 2], "little"), int.from_bytes(image[at + 2 : at + 4], "little")
        if kind == _SHA256_TLV:
            return image[at + 4 : at + 4 + length]
        at += 4 + length
    raise SigningError("the image's trailer has no SHA-256; sign it again")


def _imgtool(*words: str) -> None:
    program = Path(sys.executable).with_name("imgtool")
    try:
        result = subprocess.run([str(program), *words], capture_output=True, text=True, check=False)
    except FileNotFoundError as err:
        raise SigningError("imgtool is not installed; install it with: pip install 'hushkit[toolchain]'") from err
    if result.returncode != 0:
        said = (result.stderr.strip() or result.stdout.strip()).splitlines()
        raise SigningError(f"imgtool {words[0]}: {said[-1] if said else 'failed without a word'}")
