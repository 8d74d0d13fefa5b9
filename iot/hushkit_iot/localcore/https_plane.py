"""AWS's data and control plane over HTTPS, as far as fleet tools need it: what boto3 calls with ``endpoint_url``.

``iot-data``: get, update and delete_thing_shadow, list_named_shadows_for_thing, publish, get_retained_message,
list_retained_messages. ``iot``: list_things, describe_thing, create_thing, delete_thing, describe_endpoint.
``dynamodb``: see ``history_plane``. Anything else is answered with the error AWS gives for an unknown operation.
"""

import asyncio
import json
import sqlite3
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypeVar

from aiohttp import web

from hushkit_iot.errors import LocalCoreError
from hushkit_iot.localcore import history_plane, sigv4
from hushkit_iot.localcore.aws_errors import AwsError, answer
from hushkit_iot.localcore.engine_jobs import ShadowJob
from hushkit_iot.localcore.layout import REGION
from hushkit_iot.localcore.paging import page
from hushkit_iot.localcore.shadow_service import MAX_PAYLOAD_BYTES, Outcome, ShadowKey
from hushkit_iot.localcore.store import Retained, Store, Thing
from hushkit_iot.localcore.worker import Call, Job
from hushkit_iot.topics import THING_NAME

ACCOUNT = "000000000000"

T = TypeVar("T")
_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass(frozen=True, slots=True)
class Credentials:
    """The access key the local core accepts."""

    access_key: str
    secret_key: str


