import ctypes
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hushkit import build_plan
from hushkit.build import host_board
from hushkit.build_archive import third_party_archive
from hushkit.project import project_root
from hushkit.sources import require_sources
from hushkit_codegen.network.blob import compile_model
from hushkit_codegen.network.errors import NetworkError
from hushkit_codegen.network.model import parse_model
from hushkit_codegen.network.probes import probe
from hushkit_codegen.network.signature import development_key, is_signed, public_bytes, read_key, sign

_OK, _ARG, _RANGE, _STATE, _ABI, _SPACE, _CORRUPT, _LENGTH, _UNKNOWN, _DENIED = range(0, -10, -1)
_BANK_BYTES = 4096
_MARK_BYTES = 16

_DRIVER = """
#include "hk/hk_net_slot.h"
#include "hk/hk_port.h"
#include <string.h>

static uint32_t banks[HK_PORT_BANKS][4096 / 4], kept[HK_PORT_BANKS][4096 / 4];
static uint32_t budget = UINT32_MAX; /* bytes that can still be written before the power goes */
static hk_net_slots_t slots;

uint32_t hk_port_bank_bytes(void) { return 4096U; }
const uint8_t *hk_port_bank(uint32_t bank) { return (const uint8_t *)banks[bank]; }
bool hk_port_bank_erase(uint32_t bank) {
    if (budget == 0U) { return false; }
    memset(banks[bank], 0xFF, 4096U);
    return true;
}
bool hk_port_bank_write(uint32_t bank, uint32_t offset, const uint8_t *data, uint32_t n) {
    uint8_t *const at = (uint8_t *)banks[bank] + offset;
    for (uint32_t k = 0; k < n; k++) {
        if (at[k] != 0xFFU || offset % 4U != 0U || n % 4U != 0U) { return false; } /* as flash refuses it */
        if (budget == 0U) { return false; }
        budget -= budget == UINT32_MAX ? 0U : 1U;
        at[k] = data[k];
    }
    return true;
}

void power(uint32_t bytes) { budget = bytes; }
void keep(void) { memcpy(kept, banks, sizeof banks); }
void put_back(void) { memcpy(banks, kept, sizeof banks); }
void wipe(void) { memset(banks, 0, sizeof banks); }
void damage(uint32_t bank, uint32_t at) { ((uint8_t *)banks[bank])[at] ^= 1U; }
int start(const hk_net_needs_t *needs) { return hk_net_slots_init(&slots, needs); }
int begin(uint32_t n) { return hk_net_upload_begin(&slots, n); }
int put(uint32_t at, const uint8_t *data, uint32_t n) { return hk_net_upload_write(&slots, at, data, n); }
int finish(void) { return hk_net_upload_finish(&slots); }
int adopt(void) { return hk_net_slots_adopt(&slots); }
uint32_t active(void) { const hk_net_t *n = hk_net_slots_active(&slots); return n != 0 ? n->model : 0U; }
uint32_t previous(void) { const hk_net_t *n = hk_net_slots_previous(&slots); return n != 0 ? n->model : 0U; }
int refused(void) { return hk_net_slots_status(&slots).refused; }
const uint8_t *development(void) { return hk_net_development_key; }
"""


class _Needs(ctypes.Structure):
    _fields_ = [
        ("file", ctypes.c_char_p), ("file_bytes", ctypes.c_uint32), ("key", ctypes.c_char_p),
        ("input_bytes", ctypes.c_uint32), ("output_bytes", ctypes.c_uint32), ("arena_bytes", ctypes.c_uint32),
    ]  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Network:
    file: bytes
    model: int


def _network(name: str, seed: int = 1, key: Ed25519PrivateKey | None = None, core: str = "cortex-m4") -> _Network:
    model = parse_model(probe(name, seed), name)
    file = sign(compile_model(model, core).blob, key or development_key())
    return _Network(file, int.from_bytes(model.digest[:4], "big"))


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> ctypes.CDLL:
    root, folder = project_root(), tmp_path_factory.mktemp("slots")
    (folder / "driver.c").write_text(_DRIVER)
    third_party = require_sources()
    board = host_board()
    sources = [*(root / "firmware/src/net").glob("hk_net_*.c"), *(root / "firmware/src/update").glob("*.c")]
    command = ["gcc", *build_plan.compile_flags(root, board), "-shared", "-fsanitize=undefined"]
    command += ["-fno-sanitize-recover", "-static-libubsan", f"-I{root / 'firmware' / 'include'}"]
    command += [*build_plan.system_flags(root, board, third_party), *map(str, sources), str(folder / "driver.c")]
    archive = third_party_archive(root, board, third_party, "")
    subprocess.run([*command, str(archive), "-lm", "-o", str(folder / "slots.so")], check=True)
    return ctypes.CDLL(str(folder / "slots.so"))


