"""The local core as a whole, on the loopback: broker, engine, database, and what survives a crash."""

import json
import queue
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

import boto3
import paho.mqtt.client as mqtt
import pytest
from hushkit_iot import topics
from hushkit_iot.errors import LocalCoreError
from hushkit_iot.localcore import LocalCore, ThingCredentials
from hushkit_iot.localcore.layout import Profile, write_profile
from paho.mqtt.enums import CallbackAPIVersion

WAIT_S = 10.0

T = TypeVar("T")


class Device:
    """A client with a thing's certificate; collects what it hears."""

    def __init__(self, credentials: ThingCredentials, *subscriptions: str, client_id: str = "whatever") -> None:
        self.thing = credentials.thing
        self._heard: queue.SimpleQueue[tuple[str, dict[str, Any]]] = queue.SimpleQueue()
        self._subscribed: queue.SimpleQueue[None] = queue.SimpleQueue()
        self.client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id)
        context = ssl.create_default_context(cafile=credentials.ca)
        context.load_cert_chain(credentials.cert, credentials.key)
        self.client.tls_set_context(context)
        self.client.on_message = lambda client, data, message: self._heard.put(
            (message.topic, json.loads(message.payload))
        )
        self.client.on_subscribe = lambda *_: self._subscribed.put(None)
        self.client.connect(credentials.host, credentials.port)
        self.client.loop_start()
        self.listen(*subscriptions)

    def listen(self, *subscriptions: str) -> None:
        if subscriptions:
            self.client.subscribe([(topic, 1) for topic in subscriptions])
            self._subscribed.get(timeout=WAIT_S)

    def ask(self, operation: str, document: object = None, *, shadow: str | None = None) -> tuple[str, dict[str, Any]]:
        prefix = topics.shadow(self.thing, shadow)
        payload = b"" if document is None else json.dumps(document).encode()
        self.client.publish(f"{prefix}/{operation}", payload, qos=1)
        topic, answer = self.hear()
        return topic.removeprefix(f"{prefix}/"), answer

    def hear(self) -> tuple[str, dict[str, Any]]:
        return self._heard.get(timeout=WAIT_S)

    def close(self) -> None:
        self.client.disconnect()
        self.client.loop_stop()


@pytest.fixture(scope="module")
def core(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalCore]:
    things = ("hs-001", "hs-002", "hs-003", "hs-004", "hs-005")
    with LocalCore(tmp_path_factory.mktemp("core"), mqtt_port=0, https_port=0, things=things) as running:
        yield running


@pytest.fixture
def operator(core: LocalCore) -> Iterator[Device]:
    device = Device(core.operator)
    yield device
    device.close()


def clients(core: LocalCore) -> tuple[Any, Any, Any]:
    profile = core.profile
    session: Any = boto3.session.Session(profile.access_key, profile.secret_key, region_name="local")
    common = {"endpoint_url": core.https_endpoint, "verify": str(core.ca_file)}
    iot, data, tables = (session.client(name, **common) for name in ("iot", "iot-data", "dynamodb"))
    return iot, data, tables


def test_thing_updates_and_hears_its_own_shadow(core: LocalCore) -> None:
    prefix = topics.shadow("hs-001")
    device = Device(core.issue_thing("hs-001"), f"{prefix}/update/accepted", f"{prefix}/update/delta")

    topic, accepted = device.ask("update", {"state": {"reported": {"mode": "off"}}, "clientToken": "x"})
    clients(core)[1].update_thing_shadow(thingName="hs-001", payload=b'{"state":{"desired":{"mode":"anc"}}}')
    heard = dict([device.hear(), device.hear()])
    device.close()

    assert (topic, accepted["clientToken"]) == ("update/accepted", "x")
    assert heard[f"{prefix}/update/delta"]["state"] == {"mode": "anc"}


