"""Measure the local IoT Core on this machine: latency of one request at a time, and throughput of many things.

    python iot/benchmarks/shadow_load.py --seconds 5 --json -

Everything runs on the loopback with SQLite at synchronous=FULL, so an update's figure contains one fsync of this
machine's disk. The client has Nagle's algorithm off; a client that leaves it on (AWS's SDK does) adds up to 40 ms to a
request that follows an acknowledgement.
"""

import argparse
import json
import socket
import ssl
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

import paho.mqtt.client as mqtt
from hushkit_iot import topics
from hushkit_iot.fleet.connection import choose_endpoint, connect
from hushkit_iot.localcore import LocalCore, ThingCredentials
from hushkit_iot.localcore.mqtt_edge import MAX_IN_FLIGHT
from paho.mqtt.enums import CallbackAPIVersion

_ANSWER_S = 10.0
_ANSWERS = ("get/accepted", "get/rejected", "update/accepted", "update/rejected")


class Client:
    """A thing with a fixed number of requests in flight; every answer triggers the next request."""

    def __init__(self, credentials: ThingCredentials):
        self.answers = 0
        self.refused = 0
        self.latencies_ms: list[float] = []
        self._sent: list[float] = []
        self._prefix = topics.shadow(credentials.thing)
        self._operation = "get"
        self._until = 0.0
        self._idle = threading.Event()
        self._in_flight = 0
        self._client = mqtt.Client(CallbackAPIVersion.VERSION2, credentials.thing)
        context = ssl.create_default_context(cafile=credentials.ca)
        context.load_cert_chain(credentials.cert, credentials.key)
        self._client.tls_set_context(context)
        ready = threading.Event()
        self._client.on_subscribe = lambda *_: ready.set()
        self._client.on_message = lambda client, data, message: self._on_answer(message.topic)
        self._client.connect(credentials.host, credentials.port)
        connection = self._client.socket()
        assert isinstance(connection, socket.socket)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._client.loop_start()
        self._client.subscribe([(f"{self._prefix}/{name}", 1) for name in _ANSWERS])
        if not ready.wait(_ANSWER_S):
            raise TimeoutError("the broker does not answer a subscription")

    def run(self, operation: str, seconds: float, in_flight: int) -> None:
        """Start asking; returns at once."""
        self.answers, self.latencies_ms, self._sent = 0, [], []
        self._operation, self._until, self._in_flight = operation, time.perf_counter() + seconds, in_flight
        self._idle.clear()
        for _ in range(in_flight):
            self._ask()

    def wait(self) -> None:
        """Wait until the last answer is in."""
        if not self._idle.wait(self._until - time.perf_counter() + _ANSWER_S):
            raise TimeoutError(f"{self._in_flight} requests were never answered")

    def close(self) -> None:
        """Disconnect."""
        self._client.disconnect()
        self._client.loop_stop()

    def _ask(self) -> None:
        self._sent.append(time.perf_counter())
        state = {"state": {"reported": {"mode": "anc", "intensity": 0.5, "n": self.answers}}}
        self._client.publish(f"{self._prefix}/{self._operation}", json.dumps(state), qos=1)

    def _on_answer(self, topic: str) -> None:
        now = time.perf_counter()
        if self._in_flight == 0:
            return  # to somebody else's request
        self.refused += topic.endswith("/rejected")
        self.answers += 1
        self.latencies_ms.append((now - self._sent.pop(0)) * 1000)
        if now < self._until:
            self._ask()
        else:
            self._in_flight -= 1
            if self._in_flight == 0:
                self._idle.set()


def main() -> int:
    """Run all measurements."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=3.0, help="length of each of the five measurements (3)")
    parser.add_argument("--things", type=int, default=8, help="things in the throughput measurement (8)")
    parser.add_argument("--json", metavar="FILE", help="write the machine form to FILE, - for standard output")
    options = parser.parse_args()
    figures = measure(options.seconds, options.things)
    if options.json:
        text = json.dumps(figures, indent=2) + "\n"
        if options.json == "-":
            sys.stdout.write(text)
        else:
            Path(options.json).write_text(text)
    if options.json != "-":
        print("\n".join(f"{name:40} {value:10.2f}" for name, value in figures.items()))
    return 0


def measure(seconds: float, things: int) -> dict[str, float]:
    """Measure one core in a temporary directory; milliseconds and requests per second, evidence: measured."""
    names = tuple(f"bench-{number:03}" for number in range(things))
    with (
        tempfile.TemporaryDirectory() as directory,
        LocalCore(Path(directory), mqtt_port=0, https_port=0, things=names) as core,
    ):
        clients = [Client(core.issue_thing(name)) for name in names]
        figures: dict[str, float] = {}
        run([clients[0]], "update", 0.3, 1)  # warm up; the shadow exists from here on
        for operation in ("get", "update"):
            figures |= named(f"mqtt_{operation}_ms", run([clients[0]], operation, seconds, 1)[0])
        figures |= named("https_update_ms", https_updates(core, names[0], seconds))
        figures["mqtt_updates_per_s_one_thing"] = run(clients[:1], "update", seconds, MAX_IN_FLIGHT // 2)[1]
        figures["mqtt_updates_per_s_all_things"] = run(clients, "update", seconds, MAX_IN_FLIGHT // 2)[1]
        for client in clients:
            client.close()
    return figures


def run(clients: list[Client], operation: str, seconds: float, in_flight: int) -> tuple[list[float], float]:
    """Let the clients ask; returns all latencies and the answers per second."""
    print(f"{operation}, {len(clients)} things, {in_flight} in flight each, {seconds:g} s", file=sys.stderr)
    start = time.perf_counter()
    for client in clients:
        client.run(operation, seconds, in_flight)
    for client in clients:
        client.wait()
    elapsed = time.perf_counter() - start
    if refused := sum(client.refused for client in clients):
        raise RuntimeError(f"{refused} requests were refused; the figures would mean nothing")
    latencies = [latency for client in clients for latency in client.latencies_ms]
    return latencies, sum(client.answers for client in clients) / elapsed


def https_updates(core: LocalCore, thing: str, seconds: float) -> list[float]:
    """Update through boto3, one at a time."""
    print(f"update over HTTPS, {seconds:g} s", file=sys.stderr)
    cloud = connect(choose_endpoint(core.directory, None, None))

    def update() -> None:
        cloud.data.update_thing_shadow(thingName=thing, payload=b'{"state":{"desired":{"mode":"anc"}}}')

    update()
    return timed(update, seconds)


def timed(action: Callable[[], None], seconds: float) -> list[float]:
    """Repeat an action; milliseconds of each."""
    latencies = []
    until = time.perf_counter() + seconds
    while time.perf_counter() < until:
        start = time.perf_counter()
        action()
        latencies.append((time.perf_counter() - start) * 1000)
    return latencies


def named(stem: str, latencies: list[float]) -> dict[str, float]:
    """Median and 95th percentile."""
    return {f"{stem}_p50": statistics.median(latencies), f"{stem}_p95": statistics.quantiles(latencies, n=20)[18]}


if __name__ == "__main__":
    sys.exit(main())
