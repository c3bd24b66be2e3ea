"""Words: those in what a server says when something went wrong, of whatever shape; and the one that was meant."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Any

_WORDS = ("message", "detail", "error", "errors", "msg", "reason", "title")
_PAGE = re.compile(r"<html|<!doctype html", re.IGNORECASE)
_TITLE = re.compile(r"<(title|h1)\b[^>]*>(.*?)</\1", re.IGNORECASE | re.DOTALL)
_TAG = re.compile(r"<(script|style).*?</\1>|<[^>]*>", re.IGNORECASE | re.DOTALL)
_PAGE_LENGTH = 4000  # characters of a page that are looked at: patterns take their time
_LONGEST = 2000  # characters of somebody's words that are shown


def words(said: Any, levels: int = 6) -> str | None:
    """The words in an error body, be it text, an object, a list or a page; None when there are none.

    Args:
        said: what was said.
        levels: how deep to look.
    """
    if isinstance(said, str):
        return _page_words(said[:_PAGE_LENGTH]) if _PAGE.search(said[:1000]) else said.strip() or None
    if isinstance(said, dict):
        said = [said[key] for key in _WORDS if key in said]
    inside = (words(one, levels - 1) for one in said) if isinstance(said, list) and levels else ()
    return next(filter(None, inside), None)


def _page_words(page: str) -> str:
    """What an HTML page says: its title, or else its text."""
    title = _TITLE.search(page)
    return f"an HTML page: {' '.join(_TAG.sub(' ', title[2] if title else page).split())}"


def plain(text: str) -> str:
    """The words in a text, which may be JSON, or a page: an upstream's own error often is."""
    if text.lstrip()[:1] in ("{", "["):
        try:
            return words(json.loads(text)) or text
        except (ValueError, RecursionError):
            return text
    return words(text) or text


def in_short(text: str) -> str:
    """Somebody's words, short enough to be read, and without characters that do things to a terminal."""
    shown = text if len(text) <= _LONGEST else f"{text[:_LONGEST]} ... ({len(text):,} characters)"
    return "".join(letter if letter.isprintable() or letter == "\n" else " " for letter in shown)


def nearest(name: str, names: Iterable[str]) -> str | None:
    """Which of some names was meant perhaps; None: none of them is near."""
    from difflib import get_close_matches  # for mistakes alone

    return next(iter(get_close_matches(name, sorted(names), n=1)), None)
