"""The local IoT Core: mosquitto with mutual TLS, a durable shadow engine, AWS's data and control plane over HTTPS."""

from hushkit_iot.localcore.core import LocalCore, ThingCredentials

__all__ = ["LocalCore", "ThingCredentials"]
