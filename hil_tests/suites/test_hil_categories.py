"""Noise categories that begin to act in mid-run: the same bits on target and host, and the sound they ask for."""

import numpy as np
from hushkit_hil.bench.run import bench
from hushkit_hil.bench.setup import Request
from hushkit_hil.pytest_plugin import Bench


def test_an_emergency_opens_the_headset_and_its_end_closes_it(hil_bench: Bench) -> None:
    categories = ("0.6:emergency", "0.8:highway")
    request = Request("compact-m4", target=hil_bench.target, seconds=1.2, categories=categories)

    result, setup, outcome = bench(request, print)

    assert result.bit_exact.host_vs_target in {True, None}
    rate_hz = setup.run.rate_hz
    level = {}
    for name, begin, end in (("before", 0.4, 0.6), ("during", 0.7, 0.8), ("after", 1.0, 1.2)):
        heard = outcome.error[0, round(begin * rate_hz) : round(end * rate_hz)] / 2.0**31
        outside = setup.run.reference[0, round(begin * rate_hz) : round(end * rate_hz)]
        level[name] = 10 * np.log10(np.mean(heard**2) / np.mean(outside**2))
    assert level["before"] < -15.0
    assert abs(level["during"]) < 3.0  # the open ear, 100 ms after the siren was recognised
    assert level["after"] < -15.0