def test_named_shadows_live_apart_from_the_classic_one(core: LocalCore, operator: Device) -> None:
    _, data, _ = clients(core)
    for name in ("tuning", "audio"):
        data.update_thing_shadow(
            thingName="hs-002", shadowName=name, payload=json.dumps({"state": {"desired": {"n": name}}}).encode()
        )

    listed = data.list_named_shadows_for_thing(thingName="hs-002")
    shadow = json.loads(data.get_thing_shadow(thingName="hs-002", shadowName="audio")["payload"].read())
    with pytest.raises(data.exceptions.ResourceNotFoundException, match="hs-002"):
        data.get_thing_shadow(thingName="hs-002")

    assert listed["results"] == ["audio", "tuning"]
    assert shadow["state"]["desired"] == {"n": "audio"}


def test_named_shadow_answers_on_its_own_topics(core: LocalCore, operator: Device) -> None:
    operator.thing = "hs-003"
    operator.listen(f"{topics.shadow('hs-003', 'n1')}/+/+")

    missing = operator.ask("get", shadow="n1")
    created = operator.ask("update", {"state": {"reported": {"a": 1}}}, shadow="n1")
    operator.hear()  # update/documents
    gone = operator.ask("delete", {"clientToken": "d"}, shadow="n1")

    assert missing[0] == "get/rejected"
    assert missing[1]["message"] == "No shadow exists with name: 'hs-003~n1'"
    assert created[0] == "update/accepted"
    assert (gone[0], gone[1]["version"], gone[1]["clientToken"]) == ("delete/accepted", 1, "d")


def test_list_of_named_shadows_pages(core: LocalCore) -> None:
    _, data, _ = clients(core)
    for name in "abc":
        data.update_thing_shadow(thingName="hs-005", shadowName=name, payload=b'{"state":{}}')

    first = data.list_named_shadows_for_thing(thingName="hs-005", pageSize=2)
    second = data.list_named_shadows_for_thing(thingName="hs-005", pageSize=2, nextToken=first["nextToken"])

    assert (first["results"], second["results"], "nextToken" in second) == (["a", "b"], ["c"], False)


def test_https_errors_become_botocore_exceptions(core: LocalCore) -> None:
    iot, data, _ = clients(core)
    data.update_thing_shadow(thingName="hs-005", payload=b'{"state":{"desired":{"a":1}}}')

    with pytest.raises(data.exceptions.ConflictException, match="Version conflict"):
        data.update_thing_shadow(thingName="hs-005", payload=b'{"state":{},"version":99}')
    with pytest.raises(data.exceptions.InvalidRequestException, match="Missing required node: state"):
        data.update_thing_shadow(thingName="hs-005", payload=b"{}")
    with pytest.raises(data.exceptions.RequestEntityTooLargeException):
        data.update_thing_shadow(
            thingName="hs-005", payload=json.dumps({"state": {"desired": {"a": "x" * 9000}}}).encode()
        )
    with pytest.raises(data.exceptions.UnsupportedDocumentEncodingException):
        data.update_thing_shadow(thingName="hs-005", payload=b"\xff")
    with pytest.raises(iot.exceptions.ResourceNotFoundException):
        iot.describe_thing(thingName="nobody")


def test_https_refusal_is_not_published(core: LocalCore, operator: Device) -> None:
    _, data, _ = clients(core)
    operator.listen(f"{topics.shadow('hs-004')}/update/+")

    with pytest.raises(data.exceptions.InvalidRequestException):
        data.update_thing_shadow(thingName="hs-004", payload=b"{}")
    data.update_thing_shadow(thingName="hs-004", payload=b'{"state":{"reported":{"a":1}}}')

    assert operator.hear()[0] == f"{topics.shadow('hs-004')}/update/accepted"


def test_registry_knows_things(core: LocalCore) -> None:
    iot, _, _ = clients(core)

    iot.create_thing(thingName="extra", attributePayload={"attributes": {"site": "lab"}})
    with pytest.raises(iot.exceptions.ResourceAlreadyExistsException):
        iot.create_thing(thingName="extra", attributePayload={"attributes": {"site": "office"}})
    described = iot.describe_thing(thingName="extra")
    names = [
        thing["thingName"]
        for page in iot.get_paginator("list_things").paginate(PaginationConfig={"PageSize": 2})
        for thing in page["things"]
    ]
    iot.delete_thing(thingName="extra")

    assert described["attributes"] == {"site": "lab"}
    assert names == sorted(names)
    assert {"extra", "hs-001"} <= set(names)


