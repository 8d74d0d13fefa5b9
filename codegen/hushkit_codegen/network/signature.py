"""Sign networks: Ed25519 (RFC 8032) over the blob, behind it. The firmware verifies before it uses a downloaded one.

A product's key never comes near this code: pass its file. Without one the development key signs; everybody has it, so
what it signs is for the desk.
"""

import hashlib
from pathlib import Path
from typing import Final

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

from hushkit_codegen.network.errors import NetworkError

SIGNATURE_BYTES: Final = 64


def development_key() -> Ed25519PrivateKey:
    """The key that ``hk_net_development_key`` in the firmware belongs to."""
    return Ed25519PrivateKey.from_private_bytes(
        hashlib.sha256(b"hushkit development key for networks: not a secret").digest()
    )


def read_key(path: Path) -> Ed25519PrivateKey:
    """A private key from a PEM file, as imgtool and openssl write it.

    Raises:
        NetworkError: No such file, or no unencrypted Ed25519 key in it.
    """
    try:
        key = load_pem_private_key(path.read_bytes(), password=None)
    except OSError as err:
        raise NetworkError(f"{path}: cannot read ({err.strerror}); name a PEM file with a private key") from err
    except (ValueError, TypeError, UnsupportedAlgorithm) as err:
        raise NetworkError(f"{path}: no private key can be read ({err}); expected an unencrypted PEM file") from err
    if not isinstance(key, Ed25519PrivateKey):
        raise NetworkError(f"{path}: found {type(key).__name__}, expected an Ed25519 key; make one with imgtool keygen")
    return key


def public_bytes(key: Ed25519PrivateKey) -> bytes:
    """The public half, 32 bytes, as the firmware holds it."""
    return key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)


def sign(blob: bytes, key: Ed25519PrivateKey) -> bytes:
    """The file that a headset takes: blob and signature. Deterministic."""
    return blob + key.sign(blob)


def is_signed(file: bytes, public: bytes) -> bool:
    """Whether the owner of ``public`` signed this file."""
    blob, signature = file[:-SIGNATURE_BYTES], file[-SIGNATURE_BYTES:]
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, blob)
    except InvalidSignature:
        return False
    return True
