import shutil

import pytest
from hushkit_hil.networkbench.fuzz import fuzz_loader


def test_network_loader_survives_mutated_blobs() -> None:
    if shutil.which("clang") is None:
        pytest.skip("clang is not installed: the fuzz target needs libFuzzer")

    assert fuzz_loader(3000, timeout_s=120.0) >= 3000
