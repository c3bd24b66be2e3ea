"""JSON in what a model wrote: whole, or as much as has arrived. Pure.

Models put JSON into a Markdown fence, with words around it, or break a text over lines inside its quotes; that much is
read. Nothing is ever repaired or completed in a whole answer.
"""

from __future__ import annotations

import json
import re
from typing import Any

from pydantic_core import from_json

_FENCE = re.compile(r"```[ \t]*[\w-]*\s*")
_OPENED = re.compile(r"[{\[]")


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


def read_json_among_words(text: str) -> Any:
    """As `read_json`; where there is no fence, the one JSON object or list that stands among words.

    Raises:
        ValueError: as for `read_json`.
    """
    try:
        return read_json(text)
    except ValueError:
        opened = _OPENED.search(text)
        if opened is None or _FENCE.search(text):
            raise
    try:
        value, end = _DECODER.raw_decode(text, opened.start())
    except RecursionError:
        raise ValueError("nested too deeply") from None
    if _OPENED.search(text, end):
        raise ValueError("more follows after the JSON")
    return value


def partial_json(text: str) -> Any:
    """As much of a JSON value as has arrived; None when nothing can be read yet, or it is none."""
    bare = text.strip()
    opened = _FENCE.match(bare)
    try:
        return from_json(bare[opened.end() if opened else 0 :], allow_partial="trailing-strings")
    except ValueError:
        return None
