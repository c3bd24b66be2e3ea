"""Halves of characters: a stream may cut an emoji in two, each half escaped in a chunk of its own.

Python keeps such halves apart for ever, and no text with one in it can be sent or printed. So they are joined as the
chunks come, and a half that stays alone becomes the replacement character.
"""

from __future__ import annotations

from typing import Any


def whole_text(text: str) -> str:
    """The text with its halves joined; one that is alone is replaced."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


class Mender:
    """Mends chunks of one stream: a first half at the end of a text waits for the same text of a later chunk."""

    __slots__ = ("_waiting",)

    def __init__(self) -> None:
        self._waiting: dict[tuple[Any, ...], str] = {}

    def mend(self, value: Any, place: tuple[Any, ...] = ()) -> Any:
        """The JSON value with every text in it mended; fresh."""
        if isinstance(value, dict):
            return {key: self.mend(item, (*place, key)) for key, item in value.items()}
        if isinstance(value, list):
            return [self.mend(item, (*place, index)) for index, item in enumerate(value)]
        return self._text(value, place) if isinstance(value, str) else value

    def _text(self, text: str, place: tuple[Any, ...]) -> str:
        text = self._waiting.pop(place, "") + text
        if text and "\ud800" <= text[-1] <= "\udbff":
            self._waiting[place] = text[-1]
            text = text[:-1]
        return whole_text(text)


def mended(value: Any) -> Any:
    """A whole JSON value with every text in it mended; fresh."""
    if isinstance(value, dict):
        return {mended(key): mended(item) for key, item in value.items()}
    if isinstance(value, list):
        return [mended(item) for item in value]
    return whole_text(value) if isinstance(value, str) else value
