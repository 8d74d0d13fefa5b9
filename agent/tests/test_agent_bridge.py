"""The whole core: desired to headset to reported, batches, events; with a simulated headset and a shadow in memory."""

import json
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from hushkit_agent.core.agent import Agent, Identity
from hushkit_agent.core.batching import MOST_RECORDS, Batcher
from hushkit_agent.core.documents import difference, merged
from hushkit_agent.core.effects import Effect, Instant, Keep, Level, Publish, Say, WriteLine
from hushkit_link import wire
from hushkit_link.simulated_classifier import SimulatedClassifier
from hushkit_link.simulator import SimulatedHeadset

_SCHEMAS = Path(__file__).parents[2] / "iot" / "schemas"
_PREFIX = "$aws/things/hs/shadow/"


@dataclass
class _World:
    """An agent between a headset and a shadow that answers at once."""

    device: SimulatedHeadset = field(default_factory=SimulatedHeadset)
    agent: Agent = field(default_factory=lambda: Agent(Identity("hs", "0.1.0", "run")))
    desired: dict[str, Any] = field(default_factory=dict)
    reported: dict[str, Any] = field(default_factory=dict)
    version: int = 1
    connected: bool = False
    now: Instant = field(default_factory=lambda: Instant(0.0, 1_800_000_000_000))
    kept: list[Keep] = field(default_factory=list)
    said: list[Say] = field(default_factory=list)
    status: list[Publish] = field(default_factory=list)

    def connect(self) -> None:
        self.connected = True
        self._carry_out(self.agent.cloud_connected(self.now))

    def disconnect(self) -> None:
        self.connected = False
        self._carry_out(self.agent.cloud_disconnected(self.now))

    def open(self) -> None:
        self._carry_out(self.agent.line_opened(self.now))

    def desire(self, change: dict[str, Any]) -> None:
        self.version += 1
        self.desired = merged(self.desired, change)
        self._hear("update/accepted", state={"desired": change}, version=self.version, clientToken="operator")
        delta = {k: v for k, v in difference(self.reported, self.desired).items() if v is not None}
        if delta:
            self._hear("update/delta", state=delta, version=self.version)

    def run(self, seconds: float, step_s: float = 0.01) -> None:
        for _ in range(round(seconds / step_s)):
            self.now = Instant(self.now.mono_s + step_s, self.now.unix_ms + round(step_s * 1000))
            self._carry_out(self.agent.tick(self.now))
            data = self.device.poll(self.now.mono_s)
            if data:
                self._carry_out(self.agent.line_bytes(data, self.now))

    def line(self, data: bytes) -> None:
        self._carry_out(self.agent.line_bytes(data, self.now))

    def documents(self, stream: str) -> list[dict[str, Any]]:
        return [dict(keep.document) for keep in self.kept if keep.stream == stream]

    def _hear(self, topic: str, **document: Any) -> None:
        if self.connected:
            self._carry_out(self.agent.cloud_message(_PREFIX + topic, json.dumps(document).encode(), self.now))

    def _carry_out(self, effects: list[Effect]) -> None:
        for effect in effects:
            match effect:
                case WriteLine(data):
                    answer = self.device.feed(data, self.now.mono_s)
                    if answer:
                        self._carry_out(self.agent.line_bytes(answer, self.now))
                case Keep():
                    self.kept.append(effect)
                case Say():
                    self.said.append(effect)
                case Publish(topic, payload) if topic.startswith(_PREFIX):
                    self._serve(topic.removeprefix(_PREFIX), json.loads(payload))
                case Publish():
                    self.status.append(effect)

    def _serve(self, operation: str, request: dict[str, Any]) -> None:
        token = request["clientToken"]
        if operation == "get":
            state = {"desired": self.desired, "reported": self.reported}
            self._hear("get/accepted", state=state, version=self.version, clientToken=token)
            return
        self.version += 1
        self.reported = merged(self.reported, request["state"]["reported"])
        self._hear("update/accepted", state=request["state"], version=self.version, clientToken=token)


@pytest.fixture
def world() -> _World:
    world = _World()
    world.connect()
    world.open()
    world.run(2.0)
    return world


def test_reported_state_says_who_and_how(world: _World) -> None:
    assert world.reported == {
        "agent": {"version": "0.1.0"},
        "firmware": {"build_id": bytes(range(16)).hex(), "spec": "flagship-m7", "version": "0.1.0"},
        "intensity": 1.0,
        "link": "up",
        "mode": "anc",
        "telemetry": {"period_s": 1.0},
    }
    assert world.agent.is_converged


