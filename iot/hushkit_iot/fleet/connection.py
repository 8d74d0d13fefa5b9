"""Which cloud to talk to, and boto3 clients for it."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, EndpointConnectionError, SSLError

from hushkit_iot.errors import FleetError, LocalCoreError
from hushkit_iot.localcore.layout import ENVIRONMENT, REGION, Layout, read_profile

if TYPE_CHECKING:
    from mypy_boto3_iot import IoTClient
    from mypy_boto3_iot_data import IoTDataPlaneClient


class TableClient(Protocol):
    """The one call of boto3's ``dynamodb`` client that fleet tools make."""

    def query(self, **request: object) -> dict[str, Any]:
        """Query one table by key."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A cloud: real AWS when ``url`` is None. ``keys`` is None for boto3's own credential chain."""

    url: str | None = None
    ca: Path | None = None
    region: str | None = None
    keys: tuple[str, str] | None = None

    def __str__(self) -> str:
        return self.url or "AWS"


@dataclass(frozen=True, slots=True)
class Cloud:
    """Clients for one cloud; they may be used from several threads."""

    endpoint: Endpoint
    iot: "IoTClient"
    data: "IoTDataPlaneClient"
    tables: TableClient


def choose_endpoint(directory: Path | None, url: str | None, ca: Path | None) -> Endpoint:
    """Decide which cloud is meant: an explicit URL, a local core's directory, ``$HUSHKIT_CLOUD``, else AWS.

    Raises:
        FleetError: The directory holds no local core, or there is no such authority file.
    """
    if ca is not None and not ca.is_file():
        raise FleetError(f"--ca {ca}: no such file; name the authority's certificate, PEM")
    if url is not None:
        return Endpoint(url, ca, os.environ.get("AWS_REGION", REGION))
    named = os.environ.get(ENVIRONMENT)
    where = directory or (Path(named) if named else None)
    if where is None:
        return Endpoint(ca=ca, region=os.environ.get("AWS_REGION"))
    try:
        profile = read_profile(where)
    except LocalCoreError as err:
        raise FleetError(str(err)) from err
    if profile is None:
        raise FleetError(f"{where}: no local core was ever started here; run `hushkit cloud up --directory {where}`")
    keys = (profile.access_key, profile.secret_key)
    return Endpoint(profile.endpoint_url, Layout(where).ca_cert, REGION, keys)


def connect(endpoint: Endpoint) -> Cloud:
    """Make the clients; on AWS this asks for the account's data endpoint.

    Raises:
        FleetError: No region or credentials, or AWS does not answer.
    """
    with reported_errors(endpoint):
        session = boto3.session.Session(
            aws_access_key_id=endpoint.keys[0] if endpoint.keys else None,
            aws_secret_access_key=endpoint.keys[1] if endpoint.keys else None,
            region_name=endpoint.region,
        )
        config = Config(connect_timeout=5, read_timeout=20, retries={"max_attempts": 3}, max_pool_connections=16)
        verify = str(endpoint.ca) if endpoint.ca else None
        iot = session.client("iot", endpoint_url=endpoint.url, verify=verify, config=config)
        data_url = endpoint.url
        if data_url is None:
            data_url = f"https://{iot.describe_endpoint(endpointType='iot:Data-ATS')['endpointAddress']}"
        data = session.client("iot-data", endpoint_url=data_url, verify=verify, config=config)
        tables: Any = session.client("dynamodb", endpoint_url=endpoint.url, verify=verify, config=config)
        return Cloud(endpoint, iot, data, tables)


@contextmanager
def reported_errors(endpoint: Endpoint) -> Iterator[None]:
    """Turn what boto3 raises into one line that says what to do."""
    try:
        yield
    except EndpointConnectionError as err:
        advice = "check the URL and the network" if endpoint.url else "check the network and the region"
        raise FleetError(
            f"{endpoint} does not answer; {'run `hushkit cloud up`' if endpoint.keys else advice}"
        ) from err
    except SSLError as err:
        raise FleetError(f"{endpoint}: certificate not trusted; name the authority's PEM file with --ca") from err
    except ClientError as err:
        error = err.response.get("Error", {})
        raise FleetError(
            f"{endpoint} refused {err.operation_name}: {error.get('Code')}: {error.get('Message')}"
        ) from err
    except (ValueError, OSError) as err:  # what boto3 makes of a malformed URL or a missing CA file
        raise FleetError(f"{endpoint}: {err}; check --endpoint-url and --ca") from err
    except BotoCoreError as err:
        advice = f"for a local core pass --directory or set {ENVIRONMENT}; for AWS set region and credentials"
        raise FleetError(f"{endpoint}: {str(err).rstrip('.')}; {advice}") from err
