"""Fuzz the network loader: libFuzzer with address and undefined-behaviour sanitizers, seeded with real blobs.

``python -m hushkit_hil.networkbench.fuzz 1000000`` runs that many executions (minutes).
"""

import re
import shutil
import subprocess
import sys
from pathlib import Path

from hushkit.project import build_dir, project_root
from hushkit_codegen.network.blob import compile_model
from hushkit_codegen.network.model import parse_model
from hushkit_codegen.network.probes import PROBES, probe

from hushkit_hil.errors import BenchError


def fuzz_loader(executions: int, *, timeout_s: float = 3600.0) -> int:
    """Run the fuzzer; returns the executions done.

    Raises:
        BenchError: No clang, the target does not build, or an input makes it fail; the input's file is named.
    """
    clang = shutil.which("clang")
    if clang is None:
        raise BenchError("clang not found on PATH; install it with `make setup`")
    folder = build_dir() / "fuzz" / "net_load"
    corpus = folder / "corpus"
    corpus.mkdir(parents=True, exist_ok=True)
    for name in PROBES:
        for core in ("cortex-m4", "cortex-m55"):  # planes, and vectors
            (corpus / f"{name}-{core}").write_bytes(compile_model(parse_model(probe(name), name), core).blob)
    program = _build(clang, folder)
    command = [str(program), f"-runs={executions}", "-seed=1", "-max_len=4096", "-timeout=60", "-print_final_stats=1"]
    command += [f"-artifact_prefix={folder}/", str(corpus)]
    result = subprocess.run(command, capture_output=True, text=True, check=False, timeout=timeout_s)
    if result.returncode != 0:
        artifact = re.search(r"Test unit written to (\S+)", result.stderr)
        reason = re.search(r"(ERROR: .*|.*runtime error: .*)", result.stderr)
        raise BenchError(
            f"the loader fails: {reason[1] if reason else result.stderr.strip()[-200:]}; "
            f"input in {artifact[1] if artifact else folder}"
        )
    done = re.search(r"stat::number_of_executed_units:\s+(\d+)", result.stderr)
    if done is None:
        raise BenchError("the fuzzer printed no count of executions, so it proves nothing")
    return int(done[1])


def _build(clang: str, folder: Path) -> Path:
    root = project_root()
    program = folder / "fuzz_net_load"
    sources = sorted((root / "firmware" / "src" / "net").glob("hk_net_*.c"))
    includes = [f"-I{root / 'firmware' / folder}" for folder in ("include", "src/net")]
    command = [clang, "-std=c11", "-O1", "-g", "-fwrapv", "-ffp-contract=off", *includes]
    command += ["-fsanitize=fuzzer,address,undefined", "-fno-sanitize-recover=all"]
    command += [str(root / "firmware" / "test" / "fuzz" / "fuzz_net_load.c"), *map(str, sources), "-o", str(program)]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    if result.returncode != 0:
        raise BenchError(f"the fuzz target does not build: {result.stderr.strip()[:300]}")
    return program


if __name__ == "__main__":
    print(f"{fuzz_loader(int(sys.argv[1]))} executions, nothing found")
