"""Hear-through at the error microphone, leak and driver together, as the plant has it; the host target's C."""

import numpy as np
import pytest
import scipy.signal
from hushkit.spec import shipped_specs
from hushkit_hil.bench.run import run_target
from hushkit_hil.bench.setup import Request, prepare

FROM_HZ, TO_HZ, TOLERANCE_DB = 100.0, 6000.0, 3.0


@pytest.mark.parametrize("spec", shipped_specs())
def test_open_ear_is_flat_within_3_db_from_100_hz_to_6_khz(spec: str) -> None:
    """Sixth octaves of the transfer from the reference to the error microphone, pink noise from one direction."""
    request = Request(spec, target="host", noise="pink", field="direct", seconds=6.0, categories=("emergency",))
    setup = prepare(request, print)
    skip = setup.run.rate_hz // 2

    heard = run_target(setup).error[0, skip:] / 2.0**31
    outside = setup.run.reference[0, skip : skip + heard.size]

    frequency, cross = scipy.signal.csd(outside, heard, fs=setup.run.rate_hz, nperseg=8192)
    _, power = scipy.signal.welch(outside, fs=setup.run.rate_hz, nperseg=8192)
    levels = {}
    for centre in FROM_HZ * 2 ** (np.arange(0, 6 * np.log2(TO_HZ / FROM_HZ)) / 6):
        inside = (frequency >= centre * 2 ** (-1 / 12)) & (frequency < centre * 2 ** (1 / 12))
        levels[round(centre)] = 10 * np.log10(np.mean(np.abs(cross[inside]) ** 2) / np.mean(power[inside] ** 2))
    assert len(levels) > 30
    assert max(map(abs, levels.values())) < TOLERANCE_DB, levels
