"""The spool: numbering, durability under SIGKILL, bounds, order of delivery."""

import json
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from hushkit_agent.errors import SpoolError
from hushkit_agent.outbox import HOLD_S, WINDOW, Outbox
from hushkit_agent.spool import Spool

_WRITER = """
import sys
from pathlib import Path
from hushkit_agent.spool import Spool
spool = Spool(Path(sys.argv[1]))
while True:
    sequence = spool.keep("telemetry", {"records": []})
    spool.commit()
    print(sequence, flush=True)
"""


def _sequences(spool: Spool) -> list[int]:
    return [json.loads(message.body)["seq"] for message in spool.after(0, 100_000)]


def test_numbers_have_no_gaps_over_restarts_and_streams(tmp_path: Path) -> None:
    file = tmp_path / "spool"
    with Spool(file) as spool:
        session = spool.session
        assert [spool.keep("telemetry", {}), spool.keep("events", {}), spool.keep("telemetry", {})] == [0, 0, 1]
        spool.commit()
        for message in spool.after(0, 10):
            spool.acknowledge(message.id)
        spool.commit()

    with Spool(file) as spool:
        assert spool.session == session
        assert spool.depth() == 0
        assert spool.keep("telemetry", {}) == 2
        assert spool.keep("events", {}) == 1


def test_nothing_is_sent_before_it_is_committed(tmp_path: Path) -> None:
    with Spool(tmp_path / "spool") as spool:
        spool.keep("telemetry", {"x": 1})

        assert spool.after(0, 10) == []
        spool.commit()
        (message,) = spool.after(0, 10)
        assert json.loads(message.body) == {"x": 1, "session": spool.session, "seq": 0}


def test_committed_documents_survive_sigkill(tmp_path: Path) -> None:
    file = tmp_path / "spool"
    writer = subprocess.Popen([sys.executable, "-c", _WRITER, str(file)], stdout=subprocess.PIPE, text=True)
    assert writer.stdout is not None
    seen = [int(writer.stdout.readline()) for _ in range(50)]
    writer.send_signal(signal.SIGKILL)
    writer.wait()

    with Spool(file) as spool:
        kept = _sequences(spool)
        following = spool.keep("telemetry", {})

    assert kept[: len(seen)] == seen
    assert kept == list(range(len(kept)))
    assert following == len(kept)


def test_the_oldest_goes_when_the_spool_is_full_and_is_counted(tmp_path: Path) -> None:
    with Spool(tmp_path / "spool", most_bytes=2000) as spool:
        for number in range(20):
            spool.keep("telemetry", {"records": ["x" * 100], "number": number})
            spool.commit()
        kept = [json.loads(message.body) for message in spool.after(0, 100)]

    sequences = [document["seq"] for document in kept]
    assert sequences == list(range(sequences[0], 20))
    assert 5 <= len(kept) < 20
    assert kept[-1]["dropped"] == 20 - len(kept) - 1  # known when the last was kept, one more went with it


def test_second_agent_on_one_spool_is_refused(tmp_path: Path) -> None:
    with Spool(tmp_path / "spool"), pytest.raises(SpoolError, match="used by no other agent"):
        Spool(tmp_path / "spool")


def test_foreign_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "spool").write_text("not a database, but long enough to be mistaken for one" * 40)

    with pytest.raises(SpoolError, match="expected a file this agent may write"):
        Spool(tmp_path / "spool")


def test_later_format_is_refused(tmp_path: Path) -> None:
    database = sqlite3.connect(tmp_path / "spool")
    database.execute("PRAGMA user_version = 9")
    database.close()

    with pytest.raises(SpoolError, match="format 9, expected 2"):
        Spool(tmp_path / "spool")


def test_full_disk_loses_nothing_from_memory(tmp_path: Path) -> None:
    with Spool(tmp_path / "spool") as spool:
        spool._database.execute(f"PRAGMA max_page_count = {spool._database.execute('PRAGMA page_count').fetchone()[0]}")
        spool.keep("telemetry", {"records": ["x" * 100_000]})
        with pytest.raises(SpoolError, match="full"):
            spool.commit()

        spool._database.execute("PRAGMA max_page_count = 100000")
        spool.commit()

        assert _sequences(spool) == [0]


def test_outbox_sends_in_order_within_its_window_and_again_after_a_reconnection(tmp_path: Path) -> None:
    with Spool(tmp_path / "spool") as spool:
        for _ in range(WINDOW + 4):
            spool.keep("telemetry", {})
        spool.commit()
        outbox = Outbox(spool, "hs")
        assert outbox.due(0.0) == []

        outbox.connected()
        first = outbox.due(0.0)
        assert [json.loads(s.publish.payload)["seq"] for s in first] == list(range(WINDOW))
        assert first[0].publish.topic == "hushkit/hs/telemetry"
        outbox.delivered_one(first[0].token)
        outbox.delivered_one(first[2].token)
        assert [json.loads(s.publish.payload)["seq"] for s in outbox.due(0.0)] == [WINDOW, WINDOW + 1]

        outbox.disconnected()
        spool.commit()
        outbox.connected()
        again = [json.loads(s.publish.payload)["seq"] for s in outbox.due(0.0)]
        assert again == [1, *range(3, WINDOW + 2)]


def test_lost_publish_is_repeated_and_a_refused_one_waits(tmp_path: Path) -> None:
    with Spool(tmp_path / "spool") as spool:
        for _ in range(3):
            spool.keep("events", {})
        spool.commit()
        outbox = Outbox(spool, "hs")
        outbox.connected()
        tokens = [sending.token for sending in outbox.due(0.0)]

        outbox.undelivered_one(tokens[1])
        assert [sending.token for sending in outbox.due(1.0)] == [tokens[1]]
        outbox.refused_one(tokens[2], 1.0)
        assert outbox.due(2.0) == []
        assert [sending.token for sending in outbox.due(1.0 + HOLD_S)] == [tokens[2]]
        assert spool.depth() == 3


def test_urgent_documents_go_first_and_past_a_full_window(tmp_path: Path) -> None:
    with Spool(tmp_path / "spool") as spool:
        outbox = Outbox(spool, "hs")
        outbox.connected()
        for _ in range(40):
            spool.keep("telemetry", {})
        spool.commit()
        under_way = outbox.due(0.0)
        spool.keep("events", {"kind": "emergency"}, urgent=True)
        spool.keep("telemetry", {})
        spool.commit()

        following = outbox.due(0.0)

    assert len(under_way) == WINDOW
    assert [json.loads(sending.publish.payload).get("kind") for sending in following] == ["emergency"]


def test_spool_of_format_1_is_taken_over(tmp_path: Path) -> None:
    file = tmp_path / "spool"
    with Spool(file) as spool:
        spool.keep("telemetry", {"number": 1})
        spool.commit()
        session = spool.session
    database = sqlite3.connect(file)
    database.executescript("ALTER TABLE message DROP COLUMN urgent; PRAGMA user_version = 1;")
    database.close()

    with Spool(file) as spool:
        kept = [json.loads(message.body)["number"] for message in spool.after(0, 10)]
        urgent = spool.after(0, 10, urgent=True)
        same = spool.session == session

    assert kept == [1]
    assert urgent == []
    assert same
