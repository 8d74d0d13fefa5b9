"""Merging and comparing JSON objects as shadows do: null removes, arrays are whole."""

from collections.abc import Mapping


def merged(base: Mapping[str, object], change: Mapping[str, object]) -> dict[str, object]:
    """``base`` after ``change``: objects merge, null removes, everything else replaces."""
    result = dict(base)
    for key, value in change.items():
        if value is None:
            result.pop(key, None)
        elif isinstance(value, Mapping):
            before = result.get(key)
            result[key] = merged(before if isinstance(before, Mapping) else {}, value)
        else:
            result[key] = value
    return result


def difference(old: Mapping[str, object], new: Mapping[str, object]) -> dict[str, object]:
    """The smallest change with ``merged(old, change) == new``; empty when they are equal."""
    change: dict[str, object] = dict.fromkeys(old.keys() - new.keys())
    for key, value in new.items():
        before = old.get(key)
        if isinstance(value, Mapping) and isinstance(before, Mapping):
            inner = difference(before, value)
            if inner:
                change[key] = inner
        elif key not in old or before != value or isinstance(before, bool) != isinstance(value, bool):
            change[key] = value
    return change
