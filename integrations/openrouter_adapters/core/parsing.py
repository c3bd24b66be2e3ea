"""JSON as servers send it: with halves of characters, after a byte order mark, as an event, cut off."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from pydantic_core import from_json

from openrouter_adapters.core.sse import BOM, EventSplitter
from openrouter_adapters.core.surrogates import mended
from openrouter_adapters.core.wire import dict_of


def parse(data: bytes, mend: Callable[[Any], Any] = mended) -> Any:
    """A JSON value.

    Args:
        data: the JSON text.
        mend: what joins or replaces halves of characters, where there are any.

    Raises:
        ValueError: it is none, or nested deeper than anything that OpenRouter sends.
    """
    try:
        return from_json(data)
    except ValueError as error:
        if b"\\u" not in data or "recursion" in str(error):
            raise
    try:
        return mend(json.loads(data))  # the standard library reads lone halves, which half an emoji leaves
    except RecursionError:
        raise ValueError("nested too deep") from None


def json_in(data: bytes) -> Any:
    """The JSON that a body is, or else that its events have, one with an error first; None when there is none."""
    data = data.lstrip().removeprefix(BOM)
    with suppress(ValueError):
        return parse(data)
    found = []
    for text in EventSplitter().feed(data + b"\n\n"):
        with suppress(ValueError):
            found.append(parse(text))
    return next((one for one in found if dict_of(one).get("error")), found[0] if found else None)


def partial_json(data: bytes) -> Any:
    """What can be read of JSON that was cut off; None when that is nothing."""
    with suppress(ValueError):
        return from_json(data, allow_partial="trailing-strings") or None
    return None
