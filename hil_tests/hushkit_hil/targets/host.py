"""Run the firmware's C on this machine, against the same compiled plant as on QEMU."""

import ctypes
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from hushkit_hil.errors import TargetError
from hushkit_hil.instruments.native import plant_library
from hushkit_hil.targets.outcome import Outcome
from hushkit_hil.targets.plant import PlantRun, Record, write_plant

_BUILD_ID_BYTES = 20
_LIMIT_S = 600.0


def run_on_host(library: Path, run: PlantRun) -> Outcome:
    """Play a plant to its end on the host target.

    The firmware runs in a process of its own: its state is fresh, and a crash is an error here, not the bench's end.

    Args:
        library: What ``hushkit.build.build_host`` made.
        run: What the plant plays.

    Raises:
        TargetError: The library is no host firmware, crashed, or did not reach the end marker.
    """
    with tempfile.TemporaryDirectory(prefix="hushkit-host-") as folder:
        at = Path(folder)
        write_plant(run, at / "plant")
        with Record.create(at / "record", run) as record:
            start = time.monotonic()
            _execute([str(library), str(plant_library()), str(at / "plant"), str(at / "record")])
            seconds = time.monotonic() - start
            record.require_done(run, target="host")
            expected = int(host_build_id(library)[:8], 16).to_bytes(4, "big")
            if record.build_id != int.from_bytes(expected, "little"):
                raise TargetError(
                    f"host: {library.name} says build id {record.build_id:08x}, expected {expected.hex()}"
                )
            nothing = np.zeros(0, dtype=np.uint32)
            return Outcome(record.output.copy(), record.error.copy(), nothing, nothing, None, None, seconds)


def host_build_id(library: Path) -> str:
    """Build id of a host firmware, hexadecimal.

    Raises:
        TargetError: The file is no host firmware.
    """
    try:
        return bytes((ctypes.c_ubyte * _BUILD_ID_BYTES).in_dll(ctypes.CDLL(str(library)), "hk_build_id")).hex()
    except (OSError, ValueError) as err:
        raise TargetError(
            f"host: {library} is no host firmware ({err}); build it with `hushkit build --target host`"
        ) from err


def _execute(arguments: list[str]) -> None:
    command = [sys.executable, "-m", "hushkit_hil.targets.host_process", *arguments]
    try:
        result = subprocess.run(command, capture_output=True, text=True, check=False, timeout=_LIMIT_S)
    except subprocess.TimeoutExpired as err:
        raise TargetError(f"host: the firmware did not finish within {_LIMIT_S:.0f} s") from err
    if result.returncode != 0:
        reason = result.stderr.strip().splitlines()[-1:] or [f"status {result.returncode}"]
        raise TargetError(f"host: the firmware ended before its end marker: {reason[0]}")