def test_desired_state_reaches_the_headset_and_comes_back_reported(world: _World) -> None:
    world.desire({"mode": "transparency", "intensity": 0.4, "telemetry": {"period_s": 0.5}})
    world.run(1.0)

    assert world.device.settings.mode is wire.Mode.TRANSPARENCY
    assert world.reported["mode"] == "transparency"
    assert world.reported["intensity"] == 0.4
    assert world.reported["telemetry"] == {"period_s": 0.5}
    assert "rejected" not in world.reported


def test_bad_wishes_are_reported_with_reasons_and_the_good_state_stays(world: _World) -> None:
    world.desire({"mode": "off"})
    world.run(0.5)

    world.desire({"mode": "turbo", "intensity": 7})
    world.run(0.5)

    assert world.reported["mode"] == "off"
    assert world.reported["intensity"] == 1.0
    assert world.reported["rejected"]["mode"] == {
        "value": "turbo",
        "reason": "unknown mode; expected off, anc, transparency",
    }
    assert world.reported["rejected"]["intensity"]["value"] == 7
    rejected = [event for event in world.documents("events") if event["kind"] == "setting_rejected"]
    assert {event["data"]["property"] for event in rejected} == {"mode", "intensity"}

    world.desire({"mode": None, "intensity": None})
    world.run(0.5)
    assert "rejected" not in world.reported
    assert world.device.settings.mode is wire.Mode.OFF


def test_setting_refused_by_the_headset_is_reported(world: _World) -> None:
    world.device.refuses = wire.Error.RANGE

    world.desire({"mode": "off"})
    world.run(1.0)

    assert world.reported["rejected"] == {"mode": {"value": "off", "reason": "the headset answered range"}}
    assert world.reported["mode"] == "anc"


def test_wishes_made_while_the_agent_was_away_are_carried_out(world: _World) -> None:
    world.disconnect()
    world.desire({"mode": "off"})
    world.run(3.0)
    assert world.reported["mode"] == "anc"

    world.connect()
    world.run(0.5)

    assert world.device.settings.mode is wire.Mode.OFF
    assert world.reported["mode"] == "off"


def test_headset_reset_is_told_and_its_settings_return(world: _World) -> None:
    world.desire({"mode": "off"})
    world.run(1.0)

    world.device.reset(world.now.mono_s)
    world.run(6.0)

    assert world.device.settings.mode is wire.Mode.OFF
    assert world.reported["mode"] == "off"
    assert "headset_restarted" in {event["kind"] for event in world.documents("events")}


def test_fault_of_the_headset_is_told_with_its_address(world: _World) -> None:
    world.device.crash(world.now.mono_s)
    world.run(6.0)

    events = {event["kind"]: event for event in world.documents("events")}
    assert events["fault"]["level"] == "error"
    assert events["fault_recorded"]["data"] == {
        "faults": 1,
        "fault_kind": 3,
        "fault_pc": 0x1234,
        "fault_lr": 0x1001,
        "fault_status": 0x8200,
        "fault_address": 0xFFFFFFF0,
    }
    assert "0x00001234" in events["fault_recorded"]["message"]


def test_lost_port_is_reported_as_link_down(world: _World) -> None:
    world._carry_out(world.agent.line_closed("unplugged", world.now))
    world._carry_out(world.agent.line_closed("does not exist", world.now))
    world.run(0.1)

    assert world.reported["link"] == "down"
    assert [event["kind"] for event in world.documents("events")] == ["link_restored", "link_lost"]
    assert [say.message for say in world.said][-2:] == ["unplugged", "does not exist"]


def test_other_edition_is_reported_once_as_an_error() -> None:
    world = _World(device=SimulatedHeadset(digest=bytes(8)))
    world.connect()
    world.open()

    world.run(70.0, step_s=0.1)

    assert world.reported["link"] == "down"
    assert [say.level for say in world.said] == [Level.ERROR]
    assert [event["kind"] for event in world.documents("events")] == ["headset_incompatible"]


