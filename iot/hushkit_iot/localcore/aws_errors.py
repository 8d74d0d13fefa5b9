"""Errors over HTTPS in the shape botocore turns into its exceptions."""

import json
import uuid

from aiohttp import web

_NAMES = {
    400: "InvalidRequestException",
    401: "UnauthorizedException",
    403: "ForbiddenException",
    404: "ResourceNotFoundException",
    405: "MethodNotAllowedException",
    409: "ConflictException",
    413: "RequestEntityTooLargeException",
    415: "UnsupportedDocumentEncodingException",
    429: "ThrottlingException",
    500: "InternalFailureException",
    503: "ServiceUnavailableException",
}


class AwsError(Exception):
    """A request AWS would refuse; ``name`` is the exception botocore raises for it."""

    def __init__(self, code: int, message: str, name: str | None = None):
        super().__init__(message)
        self.code = code
        self.message = message
        self.name = name or _NAMES.get(code, "InternalFailureException")


def answer(error: AwsError) -> web.Response:
    """Render an error."""
    trace = str(uuid.uuid4())
    body = {"message": error.message, "traceId": trace, "__type": error.name}
    headers = {"x-amzn-ErrorType": error.name, "x-amzn-RequestId": trace}
    return web.Response(
        status=error.code, body=json.dumps(body).encode(), content_type="application/json", headers=headers
    )
