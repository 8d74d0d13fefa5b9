"""PlatformIO's build script: what hushkit.build_plan says, in SCons' words.

Environment variables (or project options of the same meaning):
    HUSHKIT_GENERATED  folder of generated code instead of firmware/generated/<custom_spec>
"""

import os
import subprocess
import sys
from pathlib import Path

from SCons.Script import COMMAND_LINE_TARGETS, AlwaysBuild, Default, DefaultEnvironment

env = DefaultEnvironment()
root = Path(env["PROJECT_DIR"])
sys.path.insert(0, str(root / "codegen"))

from hushkit import build_plan, emulator  # noqa: E402  (the path above is the project's own)
from hushkit.build_archive import CompileError, third_party_archive  # noqa: E402
from hushkit.errors import InputError  # noqa: E402
from hushkit.sources import fetch, pinned_sources, require_sources  # noqa: E402


def stop(reason: object) -> None:
    """End the build with one clear line."""
    sys.stderr.write(f"Error: {reason}\n")
    env.Exit(2)


def generated_folder() -> Path:
    """Folder of one spec's generated code."""
    named = os.environ.get("HUSHKIT_GENERATED") or env.GetProjectOption("custom_generated", "")
    spec = env.GetProjectOption("custom_spec", "")
    folder = root / named if named else root / "firmware" / "generated" / spec
    if not (folder / "hk_config.h").is_file():
        stop(f"no generated code in {folder} (expected hk_config.h); run `hushkit generate {spec}` first")
    return folder


def fetched_sources() -> dict[str, Path]:
    """Third-party sources; fetched now where `make setup` has not run."""
    try:
        for pin in pinned_sources():
            if not pin.present:
                fetch(pin)
        return require_sources()
    except InputError as err:
        stop(err)
        raise


def boot(target: object, source: list[object], env: object) -> int:
    """Action of `upload`: boot the program in QEMU, and leave it running as a flashed board would be."""
    try:
        port = emulator.boot_detached(board, Path(str(source[0])).resolve(), root / ".pio" / "emulated")
    except emulator.EmulatorError as err:
        sys.stderr.write(f"Error: {err}\n")
        return 1
    print(f"{board.machine} runs; its serial line is socket://{emulator.HOST}:{port}")
    print(f"watch it: pio device monitor -e {environment}; stop it: pio run -e {environment} -t poweroff")
    return 0


def power_off(target: object, source: object, env: object) -> int:
    """Action of `poweroff`."""
    print("stopped" if emulator.switch_off(board, root / ".pio" / "emulated") else "none was running")
    return 0


environment = env["PIOENV"]
board = build_plan.load_boards(root)[env["BOARD"]]
testing = "test" in env.GetBuildType()
if list(COMMAND_LINE_TARGETS) == ["poweroff"]:  # needs nothing that a build needs
    power_off(None, None, env)
    env.Exit(0)
tools = "" if board.is_host else build_plan.CROSS_PREFIX
generated = generated_folder()
third_party = fetched_sources()
os.environ["PATH"] = env["ENV"]["PATH"]  # a toolchain that Core installed is on SCons' path only

env.Replace(
    CC=f"{tools}gcc",
    CXX=f"{tools}g++",
    AS=f"{tools}gcc",
    AR=f"{tools}gcc-ar",
    RANLIB=f"{tools}gcc-ranlib",
    LINK=f"{tools}gcc",
    OBJCOPY=f"{tools}objcopy",
    GDB="gdb-multiarch" if not board.is_host else "gdb",
    SIZETOOL=f"{tools}size",
    SIZEPRINTCMD="$SIZETOOL -A -d $SOURCES",
    SIZECHECKCMD="$SIZETOOL -A -d $SOURCES",
    SIZEPROGREGEXP=r"^(?:\.boot|\.vectors|\.note\.gnu\.build-id|\.text|\.ARM\.exidx|\.data)\s+(\d+).*",
    SIZEDATAREGEXP=r"^(?:\.stack|\.noinit|\.data|\.bss)\s+(\d+).*",
    PROGNAME="firmware",
    PROGSUFFIX=".elf" if not board.is_host or testing else ".so",
)
env.Append(
    CCFLAGS=[
        *build_plan.code_flags(root, board),
        *build_plan.generated_maps(root, generated),
        *build_plan.system_flags(root, board, third_party),
    ],
    CPPDEFINES=[
        (name, env.StringifyMacro(value.strip('"')) if value.startswith('"') else value)
        for name, value in build_plan.macros(root, board).items()
    ],
    CPPPATH=[str(folder) for folder in build_plan.include_dirs(root, generated)],
)
if not board.is_host:
    env.Append(LINKFLAGS=[*build_plan.link_flags(root, board), "-Wl,-Map,${TARGET.base}.map"])
elif not testing:
    env.Append(LINKFLAGS=build_plan.host_link_flags())

folders = build_plan.source_folders(board, with_link=testing)
env.Replace(SRC_FILTER=[f"+<{folder}/>" for folder in folders] + (["-<**/hk_main.c>"] if testing else []))
for folder, name in ((generated, "generated"), (build_plan.wire_dir(root), "wire")):
    env.BuildSources(str(Path("$BUILD_DIR") / name), str(folder))
if board.is_host:
    identity = Path(env.subst("$BUILD_DIR")) / "identity"
    identity.mkdir(parents=True, exist_ok=True)
    digest = build_plan.source_digest(root, board, generated, build_plan.compile_flags(root, board))
    (identity / "hk_build_id.c").write_text(build_plan.identity_source(digest))
    env.BuildSources(str(identity / "object"), str(identity))
try:
    env.Append(LIBS=[env.File(str(third_party_archive(root, board, third_party, tools)))])
except FileNotFoundError:
    stop(f"{tools}gcc not found on PATH; run `make setup`, or install the package gcc-arm-none-eabi")
except (CompileError, subprocess.CalledProcessError) as err:
    stop(err)

program = env.BuildProgram()
if not board.is_host:
    upload = env.VerboseAction(boot, "Booting $SOURCE")
    env.AddPlatformTarget("upload", program, upload, "Upload", "Boot in QEMU")
    env.AddPlatformTarget("poweroff", None, env.VerboseAction(power_off, "Stopping QEMU"), "Power off", "Stop QEMU")
size = env.VerboseAction("$SIZEPRINTCMD", "Sizes of $SOURCE")
AlwaysBuild(env.AddPlatformTarget("size", program, size, "Program size", "Sizes of the program's sections"))
Default(program)
