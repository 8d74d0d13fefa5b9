"""Generated kernels, and the audio path around them, compiled for this machine: what the twins are compared with."""

import ctypes
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from hushkit import build_plan
from hushkit.build import host_board
from hushkit.build_archive import CompileError, third_party_archive
from hushkit.project import project_root
from hushkit.sources import require_sources
from numpy.typing import NDArray

from hushkit_codegen.emit import emit_headset, write_files
from hushkit_codegen.errors import EmitError
from hushkit_codegen.ir import HeadsetIr

Ints = NDArray[np.int32]
_Pointer = Any  # ctypes' own pointer type exists at run time only
_Run = Callable[[_Pointer, _Pointer], object]

_KERNEL_SOURCES: tuple[str, ...] = ()
_PATH_SOURCES = (
    "app/hk_audio.c",
    "app/hk_control.c",
    *(
        f"dsp/hk_{name}.c"
        for name in ("fdaf", "fft", "fxnlms", "hybrid", "limiter", "mix", "rls", "warped_chain", "weights")
    ),
)


class HostKernels:
    """The kernels of one design, loaded; one copy of their state, shared by all users of one ``directory``.

    Args:
        ir: The integer design.
        directory: Folder to compile in; a new one for each design.
        kernels: ``generated``, or ``cmsis`` for calls of the library.

    Raises:
        EmitError: The generated C does not compile, or GCC is missing.
        InputError: The CMSIS-DSP sources have not been fetched.
    """

    def __init__(self, ir: HeadsetIr, directory: Path, *, kernels: str = "generated") -> None:
        self._ir = ir
        write_files(directory, emit_headset(ir, kernels=kernels))
        self._library = ctypes.CDLL(str(_compile(directory, _KERNEL_SOURCES)))
        self.reset()

    def reset(self) -> None:
        """Clear the state of every ear."""
        for ear in range(self._ir.ears):
            self._library.hk_kernels_reset(ear)

    def feedforward(self, ear: int, x: Ints) -> Ints:
        """Run the fixed filter over whole blocks."""
        return self._by_block(x, lambda start, out: self._library.hk_kernel_feedforward_run(ear, start, out))

    def transparency(self, ear: int, x: Ints) -> Ints:
        """Run the hear-through filter over whole blocks."""
        return self._by_block(x, lambda start, out: self._library.hk_kernel_transparency_run(ear, start, out))

    def control(self, ear: int, weights: Ints, x: Ints) -> Ints:
        """Run the control filter over whole blocks."""
        held = np.ascontiguousarray(weights, dtype=np.int32)
        run = self._library.hk_kernel_control_run
        return self._by_block(x, lambda start, out: run(ear, _pointer(held), start, out))

    def secondary(self, ear: int, stream: int, x: Ints) -> Ints:
        """Run one stream of the secondary-path model over whole slices of eight samples."""
        run = self._library.hk_kernel_secondary_run
        return self._by_block(x, lambda start, out: run(ear, stream, start, out), length=8)

    def gradient(self, xf: Ints, e: Ints, shift: int, n_taps: int) -> Ints:
        """Run the gradient kernel once."""
        out = np.empty(n_taps, dtype=np.int32)
        window, error = (np.ascontiguousarray(values, dtype=np.int32) for values in (xf, e))
        self._library.hk_kernel_gradient_run(_pointer(window), _pointer(error), shift, _pointer(out), n_taps)
        return out

    def _by_block(self, x: Ints, run: _Run, length: int | None = None) -> Ints:
        block = length or self._ir.block
        samples = np.ascontiguousarray(x, dtype=np.int32)
        out = np.empty_like(samples)
        for at in range(0, samples.size, block):
            run(_pointer(samples[at : at + block]), _pointer(out[at : at + block]))
        return out


class HostPath:
    """The audio path and controller of the first ear of one design, loaded.

    Args:
        ir: The integer design.
        directory: Folder to compile in; a new one for each design.

    Raises:
        EmitError: The C does not compile, GCC is missing, or the controller refuses the design.
    """

    def __init__(self, ir: HeadsetIr, directory: Path) -> None:
        self._block = ir.update_block
        write_files(directory, emit_headset(ir))
        self._library = ctypes.CDLL(str(_compile(directory, _PATH_SOURCES)))
        status = self._library.host_path_init()
        if status != 0:
            raise EmitError(f"{ir.spec_name}: the controller refuses the design with status {status}; regenerate")

    def aim(self, anti_q30: int, transparency_q30: int, *, mute: bool = False) -> None:
        """Set the gains to ramp to, Q30."""
        self._library.host_path_aim(anti_q30, transparency_q30, int(mute))

    def run(self, reference: Ints, error: Ints, programme: Ints) -> Ints:
        """Run one update block; rows are reference, error, anti, played, other, out."""
        given = np.ascontiguousarray(np.stack([reference, error, programme]), dtype=np.int32)
        out = np.empty((6, self._block), dtype=np.int32)
        self._library.host_path_run(_pointer(given), _pointer(out))
        return out

    def update(
        self, reference: Ints, error: Ints, *, target: int = 0, adapt: bool = True, trust_q16: int = 1 << 16
    ) -> None:
        """Run one background job; a controller takes the whole error, or the target at its end."""
        x, e = (np.ascontiguousarray(values, dtype=np.int32) for values in (reference, error))
        self._library.host_path_update(_pointer(x), _pointer(e), target, int(adapt), trust_q16)

    def commit(self) -> None:
        """End of an update block: let the finished job act, hand the block over to the next one."""
        self._library.host_path_commit()


def _pointer(values: Ints) -> _Pointer:
    return values.ctypes.data_as(ctypes.POINTER(ctypes.c_int32))


def _compile(directory: Path, firmware: tuple[str, ...]) -> Path:
    """Compile the generated files and firmware sources by name under firmware/src, with the library they call."""
    root = project_root()
    board = host_board()
    third_party = require_sources()
    library = directory / "libkernels.so"
    folders = [*build_plan.include_dirs(root, directory), root / "firmware" / "src" / "app"]
    includes = [*(f"-I{folder}" for folder in folders), *build_plan.system_flags(root, board, third_party)]
    files = [str(directory / name) for name in ("hk_design.c", "hk_kernels.c")]
    files += [str(root / "firmware" / "src" / name) for name in firmware]
    files += [str(Path(__file__).with_name("host_path.c"))] if firmware else []
    flags = [*build_plan.compile_flags(root, board), "-w", "-fPIC", "-shared"]
    try:
        files.append(str(third_party_archive(root, board, third_party, "")))
        command = ["gcc", *flags, *includes, *files, "-o", str(library)]
        subprocess.run(command, check=True, capture_output=True, text=True)
    except CompileError as err:
        raise EmitError(str(err)) from err
    except FileNotFoundError as err:
        raise EmitError("gcc is not installed; install it (apt-get install gcc) or run `make setup`") from err
    except subprocess.CalledProcessError as err:
        raise EmitError(f"{directory}: the generated C does not compile: {err.stderr.strip().splitlines()[0]}") from err
    return library