def test_https_wants_the_right_secret(core: LocalCore) -> None:
    session = boto3.session.Session(core.profile.access_key, "wrong", region_name="local")
    data: Any = session.client("iot-data", endpoint_url=core.https_endpoint, verify=str(core.ca_file))

    with pytest.raises(data.exceptions.ForbiddenException, match="signature"):
        data.get_thing_shadow(thingName="hs-001")


def test_publish_reaches_subscribers_and_retains(core: LocalCore, operator: Device) -> None:
    _, data, _ = clients(core)
    operator.listen("hushkit/hs-005/#")

    data.publish(topic=topics.status("hs-005"), qos=1, retain=True, payload=b'{"online":true}')

    assert operator.hear() == (topics.status("hs-005"), {"online": True})
    assert data.get_retained_message(topic=topics.status("hs-005"))["payload"] == b'{"online":true}'
    assert topics.status("hs-005") in [entry["topic"] for entry in data.list_retained_messages()["retainedTopics"]]


def test_thing_cannot_touch_another_thing(core: LocalCore, operator: Device) -> None:
    operator.listen("hushkit/hs-002/events", "hushkit/hs-001/events")
    device = Device(core.issue_thing("hs-001"), f"{topics.shadow('hs-002')}/#", "hushkit/#")
    _, data, _ = clients(core)

    device.client.publish("hushkit/hs-002/events", b'{"by":"intruder"}', qos=1)
    device.client.publish("$aws/things/hs-002/shadow/update", b'{"state":{"desired":{"mode":"off"}}}', qos=1)
    device.client.publish("hushkit/hs-001/events", b'{"by":"itself"}', qos=1)
    first = operator.hear()
    data.update_thing_shadow(thingName="hs-002", payload=b'{"state":{"reported":{"a":1}}}')
    shadow = json.loads(data.get_thing_shadow(thingName="hs-002")["payload"].read())
    device.close()

    assert first == ("hushkit/hs-001/events", {"by": "itself"})
    assert "desired" not in shadow["state"]
    with pytest.raises(queue.Empty):
        device._heard.get_nowait()


def test_client_without_certificate_is_refused(core: LocalCore) -> None:
    client = mqtt.Client(CallbackAPIVersion.VERSION2)
    client.tls_set_context(ssl.create_default_context(cafile=core.ca_file))
    refused: queue.SimpleQueue[bool] = queue.SimpleQueue()
    client.on_connect = lambda *_: refused.put(False)
    client.on_disconnect = lambda *_: refused.put(True)

    try:
        client.connect(*core.mqtt_endpoint)
        client.loop_start()
        outcome = refused.get(timeout=WAIT_S)
    except (ssl.SSLError, ConnectionError):
        outcome = True
    client.loop_stop()

    assert outcome


def test_two_things_with_one_client_id_do_not_evict_each_other(core: LocalCore) -> None:
    prefixes = [topics.shadow(thing) for thing in ("hs-001", "hs-002")]
    devices = [
        Device(core.issue_thing(thing), f"{prefix}/get/+", client_id="same")
        for thing, prefix in zip(("hs-001", "hs-002"), prefixes, strict=True)
    ]

    answers = [device.ask("get")[1]["version"] for device in devices]

    assert all(version > 0 for version in answers)
    assert all(device.client.is_connected() for device in devices)
    for device in devices:
        device.close()


def test_burst_of_one_thing_is_answered_in_order_or_throttled(core: LocalCore) -> None:
    prefix = topics.shadow("hs-003")
    device = Device(core.issue_thing("hs-003"), f"{prefix}/update/accepted", f"{prefix}/update/rejected")

    for number in range(200):
        device.client.publish(f"{prefix}/update", json.dumps({"state": {"reported": {"n": number}}}), qos=1)
    answers = [device.hear()[1] for _ in range(200)]
    device.close()

    accepted = [answer for answer in answers if "state" in answer]
    assert {answer["code"] for answer in answers if "code" in answer} <= {429}
    assert [answer["version"] for answer in accepted] == list(range(1, len(accepted) + 1))
    numbers = [answer["state"]["reported"]["n"] for answer in accepted]
    assert numbers == sorted(numbers)