@pytest.fixture
def start(library: ctypes.CDLL) -> Callable[..., int]:
    """Restart the store: banks keep what they hold."""
    library.wipe()
    kept = []  # what the C side points at

    def run(linked: _Network | None, key: bytes | None = None, arena: int = 1 << 20, output: int = 0) -> int:
        library.power(0xFFFFFFFF)
        file = linked.file if linked else None
        aligned = ctypes.create_string_buffer(file, len(file)) if file else None
        needs = _Needs(
            ctypes.cast(aligned, ctypes.c_char_p) if aligned else None, len(file) if file else 0,
            key or public_bytes(development_key()), 0, output, arena,
        )  # fmt: skip
        kept.append((aligned, needs))
        return int(library.start(ctypes.byref(needs)))

    return run


def _upload(library: ctypes.CDLL, file: bytes, chunk: int = 100) -> int:
    status = library.begin(len(file))
    for at in range(0, len(file), chunk):
        part = file[at : at + chunk]
        status = status or library.put(at, part, len(part))
    return int(status or library.finish())


def _model(library: ctypes.CDLL) -> int:
    return int(library.active()) & 0xFFFFFFFF


def test_signature_of_the_firmware_is_that_of_other_tools(library: ctypes.CDLL, start: Callable[..., int]) -> None:
    library.development.restype = ctypes.POINTER(ctypes.c_uint8)

    key = bytes(library.development()[:32])

    assert key == public_bytes(development_key())
    assert is_signed(_network("dense").file, key)


@pytest.mark.parametrize("length", [0, 47, 48, 63, 64, 175, 176, 200])
def test_messages_of_every_padding_verify(library: ctypes.CDLL, length: int) -> None:
    message = bytes(np.random.default_rng(seed=length).integers(0, 256, length, dtype=np.uint8))
    key = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
    public, signature = public_bytes(key), key.sign(message)
    library.hk_net_signature_ok.restype = ctypes.c_bool

    assert library.hk_net_signature_ok(message, length, signature, public)
    assert not library.hk_net_signature_ok(message, length, bytes([signature[0] ^ 1]) + signature[1:], public)
    assert not library.hk_net_signature_ok(message + b"x", length + 1, signature, public)


def test_linked_in_network_runs_until_an_upload_is_adopted(library: ctypes.CDLL, start: Callable[..., int]) -> None:
    old, new = _network("dense"), _network("dense", seed=2)
    assert start(old) == _OK

    assert _upload(library, new.file) == _OK
    before = _model(library)
    adopted = library.adopt() & 1

    assert before == old.model
    assert adopted == 1
    assert _model(library) == new.model
    assert library.previous() & 0xFFFFFFFF == old.model
    assert library.adopt() & 1 == 0


def test_upload_survives_a_restart_and_the_newest_runs(library: ctypes.CDLL, start: Callable[..., int]) -> None:
    linked = _network("dense")
    assert start(linked) == _OK
    for seed in (2, 3, 4):
        new = _network("dense", seed=seed)
        assert _upload(library, new.file, chunk=1 + seed) == _OK
        library.adopt()

    assert start(linked) == _OK

    assert _model(library) == _network("dense", seed=4).model
    assert library.previous() & 0xFFFFFFFF == _network("dense", seed=3).model


def test_power_cut_at_any_byte_leaves_the_old_network(library: ctypes.CDLL, start: Callable[..., int]) -> None:
    old, new = _network("dense", seed=1), _network("dense", seed=2)
    assert start(old) == _OK
    assert _upload(library, old.file, chunk=len(old.file)) == _OK
    library.keep()
    written = (len(new.file) + 3) // 4 * 4 + _MARK_BYTES
    for cut in range(written + 1):
        library.put_back()
        assert start(None) == _OK
        library.power(cut)
        status = _upload(library, new.file, chunk=64)

        assert start(None) == _OK

        assert (status == _OK) == (cut == written)
        assert _model(library) == (new.model if cut == written else old.model), cut


