"""The parts of the local core that need no broker: certificates, database, access list, presence, signatures."""

import asyncio
import json
import sqlite3
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID
from hushkit_iot import policy, topics
from hushkit_iot.errors import LocalCoreError, SchemaError
from hushkit_iot.localcore import pki, sigv4, store
from hushkit_iot.localcore.engine import Engine, online_things
from hushkit_iot.localcore.engine_jobs import DeviceMessage, HistoryJob, ShadowJob
from hushkit_iot.localcore.layout import Layout, Profile, read_profile, write_profile
from hushkit_iot.localcore.mqtt_edge import InFlight
from hushkit_iot.localcore.presence import Presence
from hushkit_iot.localcore.shadow_document import Annotated
from hushkit_iot.localcore.shadow_service import Outcome, Shadow, ShadowKey
from hushkit_iot.localcore.store import HistoryEntry, Retained, Span, Store
from hushkit_iot.localcore.worker import Job
from hushkit_iot.schema import check

NOW = datetime(2026, 1, 1, tzinfo=UTC)
POLICIES = Path(__file__).parents[1] / "policies"


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    pki.ensure_authority(Layout(tmp_path), NOW)
    return Layout(tmp_path)


@pytest.fixture
def database(tmp_path: Path) -> Store:
    return Store(tmp_path / "core.sqlite")


def serial(file: Path) -> int:
    return x509.load_pem_x509_certificate(file.read_bytes()).serial_number


def test_certificates_are_reused_until_30_days_before_their_end(layout: Layout) -> None:
    files = layout.thing("t")
    pki.ensure_client(layout, files, "t", NOW)
    first = serial(files[0])

    kept = pki.ensure_client(layout, files, "t", NOW + timedelta(days=334))
    renewed = pki.ensure_client(layout, files, "t", NOW + timedelta(days=336))

    assert (kept, renewed) == (False, True)
    assert serial(files[0]) != first


@pytest.mark.parametrize("damage", ["key", "cert", "authority", "name"])
def test_certificate_that_does_not_fit_is_made_anew(layout: Layout, damage: str) -> None:
    cert, key = layout.thing("t")
    pki.ensure_client(layout, (cert, key), "t", NOW)
    pki.ensure_client(layout, layout.thing("u"), "u", NOW)
    if damage == "key":
        key.write_bytes(layout.thing("u")[1].read_bytes())
    if damage == "cert":
        cert.write_text("garbage")
    if damage == "authority":
        layout.ca_key.unlink()
        pki.ensure_authority(layout, NOW)
    name = "v" if damage == "name" else "t"

    assert pki.ensure_client(layout, (cert, key), name, NOW)
    assert not pki.ensure_client(layout, (cert, key), name, NOW)


def test_server_certificate_names_localhost_and_its_purpose(layout: Layout) -> None:
    pki.ensure_server(layout, "broker", NOW)

    certificate = x509.load_pem_x509_certificate(layout.identity("broker")[0].read_bytes())
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    usage = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert names.get_values_for_type(x509.DNSName) == ["localhost"]
    assert [str(address) for address in names.get_values_for_type(x509.IPAddress)] == ["127.0.0.1", "::1"]
    assert list(usage) == [ExtendedKeyUsageOID.SERVER_AUTH]


def test_profile_survives_a_round_trip_and_a_damaged_one_is_refused(tmp_path: Path) -> None:
    profile = Profile("localhost", 1, 2, "key", "secret")
    write_profile(tmp_path, profile)

    assert read_profile(tmp_path) == profile
    assert read_profile(tmp_path / "elsewhere") is None
    Layout(tmp_path).profile.write_text("{")
    with pytest.raises(LocalCoreError, match="not a local core's profile"):
        read_profile(tmp_path)


def test_shadow_survives_reopening(tmp_path: Path) -> None:
    shadow = Shadow(3, 9, Annotated({"a": 1}, {"a": {"timestamp": 9}}), deleted=False)
    database = Store(tmp_path / "core.sqlite")
    with database.transaction():
        database.put_shadow(ShadowKey("t", "n"), shadow)
    database.close()

    assert Store(tmp_path / "core.sqlite").shadow(ShadowKey("t", "n")) == shadow


def test_database_waits_for_the_disk_at_each_commit(tmp_path: Path) -> None:
    database = Store(tmp_path / "core.sqlite")

    assert database._one("PRAGMA journal_mode") == ("wal",)
    assert database._one("PRAGMA synchronous") == (2,)  # FULL


def test_failed_transaction_leaves_nothing(database: Store) -> None:
    def half_a_change() -> None:
        with database.transaction():
            database.put_shadow(ShadowKey("t"), Shadow(1, 1))
            database.put_note("n", None)  # type: ignore[arg-type]

    with pytest.raises(sqlite3.IntegrityError):
        half_a_change()

    assert database.shadow(ShadowKey("t")) is None


