"""Fetch the third-party C sources the firmware is built from.

    python -m hushkit.sources

reads firmware/third_party.txt (name, version and SHA-256 of each source distribution on the Python package index),
and unpacks each into .deps/<name>-<version>/. What is there already is kept; a changed pin is fetched anew.
"""

import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
from dataclasses import dataclass
from pathlib import Path

from hushkit.errors import InputError
from hushkit.project import project_root, sources_dir

_PIN = re.compile(r"^(?P<name>[a-z0-9-]+)==(?P<version>[0-9.]+) --hash=sha256:(?P<sha256>[0-9a-f]{64})$")
_STAMP = ".fetched"


@dataclass(frozen=True, slots=True)
class Source:
    """One pinned source distribution."""

    name: str
    version: str
    sha256: str

    @property
    def requirement(self) -> str:
        """The pin in pip's own form."""
        return f"{self.name}=={self.version} --hash=sha256:{self.sha256}"

    @property
    def folder(self) -> Path:
        """Where it is unpacked."""
        return sources_dir() / f"{self.name}-{self.version}"

    @property
    def present(self) -> bool:
        """Whether exactly this distribution has been unpacked completely."""
        stamp = self.folder / _STAMP
        return stamp.is_file() and stamp.read_text() == self.sha256


def read_pins(text: str) -> list[Source]:
    """Parse ``firmware/third_party.txt``.

    Raises:
        InputError: A line is not ``name==version --hash=sha256:...``.
    """
    pins = []
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip() or line.startswith("#"):
            continue
        match = _PIN.match(line.strip())
        if match is None:
            raise InputError(
                f"third_party.txt:{number}: expected 'name==version --hash=sha256:<64 hex>', found {line!r}"
            )
        pins.append(Source(**match.groupdict()))
    return pins


def pinned_sources() -> list[Source]:
    """The project's pins."""
    return read_pins((project_root() / "firmware" / "third_party.txt").read_text())


def require_sources() -> dict[str, Path]:
    """Folders of all fetched sources by name.

    Raises:
        InputError: One is missing; says how to fetch it.
    """
    pins = pinned_sources()
    missing = [pin.name for pin in pins if not pin.present]
    if missing:
        raise InputError(
            f"C sources not fetched: {', '.join(missing)} (expected in {sources_dir()}); "
            "run `make setup`, or `python -m hushkit.sources`"
        )
    return {pin.name: pin.folder for pin in pins}


def fetch(source: Source) -> None:
    """Download one source distribution by hash and unpack it.

    Raises:
        InputError: No package index, a wrong hash, or an archive that does not hold what its name says.
    """
    sources_dir().mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=sources_dir(), prefix="fetching-") as work:
        pins = Path(work) / "pins.txt"
        pins.write_text(source.requirement + "\n")
        command = [
            *(sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"),
            *("--no-binary", source.name, "--require-hashes", "-r", str(pins), "-d", work),
        ]
        result = subprocess.run(command, capture_output=True, text=True, check=False)
        archives = list(Path(work).glob("*.tar.gz"))
        if result.returncode != 0 or len(archives) != 1:
            reason = result.stderr.strip().splitlines()[-1:] or ["no archive arrived"]
            raise InputError(f"cannot fetch {source.name} {source.version}: {reason[0]}; check the network and the pin")
        with tarfile.open(archives[0]) as archive:
            archive.extractall(Path(work) / "unpacked", filter="data")
        unpacked = Path(work) / "unpacked" / f"{source.name}-{source.version}"
        if not unpacked.is_dir():
            raise InputError(f"{archives[0].name} does not hold {unpacked.name}/; check the pin")
        (unpacked / _STAMP).write_text(source.sha256)
        shutil.rmtree(source.folder, ignore_errors=True)
        unpacked.rename(source.folder)


def main() -> int:
    """Fetch what is missing; say what was done."""
    try:
        for pin in pinned_sources():
            if not pin.present:
                fetch(pin)
                print(f"fetched {pin.name} {pin.version}")
    except InputError as err:
        print(f"hushkit.sources: {err}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
