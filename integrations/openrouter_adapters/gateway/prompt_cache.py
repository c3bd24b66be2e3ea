"""The prompt cache: what a request with cache breakpoints writes, and what one with the same beginning reads."""

import hashlib
import threading
from collections.abc import Iterator
from typing import Any

from . import tokens
from .reply import Body

__all__ = ["PromptCache"]

_MARKS = ("cache_control", "prompt_cache_breakpoint")


class PromptCache:
    """Remembers the beginnings of prompts, up to each breakpoint, for each model.

    As with Anthropic: only a request that has a breakpoint takes part; it reads the longest beginning that was written
    before and writes the rest, up to its last breakpoint. A beginning of any length is kept, and for ever.
    """

    def __init__(self) -> None:
        """An empty cache."""
        self._written: set[bytes] = set()
        self._lock = threading.Lock()

    def counts(self, model: str, body: Body) -> tuple[int, int]:
        """How many tokens of a request's prompt are read and how many are written; remembers it.

        Args:
            model: the model that answers.
            body: the request.
        """
        beginnings = list(_beginnings(model, body))
        marked = [(digest, length) for digest, length, is_marked in beginnings if is_marked]
        if not marked:
            return 0, 0
        with self._lock:
            read = max((length for digest, length, _ in beginnings if digest in self._written), default=0)
            self._written.update(digest for digest, _ in marked)
        return read, max(marked[-1][1] - read, 0)


def _beginnings(model: str, body: Body) -> Iterator[tuple[bytes, int, bool]]:
    """Every beginning that ends with a whole block: what identifies it, its tokens, whether it ends at a breakpoint."""
    digest, length = hashlib.sha256(model.encode()), 0
    blocks = list(_blocks(body))
    for place, (block, count) in enumerate(blocks):
        digest.update(repr(_unmarked(block)).encode())
        length += count
        last = place == len(blocks) - 1
        yield digest.digest(), length, _is_marked(block) or (last and _is_marked(body))


def _blocks(body: Body) -> Iterator[tuple[Body, int]]:
    """What a prompt consists of, in the order in which it is cached: tools, then the messages' parts."""
    for tool in body.get("tools") or ():
        yield tool, tokens.count(str(tool))
    for message in body["messages"]:
        rest = {key: value for key, value in message.items() if key != "content"}
        for place, part in enumerate(_parts(message.get("content"))):
            before = 0 if place else tokens.of_message(rest)
            yield {**part, "of": rest}, before + tokens.of_content([part])


def _parts(content: Any) -> list[Body]:
    """A message's content as parts: text by itself is one part."""
    if isinstance(content, list) and content:
        return [part if isinstance(part, dict) else {"type": "text", "text": str(part)} for part in content]
    return [{"type": "text", "text": content or ""}]


def _unmarked(block: Body) -> Body:
    return {key: value for key, value in block.items() if key not in _MARKS}


def _is_marked(block: Body) -> bool:
    return any(block.get(mark) for mark in _MARKS)
