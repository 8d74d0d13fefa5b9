"""PlatformIO development platform of this project: cores of firmware/boards, emulated by QEMU, and the host.

Works without PlatformIO's package registry: what Core would fetch there (SCons, cppcheck) is provided from the Python
packages of the same names, and the compiler is the one on PATH. Where a tool is missing, Core fetches it as usual.
"""

import importlib.util
import json
import shutil
import socket
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from platformio.platform.base import PlatformBase

_CROSS_COMPILER = "arm-none-eabi-gcc"
_SCONS_STARTER = (
    '"""Starts SCons for PlatformIO Core."""\nimport sys\nimport SCons.Script\n\nsys.exit(SCons.Script.main())\n'
)


class HushkitPlatform(PlatformBase):  # type: ignore[misc]  # Core has no type hints
    """The platform as Core sees it."""

    def is_embedded(self) -> bool:
        """Whether programs run elsewhere than here: decides how Core debugs them."""
        return self._board_id() != "host"

    def configure_default_packages(self, options: dict[str, Any], targets: list[str]) -> None:
        """Before Core looks for packages: provide what can be had without the registry."""
        if options.get("board") == "host" or shutil.which(_CROSS_COMPILER):
            self.packages["toolchain-gccarmnoneeabi"]["optional"] = True
        packages = Path(self.config.get("platformio", "packages_dir"))
        _provide_scons(packages)
        _provide_cppcheck(packages)
        super().configure_default_packages(options, targets)

    def configure_debug_session(self, debug_config: Any) -> None:
        """Give each session a port of its own, so that two can run at once."""
        if debug_config.tool_name == "qemu" and debug_config.server:
            with socket.socket() as probe:
                probe.bind(("127.0.0.1", 0))
                port = probe.getsockname()[1]
            debug_config.port = f"127.0.0.1:{port}"
            arguments = debug_config.server["arguments"]
            debug_config.server["arguments"] = [word.replace("@PORT@", str(port)) for word in arguments]

    def _board_id(self) -> str | None:
        environment = self.project_env
        return self.config.get(f"env:{environment}", "board") if environment else None


def _provide_scons(packages: Path) -> None:
    """Put PyPI's SCons where Core expects its tool-scons: 4.11.1 there is 4.41101.0 here."""
    found = importlib.util.find_spec("SCons")
    if found is None or found.origin is None or _version_of("scons") != "4.11.1":
        return
    folder = packages / "tool-scons"
    if not (folder / ".piopm").is_file():
        shutil.copytree(Path(found.origin).parent, folder / "SCons", dirs_exist_ok=True)
        (folder / "scons.py").write_text(_SCONS_STARTER)
        _write_manifest(folder, "tool-scons", "4.41101.0")


def _provide_cppcheck(packages: Path) -> None:
    """Let Core's tool-cppcheck be the `cppcheck` of the same Python environment."""
    program = Path(sys.executable).with_name("cppcheck")
    folder = packages / "tool-cppcheck"
    if program.is_file() and not (folder / ".piopm").is_file():
        folder.mkdir(parents=True, exist_ok=True)
        starter = folder / "cppcheck"
        starter.write_text(f'#!/bin/sh\nexec "{program}" "$@"\n')
        starter.chmod(0o755)
        _write_manifest(folder, "tool-cppcheck", "1.21100.0")


def _write_manifest(folder: Path, name: str, package_version: str) -> None:
    manifest = {"name": name, "version": package_version, "description": "provided by the development platform"}
    (folder / "package.json").write_text(json.dumps(manifest))
    spec = {"owner": "platformio", "id": None, "name": name, "requirements": None, "uri": None}
    (folder / ".piopm").write_text(json.dumps({"type": "tool", "name": name, "version": package_version, "spec": spec}))


def _version_of(distribution: str) -> str | None:
    try:
        return version(distribution)
    except PackageNotFoundError:
        return None
