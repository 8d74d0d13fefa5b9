"""A live headset outlives its agent and its broker, and both sides converge again."""

import json
import os
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from hushkit_hil.bench.setup import Request, plant_run, prepare
from hushkit_hil.demo.operate import Cloud, Fleet, agent, local_cloud, wait_until
from hushkit_hil.demo.steps import Steps
from hushkit_hil.targets.live import LiveHeadset

_WAIT_S = 30.0


@dataclass(frozen=True, slots=True)
class Stage:
    """A live headset and a local cloud, no agent yet."""

    headset: LiveHeadset
    cloud: Cloud
    steps: Steps
    directory: Path

    @property
    def fleet(self) -> Fleet:
        return Fleet(self.cloud, self.directory / "logs")


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    setup = prepare(Request("compact-m4", seconds=4.0), print)
    assert setup.build is not None
    run = plant_run(setup.signals, block=setup.spec.audio.block, latency=setup.latency_samples, loop=True)
    steps = Steps(0, tmp_path / "logs")
    with (
        local_cloud(steps, tmp_path / "cloud") as cloud,
        LiveHeadset(setup.build.image, setup.build.board, run) as headset,
    ):
        yield Stage(headset, cloud, steps, tmp_path)


def _sequences(fleet: Fleet) -> list[tuple[str, int]]:
    return [(batch["session"], batch["seq"]) for batch in fleet.telemetry()["telemetry"]]


def _plays_on(headset: LiveHeadset) -> None:
    before = headset.seconds
    wait_until("the headset plays on", lambda: headset.seconds > before + 0.5, _WAIT_S)


@pytest.mark.timeout(240)
def test_headset_and_shadow_survive_kills_of_agent_and_broker(stage: Stage) -> None:
    fleet = stage.fleet
    serial, agent_directory = stage.headset.serial_url, stage.directory / "agent"

    with agent(stage.cloud, serial, agent_directory) as process:
        fleet.set("mode=off", wait_s=_WAIT_S)
        wait_until("telemetry", lambda: len(_sequences(fleet)) >= 2, _WAIT_S)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    _plays_on(stage.headset)

    with agent(stage.cloud, serial, agent_directory):
        assert fleet.set("mode=transparency", wait_s=_WAIT_S)["converged"]
        os.kill(json.loads((stage.cloud.directory / "broker.pid").read_text())["pid"], signal.SIGKILL)
        _plays_on(stage.headset)
        delivered = set(_sequences(fleet))
        stage.steps.command("cloud-up-again", "cloud", "up", "--directory", str(stage.cloud.directory))
        assert fleet.set("mode=anc", wait_s=_WAIT_S)["converged"]
        wait_until("telemetry after the broker's return", lambda: len(set(_sequences(fleet)) - delivered) >= 3, _WAIT_S)

    sequences = _sequences(fleet)
    for session in {name for name, _ in sequences}:
        numbers = sorted(number for name, number in sequences if name == session)
        assert numbers == list(range(numbers[0], numbers[-1] + 1))
    assert len({name for name, _ in sequences}) == 1, "the restarted agent goes on with its spool's session"
