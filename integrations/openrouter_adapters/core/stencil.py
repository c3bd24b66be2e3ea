"""Text out of a chunk that is the one before in everything else: most of a stream is that, and need not be parsed."""

from __future__ import annotations

import re
from contextlib import suppress

from pydantic_core import from_json, to_json

_CONTENT = re.compile(rb'"content": *("(?:[^"\\]|\\.)*+")')
_ATTEMPTS = 8


class Stencil:
    """The bytes around the text of a chunk.

    They are cut once it is certain that the text between them is ``choices[0].delta.content``. A stream whose chunks
    differ elsewhere too, a time stamp say, is given up after some attempts.
    """

    __slots__ = ("_after", "_ahead", "_attempts", "_before", "_behind", "_cut_at", "_inside")

    def __init__(self) -> None:
        self._before = self._after = b"none yet"  # no JSON begins so
        self._ahead = self._inside = self._behind = slice(0)
        self._attempts = _ATTEMPTS
        self._cut_at = 0

    def read(self, data: bytes) -> str:
        """The text, where all around it is as it was; "" where it is not."""
        if data[self._ahead] != self._before or data[self._behind] != self._after:
            return ""
        try:
            text = from_json(data[self._inside])
        except ValueError:
            return ""
        return text if text.__class__ is str else ""

    def cut(self, data: bytes, text: str, number: int) -> None:
        """Cut it anew.

        Args:
            data: a chunk that adds nothing but text, and says nothing else that is new.
            text: that text.
            number: which piece of text of the stream it is; tells whether the last stencil was of use.
        """
        self._attempts = _ATTEMPTS if number - self._cut_at > _ATTEMPTS else self._attempts - 1
        self._cut_at = number
        found = _CONTENT.search(data) if self._attempts > 0 else None
        if found is None:
            return
        before, after = data[: found.start(1)], data[found.end(1) :]
        with suppress(ValueError):  # halves of characters
            chunk, other = from_json(data), from_json(before + to_json(f"{text}~") + after)
            chunk["choices"][0]["delta"]["content"] = f"{text}~"
            if chunk == other:
                self._before, self._ahead = before, slice(len(before))
                self._after, self._behind = after, slice(-len(after), None)
                self._inside = slice(len(before), -len(after))