def test_upload_cut_short_at_every_seventh_byte_is_refused(library: ctypes.CDLL, start: Callable[..., int]) -> None:
    old, new = _network("dense"), _network("dense", seed=2)
    assert start(old) == _OK
    for end in range(0, len(new.file), 7):
        assert _upload(library, new.file[:end]) != _OK
        assert _model(library) == old.model
        assert not library.adopt() & 1


@pytest.mark.parametrize(
    ("make", "status"),
    [
        (lambda file: b"XXXX" + file[4:], _UNKNOWN),
        (lambda file: file[:4] + b"\x63" + file[5:], _UNKNOWN),  # version
        (lambda file: file[:8] + b"\0\0\0\0" + file[12:], _LENGTH),
        (lambda file: file[:200] + bytes([file[200] ^ 4]) + file[201:], _CORRUPT),
        (lambda file: file[:-1] + bytes([file[-1] ^ 1]), _DENIED),
        (lambda file: file + b"\0\0\0\0", _LENGTH),
        (lambda file: _network("dense", seed=2, key=Ed25519PrivateKey.from_private_bytes(bytes(32))).file, _DENIED),
        (lambda file: _network("dense_odd").file, _ABI),  # other outputs
    ],
)
def test_bad_file_is_refused_with_its_status(
    library: ctypes.CDLL, start: Callable[..., int], make: Callable[[bytes], bytes], status: int
) -> None:
    old = _network("dense")
    assert start(old, output=11) == _OK

    assert _upload(library, make(_network("dense", seed=2).file)) == status

    assert _model(library) == old.model
    assert library.refused() == status
    assert start(old, output=11) == _OK
    assert _model(library) == old.model


def test_network_that_wants_more_memory_is_refused(library: ctypes.CDLL, start: Callable[..., int]) -> None:
    old = _network("dense")
    assert start(old, arena=200) == _OK

    assert _upload(library, _network("add").file) == _SPACE

    assert _model(library) == old.model


def test_another_key_refuses_even_the_linked_in_network(library: ctypes.CDLL, start: Callable[..., int]) -> None:
    assert start(_network("dense"), key=public_bytes(Ed25519PrivateKey.from_private_bytes(bytes(32)))) == _DENIED
    assert _model(library) == 0


def test_network_damaged_in_its_bank_gives_way_at_the_next_start(
    library: ctypes.CDLL, start: Callable[..., int]
) -> None:
    linked = _network("dense")
    assert start(linked) == _OK
    assert _upload(library, _network("dense", seed=2).file) == _OK
    library.damage(0, 300)

    assert start(linked) == _OK

    assert _model(library) == linked.model
    assert library.refused() == _CORRUPT


def test_upload_takes_bytes_in_order_once(library: ctypes.CDLL, start: Callable[..., int]) -> None:
    old, new = _network("dense"), _network("dense", seed=2)
    assert start(old) == _OK

    assert library.put(0, new.file, 4) == _STATE
    assert library.finish() == _STATE
    assert library.begin(10) == _LENGTH
    assert library.begin(_BANK_BYTES) == _SPACE
    assert library.begin(len(new.file)) == _OK
    assert library.put(4, new.file, 4) == _RANGE
    assert library.put(0, new.file, 10) == _OK
    assert library.put(6, new.file[6:], 10) == _OK  # a repeated chunk
    assert library.put(16, new.file, len(new.file)) == _RANGE
    assert library.put(16, new.file[16:], len(new.file) - 16) == _OK
    assert library.finish() == _OK
    assert library.begin(len(new.file)) == _STATE  # it waits


def test_key_file_must_hold_an_ed25519_key(tmp_path: Path) -> None:
    (tmp_path / "key.pem").write_text("nothing")

    with pytest.raises(NetworkError, match="no private key"):
        read_key(tmp_path / "key.pem")
    with pytest.raises(NetworkError, match="cannot read"):
        read_key(tmp_path / "absent.pem")