class HttpsPlane:
    """The routes.

    Args:
        submit: Hands a job to the worker.
        publish_outcome: Publishes what a shadow request led to.
        publish: Publishes a message: topic, payload, QoS, retain.
        healthy: True while the engine is connected to the broker.
        credentials: Who may ask.
    """

    def __init__(
        self,
        *,
        submit: Callable[[Job], None],
        publish_outcome: Callable[[ShadowKey, Outcome], None],
        publish: Callable[[str, bytes, int, bool], None],
        healthy: Callable[[], bool],
        credentials: Credentials,
    ):
        self._submit = submit
        self._publish_outcome = publish_outcome
        self._publish = publish
        self._healthy = healthy
        self._credentials = credentials

    def application(self) -> web.Application:
        """Build the web application."""
        app = web.Application(middlewares=[self._guard], client_max_size=2 * MAX_PAYLOAD_BYTES)
        app.add_routes(
            [
                web.get("/hushkit/health", self._health),
                web.get("/things/{thing}/shadow", self._shadow("get")),
                web.post("/things/{thing}/shadow", self._shadow("update")),
                web.delete("/things/{thing}/shadow", self._shadow("delete")),
                web.get("/api/things/shadow/ListNamedShadowsForThing/{thing}", self._named_shadows),
                web.post("/topics/{topic:.+}", self._publish_message),
                web.get("/retainedMessage", self._retained_topics),
                web.get("/retainedMessage/{topic:.+}", self._retained_message),
                web.get("/things", self._things),
                web.get("/things/{thing}", self._describe_thing),
                web.post("/things/{thing}", self._create_thing),
                web.delete("/things/{thing}", self._delete_thing),
                web.get("/endpoint", self._endpoint),
                web.post("/", self._history),
            ]
        )
        return app

    @web.middleware
    async def _guard(self, request: web.Request, handler: _Handler) -> web.StreamResponse:
        """Check the signature; render errors as AWS does."""
        try:
            if request.path != "/hushkit/health":
                await self._check_signature(request)
            return await handler(request)
        except AwsError as err:
            error = err
        except web.HTTPRequestEntityTooLarge:
            error = AwsError(413, "The payload exceeds the maximum size allowed")
        except web.HTTPMethodNotAllowed:
            error = AwsError(405, "The method is not allowed for this resource")
        except web.HTTPNotFound:
            message = f"{request.method} {request.path} is not served by the local IoT Core"
            error = AwsError(404, message, "UnknownOperationException")
        except LocalCoreError as err:
            error = AwsError(503, str(err))
        except sqlite3.Error:
            error = AwsError(500, "Internal service failure")
        return answer(error)

    async def _check_signature(self, request: web.Request) -> None:
        raw_path, _, raw_query = request.raw_path.partition("?")
        headers = {name.lower(): value for name, value in request.headers.items()}
        signed = sigv4.SignedRequest(request.method, raw_path, raw_query, headers, await request.read())
        key = self._credentials
        fault = sigv4.fault(signed, key.access_key, key.secret_key, datetime.now(UTC))
        if fault:
            raise AwsError(403, fault)

    async def _ask(self, function: Callable[[Store], T]) -> T:
        call = Call(function)
        self._submit(call)
        return await asyncio.wrap_future(call.future)

    async def _health(self, request: web.Request) -> web.Response:
        del request
        return web.json_response({"broker": self._healthy()})

    def _shadow(self, operation: str) -> _Handler:
        async def handler(request: web.Request) -> web.StreamResponse:
            key = ShadowKey(request.match_info["thing"], request.query.get("name", ""))
            loop = asyncio.get_running_loop()
            ready: asyncio.Future[Outcome] = loop.create_future()

            def done(outcome: Outcome) -> None:
                # MQTT hears of what was accepted; a refusal goes to the caller alone.
                if outcome.code == 200 and operation != "get":
                    self._publish_outcome(key, outcome)
                loop.call_soon_threadsafe(_settle, ready, outcome)

            self._submit(ShadowJob(operation, key, await request.read(), int(time.time()), done))
            outcome = await ready
            if outcome.code != 200:
                raise AwsError(outcome.code, json.loads(outcome.answer.payload)["message"])
            return web.Response(body=outcome.answer.payload, content_type="application/json")

        return handler

    async def _named_shadows(self, request: web.Request) -> web.Response:
        thing = _thing_name(request)
        names, token = await page(
            request.query,
            lambda after, limit: self._ask(lambda store: store.named_shadows(thing, after, limit)),
            key=str,
            size="pageSize",
        )
        return web.json_response({"results": names, "timestamp": int(time.time()), **token})

    async def _publish_message(self, request: web.Request) -> web.Response:
        topic, payload = request.match_info["topic"], await request.read()
        qos, retain = request.query.get("qos", "0"), request.query.get("retain", "false") == "true"
        if qos not in {"0", "1"}:
            raise AwsError(400, f"qos: found {qos}, expected 0 or 1")
        if "+" in topic or "#" in topic or topic.count("/") > 7:
            raise AwsError(400, f"topic: found {topic}, expected no wildcard and at most 7 slashes")
        if len(payload) > MAX_PAYLOAD_BYTES:
            raise AwsError(413, "The payload exceeds the maximum size allowed")
        if retain:
            kept = Retained(topic, payload, int(qos), int(time.time() * 1000))
            await self._ask(lambda store: store.put_retained(kept))
        self._publish(topic, payload, int(qos), retain)
        return web.json_response({"message": "OK", "traceId": ""})

    async def _retained_topics(self, request: web.Request) -> web.Response:
        messages, token = await page(
            request.query,
            lambda after, limit: self._ask(lambda store: store.all_retained(after, limit)),
            key=lambda message: message.topic,
            size="maxResults",
        )
        found = [
            {"topic": m.topic, "payloadSize": len(m.payload), "qos": m.qos, "lastModifiedTime": m.modified_ms}
            for m in messages
        ]
        return web.json_response({"retainedTopics": found, **token})

    async def _retained_message(self, request: web.Request) -> web.Response:
        topic = request.match_info["topic"]
        message = await self._ask(lambda store: store.retained(topic))
        if message is None:
            raise AwsError(404, f"No retained message exists for topic: {topic}")
        return web.json_response(
            {
                "topic": message.topic,
                "payload": history_plane.base64_text(message.payload),
                "qos": message.qos,
                "lastModifiedTime": message.modified_ms,
            }
        )

    async def _things(self, request: web.Request) -> web.Response:
        things, token = await page(
            request.query,
            lambda after, limit: self._ask(lambda store: store.things(after, limit)),
            key=lambda thing: thing.name,
            size="maxResults",
        )
        return web.json_response({"things": [_describe(thing) for thing in things], **token})

    async def _describe_thing(self, request: web.Request) -> web.Response:
        name = _thing_name(request)
        thing = await self._ask(lambda store: store.thing(name))
        if thing is None:
            raise AwsError(404, f"Thing {name} cannot be found.")
        return web.json_response({**_describe(thing), "defaultClientId": name, "thingId": thing.id})

    async def _create_thing(self, request: web.Request) -> web.Response:
        name = _thing_name(request)
        body = _object(await request.read())
        attributes = body.get("attributePayload", {}).get("attributes", {})
        type_name = body.get("thingTypeName")
        thing = await self._ask(lambda store: store.add_thing(name, type_name, attributes))
        if (thing.type, thing.attributes) != (type_name, attributes):
            message = f"Thing {name} already exists in account with different attributes"
            raise AwsError(409, message, "ResourceAlreadyExistsException")
        return web.json_response({"thingName": name, "thingArn": _arn(name), "thingId": thing.id})

    async def _delete_thing(self, request: web.Request) -> web.Response:
        name = _thing_name(request)
        await self._ask(lambda store: store.remove_thing(name))  # deleting what is not there succeeds, as on AWS
        return web.json_response({})

    async def _endpoint(self, request: web.Request) -> web.Response:
        return web.json_response({"endpointAddress": request.host.partition(":")[0]})

    async def _history(self, request: web.Request) -> web.Response:
        query = history_plane.parse_query(request.headers.get("X-Amz-Target", ""), _object(await request.read()))
        entries = await self._ask(query.run)
        return web.json_response(query.answer(entries), content_type="application/x-amz-json-1.0")


def _settle(ready: "asyncio.Future[T]", value: T) -> None:
    if not ready.done():  # the caller may have gone
        ready.set_result(value)


def _thing_name(request: web.Request) -> str:
    name = request.match_info["thing"]
    if not THING_NAME.fullmatch(name):
        raise AwsError(400, f"thingName: found {name}, expected {THING_NAME.pattern}")
    return name


def _object(body: bytes) -> dict[str, Any]:
    try:
        document = json.loads(body or b"{}")
    except ValueError as err:
        raise AwsError(400, "the request body is not JSON") from err
    if not isinstance(document, dict):
        raise AwsError(400, "the request body is not a JSON object")
    return document


def _describe(thing: Thing) -> dict[str, object]:
    described: dict[str, object] = {
        "thingName": thing.name,
        "thingArn": _arn(thing.name),
        "attributes": thing.attributes,
        "version": thing.version,
    }
    return {**described, "thingTypeName": thing.type} if thing.type else described


def _arn(name: str) -> str:
    return f"arn:aws:iot:{REGION}:{ACCOUNT}:thing/{name}"
