"""Path sets: built-in formulae, loaders, resampling, and one clear error for each kind of bad file."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import scipy.io
import soundfile
from hushkit_models.acoustics import AcousticsError
from hushkit_models.acoustics.paths import load_paths
from numpy.typing import NDArray


def _response(delay: int = 3, taps: int = 256) -> NDArray[np.float64]:
    n = np.arange(taps - delay)
    return np.concatenate([np.zeros(delay), np.exp(-n / 12) * np.cos(0.2 * n)])


def _gain_db(taps: NDArray[np.float64], frequency_hz: float, rate_hz: int) -> float:
    turn = np.exp(-2j * np.pi * frequency_hz / rate_hz * np.arange(taps.size))
    return float(20 * np.log10(abs(taps @ turn)))


def test_overear_follows_its_formula() -> None:
    paths = load_paths("overear")

    # Second-order Butterworth high-pass at 60 Hz: -3.01 dB there; the peak adds 5 dB at 4.5 kHz, where the roll-off at
    # 9 kHz takes 0.97 dB.
    assert _gain_db(paths.secondary, 60, 48_000) == pytest.approx(-3.01, abs=0.1)
    assert _gain_db(paths.secondary, 4500, 48_000) == pytest.approx(5 - 0.97, abs=0.1)
    assert _gain_db(paths.primary, 30, 48_000) == pytest.approx(0.2, abs=0.2)


@pytest.mark.parametrize("name", ["overear", "inear"])
@pytest.mark.parametrize("rate_hz", [16_000, 44_100, 96_000])
def test_built_in_sets_sound_the_same_at_every_rate(name: str, rate_hz: int) -> None:
    at_48k, other = load_paths(name), load_paths(name, rate_hz)
    # Causality cuts off the precursors of a fractional delay, which weigh more at a low rate.
    tolerance_db = 1.2 if rate_hz < 20_000 else 0.7

    for frequency in (63.0, 250.0, 1000.0, 4000.0):
        for response in ("primary", "secondary"):
            expected = _gain_db(getattr(at_48k, response), frequency, 48_000)
            assert _gain_db(getattr(other, response), frequency, rate_hz) == pytest.approx(expected, abs=tolerance_db)


def _save_npz(file: Path, arrays: dict[str, object]) -> None:
    np.savez(file, **arrays)  # type: ignore[arg-type]


def _save_mat(file: Path, arrays: dict[str, object]) -> None:
    scipy.io.savemat(file, arrays)


@pytest.mark.parametrize(("ending", "save"), [("npz", _save_npz), ("mat", _save_mat)])
def test_file_round_trip_keeps_every_response(
    tmp_path: Path, ending: str, save: Callable[[Path, dict[str, object]], None]
) -> None:
    file = tmp_path / f"mine.{ending}"
    save(file, {"P": _response(2), "S": _response(4), "F": 0.01 * _response(9), "rate_hz": 48_000})

    paths = load_paths(str(file))

    assert paths.name == "mine"
    np.testing.assert_array_equal(paths.primary, _response(2))
    np.testing.assert_array_equal(paths.secondary, _response(4))
    assert paths.feedback is not None


def test_file_without_rate_is_read_as_48_khz(tmp_path: Path) -> None:
    np.savez(tmp_path / "p.npz", P=_response(2), S=_response(4))

    paths = load_paths(str(tmp_path / "p.npz"), 48_000)

    np.testing.assert_array_equal(paths.secondary, _response(4))


def test_folder_of_wav_files_is_read(tmp_path: Path) -> None:
    for stem, delay in (("primary", 2), ("secondary", 4)):
        soundfile.write(tmp_path / f"{stem}.wav", _response(delay), 48_000, subtype="DOUBLE")

    paths = load_paths(str(tmp_path))

    np.testing.assert_allclose(paths.secondary, _response(4), atol=1e-12)
    assert paths.feedback is None


def test_other_rate_is_resampled_with_its_gain(tmp_path: Path) -> None:
    np.savez(tmp_path / "p.npz", P=_response(20, 512), S=_response(24, 512), rate_hz=96_000)

    paths = load_paths(str(tmp_path / "p.npz"), 48_000)

    for frequency in (100.0, 1000.0, 5000.0):
        expected = _gain_db(_response(24, 512), frequency, 96_000)
        assert _gain_db(paths.secondary, frequency, 48_000) == pytest.approx(expected, abs=0.1)


GOOD = _response()
NOT_A_NUMBER = np.where(np.arange(256) == 7, np.nan, _response())


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"S": GOOD}, "P missing"),
        ({"P": GOOD}, "S missing"),
        ({"P": NOT_A_NUMBER, "S": GOOD}, "tap 7 is nan"),
        ({"P": GOOD, "S": np.zeros(256)}, "silent"),
        ({"P": GOOD, "S": np.ones((16, 16))}, "expected one response"),
        ({"P": GOOD, "S": np.array(["a"] * 64)}, "expected real numbers"),
        ({"P": GOOD, "S": GOOD[:4]}, "4 taps"),
        ({"P": GOOD, "S": 1e6 * GOOD}, "gain reaches"),
        ({"P": GOOD, "S": GOOD}, "same response"),
        ({"P": GOOD, "S": _response(5), "rate_hz": -1}, "rate_hz"),
    ],
)
def test_bad_arrays_are_refused_with_their_reason(tmp_path: Path, arrays: dict[str, object], message: str) -> None:
    _save_npz(tmp_path / "bad.npz", arrays)

    with pytest.raises(AcousticsError, match=message):
        load_paths(str(tmp_path / "bad.npz"))


def test_things_that_are_no_path_files_are_refused(tmp_path: Path) -> None:
    (tmp_path / "text.npz").write_text("no archive")
    (tmp_path / "text.mat").write_text("no matrix, but long enough for a header " * 8)
    (tmp_path / "empty.npz").write_bytes(b"")
    np.save(tmp_path / "single.npy", GOOD)
    np.savez(tmp_path / "objects.npz", P=np.array([{}], dtype=object), S=GOOD)
    (tmp_path / "folder").mkdir()

    for name in ("text.npz", "text.mat", "empty.npz", "single.npy", "objects.npz", "folder", "absent.npz"):
        with pytest.raises(AcousticsError):
            load_paths(str(tmp_path / name))
