"""`hushkit fleet` and `hushkit cloud` as an operator uses them, against a local core."""

import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hushkit.cli import main
from hushkit_iot import topics
from hushkit_iot.fleet import desired, history, text, things
from hushkit_iot.fleet.connection import Cloud, choose_endpoint, connect
from hushkit_iot.localcore import LocalCore
from hushkit_iot.localcore.layout import ENVIRONMENT

ABOUT = {"spec": "flagship-m7", "version": "0.1.0", "build_id": "0123456789abcdef"}


@pytest.fixture(scope="module")
def core(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalCore]:
    names = ("hs-001", "hs-002", "hs-003", "hs-004")
    with LocalCore(tmp_path_factory.mktemp("core"), mqtt_port=0, https_port=0, things=names) as running:
        yield running


@pytest.fixture
def cloud(core: LocalCore, monkeypatch: pytest.MonkeyPatch) -> Cloud:
    monkeypatch.setenv(ENVIRONMENT, str(core.directory))
    return connect(choose_endpoint(None, None, None))


def report(cloud: Cloud, thing: str, reported: object) -> None:
    payload = json.dumps({"state": {"reported": reported}}).encode()
    cloud.data.update_thing_shadow(thingName=thing, payload=payload)


def hushkit(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    try:
        code = main(["fleet", *words])
    except SystemExit as stopped:
        code = int(str(stopped.code))
    output = capsys.readouterr()
    return code, output.out, output.err


def test_list_shows_state_and_connection(cloud: Cloud, capsys: pytest.CaptureFixture[str]) -> None:
    report(cloud, "hs-001", {"mode": "anc", "intensity": 0.5, "firmware": ABOUT, "link": "up"})
    cloud.data.publish(topic=topics.status("hs-001"), qos=1, retain=True, payload=b'{"online":true}')

    _, table, _ = hushkit(capsys, "list")
    code, output, _ = hushkit(capsys, "list", "--json", "-")

    first, second = json.loads(output)["things"][:2]
    assert code == 0
    assert (first["thing"], first["online"], first["mode"], first["firmware"]) == ("hs-001", True, "anc", ABOUT)
    assert first["last_seen_ms"] > 1_600_000_000_000
    assert (second["online"], second["mode"], second["last_seen_ms"]) == (None, None, None)
    row = next(line for line in table.splitlines() if line.startswith("hs-001"))
    assert row.split()[:4] == ["hs-001", "yes", "anc", "0.5"]
    assert "flagship-m7 0.1.0 (0123456789ab)" in row


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["mode=loud"], 'hushkit fleet: mode: found "loud", expected one of off, anc, transparency\n'),
        (["intensity=7"], "hushkit fleet: intensity: found 7, expected 0 to 1\n"),
        (["intensity=NaN"], 'hushkit fleet: intensity: found "NaN", expected number\n'),
        (["volume=3"], "hushkit fleet: document: found unknown volume, expected mode, intensity, telemetry\n"),
        (["mode"], "hushkit fleet: mode: not an assignment; write property=value, for example mode=anc\n"),
        (["mode=anc", "mode=off"], "hushkit fleet: mode: given twice; name each property once\n"),
        (["telemetry=1", "telemetry.period_s=2"], "hushkit fleet: telemetry.period_s: telemetry was given a value"),
    ],
)
def test_set_refuses_bad_input_before_anything_is_sent(
    cloud: Cloud, capsys: pytest.CaptureFixture[str], words: list[str], message: str
) -> None:
    code, _, error = hushkit(capsys, "set", "hs-004", *words)

    assert code == 2
    assert error.startswith(message)
    assert error.count("\n") == 1
    assert things.read_shadow(cloud, "hs-004").version == 0


def test_set_refuses_an_unknown_thing(cloud: Cloud, capsys: pytest.CaptureFixture[str]) -> None:
    code, _, error = hushkit(capsys, "set", "hs-999", "mode=anc")

    assert code == 2
    assert "hs-999: no such thing" in error


def test_set_waits_until_the_headset_follows(cloud: Cloud, capsys: pytest.CaptureFixture[str]) -> None:
    def headset() -> None:
        while "mode" not in things.read_shadow(cloud, "hs-002").delta:
            pass
        report(cloud, "hs-002", {"mode": "anc", "telemetry": {"period_s": 2.0}})

    follower = threading.Thread(target=headset)
    follower.start()
    code, output, _ = hushkit(
        capsys, "set", "hs-002", "mode=anc", "telemetry.period_s=2", "--wait", "30", "--json", "-"
    )
    follower.join()

    document = json.loads(output)
    assert (code, document["converged"], document["pending"]) == (0, True, {})
    assert document["desired"] == {"mode": "anc", "telemetry": {"period_s": 2}}
    assert document["reported"]["mode"] == "anc"