def test_telemetry_is_kept_once_and_paged(core: LocalCore) -> None:
    device = Device(core.issue_thing("hs-004"))
    for seq in (0, 1, 1, 2):
        batch = {
            "schema": 1,
            "session": "s",
            "seq": seq,
            "from_ms": 1,
            "to_ms": 2,
            "records": [{"at_ms": 1, "type": "health", "data": {"overruns": seq}}],
        }
        device.client.publish(topics.telemetry("hs-004"), json.dumps(batch), qos=1).wait_for_publish(WAIT_S)
    device.client.publish(topics.telemetry("hs-004"), b'{"schema":1}', qos=1).wait_for_publish(WAIT_S)
    device.close()
    tables = clients(core)[2]

    rows = settled(lambda: query(tables, "hushkit-telemetry"), lambda found: len(found) >= 3)
    refusals = settled(lambda: query(tables, "hushkit-events"), lambda found: len(found) >= 1)
    page = tables.query(**request("hushkit-telemetry"), Limit=2)
    rest = tables.query(**request("hushkit-telemetry"), Limit=2, ExclusiveStartKey=page["LastEvaluatedKey"])

    assert [json.loads(row["payload"]["S"])["seq"] for row in rows] == [0, 1, 2]
    assert "message_refused" in refusals[0]["payload"]["S"]
    assert page["Items"] + rest["Items"] == rows


def request(table: str) -> dict[str, Any]:
    return {
        "TableName": table,
        "KeyConditionExpression": "thing = :thing AND at_ms > :after",
        "ExpressionAttributeValues": {":thing": {"S": "hs-004"}, ":after": {"N": "0"}},
    }


def query(tables: Any, table: str) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = tables.query(**request(table))["Items"]
    return items


def settled(read: Callable[[], list[T]], done: Callable[[list[T]], bool]) -> list[T]:
    """Read again until what was published has arrived."""
    pause, deadline = threading.Event(), time.monotonic() + WAIT_S
    while not done(found := read()):
        assert time.monotonic() < deadline, found
        pause.wait(0.02)
    return found


def test_what_was_accepted_survives_killing_broker_and_engine(tmp_path: Path) -> None:
    with LocalCore(tmp_path / "core", mqtt_port=0, https_port=0, things=("hs-001",)) as core:
        prefix = topics.shadow("hs-001")
        device = Device(core.issue_thing("hs-001"), f"{prefix}/update/accepted", f"{prefix}/get/accepted")
        device.ask("update", {"state": {"reported": {"mode": "anc"}}})

        core.stop_engine(kill=True)
        device.client.publish(f"{prefix}/update", b'{"state":{"reported":{"n":1}}}', qos=1).wait_for_publish(WAIT_S)
        engine_dead = core.status()
        core.start()
        late = device.hear()[1]
        device.close()
        core.stop_broker(kill=True)
        broker_dead = core.status()
        core.start()
        back = Device(core.issue_thing("hs-001"), f"{prefix}/get/accepted")
        shadow = back.ask("get")[1]
        back.close()

    assert (engine_dead.broker, engine_dead.engine, engine_dead.healthy) == (True, False, False)
    assert (broker_dead.broker, broker_dead.engine, broker_dead.linked) == (False, True, False)
    assert late["version"] == 2
    assert shadow["state"]["reported"] == {"mode": "anc", "n": 1}
    assert not core.status().broker


