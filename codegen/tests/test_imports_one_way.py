"""Imports point one way: models <- codegen <- hil; link <- agent, hil; iot alone; only design computes in floats."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = {
    "hushkit_models": ROOT / "models" / "hushkit_models",
    "hushkit": ROOT / "codegen" / "hushkit",
    "hushkit_codegen": ROOT / "codegen" / "hushkit_codegen",
    "hushkit_hil": ROOT / "hil_tests" / "hushkit_hil",
    "hushkit_link": ROOT / "agent" / "hushkit_link",
    "hushkit_agent": ROOT / "agent" / "hushkit_agent",
    "hushkit_iot": ROOT / "iot" / "hushkit_iot",
}

# What each package may import of the others. The command and the generator are one room.
ALLOWED: dict[str, set[str]] = {
    "hushkit_models": set(),
    "hushkit": {"hushkit_models", "hushkit_codegen"},
    "hushkit_codegen": {"hushkit_models", "hushkit"},
    "hushkit_hil": {"hushkit_models", "hushkit", "hushkit_codegen", "hushkit_link"},
    "hushkit_link": set(),
    "hushkit_agent": {"hushkit_link"},
    "hushkit_iot": set(),
}

# Modules of hushkit_codegen that may import NumPy: the design stage, what compares its output, and the network
# compiler, which handles integer arrays. SciPy is the design stage's alone.
NUMERIC = {"numpy": ("design/", "host_kernels.py", "network/"), "numba": ("design/",), "scipy": ("design/",)}


def imports_of(path: Path) -> Iterator[tuple[int, str]]:
    """Every module a file imports, wherever in the file, with its line."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"), filename=str(path))):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: relative import; name the package"
            yield node.lineno, node.module or ""


def modules(package: str) -> list[Path]:
    return sorted(PACKAGES[package].rglob("*.py"))


def is_within(module: str, allowed: str) -> bool:
    return module == allowed or module.startswith(allowed + ".")


@pytest.mark.parametrize("package", PACKAGES)
def test_package_imports_only_what_lies_below_it(package: str) -> None:
    wrong = []
    for path in modules(package):
        allowed = ALLOWED[package] | {package}
        for line, module in imports_of(path):
            ours = module.split(".")[0] in PACKAGES
            if ours and not any(is_within(module, name) for name in allowed):
                wrong.append(f"{path.relative_to(ROOT)}:{line}: {module}")

    assert modules(package)
    assert wrong == []


def test_only_the_design_stage_computes_in_floats() -> None:
    root = PACKAGES["hushkit_codegen"]
    wrong = [
        f"{path.relative_to(root)}:{line}: {module}"
        for path in modules("hushkit_codegen")
        for line, module in imports_of(path)
        if (library := module.split(".")[0]) in NUMERIC
        if not path.relative_to(root).as_posix().startswith(NUMERIC[library])
    ]

    assert wrong == []


def test_link_needs_nothing_but_the_standard_library_cbor2_and_pyserial() -> None:
    foreign = {
        module.split(".")[0]
        for path in modules("hushkit_link")
        for _, module in imports_of(path)
        if module.split(".")[0] in {"numpy", "scipy", "awsiot", "awscrt", "boto3", "jinja2", "platformio"}
    }

    assert foreign == set()
