"""Every shipped headset as it stands on the desk: it boots, talks, idles without a plant, and obeys."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from hushkit.build import Build
from hushkit.emulator import boot_detached, switch_off
from hushkit_hil.bench.setup import plant_run
from hushkit_hil.errors import TargetError
from hushkit_hil.pytest_plugin import Bench
from hushkit_hil.targets.console import Console
from hushkit_hil.targets.live import LiveHeadset
from hushkit_link.wire import ConfigurationRequest, Mode


@pytest.fixture
def build(hil_bench: Bench, spec_name: str) -> Build:
    if hil_bench.target != "qemu":
        pytest.skip("only an emulated headset can be booted here")
    build = hil_bench.run(spec_name).setup.build
    assert build is not None
    return build


@pytest.fixture
def idle_headset(build: Build, tmp_path: Path) -> Iterator[Console]:
    """A booted headset that no plant is attached to."""
    port = boot_detached(build.board, build.elf, tmp_path)
    try:
        with Console(f"socket://127.0.0.1:{port}") as console:
            yield console
    finally:
        switch_off(build.board, tmp_path)


def test_headset_without_a_plant_boots_answers_and_idles(idle_headset: Console, build: Build, spec_name: str) -> None:
    about = idle_headset.about()
    statistics = idle_headset.statistics()

    assert about.spec == spec_name
    assert about.build_id.hex() == build.build_id[: 2 * len(about.build_id)]
    assert idle_headset.echo("anyone there?") == "anyone there?"
    assert statistics.samples == 0
    assert statistics.faults == 0


def test_live_headset_obeys_its_mode(hil_bench: Bench) -> None:
    """One spec: the control path is the same on all, and this one runs in real time."""
    if hil_bench.target != "qemu":
        pytest.skip("only an emulated headset runs live here")
    setup = hil_bench.run("compact-m4").setup
    assert setup.build is not None
    run = plant_run(setup.signals, block=setup.spec.audio.block, latency=setup.latency_samples, loop=True)

    with LiveHeadset(setup.build.image, setup.build.board, run) as headset, Console(headset.serial_url) as console:
        console.listen(1.0)
        cancelling_db = headset.attenuation_db(0.3)
        console.configure(mode=Mode.OFF)
        console.listen(1.0)
        off_db = headset.attenuation_db(0.3)
        with pytest.raises(TargetError, match="refused"):
            console.write(ConfigurationRequest.COMMAND, {"mode": 99})
        configuration = console.configure()

    assert cancelling_db > 3.0
    assert abs(off_db) < 0.2
    assert configuration.mode is Mode.OFF