def test_set_falls_short_when_the_headset_stays_silent(cloud: Cloud, capsys: pytest.CaptureFixture[str]) -> None:
    code, output, _ = hushkit(capsys, "set", "hs-003", "mode=transparency", "--wait", "0")

    assert code == 1
    assert "hs-003 has not followed mode = transparency" in output


def test_set_falls_short_at_once_when_the_headset_refuses(cloud: Cloud, capsys: pytest.CaptureFixture[str]) -> None:
    report(cloud, "hs-003", {"rejected": {"mode": {"value": "anc", "reason": "no microphone"}}})

    code, output, _ = hushkit(capsys, "set", "hs-003", "mode=anc", "--wait", "60")

    assert code == 1
    assert "hs-003 refused mode: no microphone (wanted anc)" in output


def test_null_removes_a_desired_property(cloud: Cloud, capsys: pytest.CaptureFixture[str]) -> None:
    hushkit(capsys, "set", "hs-003", "intensity=0.25", "mode=off")

    code, _, _ = hushkit(capsys, "set", "hs-003", "mode=null")

    assert code == 0
    assert things.read_shadow(cloud, "hs-003").desired == {"intensity": 0.25}


def test_show_compares_desired_and_reported_and_sums_telemetry_up(
    cloud: Cloud, capsys: pytest.CaptureFixture[str]
) -> None:
    report(cloud, "hs-004", {"mode": "off", "rejected": {"intensity": {"value": 0.9, "reason": "too hot"}}})
    hushkit(capsys, "set", "hs-004", "mode=anc")
    for seq, level in enumerate((-40.0, -30.0)):
        publish_batch(cloud, "hs-004", seq, {"ear": 1, "error_level": level})
    wait_for_batches(cloud, "hs-004", 2)

    _, page, _ = hushkit(capsys, "show", "hs-004")
    code, output, _ = hushkit(capsys, "show", "hs-004", "--json", "-")

    document = json.loads(output)
    assert code == 0
    assert document["delta"] == {"mode": "anc"}
    assert document["telemetry"]["fields"]["levels[1].error_level"] == {
        "minimum": -40.0,
        "mean": -35.0,
        "maximum": -30.0,
        "last": -30.0,
    }
    assert "rejected: intensity: too hot (wanted 0.9)" in page
    assert any(line.split() == ["mode", "anc", "off", "pending"] for line in page.splitlines())


def test_telemetry_lists_the_newest_batches_oldest_first(cloud: Cloud, capsys: pytest.CaptureFixture[str]) -> None:
    for seq in range(5):
        publish_batch(cloud, "hs-001", seq, {"overruns": seq})
    wait_for_batches(cloud, "hs-001", 5)

    _, output, _ = hushkit(capsys, "telemetry", "hs-001", "--limit", "3", "--json", "-")

    assert [batch["seq"] for batch in json.loads(output)["telemetry"]] == [2, 3, 4]


def test_events_print_one_line_each(cloud: Cloud, capsys: pytest.CaptureFixture[str]) -> None:
    event = {
        "schema": 1,
        "session": "s",
        "seq": 0,
        "at_ms": 5,
        "level": "warning",
        "kind": "link_lost",
        "message": "pulled",
    }
    cloud.data.publish(topic=topics.events("hs-002"), qos=1, payload=json.dumps(event).encode())
    for _ in range(1000):
        if history.read(cloud, "hs-002", "events"):
            break

    code, output, _ = hushkit(capsys, "events", "hs-002")

    assert code == 0
    assert output.rstrip().endswith("warning  link_lost: pulled")


def publish_batch(cloud: Cloud, thing: str, seq: int, data: dict[str, Any]) -> None:
    records = [{"at_ms": 1, "type": "levels", "data": data}]
    batch = {"schema": 1, "session": "s", "seq": seq, "from_ms": 1, "to_ms": 1, "records": records}
    cloud.data.publish(topic=topics.telemetry(thing), qos=1, payload=json.dumps(batch).encode())


def wait_for_batches(cloud: Cloud, thing: str, count: int) -> None:
    for _ in range(1000):
        if len(history.read(cloud, thing, "telemetry")) >= count:
            return
    raise AssertionError(thing)


def test_history_reads_a_payload_that_a_rule_split_into_a_map() -> None:
    item = {"thing": {"S": "t"}, "at_ms": {"N": "7"}, "payload": {"M": {"seq": {"N": "1"}, "level": {"N": "-1.5"}}}}

    assert history.parse_item(item) == history.Received(7, {"seq": 1.0, "level": -1.5})


