import json
import os
import shutil
import subprocess
import sys
from ctypes import CDLL, c_uint8
from dataclasses import replace
from pathlib import Path

import pytest
from hushkit.build import BuildError, board_of, build_firmware, build_host
from hushkit.cli import main
from hushkit.commands import build as command
from hushkit.emulator import (
    EmulatorError,
    boot_detached,
    boot_on_terminal,
    emulator_command,
    emulator_version,
    switch_off,
)
from hushkit.errors import InputError
from hushkit.image import read_image
from hushkit.project import project_root
from hushkit.spec import HeadsetSpec, load_spec


@pytest.fixture(scope="module")
def spec() -> HeadsetSpec:
    return load_spec("compact-m4")


def test_image_is_for_the_core_of_the_spec_and_fits_it(spec: HeadsetSpec) -> None:
    build = build_firmware(spec)

    assert build.core == "cortex-m4"
    assert build.flash_bytes < spec.core.flash_bytes
    assert build.ram_bytes < spec.core.ram_bytes
    assert build.image.stack_bytes == 8192
    assert build.map.is_file()
    assert "hk_port_audio_sync" in build.image.symbols


def test_only_used_parts_of_cmsis_dsp_are_linked(spec: HeadsetSpec) -> None:
    symbols = build_firmware(spec).image.symbols

    assert not [name for name in symbols if name.startswith("arm_cfft") or name.endswith("_f32")]


def test_heap_and_floating_point_library_are_absent(spec: HeadsetSpec) -> None:
    symbols = set(build_firmware(spec).image.symbols)

    assert not symbols & {"malloc", "_malloc_r", "_sbrk", "printf", "__aeabi_fadd", "__aeabi_dadd", "__aeabi_dmul"}


def test_another_place_gives_the_same_build_id(spec: HeadsetSpec, tmp_path: Path) -> None:
    generated = tmp_path / "generated"
    shutil.copytree(project_root() / "firmware" / "generated" / spec.name, generated)

    here = build_firmware(spec)
    there = build_firmware(spec, generated=generated, directory=tmp_path / "build")

    assert there.elf != here.elf
    assert there.build_id == here.build_id


def test_image_for_another_core_is_refused(spec: HeadsetSpec) -> None:
    elf = build_firmware(spec).elf

    with pytest.raises(InputError, match="is built for cortex-m4, expected cortex-m7"):
        read_image(elf, core="cortex-m7")


def test_host_library_carries_the_digest_of_its_sources(spec: HeadsetSpec) -> None:
    library = build_host(spec)

    identity = bytes((c_uint8 * 20).in_dll(CDLL(str(library)), "hk_build_id"))
    assert library.stem.endswith(identity.hex()[:12])
    assert build_host(spec) == library


def test_missing_compiler_is_one_clear_error(spec: HeadsetSpec, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")

    with pytest.raises(BuildError, match=r"arm-none-eabi-gcc not found on PATH; run `make setup`"):
        build_firmware(spec)


def test_missing_emulator_is_one_clear_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")

    with pytest.raises(EmulatorError, match=r"qemu-system-arm not found on PATH; run `make setup`"):
        emulator_version()


def test_compile_error_is_reported_with_its_place(spec: HeadsetSpec, tmp_path: Path) -> None:
    generated = tmp_path / "generated"
    shutil.copytree(project_root() / "firmware" / "generated" / spec.name, generated)
    with (generated / "hk_design.c").open("a") as file:
        file.write("int broken = ;\n")

    with pytest.raises(BuildError, match=r"hk_design\.c:\d+:\d+: error"):
        build_firmware(spec, generated=generated, directory=tmp_path / "build")


def test_command_reports_sizes_and_fails_over_budget(
    spec: HeadsetSpec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    report = tmp_path / "report.json"
    within = main(["build", "compact-m4", "--json", str(report)])
    sizes = json.loads(report.read_text())
    tight = replace(spec, budgets=replace(spec.budgets, flash_bytes=sizes["flash_bytes"] - 1))
    monkeypatch.setattr(command, "load_spec", lambda _: tight)
    monkeypatch.setattr(command, "generated_code", lambda *_: project_root() / "firmware" / "generated" / spec.name)

    over = main(["build", "compact-m4", "--json", str(report)])

    failing = json.loads(report.read_text())
    assert (within, over) == (0, 1)
    assert (sizes["passed"], failing["passed"]) == (True, False)
    assert sizes["budgets"]["flash_bytes"] == spec.budgets.flash_bytes
    assert failing["failures"][0].startswith(f"flash: {sizes['flash_bytes']} bytes, the budget is")


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (["flash", "compact-m4", "--target", "serial:/dev/ttyACM0"], "takes no upload yet"),
        (["flash", "compact-m4", "--elf", sys.executable], "expected EM_ARM"),
        (["monitor", "--target", "serial:/dev/no-such-port", "--seconds", "1"], "cannot open /dev/no-such-port"),
        (["monitor", "--target", "host"], "no serial line here"),
        (["build", "compact-m4", "--target", "moon"], "target 'moon' is unknown"),
    ],
)
def test_commands_refuse_bad_input_in_one_line(
    words: list[str], error: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(words) == 2

    said = capsys.readouterr().err
    assert error in said
    assert said.count("\n") == 1


def test_headset_keeps_running_on_a_terminal_until_it_is_switched_off(spec: HeadsetSpec, tmp_path: Path) -> None:
    board = board_of("cortex-m4")

    device = boot_on_terminal(board, build_firmware(spec).elf, tmp_path)
    running = Path(device).exists()

    assert running
    assert switch_off(board, tmp_path)
    assert not Path(device).exists()
    assert not switch_off(board, tmp_path)


def test_missing_image_is_refused_before_the_emulator_starts(tmp_path: Path) -> None:
    with pytest.raises(EmulatorError, match=r"no firmware image .*none\.elf"):
        boot_detached(board_of("cortex-m4"), tmp_path / "none.elf", tmp_path)


def test_emulator_that_stops_at_once_says_why(tmp_path: Path) -> None:
    too_large = tmp_path / "firmware.elf"
    too_large.write_bytes(bytes(5 * 1024 * 1024))

    with pytest.raises(EmulatorError, match=r"stopped at once: .*firmware\.elf"):
        boot_detached(board_of("cortex-m4"), too_large, tmp_path)


def test_emulator_starts_with_a_shared_audio_page(tmp_path: Path) -> None:
    """QEMU takes the page file as main memory and makes it to size."""
    page = tmp_path / "page"
    words = emulator_command(
        board_of("cortex-m4"), build_firmware(load_spec("compact-m4")).elf, serial="null", page=page
    )

    with subprocess.Popen([*words, "-S", "-pidfile", str(tmp_path / "pid")], env=os.environ) as process:
        try:
            process.wait(timeout=1.0)
        except subprocess.TimeoutExpired:
            pass
        finally:
            process.kill()

    assert page.stat().st_size == 16 * 1024 * 1024
