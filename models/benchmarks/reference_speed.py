"""Speed of the reference controllers per sample, beside padasip and adafilt in the same process.

Every subject filters the same reference through the same 256-tap secondary path in a closed loop with 512 taps; peers
that have no closed loop run what they have (their own NLMS of 512 taps on given signals), which is less work, and say
so. Each subject is run three times and the best counts: other work on the machine only ever makes it slower.

Run with:  python models/benchmarks/reference_speed.py [--seconds 4] [--json FILE]
"""

import argparse
import functools
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import adafilt
import numpy as np
import padasip
from hushkit_models.reference import ALGORITHMS, make_controller
from hushkit_models.reference.plant import Plant
from numpy.typing import NDArray

TAPS, PATH_TAPS, RATE_HZ = 512, 256, 48_000
PEER_SAMPLES = 20_000
"""Peers take tens of microseconds a sample; this many are enough to time them."""


def main() -> int:
    """Print a table of samples per second."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=4.0, help="seconds of audio for our own (default 4)")
    parser.add_argument("--json", metavar="FILE", help="write the rows as JSON")
    options = parser.parse_args()
    rows = [*_ours(round(options.seconds * RATE_HZ)), *_peers()]
    print(f"{'subject':34}{'samples/s':>12}{'ns/sample':>11}  work")
    for row in rows:
        rate = row["samples_per_s"]
        print(f"{row['subject']:34}{rate:12.0f}{1e9 / rate:11.0f}  {row['work']}")
    if options.json:
        Path(options.json).write_text(json.dumps(rows, indent=1) + "\n")
    return 0


def _path() -> NDArray[np.float64]:
    n = np.arange(PATH_TAPS)
    return np.where(n < 4, 0.0, np.exp(-n / 30) * np.cos(0.3 * n))


def _ours(n: int) -> list[dict[str, Any]]:
    rng = np.random.default_rng(1)
    path = _path()
    x = 0.05 * rng.standard_normal(n)
    plant = Plant(RATE_HZ, x, np.convolve(x, path[::-1])[:n], np.zeros(1, dtype=np.int64), path[None], np.zeros((1, 0)))
    rows = []
    for algorithm in ALGORITHMS:
        controller = make_controller(algorithm, rate_hz=RATE_HZ, model=path, reference_power=0.0025)
        controller.compile()
        length = f"{controller.weights.size} taps, closed loop, {PATH_TAPS}-tap path and model"
        rows.append(_row(f"hushkit {algorithm}", length, n, functools.partial(controller.run, plant)))
    return rows


def _peers() -> list[dict[str, Any]]:
    rng = np.random.default_rng(1)
    x = 0.05 * rng.standard_normal(PEER_SAMPLES)
    path = _path()
    d = np.convolve(x, path)[:PEER_SAMPLES]

    def padasip_nlms() -> None:
        history = padasip.input_from_history(x, TAPS)
        padasip.filters.FilterNLMS(n=TAPS, mu=0.1, w="zeros").run(d[TAPS - 1 :], history)

    def adafilt_fxlms() -> None:
        controller = adafilt.FastBlockLMSFilter(length=TAPS, blocklength=1, stepsize=0.1)
        secondary, model = adafilt.FIRFilter(path), adafilt.FIRFilter(path)
        y = np.zeros(1)
        for k in range(PEER_SAMPLES // 4):
            e = d[k : k + 1] + secondary(y)
            controller.adapt(model(x[k : k + 1]), e)
            y = controller.filt(x[k : k + 1])

    return [
        _row("padasip NLMS", f"{TAPS} taps, given signals, no path", PEER_SAMPLES, padasip_nlms),
        _row(
            "adafilt FastBlockLMS, block 1",
            f"{TAPS} taps, closed loop, {PATH_TAPS}-tap path and model",
            PEER_SAMPLES // 4,
            adafilt_fxlms,
        ),
    ]


def _row(subject: str, work: str, samples: int, work_once: Callable[[], object]) -> dict[str, Any]:
    print(subject, file=sys.stderr)
    best_s = np.inf
    for _ in range(3):
        start = time.perf_counter()
        work_once()
        best_s = min(best_s, time.perf_counter() - start)
    return {"subject": subject, "samples_per_s": samples / best_s, "work": work, "evidence": "measured"}


if __name__ == "__main__":
    sys.exit(main())