def test_batches_hold_every_frame_once_and_fit_the_schemas(world: _World) -> None:
    jsonschema = pytest.importorskip("jsonschema")
    schemas = {
        stream: json.loads((_SCHEMAS / f"{file}.schema.json").read_text(encoding="utf-8"))
        for stream, file in (("telemetry", "telemetry"), ("events", "event"))
    }

    world.desire({"mode": "off"})
    world.run(10.0)
    world._carry_out(world.agent.stop(world.now))

    batches = world.documents("telemetry")
    records = [record for batch in batches for record in batch["records"]]
    assert 6 <= len(batches) <= 13
    assert all(batch["to_ms"] - batch["from_ms"] <= 1000 for batch in batches)
    assert len([record for record in records if record["type"] == "health"]) in {11, 12}
    uptimes = [record["data"]["uptime_ms"] for record in records if record["type"] == "health"]
    assert uptimes == sorted(set(uptimes))
    assert {record["type"] for record in records} == {"hello", "levels", "block_stats", "health", "event"}
    for keep in world.kept:
        document = {**json.loads(json.dumps(keep.document)), "session": "s", "seq": 0}
        jsonschema.validate(document, schemas[keep.stream])
    jsonschema.validate(
        world.reported, json.loads((_SCHEMAS / "headset_reported.schema.json").read_text(encoding="utf-8"))
    )
    jsonschema.validate(
        json.loads(world.status[0].payload), json.loads((_SCHEMAS / "status.schema.json").read_text(encoding="utf-8"))
    )


def test_device_events_are_passed_on_with_their_level(world: _World) -> None:
    world._carry_out(
        world.agent.line_bytes(
            world.device.event(wire.EventKind.DIVERGENCE, world.now.mono_s, ear=1, value=3), world.now
        )
    )

    event = world.documents("events")[-1]
    assert (event["kind"], event["level"]) == ("divergence", "warning")
    assert event["data"] == {"kind": "divergence", "uptime_ms": 2000, "ear": 1, "mode": "anc", "value": 3}
    assert "ear 1" in event["message"]


def test_stopping_closes_the_batch_and_says_good_bye(world: _World) -> None:
    effects = world.agent.stop(world.now)

    assert [type(effect) for effect in effects] == [Keep, Publish]
    assert isinstance(effects[1], Publish)
    assert effects[1].retain
    assert json.loads(effects[1].payload)["online"] is False


def test_a_full_batch_closes_early_and_stays_below_the_message_limit() -> None:
    batcher = Batcher(1.0)
    most = (1 << 32) - 1
    message = wire.Health(most, most, most, most, most, most, most, 0xFFFFFF, most, most)
    now = Instant(0.0, 1_800_000_000_000)

    for _ in range(MOST_RECORDS):
        assert batcher.close(now) is None
        batcher.add(message, now)

    batch = batcher.close(now)
    assert batch is not None
    assert len(json.dumps(batch)) < 128 * 1024


def _heard(world: _World, **change: Any) -> None:
    assert world.device.classifier is not None
    world.device.classifier.found = replace(world.device.classifier.found, **change)


def test_shadow_shows_what_the_headset_hears() -> None:
    jsonschema = pytest.importorskip("jsonschema")
    world = _World(device=SimulatedHeadset(classifier=SimulatedClassifier()))
    world.connect()
    world.open()
    world.run(3.0)
    first = world.reported["classifier"]

    _heard(world, category=wire.Category.TRAIN, superclass=wire.Superclass.RAIL, confidence=0.71, shadow_model=7)
    world.run(2.0)

    assert (first["category"], first["superclass"], first["model"]) == ("aircraft_cruise", "aircraft", "1234abcd")
    assert first["level_db_spl"] == 82.0
    assert world.reported["classifier"]["category"] == "train"
    assert world.reported["classifier"]["shadow_model"] == "00000007"
    jsonschema.validate(
        world.reported, json.loads((_SCHEMAS / "headset_reported.schema.json").read_text(encoding="utf-8"))
    )


def test_shadow_does_not_follow_every_wobble_of_a_level() -> None:
    world = _World(device=SimulatedHeadset(classifier=SimulatedClassifier()))
    world.connect()
    world.open()
    world.run(3.0)
    before = world.version

    for step in range(8):
        _heard(world, level=82.0 + 0.3 * (step % 2), confidence=0.8 + 0.01 * (step % 3), windows=20 + step)
        world.run(1.0)

    assert world.version == before
    assert world.reported["classifier"]["level_db_spl"] == 82.0


def test_emergency_is_an_urgent_event() -> None:
    world = _World(device=SimulatedHeadset(classifier=SimulatedClassifier()))
    world.connect()
    world.open()
    world.run(3.0)

    world.line(world.device.emergency(wire.EmergencyKind.SIREN, world.now.mono_s))
    world.line(world.device.emergency(wire.EmergencyKind.SIREN, world.now.mono_s, begins=False))

    events = [kept for kept in world.kept if kept.document.get("kind") in {"emergency", "emergency_over"}]
    assert [(kept.stream, kept.urgent, kept.document["kind"], kept.document["level"]) for kept in events] == [
        ("events", True, "emergency", Level.ERROR),
        ("events", True, "emergency_over", Level.INFO),
    ]
    data: Any = events[0].document["data"]
    assert (data["kind"], data["model"]) == ("siren", "1234abcd")
