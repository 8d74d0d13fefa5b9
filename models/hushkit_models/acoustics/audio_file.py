"""Audio files as arrays, and band-limited resampling."""

from pathlib import Path

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

from hushkit_models.acoustics.errors import AcousticsError


def read_audio(file: Path) -> tuple[NDArray[np.float64], int]:
    """Read any file libsndfile understands.

    Args:
        file: WAV, FLAC, OGG, MP3, AIFF, ...

    Returns:
        Samples, shape (channels, n), full scale 1.0; and the file's rate in hertz.

    Raises:
        AcousticsError: Missing, a directory, not audio, empty, or with NaN or infinite samples.
    """
    if file.is_dir():
        raise AcousticsError(f"{file}: a directory, expected an audio file")
    if not file.exists():
        raise AcousticsError(f"{file}: no such audio file; check the path")
    try:
        samples, rate = soundfile.read(file, dtype="float64", always_2d=True)
    except (soundfile.LibsndfileError, OSError, TypeError) as err:
        raise AcousticsError(f"{file}: not readable as audio; expected WAV, FLAC, OGG, MP3 or AIFF") from err
    if samples.shape[0] == 0:
        raise AcousticsError(f"{file}: holds no samples; record again")
    if not np.all(np.isfinite(samples)):
        raise AcousticsError(f"{file}: holds NaN or infinite samples; export it again")
    return np.ascontiguousarray(samples.T), int(rate)


def resample(samples: NDArray[np.float64], from_hz: int, to_hz: int) -> NDArray[np.float64]:
    """Resample along the last axis, linear phase and without delay (soxr, very high quality).

    Args:
        samples: Shape (n,) or (channels, n).
        from_hz: Rate of ``samples``.
        to_hz: Wanted rate.

    Returns:
        Samples at ``to_hz``, amplitudes kept; shape like ``samples`` with about ``n * to_hz / from_hz`` samples.
    """
    if from_hz == to_hz:
        return samples
    resampled: NDArray[np.float64] = soxr.resample(samples.T, from_hz, to_hz, quality="VHQ").T
    return np.ascontiguousarray(resampled, dtype=np.float64)
