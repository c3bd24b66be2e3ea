"""What no JSON can carry is refused, in words that say which part of a request it is."""

from __future__ import annotations

import math
from datetime import date
from typing import Any

from pydantic import BaseModel


def check_text(name: str, text: str) -> None:
    """Refuse text that no JSON can carry: what is read out of a PDF may have half a character in it.

    Raises:
        ValueError: it has one.
    """
    try:
        text.encode()
    except UnicodeEncodeError as error:
        mended = ".encode('utf-16', 'surrogatepass').decode('utf-16', 'replace')"
        said = f"{name} has half a character at {error.start} ({text[error.start]!r}): mend it with text{mended}"
        raise ValueError(said) from None


def check_sendable(name: str, value: Any, within: tuple[int, ...] = ()) -> None:
    """Refuse what no JSON can carry; for a request that could not be written, to say which part of it is to blame.

    Args:
        name: where the value stands, as in ``messages[0].content``.
        value: any part of a request's body.
        within: what it stands in, by `id`.

    Raises:
        ValueError: half a character, a number that is none (NaN, infinity), or something that contains itself.
        TypeError: an object that JSON has no form for.
    """
    if id(value) in within:
        raise ValueError(f"{name} contains itself")
    within = (*within, id(value)) if isinstance(value, dict | list) else within
    if isinstance(value, str):
        check_text(name, value)
    elif isinstance(value, dict):
        for key, part in value.items():
            check_text(f"a key of {name or 'the body'}", str(key))
            check_sendable(f"{name}.{key}" if name else str(key), part, within)
    elif isinstance(value, list | tuple):
        for index, part in enumerate(value):
            check_sendable(f"{name}[{index}]", part, within)
    elif isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"{name}={value!r}: JSON has no such number")
    elif value is not None and not isinstance(value, int | float | date | BaseModel):  # the SDK writes the last two
        raise TypeError(f"{name} is a {type(value).__name__}, which JSON has no form for: give its plain value")
