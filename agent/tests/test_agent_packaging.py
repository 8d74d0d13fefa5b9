"""The agent as it is installed: no toolchain, a working example, SMP tools that nobody adapted."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest
from hushkit_agent.config import load_config
from hushkit_link.simulated_port import SimulatedPort

_AGENT = Path(__file__).parents[1]
_IMPORTS = """
import sys
for name in ("numpy", "scipy", "numba", "jinja2", "boto3", "jsonschema", "paho", "hypothesis", "hushkit_codegen",
             "hushkit_models", "hushkit_iot", "hushkit_hil"):
    sys.modules[name] = None
import hushkit_agent.commands.agent
import hushkit_link.simulated_port
"""


def test_agent_imports_without_the_toolchain_and_the_cloud_tools() -> None:
    subprocess.run([sys.executable, "-c", _IMPORTS], check=True)


@pytest.mark.parametrize(
    ("package", "allowed"), [("hushkit_link", {"hushkit_link"}), ("hushkit_agent", {"hushkit_link", "hushkit_agent"})]
)
def test_packages_import_one_way(package: str, allowed: set[str]) -> None:
    found = set()
    for file in (_AGENT / package).rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            found |= {name.partition(".")[0] for name in names if name.startswith("hushkit")}

    assert found <= allowed


def test_example_configuration_is_valid() -> None:
    config = load_config(_AGENT / "agent.example.toml")

    assert config.thing == "hs-001"
    assert config.endpoint.cert == _AGENT / "certificates/hs-001.pem"


def test_missing_certificate_stops_the_agent_with_one_line(tmp_path: Path) -> None:
    file = tmp_path / "agent.toml"
    example = (_AGENT / "agent.example.toml").read_text(encoding="utf-8")
    file.write_text(example.replace("/var/lib/hushkit/hs-001/", ""), encoding="utf-8")

    command = [sys.executable, "-m", "hushkit", "agent", "run", "--config", str(file)]
    result = subprocess.run(command, capture_output=True, text=True, check=False)

    assert result.returncode == 2
    assert len(result.stderr.splitlines()) == 1
    assert "hs-001.pem" in result.stderr


def test_unmodified_smpmgr_talks_to_the_simulated_headset() -> None:
    with SimulatedPort() as device:
        command = [
            sys.executable,
            "-m",
            "smpmgr",
            "--port",
            device.path,
            "--timeout",
            "5",
            "os",
            "echo",
            "quiet please",
        ]
        result = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)

    assert result.returncode == 0, result.stderr
    assert "quiet please" in result.stdout
