"""Check AWS Signature Version 4, so that the local core wants credentials as AWS does.

Source: AWS General Reference, "Signature Version 4 signing process". Pure.
"""

import hashlib
import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import parse_qsl, quote

MAX_SKEW_S = 900.0
"""AWS refuses a signature whose date is off by more than 15 minutes."""

_AUTHORIZATION = re.compile(
    r"AWS4-HMAC-SHA256 Credential=([^/]+)/(\d{8})/([^/]+)/([^/]+)/aws4_request, ?"
    r"SignedHeaders=([^,]+), ?Signature=([0-9a-f]{64})"
)


@dataclass(frozen=True, slots=True)
class SignedRequest:
    """The parts of a request that a signature covers; header names in lower case, path and query as sent."""

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes


def fault(request: SignedRequest, access_key: str, secret_key: str, now: datetime) -> str | None:
    """Say what is wrong with a request's signature; None when it is right."""
    match = _AUTHORIZATION.fullmatch(request.headers.get("authorization", ""))
    if match is None:
        return "Missing Authentication Token"
    key, day, region, service, signed_headers, signature = match.groups()
    if not hmac.compare_digest(key, access_key):
        return "The security token included in the request is invalid."
    stamp = request.headers.get("x-amz-date", "")
    if not stamp.startswith(day) or _skew_s(stamp, now) > MAX_SKEW_S:
        return "Signature expired or not yet current: check the clock"
    scope = f"{day}/{region}/{service}/aws4_request"
    digest = hashlib.sha256(_canonical(request, signed_headers).encode()).hexdigest()
    to_sign = f"AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{digest}"
    expected = hmac.new(_signing_key(secret_key, day, region, service), to_sign.encode(), hashlib.sha256).hexdigest()
    if not hmac.compare_digest(signature, expected):
        return "The request signature we calculated does not match the signature you provided."
    return None


def _skew_s(stamp: str, now: datetime) -> float:
    try:
        signed = datetime.strptime(stamp, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    except ValueError:
        return float("inf")
    return abs((now - signed).total_seconds())


def _canonical(request: SignedRequest, signed_headers: str) -> str:
    pairs = parse_qsl(request.query, keep_blank_values=True)
    query = "&".join(sorted(f"{quote(name, safe='-_.~')}={quote(value, safe='-_.~')}" for name, value in pairs))
    headers = "".join(
        f"{name}:{' '.join(request.headers.get(name, '').split())}\n" for name in signed_headers.split(";")
    )
    payload = hashlib.sha256(request.body).hexdigest()
    path = quote(request.path, safe="/~")  # signed twice encoded, by every service but S3
    return f"{request.method}\n{path}\n{query}\n{headers}\n{signed_headers}\n{payload}"


def _signing_key(secret_key: str, day: str, region: str, service: str) -> bytes:
    key = f"AWS4{secret_key}".encode()
    for part in (day, region, service, "aws4_request"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    return key
