"""`Raw`: a wire body as a dict whose keys are attributes too."""

from __future__ import annotations

from typing import Any


class Raw(dict[str, Any]):
    """A JSON object: ``raw["usage"]["cost"]`` and ``raw.usage.cost`` are the same, in nested objects and lists too.

    It is a plain dict to everything else: JSON, pickle, copies, ``dict(raw)``. A key that is not there is an
    AttributeError; a key that is also a method of dict (``items``, say) is read with brackets.
    """

    __slots__ = ()

    def __getattr__(self, name: str) -> Any:
        try:
            return self[name]
        except KeyError:
            raise AttributeError(name) from None


def raw(value: Any) -> Any:
    """JSON-like data with every object made a `Raw`; lists are new, leaves are shared."""
    if isinstance(value, dict):
        return Raw((key, raw(item)) for key, item in value.items())
    return [raw(item) for item in value] if isinstance(value, list) else value
