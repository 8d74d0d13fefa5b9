"""The classifier's front end in C, built for this machine, against its integer twin."""

import ctypes
import subprocess
from typing import Any

import numpy as np
import pytest
from hushkit import build_plan
from hushkit.build import host_board
from hushkit.build_archive import third_party_archive
from hushkit.project import project_root
from hushkit.sources import require_sources
from hushkit_models.classifier import frontend
from numpy.typing import NDArray

_GLUE = """\
#include "hk/hk_frontend.h"
static hk_frontend_t f;
void run(const int32_t *x, uint32_t n, uint32_t piece, int16_t *log_mel, uint64_t *power);
void run(const int32_t *x, uint32_t n, uint32_t piece, int16_t *log_mel, uint64_t *power) {
    hk_frontend_init(&f);
    for (uint32_t at = 0U; at < n; at += piece) {
        hk_frontend_push(&f, x + at, n - at < piece ? n - at : piece);
        if (hk_frontend_step(&f)) {
            for (uint32_t m = 0U; m < HK_FRONTEND_MELS; m++) {
                *log_mel++ = f.log_mel[m];
            }
            *power++ = f.power_q48;
        }
    }
}
"""


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> ctypes.CDLL:
    folder = tmp_path_factory.mktemp("frontend")
    root, board, third_party = project_root(), host_board(), require_sources()
    archive = third_party_archive(root, board, third_party, "")
    (folder / "glue.c").write_text(_GLUE)
    files = [folder / "glue.c", root / "firmware" / "src" / "classify" / "hk_frontend.c", archive]
    includes = [root / "firmware" / "include", root / "firmware" / "generated"]
    flags = [*build_plan.compile_flags(root, board), "-fPIC", "-shared", *(f"-I{path}" for path in includes)]
    flags += build_plan.system_flags(root, board, third_party)
    target = folder / "libfrontend.so"
    subprocess.run(["gcc", *flags, *map(str, files), "-lm", "-o", str(target)], check=True)
    return ctypes.CDLL(str(target))


def _run(library: ctypes.CDLL, x: NDArray[np.int32], piece: int) -> tuple[NDArray[Any], NDArray[Any]]:
    n = len(x) // 3 // frontend.FRAME
    log_mel, power = np.zeros((n, frontend.N_MELS), np.int16), np.zeros(n, np.uint64)
    pointers = [values.ctypes.data_as(ctypes.c_void_p) for values in (x, log_mel, power)]
    library.run(pointers[0], len(x), piece, pointers[1], pointers[2])
    return log_mel, power


def _signals() -> dict[str, NDArray[np.int32]]:
    rng = np.random.default_rng(5)
    n = 3 * frontend.FRAME * 12
    scale = np.repeat(2.0 ** rng.uniform(-30, 0, 36), n // 36)
    chirp = np.sin(np.cumsum(np.linspace(0.001, 3.1, n)))
    return {
        "noise at many levels": (rng.uniform(-1, 1, n) * scale * (2**31 - 1)).astype(np.int32),
        "chirp": (chirp * (2**31 - 1)).astype(np.int32),
        "rails": np.where(rng.integers(0, 2, n) == 1, 2**31 - 1, -(2**31)).astype(np.int32),
        "silence": np.zeros(n, np.int32),
    }


@pytest.mark.parametrize("name", list(_signals()))
def test_frontend_in_c_equals_its_twin(library: ctypes.CDLL, name: str) -> None:
    """12 frames; the last one's slices need samples behind it, so it is compared where they came."""
    x = _signals()[name]
    x = np.concatenate([x, np.zeros(32 * 16, np.int32)])

    log_mel, power = _run(library, x, 32)

    at_16k = frontend.Decimator().run(x)
    np.testing.assert_array_equal(log_mel, frontend.log_mel(at_16k))
    np.testing.assert_array_equal(power, frontend.frame_power_q48(at_16k))


def test_frontend_takes_samples_in_pieces_of_any_size(library: ctypes.CDLL) -> None:
    x = np.concatenate([_signals()["noise at many levels"], np.zeros(700, np.int32)])

    whole, pieces = _run(library, x, 32), _run(library, x, 53)

    np.testing.assert_array_equal(whole[0], pieces[0])
    np.testing.assert_array_equal(whole[1], pieces[1])
