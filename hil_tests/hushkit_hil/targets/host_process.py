"""The process in which the host target runs.

python -m hushkit_hil.targets.host_process FIRMWARE PLANT_LIBRARY PLANT_FILE RECORD_FILE
"""

import ctypes
import sys

_OK = 0
_FOR_EVER = 2**63  # the plant stops it


def main(firmware_file: str, plant_file: str, scene_file: str, record_file: str) -> int:
    """Attach a plant to a host firmware and run both to the plant's end.

    Returns:
        0 when the plant's end was reached; the record says why not otherwise.
    """
    plant = ctypes.CDLL(plant_file)
    plant.hk_plant_open.restype = ctypes.c_void_p
    why = ctypes.c_char_p()
    run = plant.hk_plant_open(scene_file.encode(), record_file.encode(), ctypes.byref(why))
    if run is None:
        print(f"plant: {(why.value or b'').decode()}", file=sys.stderr)
        return 1
    firmware = ctypes.CDLL(firmware_file)
    status = firmware.hk_host_init()
    if status != _OK:
        print(f"hk_host_init returned {status}", file=sys.stderr)
        return 1
    firmware.hk_host_set_sync(ctypes.cast(plant.hk_plant_sync, ctypes.c_void_p), ctypes.c_void_p(run))
    firmware.hk_host_run(ctypes.c_uint64(_FOR_EVER))
    plant.hk_plant_close(ctypes.c_void_p(run))
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:5]))