def test_request_queued_while_engine_and_broker_are_both_killed_is_answered(tmp_path: Path) -> None:
    with LocalCore(tmp_path / "core", mqtt_port=0, https_port=0, things=("hs-001",)) as core:
        core.stop_engine(kill=True)
        device = Device(core.issue_thing("hs-001"))
        for number in range(3):
            payload = json.dumps({"state": {"reported": {f"n{number}": number}}})
            device.client.publish("$aws/things/hs-001/shadow/update", payload, qos=1).wait_for_publish(WAIT_S)
        device.close()
        saved = core.directory / "broker.db"  # written once a second
        settled(lambda: [saved.exists() and b'"n2"' in saved.read_bytes()], lambda found: found[0])
        core.stop_broker(kill=True)

        core.start()

        _, data, _ = clients(core)
        found = settled(lambda: reported(data), lambda keys: len(keys) >= 3)

    assert found == ["n0", "n1", "n2"]


def reported(data: Any) -> list[str]:
    try:
        shadow = json.loads(data.get_thing_shadow(thingName="hs-001")["payload"].read())
    except data.exceptions.ResourceNotFoundException:
        return []
    return list(shadow["state"].get("reported", {}))


def test_start_again_leaves_running_processes_and_certificates_alone(tmp_path: Path) -> None:
    with LocalCore(tmp_path / "core", mqtt_port=0, https_port=0, things=("hs-001",)) as core:
        before = {file.name: file.read_bytes() for file in core.directory.glob("**/*.p*") if file.suffix != ".log"}

        core.start()

        after = {file.name: file.read_bytes() for file in core.directory.glob("**/*.p*") if file.suffix != ".log"}
    assert {"broker.pid", "engine.pid", "ca.pem", "hs-001.pem"} <= set(before)
    assert after == before


def test_busy_port_names_port_and_holder(core: LocalCore, tmp_path: Path) -> None:
    port = core.profile.mqtt_port

    with pytest.raises(
        LocalCoreError, match=rf"port {port} .* is held by mosquitto \(pid \d+\); choose another with --port"
    ):
        LocalCore(tmp_path / "other", mqtt_port=port, https_port=0).start()


def test_port_0_finds_another_way_when_the_remembered_port_was_taken(core: LocalCore, tmp_path: Path) -> None:
    taken = core.profile
    write_profile(tmp_path / "other", Profile("localhost", taken.mqtt_port, taken.https_port, "key", "secret"))

    with LocalCore(tmp_path / "other", mqtt_port=0, https_port=0) as other:
        assert other.profile.mqtt_port != taken.mqtt_port
        assert other.profile.access_key == "key"
        remembered = other.profile
    with LocalCore(tmp_path / "other") as other:
        assert other.profile == remembered


def test_failed_start_is_not_remembered(core: LocalCore, tmp_path: Path) -> None:
    with pytest.raises(LocalCoreError, match="is no TCP port"):
        LocalCore(tmp_path / "other", mqtt_port=70_000, https_port=0).start()

    with pytest.raises(LocalCoreError, match="no local core was ever started here"):
        _ = LocalCore(tmp_path / "other").profile


def test_two_starts_at_once_make_one_core(tmp_path: Path) -> None:
    cores = [LocalCore(tmp_path / "core", mqtt_port=0, https_port=0) for _ in range(2)]

    def start(core: LocalCore) -> str:
        core.start()
        return (core.directory / "broker.pid").read_text()

    with ThreadPoolExecutor(2) as pool:
        brokers = set(pool.map(start, cores))
    engines = (tmp_path / "core" / "engine.log").read_text().count("serving")
    stopped = [core.stop() for core in cores]

    assert (len(brokers), engines) == (1, 1)
    assert stopped == [True, False]


def test_absent_mosquitto_is_one_clear_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", lambda *_, **__: None)

    with pytest.raises(LocalCoreError, match=r"mosquitto.*not installed.*apt install mosquitto"):
        LocalCore(tmp_path / "core", mqtt_port=0, https_port=0).start()


def test_private_files_are_readable_by_the_owner_alone(core: LocalCore) -> None:
    private = [core.directory / "cloud.json", core.directory / "acl", *core.directory.glob("**/*.key")]

    assert len(private) > 6
    assert {file.stat().st_mode & 0o777 for file in private} == {0o600}
