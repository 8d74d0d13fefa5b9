"""AWS's paging: an opaque ``nextToken`` and a page size."""

import base64
import binascii
from collections.abc import Awaitable, Callable, Mapping
from typing import TypeVar

from hushkit_iot.localcore.aws_errors import AwsError

MAX_PAGE = 100

T = TypeVar("T")


async def page(
    query: Mapping[str, str],
    fetch: Callable[[str, int], Awaitable[list[T]]],
    *,
    key: Callable[[T], str],
    size: str,
) -> tuple[list[T], dict[str, str]]:
    """Fetch one page.

    Args:
        query: The request's query parameters.
        fetch: Returns at most so many items whose key lies behind the given one, in order.
        key: An item's sort key.
        size: Name of the page size parameter.

    Returns:
        The items, and ``{"nextToken": ...}`` when there are more.

    Raises:
        AwsError: 400 for a page size or a token that makes no sense.
    """
    limit = _limit(query.get(size), size)
    after = _decode(query.get("nextToken"))
    items = await fetch(after, limit + 1)
    if len(items) <= limit:
        return items, {}
    return items[:limit], {"nextToken": base64.urlsafe_b64encode(key(items[limit - 1]).encode()).decode()}


def _limit(text: str | None, size: str) -> int:
    if text is None:
        return MAX_PAGE
    if not text.isdecimal() or not 1 <= int(text) <= 250:
        raise AwsError(400, f"{size}: found {text}, expected 1 to 250")
    return min(int(text), MAX_PAGE)


def _decode(token: str | None) -> str:
    if not token:
        return ""
    try:
        return base64.b64decode(token, altchars=b"-_", validate=True).decode()
    except (binascii.Error, UnicodeDecodeError) as err:
        raise AwsError(400, "nextToken: not one this service gave out") from err
