"""The compiled plant against the same convolution in float64."""

import ctypes
from pathlib import Path

import numpy as np
import pytest
from hushkit_hil.errors import BenchError, TargetError
from hushkit_hil.instruments.native import plant_library
from hushkit_hil.targets.plant import PlantRun, PlantState, Record, write_plant
from numpy.typing import NDArray

_EARS, _INPUTS, _BLOCK = 2, 3, 8


class _Page(ctypes.Structure):
    _fields_ = (
        ("magic", ctypes.c_uint32),
        ("abi", ctypes.c_uint32),
        ("n_ears", ctypes.c_uint32),
        ("block", ctypes.c_uint32),
        ("rate_hz", ctypes.c_uint32),
        ("sequence", ctypes.c_uint32),
        ("stop", ctypes.c_uint32),
        ("ready", ctypes.c_uint32),
        ("build_id", ctypes.c_uint32),
        ("category", ctypes.c_uint32),
        ("reserved", ctypes.c_uint32 * 6),
        ("inputs", ctypes.c_int32 * _BLOCK * _INPUTS * _EARS),
        ("out", ctypes.c_int32 * _BLOCK * _EARS),
    )


def play(
    run: PlantRun, output: NDArray[np.int32], folder: Path, *, exchanges: int | None = None, skip_at: int = -1
) -> tuple[NDArray[np.int64], NDArray[np.int64], PlantState]:
    """Drive the plant with a given output; what the reference and error microphones heard, and the final state."""
    write_plant(run, folder / "plant")
    library = ctypes.CDLL(str(plant_library()))
    library.hk_plant_open.restype = ctypes.c_void_p
    why = ctypes.c_char_p()
    with Record.create(folder / "record", run) as record:
        plant = library.hk_plant_open(
            str(folder / "plant").encode(), str(folder / "record").encode(), ctypes.byref(why)
        )
        assert plant, why.value
        page = _Page(n_ears=run.n_ears, block=run.block, rate_hz=run.rate_hz)
        heard = np.zeros((run.n_ears, _INPUTS, run.n_samples), dtype=np.int64)
        for k in range(exchanges or run.n_samples // run.block + 1):
            page.sequence += 2 if k == skip_at else 1
            library.hk_plant_sync(ctypes.byref(page), ctypes.c_void_p(plant))
            now = slice(k * run.block % run.n_samples, k * run.block % run.n_samples + run.block)
            if page.stop:
                break
            for ear in range(run.n_ears):
                for what in range(_INPUTS):
                    heard[ear, what, now] = page.inputs[ear][what][: run.block]
                page.out[ear][: run.block] = output[ear, now].tolist()
        state = record.state
        library.hk_plant_close(ctypes.c_void_p(plant))
        np.testing.assert_array_equal(record.error, heard[:, 1])
        if state is PlantState.DONE:
            np.testing.assert_array_equal(record.output, output[:, : run.n_samples])
        return heard[:, 0], heard[:, 1], state


def delayed(samples: NDArray[np.float64], taps: NDArray[np.float64], latency: int) -> NDArray[np.float64]:
    moved = np.concatenate([np.zeros(latency), samples])[: samples.size]
    return np.convolve(moved, taps)[: samples.size]


def a_run(*, ears: int = 2, block: int = 1, latency: int = 5, taps: int = 37, samples: int = 400) -> PlantRun:
    rng = np.random.default_rng(seed=3)
    return PlantRun(
        rate_hz=48_000,
        block=block,
        latency_samples=latency,
        reference=0.2 * rng.standard_normal((ears, samples)),
        disturbance=0.2 * rng.standard_normal((ears, samples)),
        secondary=0.1 * rng.standard_normal((1, ears, taps)),
        feedback=0.02 * rng.standard_normal((1, ears, 20)),
    )


def an_output(run: PlantRun) -> NDArray[np.int32]:
    rng = np.random.default_rng(seed=4)
    return rng.integers(-(2**29), 2**29, size=(run.n_ears, run.n_samples), dtype=np.int32)


@pytest.mark.parametrize(("block", "latency"), [(1, 1), (1, 5), (4, 4), (4, 9), (8, 15)])
@pytest.mark.parametrize("ears", [1, 2])
def test_plant_hears_what_numpy_convolves(tmp_path: Path, ears: int, block: int, latency: int) -> None:
    run = a_run(ears=ears, block=block, latency=latency)
    output = an_output(run)

    reference, error, state = play(run, output, tmp_path)

    assert state is PlantState.DONE
    assert run.feedback is not None
    for ear in range(ears):
        driven = np.round(output[ear] / 256.0) / 2.0**23
        expected = run.disturbance[ear] + delayed(driven, run.secondary[0, ear], latency)
        np.testing.assert_allclose(error[ear] / 2.0**31, np.clip(expected, -1, 1 - 2.0**-23), atol=3e-7)
        expected = run.reference[ear] + delayed(driven, run.feedback[0, ear], latency)
        np.testing.assert_allclose(reference[ear] / 2.0**31, expected, atol=3e-7)


def test_plant_converters_have_24_bits_and_clip(tmp_path: Path) -> None:
    run = a_run(ears=1)
    loud = PlantRun(48_000, 1, 5, run.reference * 20, run.disturbance * 20, run.secondary)

    reference, error, _ = play(loud, an_output(loud), tmp_path)

    assert np.all(reference % 256 == 0)
    assert np.all(error % 256 == 0)
    assert reference.max() == 2**31 - 256
    assert reference.min() == -(2**31)


def test_plant_changes_paths_at_the_given_sample(tmp_path: Path) -> None:
    run = a_run(ears=1)
    rng = np.random.default_rng(seed=5)
    after = 0.1 * rng.standard_normal(run.secondary.shape[1:])
    changed = PlantRun(
        48_000, 1, 5, run.reference, run.disturbance, np.stack([run.secondary[0], after]), starts=(0, 123)
    )
    output = an_output(changed)

    _, error, _ = play(changed, output, tmp_path)

    driven = np.round(output[0] / 256.0) / 2.0**23
    before_ = run.disturbance[0] + delayed(driven, run.secondary[0, 0], 5)
    after_ = run.disturbance[0] + delayed(driven, after[0], 5)
    np.testing.assert_allclose(error[0, :123] / 2.0**31, before_[:123], atol=3e-7)
    np.testing.assert_allclose(error[0, 123:] / 2.0**31, after_[123:], atol=3e-7)


def test_plant_plays_the_programme(tmp_path: Path) -> None:
    run = a_run(ears=1, samples=8)
    programme = np.arange(8, dtype=np.int32)[None, :] * 1000
    with_music = PlantRun(48_000, 1, 5, run.reference, run.disturbance, run.secondary, programme=programme)
    write_plant(with_music, tmp_path / "plant")

    content = (tmp_path / "plant").read_bytes()

    assert content.endswith(programme.tobytes())


def test_plant_that_loops_never_ends(tmp_path: Path) -> None:
    run = a_run(ears=1, samples=40)
    looping = PlantRun(48_000, 1, 5, run.reference, run.disturbance, run.secondary, loop=True)

    _, _, state = play(looping, an_output(looping), tmp_path, exchanges=130)

    assert state is PlantState.RUNNING


def test_plant_notices_a_lost_exchange(tmp_path: Path) -> None:
    run = a_run(ears=1)

    _, _, state = play(run, an_output(run), tmp_path, skip_at=17)

    assert state is PlantState.WRONG_ORDER


def test_record_of_an_unfinished_run_is_an_error(tmp_path: Path) -> None:
    run = a_run(ears=1)

    with Record.create(tmp_path / "record", run) as record, pytest.raises(TargetError, match="before its end marker"):
        record.require_done(run, target="qemu")


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ({"latency_samples": 3, "block": 4}, "raise --latency-us"),
        ({"secondary": np.zeros((2, 2, 5))}, "do not fit"),
        ({"disturbance": np.full((2, 400), np.nan)}, "not finite"),
        ({"feedback": np.zeros((1, 1, 5))}, "feedback has shape"),
        ({"categories": (1, 2)}, "2 categories for 1 segments"),
    ],
)
def test_plant_refuses_what_does_not_fit(tmp_path: Path, fault: dict[str, object], message: str) -> None:
    run = a_run()
    parts = {name: getattr(run, name) for name in run.__slots__} | fault

    with pytest.raises(BenchError, match=message):
        write_plant(PlantRun(**parts), tmp_path / "plant")