def test_refusal_of_another_value_is_history() -> None:
    refusal: Any = {"rejected": {"intensity": {"value": 0.9, "reason": "hot"}}}
    shadow = things.ShadowView(1, {}, refusal, {}, None)

    assert desired.judge(shadow, {"intensity": 0.9}, 0.0).rejected
    assert not desired.judge(shadow, {"intensity": 0.8}, 0.0).rejected


def test_refusal_of_a_nested_property_is_named_by_its_path() -> None:
    refusal: Any = {"rejected": {"telemetry.period_s": {"value": 5, "reason": "too slow"}}}
    shadow = things.ShadowView(1, {}, refusal, {}, None)

    result = desired.judge(shadow, {"telemetry": {"period_s": 5}}, 0.0)

    assert list(text.followed_lines("t", {}, result)) == ["t refused telemetry.period_s: too slow (wanted 5)"]


def test_telemetry_follows_until_interrupted(
    cloud: Cloud, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    publish_batch(cloud, "hs-002", 0, {"overruns": 0})
    wait_for_batches(cloud, "hs-002", 1)
    pauses = iter([1, 2])

    def pause(_seconds: float) -> None:
        count = next(pauses, None)
        if count is None:
            raise KeyboardInterrupt
        publish_batch(cloud, "hs-002", count, {"overruns": count})
        wait_for_batches(cloud, "hs-002", 1 + count)

    monkeypatch.setattr("hushkit_iot.commands.fleet.time.sleep", pause)

    code, output, _ = hushkit(capsys, "telemetry", "hs-002", "--follow", "--json", "-")

    assert code == 0
    assert [json.loads(line)["seq"] for line in output.splitlines()] == [0, 1, 2]


def test_endpoint_is_the_one_named_closest(core: LocalCore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_REGION", "eu-central-1")
    monkeypatch.delenv(ENVIRONMENT, raising=False)
    aws = choose_endpoint(None, None, None)
    monkeypatch.setenv(ENVIRONMENT, str(core.directory))
    local = choose_endpoint(None, None, None)
    explicit = choose_endpoint(core.directory, "https://elsewhere", core.ca_file)

    assert (aws.url, aws.region) == (None, "eu-central-1")
    assert (local.url, local.ca) == (core.https_endpoint, core.ca_file)
    assert (explicit.url, explicit.ca, explicit.keys) == ("https://elsewhere", core.ca_file, None)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--endpoint-url", "nonsense"], "check --endpoint-url and --ca"),
        (["--endpoint-url", "https://localhost:1"], "https://localhost:1 does not answer; check the URL"),
        (["--endpoint-url", "CORE", "--ca", "absent"], "--ca absent: no such file"),
        (["--endpoint-url", "CORE"], "certificate not trusted; name the authority's PEM file with --ca"),
        (["--endpoint-url", "CORE", "--ca", "CA"], "refused ListThings: ForbiddenException"),
    ],
)
def test_unusable_endpoint_is_one_clear_error(
    core: LocalCore,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    words: list[str],
    message: str,
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "a")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "b")
    known = {"CORE": core.https_endpoint, "CA": str(core.ca_file)}

    code, _, error = hushkit(capsys, "list", *(known.get(word, word) for word in words))

    assert code == 2
    assert message in error
    assert error.count("\n") == 1


@pytest.mark.parametrize(
    ("age_ms", "words"), [(None, "never"), (900, "0 s ago"), (61_000, "1 min ago"), (7_300_000, "2 h ago")]
)
def test_ago_uses_the_one_unit_that_matters(age_ms: int | None, words: str) -> None:
    assert text.ago(None if age_ms is None else 10**12 - age_ms, 10**12) == words


def test_directory_without_a_core_is_one_clear_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, _, error = hushkit(capsys, "list", "--directory", str(tmp_path))

    assert code == 2
    assert "no local core was ever started here; run `hushkit cloud up" in error


def test_cloud_up_twice_then_status_then_down(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(ENVIRONMENT, str(tmp_path / "core"))
    up = ["cloud", "up", "--port", "0", "--https-port", "0", "--thing", "hs-001", "--json", "-"]

    codes = [main(up), main(up)]
    first, second = (json.loads(part) for part in split_documents(capsys.readouterr().out))
    codes += [main(["cloud", "status"]), main(["fleet", "list"]), main(["cloud", "down"])]
    codes += [main(["cloud", "status"]), main(["fleet", "list"]), main(["cloud", "down"])]
    output = capsys.readouterr()

    assert codes == [0, 0, 0, 0, 0, 1, 2, 0]
    assert first == second
    assert first["status"]["healthy"]
    assert Path(first["things"]["hs-001"]["cert"]).exists()
    assert "does not answer; run `hushkit cloud up`" in output.err


def split_documents(text: str) -> list[str]:
    return [part + "}" for part in text.split("\n}\n") if part]