def test_deleted_shadows_are_not_listed(database: Store) -> None:
    for name in ("", "a", "b"):
        database.put_shadow(ShadowKey("t", name), Shadow(1, 1, deleted=name == "a"))

    assert database.named_shadows("t", "", 10) == ["b"]


def test_unusable_database_is_one_clear_error(tmp_path: Path) -> None:
    file = tmp_path / "core.sqlite"
    file.write_bytes(b"not a database" * 100)

    with pytest.raises(LocalCoreError, match="not usable as the shadow database"):
        Store(file)


def test_history_is_bounded(database: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "HISTORY_LIMIT", 10)

    for seq in range(200):
        database.add_history("telemetry", HistoryEntry("t", 5, "{}"), "s", seq)

    kept = database.history("telemetry", "t", Span(), 1000, newest_first=False)
    assert len(kept) == 10
    assert [entry.at_ms for entry in kept] == list(range(195, 205))  # received in the same millisecond, told apart


def test_history_takes_a_redelivered_message_once(database: Store) -> None:
    added = [database.add_history("events", HistoryEntry("t", at, "{}"), "s", 7) for at in (1, 2)]

    assert added == [True, False]


def test_empty_retained_message_removes_the_topic(database: Store) -> None:
    database.put_retained(Retained("a", b"x", 1, 1))
    database.put_retained(Retained("a", b"", 1, 2))

    assert database.retained("a") is None


def test_only_retained_online_counts_as_online(database: Store) -> None:
    payloads = {"on": b'{"online":true}', "off": b'{"online":false}', "odd": b"[]", "bad": b"{"}
    for thing, payload in payloads.items():
        database.put_retained(Retained(topics.status(thing), payload, 1, 1))

    assert online_things(database) == ["on"]


def test_presence_declares_only_the_silent_offline_and_once() -> None:
    presence = Presence(grace_s=10.0)
    presence.broker_restarted(["a", "b"], now=100.0)
    presence.heard("a")

    assert presence.overdue(109.9) == []
    assert presence.overdue(110.0) == ["b"]
    assert presence.overdue(200.0) == []


