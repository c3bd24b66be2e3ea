"""JSON in what a model wrote: whole, or as much as has arrived. Pure.

Models put JSON into a Markdown fence, with words around it, or break a text over lines inside its quotes; that much is
read. Nothing is ever repaired or completed in a whole answer.
"""

from __future__ import annotations

import json
import re
from contextlib import suppress
from typing import Any

from pydantic_core import from_json

_FENCE = re.compile(r"```[ \t]*[\w-]*\s*")


def _no_number(name: str) -> Any:
    raise ValueError(f"{name} is no JSON")


_DECODER = json.JSONDecoder(strict=False, parse_constant=_no_number)  # a line break within quotes is read


def read_json(text: str) -> Any:
    """The JSON value that a text is, or that the one Markdown fence in it holds.

    Raises:
        ValueError: there is none, it is cut off, nested too deeply, or there are several.
    """
    try:
        return _read(text.strip().removeprefix("\ufeff"))
    except RecursionError:
        raise ValueError("nested too deeply") from None


def _read(bare: str) -> Any:
    try:
        return _DECODER.decode(bare)
    except ValueError:
        opened = _FENCE.search(bare)
        if opened is None:
            raise
    value, end = _DECODER.raw_decode(bare, opened.end())
    rest = bare[end:].lstrip()
    if rest and (not rest.startswith("```") or _FENCE.search(rest, 3)):
        raise ValueError("more follows after the JSON in the fence")
    return value


def read_json_among_words(text: str, openings: str = "{[") -> list[Any]:
    """What `read_json` reads; where that is nothing, all JSON values that stand among words, in order.

    Words may have braces and brackets, too. What begins as JSON and is broken or cut off is the end of it: no part of a
    value is taken for the whole. So a long text is read once.

    Args:
        text: what the model wrote.
        openings: the characters that a value among words may begin with: ``{``, ``[`` or both.

    Raises:
        ValueError: there is none, or one is nested too deeply.
    """
    try:
        return [read_json(text)]
    except ValueError as error:
        if found := _values(text, re.compile(f"[{re.escape(openings)}]")):
            return found
        raise error from None


def _values(text: str, opening: re.Pattern[str]) -> list[Any]:
    found: list[Any] = []
    place = opening.search(text)
    while place is not None:
        try:
            value, end = _DECODER.raw_decode(text, place.start())
            found.append(value)
        except ValueError as error:
            end = _end_of_words(text, place.end(), error)
        except RecursionError:
            raise ValueError("nested too deeply") from None
        place = opening.search(text, end)
    return found


def _end_of_words(text: str, start: int, error: ValueError) -> int:
    """Where to look on after a brace or bracket that opened no JSON; at the end, if it did, and the JSON is broken."""
    stopped = error.pos if isinstance(error, json.JSONDecodeError) else len(text)
    began = text[start:stopped].strip() or text.startswith('"', stopped)
    return len(text) if began else stopped


def partial_json(text: str, openings: str = "") -> Any:
    """As much of a JSON value as has arrived; None when nothing can be read yet, or it is none.

    Args:
        text: what has arrived.
        openings: the characters that the value may begin with after other words; none: no words stand before it.
    """
    bare = text.strip().removeprefix("\ufeff").lstrip()
    opened = _FENCE.match(bare)
    first = min((place for place in map(bare.find, openings) if place >= 0), default=0)
    for start in dict.fromkeys((opened.end() if opened else 0, first)):
        with suppress(ValueError):
            return from_json(bare[start:], allow_partial="trailing-strings")
    return None
