"""The headset's state machine against the simulated headset, in simulated time."""

import random
from collections.abc import Callable
from dataclasses import dataclass, field

from hushkit_agent.core.desired import Settings
from hushkit_agent.core.headset import (
    Change,
    Headset,
    HeadsetDown,
    HeadsetIncompatible,
    HeadsetRestarted,
    HeadsetUp,
    LinkState,
    SettingRefused,
    SettingsInForce,
    Telemetry,
    Trouble,
)
from hushkit_link import wire
from hushkit_link.simulator import SimulatedHeadset


@dataclass
class _Bench:
    """Agent side and headset joined by a line that may lose bytes, stepped in simulated time."""

    device: SimulatedHeadset = field(default_factory=SimulatedHeadset)
    headset: Headset = field(default_factory=Headset)
    now_s: float = 0.0
    line: Callable[[bytes], bytes] = lambda data: data
    changes: list[Change] = field(default_factory=list)

    def run(self, seconds: float, step_s: float = 0.01) -> None:
        end_s = self.now_s + seconds
        while self.now_s < end_s:
            data, changes = self.headset.poll(self.now_s)
            answer = self.device.feed(self.line(data), self.now_s) + self.device.poll(self.now_s)
            self.changes += changes + self.headset.feed(self.line(answer), self.now_s)
            self.now_s += step_s

    def seen(self, kind: type[Change]) -> list[Change]:
        return [change for change in self.changes if isinstance(change, kind)]


def _opened(**device: object) -> _Bench:
    bench = _Bench(device=SimulatedHeadset(**device))  # type: ignore[arg-type]
    bench.headset.opened(0.0)
    return bench


def test_headset_comes_up_and_telemetry_flows_each_period() -> None:
    bench = _opened()

    bench.run(10.5)

    assert bench.headset.state is LinkState.UP
    assert len(bench.seen(HeadsetUp)) == 1
    kinds = [c.message.NAME for c in bench.changes if isinstance(c, Telemetry)]
    assert kinds[0] == "hello"
    assert kinds.count("levels") == 20
    assert kinds.count("health") == 10
    assert bench.headset.counts.lost_frames == 0


def test_wishes_are_carried_out_and_reported() -> None:
    bench = _opened()
    bench.headset.want(Settings(wire.Mode.OFF, 0.25, 0.5))

    bench.run(2.0)

    last = bench.seen(SettingsInForce)[-1]
    assert last == SettingsInForce(Settings(wire.Mode.OFF, 0.25, 0.5))
    assert bench.device.settings.mode is wire.Mode.OFF


def test_settings_and_telemetry_return_after_a_reset() -> None:
    bench = _opened()
    bench.headset.want(Settings(wire.Mode.TRANSPARENCY, 0.5, None))
    bench.run(3.0)

    bench.device.reset(bench.now_s)
    bench.run(6.0)

    assert bench.device.settings.mode is wire.Mode.TRANSPARENCY
    assert bench.headset.state is LinkState.UP
    assert len(bench.seen(HeadsetRestarted)) >= 1
    assert isinstance(bench.changes[-1], Telemetry)


def test_reset_between_rare_telemetry_is_found_by_reading() -> None:
    bench = _opened()
    bench.headset.want(Settings(wire.Mode.OFF, None, 3600.0))
    bench.run(5.0)

    bench.device.reset(bench.now_s)
    bench.run(12.0)

    assert bench.device.settings.mode is wire.Mode.OFF
    assert len(bench.seen(HeadsetRestarted)) == 1


def test_silence_takes_the_link_down_once_and_an_answer_brings_it_back() -> None:
    bench = _opened()
    bench.run(2.0)

    bench.line = lambda _data: b""
    bench.run(60.0)
    bench.line = lambda data: data
    bench.run(15.0)

    assert len(bench.seen(HeadsetDown)) == 1
    assert len(bench.seen(HeadsetUp)) == 2
    assert bench.headset.state is LinkState.UP


def test_a_line_that_cuts_one_message_in_six_only_costs_retries() -> None:
    bench = _opened()
    bench.headset.want(Settings(wire.Mode.OFF, 0.125, 1.0))
    chance = random.Random(1)

    bench.line = lambda data: data[: len(data) // 2] if chance.random() < 1 / 6 else data
    bench.run(60.0)

    assert bench.headset.state is LinkState.UP
    assert bench.device.settings.intensity == 0.125
    assert bench.headset.retries > 0
    assert not bench.seen(HeadsetDown)
    assert bench.headset.counts.corrupt > 0
    assert len(bench.seen(Trouble)) >= bench.headset.counts.corrupt


def test_other_edition_is_one_clear_error_and_nothing_is_written() -> None:
    bench = _opened(digest=bytes(8))
    bench.headset.want(Settings(wire.Mode.OFF, None, None))

    bench.run(100.0)

    (fault,) = bench.seen(HeadsetIncompatible)
    assert isinstance(fault, HeadsetIncompatible)
    assert "digest 0000000000000000" in fault.reason
    assert wire.DIGEST.hex() in fault.reason
    assert "update the older of the two" in fault.reason
    assert bench.device.settings.changes == 0
    assert bench.headset.state is LinkState.INCOMPATIBLE


def test_new_firmware_on_the_open_line_ends_the_incompatibility() -> None:
    bench = _opened(digest=bytes(8))
    bench.run(1.0)

    bench.device.digest = wire.DIGEST
    bench.run(31.0)

    assert bench.headset.state is LinkState.UP


def test_refused_setting_is_told_once_and_tried_again_for_another_wish() -> None:
    bench = _opened()
    bench.run(1.0)
    bench.device.refuses = wire.Error.RANGE
    bench.headset.want(Settings(wire.Mode.OFF, None, None))
    bench.run(30.0)

    bench.device.refuses = None
    bench.headset.want(Settings(wire.Mode.TRANSPARENCY, None, None))
    bench.run(1.0)

    assert len(bench.seen(SettingRefused)) == 1
    assert bench.device.settings.mode is wire.Mode.TRANSPARENCY


def test_busy_headset_is_asked_again() -> None:
    bench = _opened()
    bench.run(1.0)
    bench.device.refuses = wire.Error.BUSY
    bench.headset.want(Settings(wire.Mode.OFF, None, None))
    bench.run(3.0)

    bench.device.refuses = None
    bench.run(6.0)

    assert bench.device.settings.mode is wire.Mode.OFF
    assert not bench.seen(SettingRefused)


def test_port_loss_ends_everything_until_it_opens_again() -> None:
    bench = _opened()
    bench.run(2.0)

    lost = bench.headset.closed("unplugged")

    assert lost == [HeadsetDown("unplugged")]
    assert bench.headset.closed("unplugged") == []
    assert bench.headset.deadline_s() == float("inf")
    bench.headset.opened(bench.now_s)
    bench.run(1.0)
    assert bench.headset.state is LinkState.UP