def test_things_silent_since_the_broker_restarted_are_declared_offline(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    layout, profile = Layout(tmp_path), Profile("localhost", 1, 2, "k", "s")
    pki.ensure_authority(layout, NOW)
    pki.ensure_client(layout, layout.identity(policy.ENGINE), policy.ENGINE, NOW)
    database = Store(layout.database)
    database.put_retained(Retained(topics.status("hs-001"), b'{"online":true}', 1, 1))
    (tmp_path / "broker.pid").write_text("a new run")

    async def watch() -> list[str]:
        engine = Engine(layout, profile, presence=Presence(grace_s=0.0))
        declared: asyncio.Queue[str] = asyncio.Queue()
        monkeypatch.setattr(engine.edge, "declare_offline", declared.put_nowait)
        engine.worker.start()
        engine.on_connected()
        watcher = asyncio.create_task(engine.watch_presence(0.001))
        first = await asyncio.wait_for(declared.get(), 10)
        engine.on_connected()  # the same run of the broker: nobody is suspect again
        engine.worker.close()
        watcher.cancel()
        return [first, *(declared.get_nowait() for _ in range(declared.qsize()))]

    assert asyncio.run(watch()) == ["hs-001"]


def test_refused_database_write_is_tried_again_and_answered_500() -> None:
    again: list[Job] = []
    answers: list[Outcome] = []
    message = DeviceMessage("t", "telemetry", b"{}", 1)
    history = HistoryJob(message, lambda: None, again.append)
    request = ShadowJob("update", ShadowKey("t"), b"{}", 7, answers.append)

    for job in (history, request):
        job.failed(sqlite3.OperationalError("disk full"))

    assert again == [history]
    assert json.loads(answers[0].answer.payload) == {"code": 500, "message": "Internal service failure", "timestamp": 7}


def test_eleventh_request_in_flight_is_one_too_many() -> None:
    in_flight = InFlight()

    entered = [in_flight.enter("t") for _ in range(11)]
    other = in_flight.enter("u")
    for _ in range(2):
        in_flight.leave("t")

    assert entered == [True] * 10 + [False]
    assert other
    assert in_flight.enter("t")


def signed(path: str, query: str = "", body: bytes = b"{}") -> sigv4.SignedRequest:
    request = AWSRequest("POST", f"https://h{path}{query and '?'}{query}", data=body, headers={"Host": "h"})
    SigV4Auth(Credentials("AK", "SK"), "iotdata", "local").add_auth(request)
    headers = {name.lower(): str(value) for name, value in request.headers.items()}
    return sigv4.SignedRequest("POST", path, query, headers, body)


@pytest.mark.parametrize(
    ("path", "query"),
    [("/things/a/shadow", "name=%24x&a=b"), ("/topics/hushkit%2Fa%3Ab", "qos=1&retain=true"), ("/", "")],
)
def test_signature_of_botocore_is_right(path: str, query: str) -> None:
    assert sigv4.fault(signed(path, query), "AK", "SK", datetime.now(UTC)) is None


def test_signature_covers_body_and_query_and_wants_key_and_clock() -> None:
    request, now = signed("/things/a/shadow", "name=x"), datetime.now(UTC)
    parts = (request.method, request.path)

    def fault(query: str, body: bytes, key: str = "AK", when: datetime = now) -> str:
        return sigv4.fault(sigv4.SignedRequest(*parts, query, request.headers, body), key, "SK", when) or ""

    assert "does not match" in fault("name=x", b"[]")
    assert "does not match" in fault("name=y", b"{}")
    assert "security token" in fault("name=x", b"{}", key="other")
    assert "clock" in fault("name=x", b"{}", when=now + timedelta(minutes=16))
    assert "Missing" in (sigv4.fault(sigv4.SignedRequest(*parts, "", {}, b""), "AK", "SK", now) or "")


def test_committed_policy_is_the_generated_one() -> None:
    assert (POLICIES / "headset_agent.json").read_text() == policy.aws_policy("REGION", "ACCOUNT")


def test_policy_and_access_list_grant_the_same() -> None:
    thing = "${iot:Connection.Thing.ThingName}"
    statements = json.loads(policy.aws_policy("r", "a"))["Statement"]
    aws = {
        (action, resource.partition("/")[2].replace(thing, "%u"))
        for statement in statements
        for action in [statement["Action"]]
        for resource in statement["Resource"]
    }

    patterns = [line.split() for line in policy.mosquitto_acl().splitlines() if line.startswith("pattern")]
    local = {({"write": "iot:Publish", "read": "iot:Subscribe"}[access], topic) for _, access, topic in patterns}

    assert {pair for pair in aws if pair[0] in {"iot:Publish", "iot:Subscribe"}} == local
    assert {topic for action, topic in aws if action == "iot:Receive"} == {
        topic for action, topic in aws if action == "iot:Subscribe"
    }


def test_policy_has_no_wildcard_and_no_other_thing() -> None:
    text = policy.aws_policy("r", "a")

    assert "*" not in text
    assert "#" not in text
    assert "delete" not in text


@pytest.mark.parametrize(
    ("schema", "document", "message"),
    [
        ("headset_shadow", {"mode": "loud"}, 'mode: found "loud", expected one of off, anc, transparency'),
        ("headset_shadow", {"intensity": 7}, "intensity: found 7, expected 0 to 1"),
        ("headset_shadow", {"telemetry": {"period_s": 0}}, "telemetry.period_s: found 0, expected 0.1 to 3600"),
        ("headset_shadow", {"intensity": "x"}, 'intensity: found "x", expected number'),
        ("headset_shadow", {"volume": 1}, "document: found unknown volume, expected mode, intensity, telemetry"),
        ("status", {}, "document: 'online' is a required property"),
        ("headset_reported", {"rejected": {"mode": 1}}, "rejected.mode: found 1, expected object"),
        (
            "event",
            {"schema": 1, "session": "s", "seq": 0, "at_ms": 0, "level": "info", "kind": "Big", "message": ""},
            "kind: ",
        ),
    ],
)
def test_document_that_breaks_its_schema_gets_one_clear_error(schema: str, document: object, message: str) -> None:
    with pytest.raises(SchemaError) as caught:
        check(schema, document)

    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["headset_shadow", "headset_reported", "telemetry", "event", "status"])
def test_schemas_are_valid_and_take_a_document_as_documented(name: str) -> None:
    documents = {
        "headset_shadow": {"mode": "anc", "intensity": 1, "telemetry": {"period_s": 0.1}},
        "headset_reported": {"mode": "off", "firmware": {"spec": "s"}, "link": "up", "rejected": None},
        "telemetry": {
            "schema": 1,
            "session": "s",
            "seq": 0,
            "from_ms": 0,
            "to_ms": 0,
            "records": [{"at_ms": 0, "type": "health", "data": {}}],
        },
        "event": {"schema": 1, "session": "s", "seq": 0, "at_ms": 0, "level": "info", "kind": "k", "message": "m"},
        "status": {"online": True, "at_ms": 0, "reason": "connected"},
    }

    check(name, documents[name])
