"""The engine's process: broker connection, worker and HTTPS plane together, until SIGTERM.

Run by ``hushkit cloud up`` as ``python -m hushkit_iot.localcore.engine DIRECTORY``.
"""

import asyncio
import json
import logging
import signal
import ssl
import sys
import time
from collections.abc import Callable
from pathlib import Path

from aiohttp import web

from hushkit_iot import policy
from hushkit_iot.errors import IotError, LocalCoreError
from hushkit_iot.localcore.daemons import Daemon
from hushkit_iot.localcore.https_plane import Credentials, HttpsPlane
from hushkit_iot.localcore.layout import BROKER, ENGINE, Layout, Profile, read_profile
from hushkit_iot.localcore.mqtt_edge import BrokerAddress, MqttEdge
from hushkit_iot.localcore.ports import LOOPBACK
from hushkit_iot.localcore.presence import Presence
from hushkit_iot.localcore.store import Store
from hushkit_iot.localcore.worker import Call, Worker
from hushkit_iot.topics import parse_device

_LOG = logging.getLogger(__name__)

_PRESENCE_CHECK_S = 2.0
_BROKER_NOTE = "broker_run"


class Engine:
    """Everything between the broker, the database and the fleet tools, in one event loop."""

    def __init__(self, layout: Layout, profile: Profile, presence: Presence | None = None):
        self._layout = layout
        self._profile = profile
        self._stop = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self._presence = presence or Presence()
        self.worker = Worker(Store(layout.database), self._stop_from_anywhere)
        cert, key = layout.identity(policy.ENGINE)
        self.edge = MqttEdge(
            BrokerAddress(profile.host, profile.mqtt_port, layout.ca_cert, cert, key),
            submit=self.worker.submit,
            heard=lambda thing: self._call_in_loop(self._presence.heard, thing),
            connected=self.on_connected,
        )
        self._plane = HttpsPlane(
            submit=self.worker.submit,
            publish_outcome=self.edge.publish_outcome,
            publish=lambda topic, payload, qos, retain: self.edge.publish(topic, payload, qos=qos, retain=retain),
            healthy=lambda: self.edge.is_connected,
            credentials=Credentials(profile.access_key, profile.secret_key),
        )

    async def run(self) -> None:
        """Serve until SIGTERM, SIGINT, or the worker ends."""
        for number in (signal.SIGTERM, signal.SIGINT):
            self._loop.add_signal_handler(number, self._stop.set)
        self.worker.start()
        self.edge.start()
        runner = web.AppRunner(self._plane.application(), access_log=None, shutdown_timeout=2.0)
        await runner.setup()
        site = web.TCPSite(runner, LOOPBACK, self._profile.https_port, ssl_context=self._tls())
        await site.start()
        _LOG.info("serving %s", self._profile.endpoint_url)
        watch = asyncio.create_task(self.watch_presence())
        await self._stop.wait()
        watch.cancel()
        await runner.cleanup()
        self.worker.close()
        self.edge.close()

    def _tls(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.load_cert_chain(*self._layout.identity(ENGINE))
        return context

    def _stop_from_anywhere(self) -> None:
        self._call_in_loop(self._stop.set)

    def _call_in_loop(self, function: Callable[..., None], *arguments: object) -> None:
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(function, *arguments)

    def on_connected(self) -> None:
        """Act on a connection: when it is to a new run of the broker, whoever was online is suspect."""
        run_id = Daemon(self._layout.directory, BROKER).run_id()

        def suspects(store: Store) -> list[str]:
            if store.note(_BROKER_NOTE) == run_id:
                return []
            store.put_note(_BROKER_NOTE, run_id)
            return online_things(store)

        call = Call(suspects)
        call.future.add_done_callback(lambda future: self._call_in_loop(self._suspect, future.result()))
        try:
            self.worker.submit(call)
        except LocalCoreError:
            _LOG.info("connected while stopping")

    def _suspect(self, things: list[str]) -> None:
        self._presence.broker_restarted(things, time.monotonic())

    async def watch_presence(self, period_s: float = _PRESENCE_CHECK_S) -> None:
        """Declare the silent offline, for ever."""
        while True:
            await asyncio.sleep(period_s)
            for thing in self._presence.overdue(time.monotonic()):
                _LOG.warning("%s was online before the broker restarted and has been silent since", thing)
                self.edge.declare_offline(thing)


def online_things(store: Store) -> list[str]:
    """Things whose retained status says online."""
    found = []
    for message in store.all_retained("hushkit/", 1_000_000):
        device = parse_device(message.topic)
        if device and device.kind == "status" and _says_online(message.payload):
            found.append(device.thing)
    return found


def _says_online(payload: bytes) -> bool:
    try:
        status = json.loads(payload)
    except ValueError:
        return False
    return isinstance(status, dict) and status.get("online") is True


def main(arguments: list[str]) -> int:
    """Run the engine of one directory."""
    logging.basicConfig(format="%(asctime)s %(levelname)s %(message)s", level=logging.INFO)
    directory = Path(arguments[0])
    try:
        profile = read_profile(directory)
        if profile is None:
            raise LocalCoreError(f"{directory}: no local core here; run `hushkit cloud up`")
        asyncio.run(_serve(Layout(directory), profile))
    except (IotError, OSError) as err:
        _LOG.error("%s", err)
        return 1
    return 0


async def _serve(layout: Layout, profile: Profile) -> None:
    await Engine(layout, profile).run()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
