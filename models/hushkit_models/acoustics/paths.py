"""Path sets: what lies between the reference microphone, the driver and the ear."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import scipy.io
from numpy.typing import NDArray

from hushkit_models.acoustics.audio_file import read_audio, resample
from hushkit_models.acoustics.errors import AcousticsError
from hushkit_models.acoustics.parametric import FORMULAE, parametric_responses

ASSUMED_RATE_HZ = 48_000
"""Rate of a path file that does not say its own."""

_LOUDEST_GAIN_DB = 60.0
_MAX_TAPS = 65_536


@dataclass(frozen=True, slots=True)
class PathSet:
    """Impulse responses of one fit of one headset, at one sample rate.

    ``primary``: reference microphone to ear, passive; ``secondary``: driver input to ear; ``feedback``: driver input to
    reference microphone, or None where it is negligible. Shape (taps,) each, possibly different lengths, float64,
    dimensionless: pressure ratios, with the driver's input and pressures in units of the same full scale.
    """

    name: str
    rate_hz: int
    primary: NDArray[np.float64]
    secondary: NDArray[np.float64]
    feedback: NDArray[np.float64] | None = None


def load_paths(name_or_file: str, rate_hz: int = 48_000) -> PathSet:
    """Load a path set at the wanted rate.

    Args:
        name_or_file: ``"overear"`` or ``"inear"`` (formulae in :mod:`~hushkit_models.acoustics.parametric`), or an NPZ
            or MAT file (version 5 to 7) with ``P``, ``S`` and optionally ``F`` and ``rate_hz``, or a folder of
            ``primary.wav``, ``secondary.wav`` and optionally ``feedback.wav``. A file without ``rate_hz`` is read as
            48 kHz.
        rate_hz: Wanted rate, in hertz. Responses of another rate are resampled band-limited, gain kept.

    Returns:
        The set, named after the built-in set, or after the file without its ending.

    Raises:
        AcousticsError: Nothing there, not a path file, P or S missing, NaN or infinite, silent, or not one-dimensional.
    """
    if name_or_file in FORMULAE:
        primary, secondary = parametric_responses(name_or_file, rate_hz)
        return PathSet(name_or_file, rate_hz, primary, secondary)
    source = Path(name_or_file)
    if source.is_dir():
        return _load_folder(source, rate_hz)
    if not source.is_file():
        built_in = ", ".join(sorted(FORMULAE))
        raise AcousticsError(
            f"paths {name_or_file!r}: no such file or built-in set; name one of {built_in}, an NPZ or MAT file, "
            "or a folder of primary.wav and secondary.wav"
        )
    return _load_file(source, rate_hz)


def _load_folder(folder: Path, rate_hz: int) -> PathSet:
    responses: dict[str, NDArray[np.float64]] = {}
    for key, stem in (("P", "primary"), ("S", "secondary"), ("F", "feedback")):
        file = folder / f"{stem}.wav"
        if not file.is_file():
            if key == "F":
                continue
            raise AcousticsError(
                f"paths {folder}: {file.name} is missing; the folder needs primary.wav and secondary.wav"
            )
        samples, file_rate = read_audio(file)
        if samples.shape[0] != 1:
            raise AcousticsError(
                f"paths {file}: {samples.shape[0]} channels, expected 1; store one ear's response per file"
            )
        responses[key] = _at_rate(samples[0], file_rate, rate_hz, f"{folder}: {stem}.wav")
    return _path_set(folder.name, rate_hz, responses, str(folder))


def _load_file(file: Path, rate_hz: int) -> PathSet:
    content = _read_arrays(file)
    file_rate = _rate_of(content, file)
    missing = [key for key in ("P", "S") if key not in content]
    if missing:
        found = ", ".join(sorted(content)) or "nothing"
        raise AcousticsError(
            f"paths {file}: {' and '.join(missing)} missing (found: {found}); "
            "store P (primary) and S (secondary), optionally F (feedback) and rate_hz"
        )
    responses: dict[str, NDArray[np.float64]] = {}
    for key in ("P", "S", "F"):
        if key in content:
            response = _vector(content[key], f"{file}: {key}")
            responses[key] = _at_rate(response, file_rate, rate_hz, f"{file}: {key}")
    return _path_set(file.stem, rate_hz, responses, str(file))


def _read_arrays(file: Path) -> dict[str, Any]:
    advice = "expected NPZ (numpy.savez) or MAT (version 5 to 7) with P and S"
    try:
        if file.suffix.lower() == ".mat":
            return {key: value for key, value in scipy.io.loadmat(file).items() if not key.startswith("__")}
        loaded = np.load(file, allow_pickle=False)
    except NotImplementedError as err:
        raise AcousticsError(f"paths {file}: MAT version 7.3 is not read; save it with -v7 or as NPZ") from err
    except (OSError, ValueError, EOFError, scipy.io.matlab.MatReadError) as err:
        raise AcousticsError(f"paths {file}: not a readable path file; {advice}") from err
    if isinstance(loaded, np.ndarray):
        raise AcousticsError(f"paths {file}: holds one array of shape {loaded.shape}; {advice}")
    with loaded:
        try:
            return {key: loaded[key] for key in loaded.files}
        except (OSError, ValueError, EOFError) as err:
            raise AcousticsError(f"paths {file}: damaged or not plain numbers; {advice}") from err


def _rate_of(content: dict[str, Any], file: Path) -> int:
    if "rate_hz" not in content:
        return ASSUMED_RATE_HZ
    rate = np.asarray(content["rate_hz"])
    if rate.size != 1 or rate.dtype.kind not in "iuf" or not 1000 <= float(rate.ravel()[0]) <= 768_000:
        raise AcousticsError(f"paths {file}: rate_hz is {content['rate_hz']!r}, expected one number, 1000 to 768000")
    return round(float(rate.ravel()[0]))


def _vector(value: object, place: str) -> NDArray[np.float64]:
    array = np.asarray(value)
    if array.dtype.kind not in "iuf":
        raise AcousticsError(f"paths {place}: holds {array.dtype}, expected real numbers")
    if array.size != max(array.shape, default=0):
        raise AcousticsError(f"paths {place}: shape {array.shape}, expected one response, shape (taps,)")
    return array.astype(np.float64).ravel()


def _at_rate(response: NDArray[np.float64], from_hz: int, to_hz: int, place: str) -> NDArray[np.float64]:
    if not 8 <= response.size <= _MAX_TAPS:
        raise AcousticsError(f"paths {place}: {response.size} taps, expected 8 to {_MAX_TAPS}")
    if not np.all(np.isfinite(response)):
        bad = int(np.flatnonzero(~np.isfinite(response))[0])
        raise AcousticsError(f"paths {place}: tap {bad} is {response[bad]}; measure again or repair the file")
    if not np.any(np.abs(response) > 1e-9):
        raise AcousticsError(f"paths {place}: silent (no tap above 1e-9); was the right channel exported?")
    if from_hz != to_hz:
        # An impulse response is a density over time: the same system at twice the rate has taps half as high.
        response = resample(response, from_hz, to_hz) * (from_hz / to_hz)
    gain_db = 20 * np.log10(np.abs(np.fft.rfft(response, max(4096, response.size))).max())
    if gain_db > _LOUDEST_GAIN_DB:
        raise AcousticsError(
            f"paths {place}: gain reaches {gain_db:.0f} dB, expected at most {_LOUDEST_GAIN_DB:.0f} dB; "
            "scale the responses to full scale per full scale"
        )
    return response


def _path_set(name: str, rate_hz: int, responses: dict[str, NDArray[np.float64]], place: str) -> PathSet:
    primary, secondary = responses["P"], responses["S"]
    if primary.size == secondary.size and np.array_equal(primary, secondary):
        raise AcousticsError(f"paths {place}: P and S are the same response; check the export")
    return PathSet(name, rate_hz, primary, secondary, responses.get("F"))
