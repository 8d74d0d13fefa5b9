import subprocess
import sys
from pathlib import Path

import pytest
from hushkit.errors import InputError
from hushkit.image import read_image


def compile_for_arm(folder: Path, text: str) -> Path:
    source = folder / "program.c"
    source.write_text(text)
    elf = folder / "program.elf"
    flags = ["-mcpu=cortex-m4", "-mthumb", "-nostdlib", "-Wl,-e,start,--build-id=sha1"]
    subprocess.run(["arm-none-eabi-gcc", *flags, str(source), "-o", str(elf)], check=True)
    return elf


def test_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"cannot read .*none\.elf: No such file"):
        read_image(tmp_path / "none.elf")


def test_file_that_is_no_elf_is_refused(tmp_path: Path) -> None:
    text = tmp_path / "firmware.elf"
    text.write_text("this is no program")

    with pytest.raises(InputError, match="is not an ELF file"):
        read_image(text)


def test_program_of_this_machine_is_refused() -> None:
    with pytest.raises(InputError, match=r"is for EM_\w+, expected EM_ARM"):
        read_image(Path(sys.executable).resolve())


def test_foreign_arm_program_is_refused(tmp_path: Path) -> None:
    elf = compile_for_arm(tmp_path, "void start(void) { for (;;) { } }")

    with pytest.raises(InputError, match="is not headset firmware of this project"):
        read_image(elf)
