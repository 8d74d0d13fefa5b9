"""Checks everything an agent needs, one thing at a time, with advice."""

import datetime as dt
import os
import socket
import ssl
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from hushkit_link import wire
from hushkit_link.demultiplexer import Demultiplexer
from hushkit_link.errors import LinkError
from hushkit_link.exchange import Exchange, NoReply, Reply
from hushkit_link.smp import Op, Packet

from hushkit_agent.config import Config
from hushkit_agent.core.headset import edition_fault
from hushkit_agent.device.port import open_port
from hushkit_agent.errors import AgentError, PortError

_EARLIEST = dt.datetime(2025, 1, 1, tzinfo=dt.UTC)
_CONNECT_S = 5.0


@dataclass(frozen=True, slots=True)
class Finding:
    """Result of one check; ``advice`` is empty when ``ok``."""

    check: str
    ok: bool
    detail: str
    advice: str = ""


def examine(config: Config) -> Iterator[Finding]:
    """Run all checks; findings come as they are made. Opens the serial port and a TLS connection, changes nothing."""
    yield _clock()
    for name, path in (("CA", config.endpoint.ca), ("certificate", config.endpoint.cert), ("key", config.endpoint.key)):
        yield _file(name, path)
    yield _spool(config.spool)
    yield _broker(config)
    yield _headset(config)


def _clock() -> Finding:
    now = dt.datetime.now(dt.UTC)
    if now < _EARLIEST:
        return Finding("clock", False, f"{now:%Y-%m-%d %H:%M} UTC", "set the time (timedatectl set-ntp true)")
    return Finding("clock", True, f"{now:%Y-%m-%d %H:%M} UTC")


def _file(name: str, path: Path) -> Finding:
    try:
        text = path.read_text(encoding="ascii")
    except (OSError, UnicodeDecodeError) as err:
        reason = err.strerror if isinstance(err, OSError) else "not PEM text"
        return Finding(name, False, f"{path}: {reason}", "put the PEM file there, readable by the agent's user")
    if "-----BEGIN" not in text:
        return Finding(name, False, f"{path}: not PEM", "expected a file that begins with -----BEGIN")
    return Finding(name, True, str(path))


def _spool(path: Path) -> Finding:
    if not path.parent.is_dir():
        return Finding("spool", False, f"{path.parent}: no such directory", "make it, writable by the agent's user")
    if not os.access(path.parent, os.W_OK) or (path.exists() and not os.access(path, os.W_OK)):
        return Finding("spool", False, f"{path}: not writable", "give file and directory to the agent's user")
    return Finding("spool", True, f"{path} ({path.stat().st_size if path.exists() else 0} bytes)")


def _broker(config: Config) -> Finding:
    endpoint = config.endpoint
    address = f"{endpoint.host}:{endpoint.port}"
    try:
        context = ssl.create_default_context(cafile=str(endpoint.ca))
        context.load_cert_chain(str(endpoint.cert), str(endpoint.key))
    except (OSError, ssl.SSLError) as err:
        return Finding("broker", False, f"{address}: {err}", "certificate, key and CA must belong together")
    try:
        with (
            socket.create_connection((endpoint.host, endpoint.port), timeout=_CONNECT_S) as plain,
            context.wrap_socket(plain, server_hostname=endpoint.host) as secure,
        ):
            return _greet(secure, config.thing, address)
    except ssl.SSLCertVerificationError as err:
        advice = "the CA must be the one that signed the server, and the endpoint the name in its certificate"
        return Finding("broker", False, f"{address}: {err.verify_message}", advice)
    except (OSError, ssl.SSLError) as err:
        return Finding("broker", False, f"{address}: {err}", "is it running, and reachable from here?")


def _greet(secure: ssl.SSLSocket, thing: str, address: str) -> Finding:
    """Whether the server takes the certificate.

    With TLS 1.3 a refusal shows only at the first read. A CONNECT would end a running agent's connection, so wait
    shortly: a server that accepted the certificate stays silent until CONNECT comes.
    """
    secure.settimeout(0.5)
    try:
        refused = "closed the connection" if secure.recv(1) == b"" else ""
    except TimeoutError:
        refused = ""
    except OSError as err:
        refused = str(err)
    if refused:
        return Finding("broker", False, f"{address}: {refused}", f"is the certificate that of {thing}, and active?")
    return Finding("broker", True, f"{address}: {secure.version()}, certificate accepted")


def _headset(config: Config) -> Finding:
    advice = "is the headset on, and the port right?"
    try:
        port = open_port(config.serial, baud=config.baud)
    except PortError as err:
        held = "a running agent holds the port; stop it to examine the headset"
        return Finding("headset", False, str(err), held if "busy" in str(err) else advice)
    with port:
        try:
            about = ask_about(port.read, port.write, timeout_s=config.timeout_s)
        except (AgentError, LinkError) as err:
            return Finding("headset", False, f"{config.serial}: {err}", advice)
    fault = edition_fault(about)
    if fault is not None:
        return Finding("headset", False, fault, "install matching releases of agent and firmware")
    return Finding(
        "headset", True, f"{about.spec} {about.version}, build {about.build_id.hex()[:16]}, wire {about.schema}"
    )


def ask_about(read: Callable[[int], bytes], write: Callable[[bytes], object], *, timeout_s: float) -> wire.AboutReply:
    """Ask a headset who it is.

    Raises:
        AgentError: It does not answer, or refuses.
        WireError: Its answer cannot be used.
    """
    exchange, line = Exchange(timeout_s=timeout_s), Demultiplexer()
    exchange.request("about", Op.READ, wire.GROUP, wire.AboutReply.COMMAND)
    while True:
        data, outcomes = exchange.poll(time.monotonic())
        if data:
            write(data)
        for item in line.feed(read(1)):
            outcome = exchange.receive(item) if isinstance(item, Packet) else None
            outcomes += [outcome] if outcome is not None else []
        for outcome in outcomes:
            match outcome:
                case NoReply(_, attempts):
                    raise AgentError(f"no answer to {attempts} requests ({line.counts.noise_bytes} bytes of noise)")
                case Reply(_, body, None):
                    return wire.AboutReply.from_map(body)
                case Reply(_, _, error):
                    raise AgentError(f"the headset refused ({error}): it does not run this firmware")
